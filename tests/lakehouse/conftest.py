"""A small lake for a test: write raw lines, run the chain over them, look at what came out.

Here: the `lab` fixtures that the chain's tests share. Not here: rows of one test, which stand beside it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lakehouse import index, summary
from lakehouse.chain import day as chain
from lakehouse.chain.manifests import Staleness
from lakehouse.files import sha256_of
from lakehouse.gates import verdicts
from lakehouse.gates.contamination import contamination_firewall
from lakehouse.gates.rag import chunks_rebuild_text, never_rejected
from lakehouse.gates.registry import DAILY_GATES
from lakehouse.jsonl import write_json
from lakehouse.lake import Lake
from lakehouse.publish import rag
from lakehouse.publish.exports import RAG, Published
from lakehouse.publish.preference import publish as publishing_preference
from lakehouse.publish.sft import publish
from lakehouse.records import DayManifest, GateVerdicts, RunSummary, Verdict
from lakehouse.run import NO_COMMIT, Run, Stage
from lakehouse.sql import connect

NOW = "2026-05-10T02:00:00.000Z"
TODAY = "2026-05-10"
SLOW = ("contract", "quarantine_rate", "scorer_parity", "scorer_drift", "score_distribution_psi")
Row = dict[str, Any]


def green(check: str, input_sha256: str, now: str = NOW, **more: Any) -> Verdict:
    """The verdict of a gate that did not look: for tests of what follows from green ones."""
    said: dict[str, Any] = {"passed": True, "rows_checked": 1, "summary": "fine", "offenders": [], **more}
    return verdicts.verdict(check, input_sha256=input_sha256, code_version="test", checked_at=now, **said)


def reseal(path: Path, held: Row) -> None:
    """Write a file of verdicts as if gates had said what it says: with the seal of it."""
    said = msgspec.convert(held, GateVerdicts)
    said.seal = verdicts.seal_of(said)
    write_json(path, said)


class Lab:
    """One lake and what a test does with it. `lake` is read anew each time, as a new process would."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "_kb").mkdir(parents=True, exist_ok=True)
        self.settings("workers = 1")

    @property
    def lake(self) -> Lake:
        return Lake(self.root)

    def settings(self, text: str) -> None:
        (self.root / "lakehouse.toml").write_text(text + "\n", encoding="utf-8")

    def write(self, name: str, *rows: Row | bytes, end: bytes = b"\n") -> Path:
        """Append lines to `_kb/<name>.jsonl`; the last one gets `end`, which is empty for a torn line."""
        path = self.root / "_kb" / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = [row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows]
        with path.open("ab") as file:
            file.write(b"\n".join(lines) + end if lines else b"")
        return path

    def index(self, limit: int | None = None) -> index.IndexReport:
        return index.update_all(self.lake, limit)

    def stale(self, today: str = TODAY) -> dict[str, str]:
        return Staleness(self.lake).stale(today)

    def make(
        self, days: Sequence[str] | None = None, now: str = NOW, fused: bool = True, chunks: bool = True
    ) -> list[DayManifest]:
        """Index, then make the given days (the stale ones without any) in one pass or stage by stage, then their chunks."""
        self.index()
        lake = self.lake
        wanted = list(self.stale()) if days is None else days
        if fused:
            made = chain.distill(lake, wanted, now)
        else:
            stages = (chain.collect, chain.score_days, chain.make_samples)
            made = [manifest for stage in stages for manifest in stage(lake, wanted, now)]
        return [*made, *chain.make_chunks(lake, wanted, now)] if chunks else made

    def gate(self, days: Iterable[str], now: str = NOW) -> list[Verdict]:
        """Let the gates look that hold rows and files together, and say of the slower ones that they are green.

        Give the red verdicts. What the slower ones see, their own tests and those of the whole chain show.
        """
        lake, found = self.lake, []
        for day in days:
            for gate in DAILY_GATES:
                current = verdicts.day_input(lake, gate.asset, day)
                if current is None:
                    continue
                one = green(gate.name, current, now) if gate.name in SLOW else gate.look(lake, day, now)
                found.append(verdicts.record(lake, gate.asset, day, one))
        return [verdict for verdict in found if not verdict.passed]

    def publish(self, now: str = NOW, *, include_partial: bool = False) -> Published:
        lake = self.lake
        with closing(connect(lake)) as connection:
            return publish(lake, connection, now, include_partial=include_partial)

    def publish_preference(self, now: str = NOW, **options: Any) -> Published:
        lake = self.lake
        with closing(connect(lake)) as connection:
            return publishing_preference(lake, connection, now, **options)

    def publish_rag(self, now: str = NOW, *, include_review: bool | None = None) -> Published:
        lake = self.lake
        with closing(connect(lake)) as connection:
            return rag.publish(lake, connection, now, include_review=include_review)

    def never_rejected(self, path: Path | None = None, *, include_review: bool = False) -> Verdict:
        """Let the first gate of the RAG export look at the published file, or at another."""
        lake = self.lake
        with closing(connect(lake)) as connection:
            return never_rejected(lake, path or RAG.main(lake), connection, NOW, include_review=include_review)

    def chunks_rebuild_text(self, path: Path | None = None) -> Verdict:
        """Let the second gate of the RAG export look at the published file, or at another."""
        lake = self.lake
        with closing(connect(lake)) as connection:
            return chunks_rebuild_text(lake, path or RAG.main(lake), connection, NOW)

    def firewall(self, path: Path | None = None, *, include_partial: bool = False) -> Verdict:
        """Let the third place look at the published file, or at another."""
        lake = self.lake
        with closing(connect(lake)) as connection:
            path = path or lake.sft / "sft_export.jsonl"
            return contamination_firewall(lake, path, connection, NOW, include_partial=include_partial)

    def run(self, name: str) -> Run:
        """Begin a run with a clock that stands still."""
        return Run(name, lambda: datetime(2026, 5, 10, 2, tzinfo=UTC), NO_COMMIT, self.root / "reports")

    def night(
        self, name: str = "night", now: str = NOW, days: Sequence[str] | None = None, rag: bool = False
    ) -> RunSummary:
        """Run the chain: index, stages with receipts, gates, publication of the SFT and maybe the RAG export, summary."""
        self.index()
        lake, run = self.lake, self.run(name)
        wanted = list(self.stale()) if days is None else days
        with Stage(run, "collect") as stage:
            stage.days(chain.collect(lake, wanted, now))
        with Stage(run, "score") as stage:
            stage.days(chain.score_days(lake, wanted, now))
        with Stage(run, "export-sft") as stage:
            samples = chain.make_samples(lake, wanted, now)
            chunks = chain.make_chunks(lake, wanted, now)
            self.gate(wanted, now)
            stage.published(self.publish(now), [ref for manifest in samples for ref in manifest.outputs])
        if rag:
            with Stage(run, "export-rag") as stage:
                stage.published(self.publish_rag(now), [ref for manifest in chunks for ref in manifest.outputs])
        return summary.summarize(lake, run, wanted)

    def all(self, pattern: str) -> list[Row]:
        """Read every row of the files that match, in order of their paths."""
        return [
            json.loads(line)
            for path in sorted(self.root.glob(pattern))
            for line in path.read_bytes().splitlines()
            if line.strip()
        ]

    def evidence(self) -> list[Row]:
        return self.all("evidence/*/*/*/*.jsonl")

    def scored(self) -> list[Row]:
        return self.all("scored-runs/*/*/*/*.jsonl")

    def samples(self) -> list[Row]:
        return self.all("distilled/sft/parts/*/*/*.jsonl")

    def published(self) -> list[Row]:
        return self.all("distilled/sft/sft_export.jsonl")

    def pairs(self) -> list[Row]:
        return self.all("distilled/preference/preference_export.jsonl")

    def chunks(self) -> list[Row]:
        return self.all("distilled/rag/parts/*/*/*.jsonl")

    def published_chunks(self) -> list[Row]:
        return self.all("distilled/rag/rag_export.jsonl")

    def quarantined(self) -> list[Row]:
        return self.all("quarantine/*/*/*/*.jsonl")

    def undated(self) -> list[Row]:
        return self.all("quarantine/undated/index.jsonl")

    def tree(self, *folders: str) -> dict[str, str]:
        """Give the hash of every file that the chain writes, or of those below some folders."""
        tops = folders or ("index", "evidence", "scored-runs", "quarantine", "distilled", "gates")
        return {
            path.relative_to(self.root).as_posix(): sha256_of(path)
            for top in tops
            for path in sorted((self.root / top).rglob("*"))
            if path.is_file() and path.suffix != ".lock"
        }


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture(scope="session")
def new_lab(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Lab]:
    """Give a function that makes a lake: for tests that need several, or a fresh one for each example."""
    return lambda: Lab(tmp_path_factory.mktemp("lake"))
