"""What publishing any export does alike: reading day parts, naming lost keys, stopping at a red gate, counting by days.

Here: those pieces. Not here: what an export chooses and writes (a module each).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.errors import GateFailed, RecordError
from lakehouse.gates.verdicts import is_red, record
from lakehouse.lake import Lake
from lakehouse.publish.exports import Export
from lakehouse.records import DayManifest, FileRef, Verdict

CANDIDATE = " (candidate)"
"""What a publisher writes after the name of a file that its gates look at before it is moved into place."""
Place = tuple[str, int, int]
"""Where a line lies in the part of its day: the day, its first byte, its length with the line's end."""


def lines(part: Callable[[str], Path], places: Iterable[Place]) -> Iterator[bytes]:
    """Give the lines at places, without their ends; each day's file is opened once where places come by day."""
    open_day, handle = "", -1
    try:
        for day, start, length in places:
            if day != open_day:
                if handle >= 0:
                    os.close(handle)
                open_day, handle = day, os.open(part(day), os.O_RDONLY)
            yield os.pread(handle, length, start).removesuffix(b"\n")
    finally:
        if handle >= 0:
            os.close(handle)


@contextmanager
def naming_lost_keys(files: Iterable[str | Path]) -> Iterator[None]:
    """Raise `RecordError` for the first keys that cannot be read, where a query over the keys of days fails."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        for path in map(Path, files):
            try:
                pq.read_schema(path)
            except (OSError, pa.ArrowInvalid):
                day = "-".join((*path.parts[-4:-2], path.parent.stem))
                raise RecordError(
                    "the keys of a day's runs are gone or cannot be read",
                    where=str(path),
                    mend=f"`lakehouse distill --day {day}` makes them again",
                ) from error
        raise


def gated(lake: Lake, export: Export, found: Sequence[Verdict]) -> list[Verdict]:
    """Keep the verdicts on a candidate; raises `GateFailed` where one of them is red.

    Those that are not red name the published file, which the candidate becomes: the look at that file then says the same.
    """
    verdicts = [record(lake, export.asset, None, one if is_red(one) else _published(one)) for one in found]
    red = [one for one in verdicts if is_red(one)]
    if red:
        raise GateFailed(
            "the candidate must not be published: " + "; ".join(f"{one.check}: {one.summary}" for one in red),
            where=lake.relative(export.main(lake)),
            mend=f"read the offenders in {lake.relative(lake.gate(export.asset))}; what was published before still stands",
        )
    return verdicts


def _published(verdict: Verdict) -> Verdict:
    """Give a verdict with the names of published files where it names candidates."""
    rows = [
        {**row, "file": row["file"].removesuffix(CANDIDATE)} if isinstance(row.get("file"), str) else row
        for row in verdict.offenders
    ]
    return msgspec.structs.replace(verdict, offenders=rows)


class Days:
    """What the days' own stage made of every run, and the runs of the days that are held back."""

    def __init__(self, manifests: Mapping[str, DayManifest], held: Mapping[str, str]) -> None:
        self.records_in = self.quarantined = 0
        self.skipped: Counter[str] = Counter()
        self.inputs: list[FileRef] = []
        for day, manifest in manifests.items():
            self.records_in += manifest.records_in
            if day in held:
                self.skipped["held_day"] += manifest.records_in
                continue
            self.inputs.extend(ref for ref in manifest.outputs if ref.path.startswith("distilled/"))
            self.skipped.update(manifest.skip_reasons)
            self.quarantined += manifest.records_quarantined
