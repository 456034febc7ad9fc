"""The gates `contract`: the records of a day and of an export keep to the suite of their asset.

Here: from files and a suite to a verdict, for evidence and for each export. Not here: what a suite holds and how it is run
(`lakehouse/contracts/`), what the SFT files for trainers must look like (`loading.py`).

A row that does not decode or fails an expectation is a fault of the data, named by file and line. A suite that is broken
could not look at all: that is red too, says so, and is a fault of the code. Without rows there is nothing to look at, and
Great Expectations is not even imported. One process is enough: a second one would import it again, which takes as long
as 300,000 rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lakehouse.chain.manifests import data_hash, read_manifest
from lakehouse.contracts import shapes, suites
from lakehouse.contracts.adapter import Outcome, validate
from lakehouse.contracts.columns import Shape
from lakehouse.contracts.frames import Batch, Frames, Source
from lakehouse.contracts.suites import Expectation, Suite
from lakehouse.errors import RecordError
from lakehouse.files import sha256_of
from lakehouse.gates.loading import loads
from lakehouse.gates.verdicts import MOST_OFFENDERS, STAGE_OF, verdict
from lakehouse.lake import Lake
from lakehouse.records import Verdict

VERSION = "contract-1"
MEND = (
    "this is a fault of the suite and not of the data: hold lakehouse/contracts/suites.py against the columns in "
    "shapes.py, and the version of great-expectations against constraints.txt"
)
Offender = dict[str, Any]


def evidence_contract(lake: Lake, day: str, checked_at: str) -> Verdict:
    """Hold the evidence of a day against its suite; signatures are unique in each stream.

    Memory: a batch of 100,000 rows as plain columns, and 24 bytes for each row of the day.
    """
    manifest = read_manifest(lake, STAGE_OF["evidence"], day)
    if manifest is None:
        raise RecordError(
            f"evidence of {day} was never made", where=str(lake.root), mend=f"run `lakehouse distill --day {day}`"
        )
    files = sorted(lake.evidence(day).glob("[!.]*.jsonl"))
    sources = [Source(path, lake.relative(path), path.stem) for path in files]
    looked = _Looked(lake, suites.evidence(day), shapes.EVIDENCE, sources)
    return looked.verdict(data_hash(manifest.outputs), checked_at)


def sft_contract(
    lake: Lake,
    path: Path,
    checked_at: str,
    name: str | None = None,
    *,
    beside: Mapping[str, Path] | None = None,
) -> Verdict:
    """Hold the samples of `path` against their suite, and the files for trainers against what trainers load.

    `beside` are those files by their names: of a candidate they must be given, of the published file they are those that
    lie beside it. `name` is what offenders call the file.
    """
    looked = _export(lake, suites.SFT, shapes.SFT, path, name)
    if beside is None and not path.name.startswith("."):
        beside = {other: path.with_name(other) for other in FILES if path.with_name(other).exists()}
    for other, place in (beside or {}).items():
        called = lake.relative(path.with_name(other)) + _candidate(name)
        looked.add(*({"file": called, **fault} for fault in loads(place, FILES[other], looked.rows)))
        looked.also.append(f"{other} loads")
    return looked.verdict(sha256_of(path) if path.exists() else "", checked_at)


FILES: Mapping[str, tuple[str, ...]] = {
    "sft_messages.jsonl": ("messages",),
    "sft_prompt_completion.jsonl": ("prompt", "completion"),
}
"""The columns that trainers ask of the files beside the samples, each a list of messages."""


def rag_contract(lake: Lake, path: Path, checked_at: str, name: str | None = None) -> Verdict:
    """Hold the chunks of `path` against their suite. `name` is what offenders call the file."""
    looked = _export(lake, suites.RAG, shapes.RAG, path, name)
    return looked.verdict(sha256_of(path) if path.exists() else "", checked_at)


def preference_contract(lake: Lake, path: Path, checked_at: str, name: str | None = None) -> Verdict:
    """Hold the pairs of `path` against their suite. `name` is what offenders call the file."""
    looked = _export(lake, suites.PREFERENCE, shapes.PREFERENCE, path, name)
    return looked.verdict(sha256_of(path) if path.exists() else "", checked_at)


def _export(lake: Lake, suite: Suite, shape: Shape, path: Path, name: str | None) -> _Looked:
    return _Looked(lake, suite, shape, [Source(path, name or lake.relative(path))])


def _candidate(name: str | None) -> str:
    return " (candidate)" if name is not None and name.endswith("(candidate)") else ""


class _Tally(NamedTuple):
    """What became of an expectation in all batches."""

    failed: int
    broken: str | None


class _Looked:
    """Files held against a suite: what failed, where, how often."""

    def __init__(self, lake: Lake, suite: Suite, shape: Shape, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._tallies: dict[Expectation, _Tally] = {}
        self._suite = suite
        self._offenders: list[tuple[int, int, Offender]] = []
        self._more: list[Offender] = []
        self._unread: list[Offender] = []
        self.also: list[str] = []
        frames = Frames(lake, shape, sources)
        try:
            for batch in frames.batches():
                self._take(validate(suite.rows, batch.frame), batch)
            if frames.rows > frames.lost:
                keys = frames.keys()
                self._take(validate(suite.whole, keys.frame), keys)
        except OSError as error:
            self._unread.append({"file": sources[0].name, "line": 0, "why": f"it cannot be read ({error.strerror})"})
        self.rows, self._lost = frames.rows, frames.lost
        for file, line, why in frames.faults:
            self._offend(file, line, why)

    def _take(self, outcomes: Iterable[Outcome], batch: Batch) -> None:
        for one in outcomes:
            before = self._tallies.get(one.expectation, _Tally(0, None))
            self._tallies[one.expectation] = _Tally(before.failed + one.failed, before.broken or one.broken)
            if one.expectation.blocks:
                for position in one.positions[: max(MOST_OFFENDERS - before.failed, 0)]:
                    self._offend(batch.files[position], batch.lines[position], one.expectation.says)

    def _offend(self, file: int, line: int, why: str) -> None:
        self._offenders.append((file, line, {"file": self._sources[file].name, "line": line, "why": why}))

    def add(self, *offenders: Offender) -> None:
        """Add faults that no expectation found."""
        self._more += offenders

    def verdict(self, input_sha256: str, checked_at: str) -> Verdict:
        """Make the verdict of everything that was found."""
        broken = {one: tally.broken for one, tally in self._tallies.items() if tally.broken is not None}
        stopped = [
            {"file": self._sources[0].name, "line": 0, "why": f"broken: {one.says}, but {why}"}
            for one, why in broken.items()
        ]
        failed = self._lost + sum(tally.failed for one, tally in self._tallies.items() if one.blocks)
        failed += len(self._more) + len(self._unread)
        by_place = sorted(self._offenders, key=lambda found: found[:2])
        return verdict(
            suites.CHECK,
            passed=not failed and not broken,
            rows_checked=self.rows,
            summary=self._summary(failed, broken),
            offenders=[*stopped, *self._unread, *self._more, *(offender for _, _, offender in by_place)],
            input_sha256=input_sha256,
            code_version=VERSION,
            checked_at=checked_at,
            tables={suites.TABLE: self._table()} if self.rows else None,
        )

    def _summary(self, failed: int, broken: Mapping[Expectation, str | None]) -> str:
        parts = []
        if broken:
            one, why = next(iter(broken.items()))
            parts.append(f"{len(broken)} expectations are broken and looked at nothing ({one.says}: {why}); {MEND}")
        if failed:
            worst = sorted(
                ((tally.failed, one.says) for one, tally in self._tallies.items() if one.blocks and tally.failed),
                key=lambda found: -found[0],
            )
            said = [f"{says} ({count})" for count, says in worst[:3]]
            said += [f"lines that do not decode ({self._lost})"] if self._lost else []
            said += [offender["why"] for offender in (*self._unread, *self._more)][:3]
            parts.append(f"{failed} faults in {self.rows} records: {'; '.join(said)}")
        if parts:
            return "; ".join(parts)
        if not self.rows:
            return "there are no records to look at"
        noticed = sum(tally.failed for one, tally in self._tallies.items() if not one.blocks)
        kept = f"{self.rows} records keep to {len(self._tallies)} expectations"
        also = "".join(f", {one}" for one in self.also)
        return f"{kept}{also}" + (f"; {noticed} values are odd, and not ours to refuse" if noticed else "")

    def _table(self) -> list[dict[str, Any]]:
        decoded = "held" if not self._lost else "failed"
        rows: list[dict[str, Any]] = [
            {"expectation": suites.DECODES, "rows": self.rows, "failed": self._lost, "outcome": decoded}
        ]
        looked_at = self.rows - self._lost
        for one, tally in self._tallies.items():
            outcome = (
                "broken" if tally.broken else "held" if not tally.failed else "failed" if one.blocks else "noticed"
            )
            rows.append({"expectation": one.says, "rows": looked_at, "failed": tally.failed, "outcome": outcome})
        return rows
