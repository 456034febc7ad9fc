"""What was published last, and whether that is still what the days call for.

Here: the record that a publication leaves, written last, and the days that a run is due for because of it. Not here:
publishing (`sft.py`) and the staleness of the days themselves (`chain/manifests.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from lakehouse.chain.manifests import data_hash, fingerprint, manifest_days, read_manifest
from lakehouse.chain.sft import STAGE
from lakehouse.gates.verdicts import MISSING, STALE, why_held
from lakehouse.jsonl import read_json, write_json
from lakehouse.lake import Lake
from lakehouse.records import FileRef, Record

CHANGED = "changed after its gates looked at it"


class Publication(Record, kw_only=True):
    """What was published: from what, with which setting, what was held back, and the files."""

    schema_version: Literal[1]
    fingerprint: str
    include_partial: bool
    held_days: dict[str, str]
    outputs: list[FileRef]


def path_of(lake: Lake, asset: str) -> Path:
    """Where the record of an asset's last publication lies."""
    return lake.root / "index" / "published" / f"{asset}.json"


def read_publication(lake: Lake, asset: str) -> Publication | None:
    """Give what was published last, or `None` where nothing was, or where it was interrupted."""
    return read_json(path_of(lake, asset), Publication)


def keep(lake: Lake, asset: str, outputs: list[FileRef], held: dict[str, str], *, include_partial: bool) -> None:
    """Record a publication, when all of its files are in place."""
    write_json(
        path_of(lake, asset),
        Publication(
            schema_version=1,
            fingerprint=called_for(lake, include_partial),
            include_partial=include_partial,
            held_days=held,
            outputs=outputs,
        ),
    )


def called_for(lake: Lake, include_partial: bool) -> str:
    """Name what the days call for now: their samples, the state of their gates, and the setting."""
    days = {}
    for day in manifest_days(lake, STAGE):
        manifest = read_manifest(lake, STAGE, day)
        days[day] = (data_hash(manifest.outputs) if manifest else "", why_held(lake, day))
    return fingerprint(days, include_partial)


def due(lake: Lake, asset: str, today: str, include_partial: bool) -> dict[str, str]:
    """Give the days that a run is due for although they are up to date, with the reason of each.

    Days that no gate has looked at as they are, and days whose part changed on disk, are run again; where only the publication is missing or differs, the newest day
    stands for it, for a run publishes all days.
    """
    made = [day for day in manifest_days(lake, STAGE) if day <= today]
    last = read_publication(lake, asset)
    held = {**(last.held_days if last else {}), **{day: why for day in made if (why := why_held(lake, day))}}
    again = {day: why for day, why in held.items() if day in made and why.endswith((CHANGED, MISSING, STALE))}
    if again or not made:
        return again
    if last is None:
        return {made[-1]: "its samples were never published, or publishing was interrupted"}
    if any(_missing(lake, ref) for ref in last.outputs):
        return {made[-1]: "a published file is gone or was cut"}
    if last.fingerprint != called_for(lake, include_partial):
        return {made[-1]: "what is published is not what the days call for"}
    return {}


def _missing(lake: Lake, ref: FileRef) -> bool:
    path = lake.root / ref.path
    return not path.exists() or path.stat().st_size != ref.bytes
