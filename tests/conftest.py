"""Shared by all tests: hypothesis without deadlines, and tiny lakes with the real definitions on them."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec
import pytest
from hypothesis import settings

from assets.days import tags_of
from assets.distillation import DAILY, Daily
from lakehouse.contracts.adapter import Outcome
from lakehouse.contracts.suites import Expectation
from lakehouse.gates.code_gates import ASSET, CODE_GATES
from lakehouse.gates.verdicts import record, verdict
from lakehouse.lake import Lake
from lakehouse.records import RunSummary, Verdict
from lakehouse_dagster.build import build_definitions
from lakehouse_dagster.jobs import BACKFILL, NIGHTLY

settings.register_profile("lakehouse", deadline=None)
settings.load_profile("lakehouse")

FIRST, SECOND, THIRD = "2026-05-01", "2026-05-02", "2026-05-03"
NOON = datetime(2026, 5, 10, 12, tzinfo=UTC)
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


def review(file: str, day: str, attempt: int | None = 1, text: str = "verified", hour: int = 10) -> dict[str, Any]:
    """A scrum review: accepted on its first attempt, or with `attempt=None` rejected after three."""
    # Enough words of its own that no other day's review is a near-duplicate, for all share the instruction's words.
    own = " ".join(f"{file[0]}{day[-2:]}x{number}" for number in range(9))
    row: dict[str, Any] = {"file": file, "model": "x-ai/grok", "suggestions": f"{text} {file} on {day} {own}"}
    row |= {"attempts_made": 3} if attempt is None else {"accepted_on_attempt": attempt, "attempts_made": attempt}
    return {**row, "reviewed_at": f"{day}T{hour:02d}:00:00.000Z"}


def audit(phase: str, day: str, severity: str = "low") -> dict[str, Any]:
    return {"phase": phase, "severity": severity, "reasoning": f"phase {phase} on {day}", "ts": f"{day}T11:00:00Z"}


def evaluations(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str, str | None], dg.AssetCheckEvaluation]:
    """The check results of a run by (asset, check, day); the day is None where one stands for the whole run."""
    found = result.get_asset_check_evaluations()
    return {(one.asset_key.to_user_string(), one.check_name, one.partition): one for one in found}


class TinyLake:
    """A lake of a few hand-made rows, and the real definitions on it."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "lake"
        self.reports = folder / "reports"
        (self.root / "_kb").mkdir(parents=True)

    @property
    def lake(self) -> Lake:
        return Lake(self.root)

    def append(self, stream: str, *rows: dict[str, Any]) -> None:
        with (self.root / "_kb" / f"{stream}.jsonl").open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)

    def fill(self, *days: str) -> None:
        """Give each day three reviews, one of them rejected, and an audit."""
        for day in days:
            self.append("scrum_reviews", review("a.rs", day), review("b.rs", day, 2), review("c.rs", day, None))
            self.append("audits", audit(f"p{day[-2:]}", day))

    def definitions(self, **changes: Any) -> dg.Definitions:
        given: dict[str, Any] = {"commit": "c" * 40, "first_day": FIRST, "clock": lambda: NOON}
        return build_definitions(self.root, self.reports, **{**given, **changes})

    def run(
        self,
        *days: str,
        instance: dg.DagsterInstance | None = None,
        daily: Sequence[Daily] = DAILY,
        config: dict[str, Any] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Run the whole chain over days in one run."""
        job = self.definitions(daily=daily).resolve_job_def(NIGHTLY if len(days) == 1 else BACKFILL)
        return job.execute_in_process(
            instance=instance, tags=tags_of(days), raise_on_error=False, run_config={**QUIET, **(config or {})}
        )

    def look(self, asset: str, *days: str, instance: dg.DagsterInstance | None = None) -> dg.ExecuteInProcessResult:
        """Run the checks of an asset alone, over what is there."""
        gates = dg.define_asset_job("gates", dg.AssetSelection.checks_for_assets(asset))
        job = dg.Definitions.merge(self.definitions(), dg.Definitions(jobs=[gates])).resolve_job_def("gates")
        tags = tags_of(days) if days else {}
        return job.execute_in_process(instance=instance, tags=tags, raise_on_error=False, run_config=QUIET)

    def summary(self, run_id: str) -> RunSummary:
        path = self.reports / "distillation" / run_id / "summary.json"
        return msgspec.json.decode(path.read_bytes(), type=RunSummary)

    def published(self) -> list[dict[str, Any]]:
        path = self.lake.sft / "sft_export.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def tree(self) -> dict[str, str]:
        """Every file of the lake with the hash of its bytes."""
        files = (path for path in sorted(self.root.rglob("*")) if path.is_file())
        return {str(path.relative_to(self.root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(autouse=True)
def code_gates_hold(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every run find the gates on the code green: they look at no lake, and acceptance takes seconds.

    Tests that are about them say `pytestmark = pytest.mark.code_gates`.
    """
    if request.node.get_closest_marker("code_gates"):
        return
    for name, gate in CODE_GATES.items():
        monkeypatch.setitem(CODE_GATES, name, replace(gate, current=lambda: "test", look=partial(_holds, name)))


@pytest.fixture(autouse=True)
def contracts_kept(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every expectation be met: Great Expectations takes a tenth of a second for each suite, and seconds to import.

    Rows are decoded all the same. Tests about contracts, or about the chain with all that belongs to it, say
    `pytestmark = pytest.mark.contracts`.
    """
    if not request.node.get_closest_marker("contracts"):
        monkeypatch.setattr("lakehouse.gates.contracts.validate", _kept)


def _kept(expectations: Sequence[Expectation], _: object) -> list[Outcome]:
    return [Outcome(one, 0) for one in expectations]


REAL_CODE_GATES = dict(CODE_GATES)


def let_code_gates_stand(lake: Lake) -> None:
    """Keep green verdicts of the gates on the code, so that processes started on this lake need not look for seconds."""
    for name, gate in REAL_CODE_GATES.items():
        said: dict[str, Any] = {"passed": True, "rows_checked": 1, "summary": "taken for green", "offenders": []}
        one = verdict(
            name, input_sha256=gate.current(), code_version="test", checked_at="2026-05-10T02:00:00.000Z", **said
        )
        record(lake, ASSET, None, one)


def _holds(name: str, lake: Lake, now: str) -> Verdict:
    said: dict[str, Any] = {"passed": True, "rows_checked": 1, "summary": "fine", "offenders": []}
    return verdict(name, input_sha256="test", code_version="test", checked_at=now, **said)


@pytest.fixture
def tiny(tmp_path: Path) -> TinyLake:
    return TinyLake(tmp_path)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral
