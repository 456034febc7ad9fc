"""Putting the cards beside published data: the live SFT export, and a release.

Here: from what a publication recorded to the facts of a card, writing the three files, and whether they are still those
that the publication calls for. Not here: what they say (`cards/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec
import pyarrow.parquet as pq

from lakehouse.chain.manifests import fingerprint, manifest_days
from lakehouse.files import write_whole
from lakehouse.gates.distribution import CHECK as DRIFT
from lakehouse.gates.verdicts import day_input, read_verdicts
from lakehouse.jsonl import read_json, write_json
from lakehouse.lake import Lake
from lakehouse.publish.cards import NAMES, companions
from lakehouse.publish.cards.facts import CardFacts, FileFact, Kind
from lakehouse.publish.exports import SFT
from lakehouse.publish.sft import LEFT_OUT
from lakehouse.publish.state import Publication, read_publication
from lakehouse.records import FileRef, PreferencePair, RagChunk, Record, SftSample
from lakehouse.similarity.minhash import NEAR, SCHEME

if TYPE_CHECKING:
    from lakehouse.release.make import Cards, ReleaseFacts

VERSION = "cards-2"
_KINDS: Mapping[str, Kind] = {
    "sft_export.jsonl": "native",
    "sft_messages.jsonl": "messages",
    "sft_prompt_completion.jsonl": "prompt_completion",
    "preference_export.jsonl": "native",
    "preference_trl.jsonl": "preference",
    "kto.jsonl": "kto",
    "stepwise.jsonl": "stepwise",
    "rag_export.jsonl": "rag",
}
_RECORDS: Mapping[str, type[Record]] = {
    "sft_export.jsonl": SftSample,
    "preference_export.jsonl": PreferencePair,
    "rag_export.jsonl": RagChunk,
}


class Shown(Record, kw_only=True):
    """What the live cards show, and the hash of the run that first showed it."""

    schema_version: Literal[1]
    shows: str
    run_hash: str | None = None


def shown_path(lake: Lake) -> Path:
    """Where the record of the live cards lies."""
    return lake.root / "index" / "publications" / "sft_cards.json"


def cards_due(lake: Lake, today: str) -> dict[str, str]:
    """Give the newest day, with the reason, where the live cards or the list of what was left out are not up to date."""
    last = read_publication(lake, SFT.asset)
    days = [day for day in manifest_days(lake, SFT.made_by) if day <= today]
    if last is None or not days:
        return {}
    shown = read_json(shown_path(lake), Shown)
    if shown is None or shown.shows != _shows(lake, last):
        return {days[-1]: "the dataset card is not that of what is published"}
    lost = [name for name in (*NAMES, LEFT_OUT) if not (SFT.folder(lake) / name).exists()]
    return {days[-1]: f"{lost[0]} of {SFT.asset} is gone"} if lost else {}


def write_live(lake: Lake, run_hash: str | None) -> None:
    """Write the cards of the published SFT export; none where nothing is published.

    Their date is that of the newest published day and their run that which first showed this, so that a run without news
    changes no byte.
    """
    last = read_publication(lake, SFT.asset)
    if last is None:
        return
    folder = SFT.folder(lake)
    shown = read_json(shown_path(lake), Shown)
    shows = _shows(lake, last)
    if shown is not None and shown.shows == shows:
        run_hash = shown.run_hash
    facts = facts_of(
        lake, [last], folder, last.outputs, created_at=f"{last.notes['through']}T00:00:00Z", run_hash=run_hash
    )
    _write(folder, facts, live=True)
    write_json(shown_path(lake), Shown(schema_version=1, shows=shows, run_hash=run_hash))


def _shows(lake: Lake, last: Publication) -> str:
    """Name what the live cards depend on beside the run."""
    return fingerprint(VERSION, msgspec.to_builtins(last), msgspec.to_builtins(lake.settings.card), _drift(lake, last))


def _drift(lake: Lake, last: Publication) -> str | None:
    """Say how the newest published day compares with those before it, as its gate did; `None` where none looked."""
    day = last.notes["through"]
    found = read_verdicts(lake, "scored_runs", day).get(DRIFT)
    return found.summary if found is not None and found.input_sha256 == day_input(lake, "scored_runs", day) else None


def release_cards(lake: Lake) -> Cards:
    """Give what writes the cards of a release into its folder."""

    def write(folder: Path, release: ReleaseFacts) -> None:
        facts = facts_of(
            lake,
            list(release.publications.values()),
            folder,
            release.files,
            created_at=release.created_at,
            run_hash=release.run_hash,
            release_hash=release.release_hash,
        )
        _write(folder, facts, live=False)

    return write


def facts_of(
    lake: Lake,
    publications: Sequence[Publication],
    folder: Path,
    files: Sequence[FileRef],
    *,
    created_at: str,
    run_hash: str | None,
    release_hash: str | None = None,
) -> CardFacts:
    """Gather what a card says. `files` have paths in `folder`, or relative to the lake."""
    settings = lake.settings.card
    main = next(one for one in publications if one.asset == SFT.asset)
    known = [_fact(ref, _inside(lake, folder, ref.path)) for ref in files]
    split = next((fact for fact in known if fact.is_parquet), None)
    held: dict[str, str] = {}
    for one in publications:
        held |= one.held_days
    return CardFacts(
        name=settings.name,
        title=settings.title,
        created_at=created_at,
        files=known,
        licence=settings.licence,
        language=settings.language,
        tags=("agents", "lakehouse-dagster"),
        url=settings.url,
        creator=settings.creator,
        features=pq.read_schema(folder / split.path) if split else None,
        per_split=main.counts.get("split", {}),
        per_stream=main.counts.get("stream", {}),
        per_category=main.counts.get("category", {}),
        skipped={**main.skip_reasons, "secret or personal data": main.records_quarantined},
        firewall=main.counts.get("firewall", {}),
        held_days=held,
        near_duplicate_scheme=SCHEME,
        near_duplicate_threshold=NEAR,
        near_duplicates=main.skip_reasons.get("near_duplicate", 0),
        holdout_scheme="13-grams of words",
        holdout_threshold=main.asked["holdout_overlap"],
        holdout={"blocked": main.counts["holdout"]["blocked"]} if main.notes.get("holdout") else None,
        run_hash=run_hash,
        release_hash=release_hash,
        drift=_drift(lake, main),
    )


def _inside(lake: Lake, folder: Path, path: str) -> str:
    """Give a file's path in the folder of the card."""
    whole = lake.root / path
    return whole.relative_to(folder).as_posix() if whole.is_relative_to(folder) else path


def _fact(ref: FileRef, path: str) -> FileFact:
    name = Path(path).name
    split = Path(path).stem if path.endswith(".parquet") else None
    return FileFact(
        path=path,
        rows=ref.rows,
        bytes=ref.bytes,
        sha256=ref.sha256,
        kind="parquet" if split else _KINDS.get(name, "other"),
        split=split,
        record=_RECORDS.get(name),
    )


def _write(folder: Path, facts: CardFacts, *, live: bool) -> None:
    for name, data in companions(facts, live=live).items():
        write_whole(folder / name, data)
