"""What was published last, and whether that is still what the days call for.

Here: the record that a publication leaves, written last, and the days that a run is due for because of it. Not here:
publishing (a module per export) and the staleness of the days themselves (`chain/manifests.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from lakehouse.chain.manifests import data_hash, fingerprint, manifest_days, read_manifest
from lakehouse.files import sha256_of
from lakehouse.gates.verdicts import MISSING, STAGE_OF, STALE, UNSEEN, read_verdicts, why_held
from lakehouse.jsonl import read_json, write_json
from lakehouse.lake import Lake
from lakehouse.publish.exports import Asked, Export, Published
from lakehouse.records import DayManifest, FileRef, Record, Verdict
from lakehouse.similarity.holdout import holdout_path

CHANGED = "changed after its gates looked at it"


class Publication(Record, kw_only=True):
    """What was published: from what, asked for what, what was held back, the files, and the counts that cards show."""

    schema_version: Literal[1]
    asset: str
    fingerprint: str
    asked: dict[str, Any]
    held_days: dict[str, str]
    outputs: list[FileRef]
    records_in: int
    records_out: int
    items_out: int
    records_quarantined: int
    skip_reasons: dict[str, int]
    counts: dict[str, dict[str, int]]
    notes: dict[str, str]


def path_of(lake: Lake, asset: str) -> Path:
    """Where the record of an asset's last publication lies."""
    return lake.root / "index" / "publications" / f"{asset}.json"


def read_publication(lake: Lake, asset: str) -> Publication | None:
    """Give what was published last, or `None` where nothing was, or where it was interrupted."""
    return read_json(path_of(lake, asset), Publication)


def keep(lake: Lake, export: Export, asked: Asked, published: Published) -> None:
    """Record a publication, when all of its files are in place."""
    write_json(
        path_of(lake, export.asset),
        Publication(
            schema_version=1,
            asset=export.asset,
            fingerprint=called_for(lake, export, asked),
            asked=dict(asked),
            held_days=published.held_days,
            outputs=published.outputs,
            records_in=published.records_in,
            records_out=published.records_out,
            items_out=published.items_out,
            records_quarantined=published.records_quarantined,
            skip_reasons=published.skip_reasons,
            counts=published.counts,
            notes=published.notes,
        ),
    )


def called_for(lake: Lake, export: Export, asked: Asked) -> str:
    """Name what the days call for now: their data, the state of their gates, and what is asked."""
    days = {}
    for day in made_days(lake, export):
        manifest = read_manifest(lake, export.made_by, day)
        days[day] = (data_hash(manifest.outputs) if manifest else "", why_held(lake, day, export.needs))
    return fingerprint(days, dict(asked))


def made_days(lake: Lake, export: Export) -> list[str]:
    """List the days that an export may hold: those that its stage made, from the lake's first day on."""
    return [day for day in manifest_days(lake, export.made_by) if day >= (lake.settings.first_day or "")]


def days_to_publish(lake: Lake, export: Export) -> tuple[dict[str, DayManifest], dict[str, str]]:
    """Give the manifests of all days that have data for an export, and the days that are held back, with the reason."""
    manifests = {}
    for day in made_days(lake, export):
        manifest = read_manifest(lake, export.made_by, day)
        assert manifest is not None, "manifest_days lists the manifests that are there"
        manifests[day] = manifest
    reasons = ((day, why_held(lake, day, export.needs) or _changed(lake, export, day)) for day in manifests)
    return manifests, {day: why for day, why in reasons if why is not None}


def _changed(lake: Lake, export: Export, day: str) -> str | None:
    """Say that a file of a day is not what its gates looked at: it can change between them and publishing."""
    for asset in export.needs:
        manifest = read_manifest(lake, STAGE_OF[asset], day)
        for ref in manifest.outputs if manifest else ():
            path = lake.root / ref.path
            if not path.exists() or sha256_of(path) != ref.sha256:
                return f"{asset}: {ref.path} {CHANGED}"
    return None


def due(lake: Lake, export: Export, today: str, asked: Asked) -> dict[str, str]:
    """Give the days that a run is due for although they are up to date, with the reason of each.

    Days that no gate has looked at as they are, and days whose part changed on disk, are run again; where only the
    publication is missing or differs, one day stands for it, for a run publishes all days: the newest that no gate
    holds, whose run gets as far as publishing, or the newest where all are held. A day that a gate cannot look at is
    tried again each time, and keeps no other from being published.
    """
    made = [day for day in made_days(lake, export) if day <= today]
    last = read_publication(lake, export.asset)
    held = {
        **(last.held_days if last else {}),
        **{day: why for day in made if (why := why_held(lake, day, export.needs))},
    }
    again = {day: why for day, why in held.items() if day in made and why.endswith((CHANGED, MISSING, STALE, UNSEEN))}
    if not made or any(not why.endswith(UNSEEN) for why in again.values()):
        return again
    why = _differs(lake, export, asked, last)
    if why is None:
        return again
    stands = next((day for day in reversed(made) if why_held(lake, day) is None), made[-1])
    return {stands: f"{export.asset} {why}", **again}


def _differs(lake: Lake, export: Export, asked: Asked, last: Publication | None) -> str | None:
    """Say how what is published differs from what the days call for; `None` where it does not."""
    if last is None:
        return "was never published, or publishing was interrupted"
    if any(_missing(lake, ref) for ref in last.outputs):
        return "lost a file, or one was cut"
    if last.fingerprint != called_for(lake, export, asked):
        return "is not what the days call for"
    return None


def standing(lake: Lake, export: Export, check: str, code_version: str) -> Verdict | None:
    """Give the verdict that the candidate passed with, where nothing that the gate looks at has changed since.

    For gates that look at nothing but the published files and the held-out items: those are hashed here. `None` where
    the gate must look again.
    """
    last, found = read_publication(lake, export.asset), read_verdicts(lake, export.asset).get(check)
    if last is None or found is None or not found.passed or found.code_version != code_version:
        return None
    if any(
        not (lake.root / ref.path).exists() or sha256_of(lake.root / ref.path) != ref.sha256 for ref in last.outputs
    ):
        return None
    held_out = holdout_path(lake)
    native = next(ref for ref in last.outputs if ref.path == lake.relative(export.main(lake)))
    now = sha256_of(held_out) if held_out.exists() else ""
    # An export that holds nothing out was asked for no items.
    same = (native.sha256, now) == (found.input_sha256, last.asked.get("holdout", now))
    return found if same else None


def _missing(lake: Lake, ref: FileRef) -> bool:
    path = lake.root / ref.path
    return not path.exists() or path.stat().st_size != ref.bytes
