"""A finished lake of five days that the tests of the audit share, and what they do to copies of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lakehouse import index, summary
from lakehouse.audit.model import AuditCheck, AuditReport
from lakehouse.audit.run import audit
from lakehouse.chain import day as chain
from lakehouse.files import sha256_of
from lakehouse.gates.verdicts import LOOKS_AT, REQUIRED, REQUIRED_OF_EXPORTS, day_input, read_verdicts, record, verdict
from lakehouse.lake import Lake
from lakehouse.publish import preference, rag, sft
from lakehouse.publish.exports import EXPORTS
from lakehouse.records import RunSummary
from lakehouse.run import Run, Stage
from lakehouse.sql import connect

NOW = "2026-05-10T02:00:00.000Z"
COMMIT = "c" * 40
DAYS = [f"2026-05-0{number}" for number in range(1, 6)]
ODD = "2026-05-02"
"""The day on which rows were quarantined."""


def rows_of(day: str) -> dict[str, list[Any]]:
    """Give a day's rows by stream: every verdict, a pair for preference, and on one day rows that are refused."""
    own = [" ".join(f"w{day[-2:]}{place}{number}" for number in range(12)) for place in "abcdefgh"]
    stamp = f"{day}T10:00:00.000Z"
    review = {"model": "x/grok", "attempts_made": 3, "reviewed_at": stamp}
    runs = [
        {
            "run_id": f"r{day}{n}",
            "task_id": f"t{day}",
            "prompt": f"do {own[4]}",
            "response": f"{own[5 + n]}",
            "ts": stamp,
        }
        for n in range(2)
    ]
    found: dict[str, list[Any]] = {
        "scrum_reviews": [
            {**review, "file": f"a{day}.rs", "accepted_on_attempt": 1, "suggestions": own[0]},
            {**review, "file": f"b{day}.rs", "accepted_on_attempt": 2, "suggestions": own[1]},
            {**review, "file": f"c{day}.rs", "suggestions": own[2]},
        ],
        "observer_reviews": [
            {"file": f"a{day}.rs", "verdict": "accept", "confidence": 0.9, "notes": own[3], "ts": stamp},
            {"file": f"b{day}.rs", "verdict": "escalate", "notes": own[4], "ts": stamp},
        ],
        "audits": [{"phase": day, "severity": "low", "reasoning": own[6], "findings": [own[7]], "ts": stamp}],
        "agent_runs": [{**runs[0], "passed": True}, {**runs[1], "passed": False}],
    }
    if day == ODD:
        found["agent_runs"] += [
            {**runs[0], "run_id": "odd", "cost_usd": "free"},
            {**runs[0], "run_id": "leak", "task_id": "leak", "response": "my ssn is 219-09-9999", "passed": True},
        ]
    return found


class Finished:
    """A copy of the finished lake."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.reports = root / "reports"

    @property
    def lake(self) -> Lake:
        return Lake(self.root)

    def run(self, name: str, commit: str = COMMIT) -> Run:
        return Run(name, lambda: datetime(2026, 5, 10, 2, tzinfo=UTC), commit, self.reports)

    def audit(self, *, deep: bool = True, commit: str = COMMIT, **options: Any) -> AuditReport:
        return audit(self.lake, self.run("audit", commit), deep=deep, **options)

    def check(self, name: str, **options: Any) -> AuditCheck:
        """Run an audit and give one of its checks."""
        return one(self.audit(**options), name)

    def lines(self, path: str) -> list[bytes]:
        return (self.root / path).read_bytes().splitlines(keepends=True)

    def write(self, path: str, lines: list[bytes]) -> None:
        (self.root / path).write_bytes(b"".join(lines))

    def change(self, path: str, line: int, **fields: Any) -> None:
        """Set fields of a record in a file of lines."""
        held = self.lines(path)
        record = json.loads(held[line - 1]) | fields
        held[line - 1] = msgspec.json.encode(record) + b"\n"
        self.write(path, held)

    def edit(self, path: str, **fields: Any) -> None:
        """Set fields of a file of one record."""
        record = json.loads((self.root / path).read_bytes()) | fields
        (self.root / path).write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")

    def flip(self, path: str, line: int, after: str) -> None:
        """Flip one bit of the first byte after a text in a line."""
        held = self.lines(path)
        place = held[line - 1].index(after.encode()) + len(after.encode())
        data = bytearray(held[line - 1])
        data[place] ^= 1
        held[line - 1] = bytes(data)
        self.write(path, held)

    def night(self, name: str, days: list[str]) -> RunSummary:
        """Run the chain over days, with the receipts of all five stages, the verdicts of the gates, and the summary."""
        index.update_all(self.lake)
        lake, run = self.lake, self.run(name)
        with Stage(run, "collect") as stage:
            stage.days(chain.collect(lake, days, NOW))
        with Stage(run, "score") as stage:
            stage.days(chain.score_days(lake, days, NOW))
        samples, chunks = chain.make_samples(lake, days, NOW), chain.make_chunks(lake, days, NOW)
        for day in days:
            for asset, checks in REQUIRED.items():
                stand(lake, asset, day, checks, day_input(lake, asset, day))
        with Stage(run, "export-sft") as stage, closing(connect(lake)) as connection:
            parts = [ref for manifest in samples for ref in manifest.outputs]
            stage.published(sft.publish(lake, connection, NOW, include_partial=True), parts)
        with Stage(run, "export-rag") as stage, closing(connect(lake)) as connection:
            parts = [ref for manifest in chunks for ref in manifest.outputs]
            stage.published(rag.publish(lake, connection, NOW), parts)
        with Stage(run, "export-preference", preference.VERSION) as stage, closing(connect(lake)) as connection:
            stage.published(preference.publish(lake, connection, NOW), [])
        for asset, checks in REQUIRED_OF_EXPORTS.items():
            for check in checks:
                path = EXPORTS[asset].folder(lake) / LOOKS_AT.get(check, f"{asset}.jsonl")
                stand(lake, asset, None, [check], sha256_of(path))
        return summary.summarize(lake, run, days)

    def append(self, day: str, rows: dict[str, list[Any]]) -> None:
        for stream, held in rows.items():
            with (self.root / "_kb" / f"{stream}.jsonl").open("a") as file:
                file.writelines(json.dumps(row) + "\n" for row in held)


def stand(lake: Lake, asset: str, day: str | None, checks: Iterable[str], data: str | None) -> None:
    """Let gates be green that an audit does not ask itself: it looks at their verdicts, and they have tests of their own."""
    known = read_verdicts(lake, asset, day)
    for check in checks:
        if check not in known or known[check].input_sha256 != data:
            told: dict[str, Any] = {"passed": True, "rows_checked": 1, "summary": "green", "offenders": []}
            record(lake, asset, day, verdict(check, **told, input_sha256=data or "", code_version="1", checked_at=NOW))


def one(report: AuditReport, name: str) -> AuditCheck:
    """Give a check of a report by its name."""
    return next(check for check in report.checks if check.check == name)


def places(check: AuditCheck) -> list[tuple[str, int]]:
    """Give file and line of each offender."""
    return [(found["file"], found["line"]) for found in check.offenders]


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake that is copied: four days in a first run, a fifth in a second."""
    lake = Finished(tmp_path_factory.mktemp("audited"))
    (lake.root / "_kb").mkdir()
    (lake.root / "lakehouse.toml").write_text("workers = 1\n")
    for day in DAYS[:-1]:
        lake.append(day, rows_of(day))
    lake.night("first", DAYS[:-1])
    lake.append(DAYS[-1], rows_of(DAYS[-1]))
    lake.night("second", DAYS[-1:])
    return lake.root


class Helpers:
    """What tests share: test folders are no packages, so that a fixture carries it."""

    one = staticmethod(one)
    places = staticmethod(places)

    @staticmethod
    def copy(pattern: Path, to: Path) -> Finished:
        """Copy the finished lake."""
        shutil.copytree(pattern, to)
        return Finished(to)


@pytest.fixture(scope="session")
def helpers() -> Helpers:
    return Helpers()


@pytest.fixture
def finished(pattern: Path, tmp_path: Path, helpers: Helpers) -> Finished:
    return helpers.copy(pattern, tmp_path / "lake")
