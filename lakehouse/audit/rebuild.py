"""Making days and publications again in a shadow lake, to have what was written.

Here: what is made again for which files, and the proof that it is what was written: the content hash. Not here: the
comparison (`locate.py`).

A day is made from its evidence where that is whole, else from its rows. A publication is made from the days as they are,
with those that changed made again before. Whatever cannot be made again says why.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from lakehouse.audit.files import Changed, Written
from lakehouse.audit.shadow import shadow
from lakehouse.chain import day as chain
from lakehouse.chain.manifests import read_manifest
from lakehouse.errors import LakehouseError
from lakehouse.gates.verdicts import REQUIRED, day_input, record, verdict, why_held
from lakehouse.lake import Lake
from lakehouse.publish import preference, rag, sft
from lakehouse.publish.exports import EXPORTS, PREFERENCE, RAG, SFT, Export
from lakehouse.publish.state import made_days, read_publication
from lakehouse.records import FileRef
from lakehouse.sql import connect

MOST_DAYS = 31
"""Days that one audit makes again: more is no search for a line any more."""
COLLECT = "collect"
OTHER = "made again it is not what was written: its rows, the settings or the code changed since"
_FAULTS = (LakehouseError, OSError, ValueError, duckdb.Error, pa.ArrowException)

Rebuilt = Callable[[Written], tuple[Path, FileRef] | str]
"""From a file as it was written to where it lies, made again, and its description; or why it could not be made."""


@contextmanager
def rebuilt(lake: Lake, files: list[Changed], now: str) -> Iterator[Rebuilt]:
    """Make again what the days and publications of changed files need. The temporary folder goes with the block."""
    days = sorted({one.written.day for one in files if one.written.day})
    assets = sorted({one.written.asset for one in files if one.written.asset})
    from_rows = {one.written.day for one in files if one.written.stage == COLLECT}
    with shadow(lake, None if assets else days[:MOST_DAYS]) as other:
        failed: dict[str, str] = dict.fromkeys(days[MOST_DAYS:], f"no more than {MOST_DAYS} days are made again")
        for day in days[:MOST_DAYS]:
            why = _tried(_make_from_rows if day in from_rows else _make_from_evidence, other, day, now)
            if why is not None:
                failed[day] = why
        for asset in assets:
            why = _tried(_publish, other, asset, now)
            if why is not None:
                failed[asset] = why
        yield lambda written: _given(other, written, failed)


def _tried(make: Callable[[Lake, str, str], None], other: Lake, name: str, now: str) -> str | None:
    try:
        make(other, name, now)
    except _FAULTS as error:
        what = error.what if isinstance(error, LakehouseError) else type(error).__name__
        return f"it could not be made again ({what})"
    return None


def _make_from_rows(other: Lake, day: str, now: str) -> None:
    chain.distill(other, [day], now)
    chain.make_chunks(other, [day], now)


def _make_from_evidence(other: Lake, day: str, now: str) -> None:
    for stage in (chain.score_days, chain.make_samples, chain.make_chunks):
        stage(other, [day], now)


def _publish(other: Lake, asset: str, now: str) -> None:
    """Publish again what was published last; days that were green then and are not now, or were made again, count as green."""
    export, last = EXPORTS[asset], read_publication(other, asset)
    assert last is not None, "its files are known from its record"
    for day in made_days(other, export):
        if day not in last.held_days and why_held(other, day, export.needs) is not None:
            _let_through(other, export, day, now)
    with closing(connect(other)) as connection:
        _PUBLISH[asset](other, connection, now, last.asked)


def _let_through(other: Lake, export: Export, day: str, now: str) -> None:
    """Let a day of the shadow lake count as green, as it did when it was published: the content hash tells if that is wrong."""
    for asset in export.needs:
        data = day_input(other, asset, day) or ""
        for check in REQUIRED[asset]:
            green = verdict(
                check,
                passed=True,
                rows_checked=0,
                summary="as when it was published",
                offenders=(),
                input_sha256=data,
                code_version="",
                checked_at=now,
            )
            record(other, asset, day, green)


_PUBLISH: Mapping[str, Callable[[Lake, Any, str, Mapping[str, Any]], Any]] = {
    SFT.asset: lambda lake, db, now, asked: sft.publish(lake, db, now, include_partial=asked["include_partial"]),
    RAG.asset: lambda lake, db, now, asked: rag.publish(lake, db, now, include_review=asked["include_review"]),
    PREFERENCE.asset: lambda lake, db, now, asked: preference.publish(lake, db, now),
}


def _given(other: Lake, written: Written, failed: Mapping[str, str]) -> tuple[Path, FileRef] | str:
    name, path = written.day or written.asset or "", other.root / written.ref.path
    if name in failed:
        return failed[name]
    # A link is the changed file itself: making it again left it out.
    if path.is_symlink() or not path.exists():
        return "it was not made again: its stream waits for mending, or its rows are gone"
    ref = next((one for one in _outputs(other, written) if one.path == written.ref.path), None)
    if ref is None or ref.content_sha256 != written.ref.content_sha256:
        return OTHER
    return path, ref


def _outputs(other: Lake, written: Written) -> list[FileRef]:
    if written.day is not None:
        manifest = read_manifest(other, written.stage, written.day)
        return manifest.outputs if manifest else []
    last = read_publication(other, written.asset or "")
    return last.outputs if last else []
