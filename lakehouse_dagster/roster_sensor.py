"""The sensors `new_roster` and `new_rag_export`: the source of a corpus changed, so its build is asked for, and no other.

Here: what is looked at, what is remembered, and when a run is due. Not here: the build itself (`assets.corpora`). Without the
extra `retrieval` nothing is asked for, for it would only fail.
"""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import msgspec

from assets.corpora import CORPUS_ASSETS
from lakehouse.corpora.ready import source_file, why_held
from lakehouse.corpora.registry import Corpus
from lakehouse.corpora.store import require_lancedb
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.lake import Lake
from lakehouse.publish.exports import EXPORTS
from lakehouse.publish.state import read_publication
from lakehouse.roster.files import rows_of
from lakehouse.roster.reading import Fingerprint, roster_fingerprint
from lakehouse.roster.schema import COLUMNS
from lakehouse_dagster.jobs import REINDEX, AssetJob
from lakehouse_dagster.requests import BYTES_TAG, in_flight, next_attempt, states_of
from resources.lake import LakeResource

ROSTER, RAG_EXPORT = "new_roster", "new_rag_export"
SECONDS = 30
ROSTERS = {name: one for name, one in CORPUS_ASSETS.items() if one.family == "workers" and not one.from_log}
EXPORTED = {name: one for name, one in CORPUS_ASSETS.items() if one.asset in EXPORTS}
Say = Callable[[str], None]


class Known(msgspec.Struct, frozen=True):
    """What is known of one source. `sha256` is of the content that a run was last asked for, `asked` the attempts at it.

    `turn` counts the contents: one that comes back after another is asked for again, although Dagster has seen a run for it.
    `file` is what lay there at the last look, `broken` why it could not be read.
    """

    sha256: str = ""
    turn: int = 0
    asked: int = 0
    file: Fingerprint | None = None
    broken: str = ""


Memory = dict[str, Known]
"""What one tick leaves to the next, by asset."""


def new_roster_sensor(job: AssetJob, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Make the sensor on the rosters."""
    return _sensor(
        ROSTER,
        job,
        status,
        look_at_rosters,
        "Looks at the rosters. Once one has another content and lies still, its corpus is built; never twice for the same "
        "bytes, and at most three times where a run fails. A file that cannot be read is named, and waits for its next change.",
    )


def new_rag_export_sensor(job: AssetJob, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    """Make the sensor on the published RAG export."""
    return _sensor(
        RAG_EXPORT,
        job,
        status,
        look_at_exports,
        "Looks at what is published for retrieval. Once it is another file whose gates are green, the corpus is built; never "
        "twice for the same bytes, and at most three times where a run fails.",
    )


def _sensor(
    name: str,
    job: AssetJob,
    status: dg.DefaultSensorStatus,
    look: Callable[[Lake, dg.DagsterInstance, Memory, Say], tuple[list[dg.RunRequest], Memory, str]],
    description: str,
) -> dg.SensorDefinition:
    @dg.sensor(name=name, job=job, minimum_interval_seconds=SECONDS, default_status=status, description=description)
    def sensor(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
        try:
            require_lancedb()
        except UsageError as error:
            return dg.SensorResult(skip_reason=dg.SkipReason(str(error)))
        try:
            known = read_memory(name, context.cursor)
            requests, left, said = look(lake.open(), context.instance, known, context.log.warning)
        except LakehouseError as error:
            raise dg.Failure(description=str(error)) from error
        return dg.SensorResult(
            run_requests=requests,
            cursor=msgspec.json.encode(left).decode(),
            skip_reason=None if requests else dg.SkipReason(said),
        )

    return sensor


def read_memory(name: str, cursor: str | None) -> Memory:
    """Read what the last tick left; nothing where there is no cursor. Raises `UsageError`."""
    if not cursor:
        return {}
    try:
        return msgspec.json.decode(cursor, type=Memory)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"the cursor of {name} cannot be read ({error})",
            mend="reset the sensor's cursor; at worst a corpus is built once more, which embeds nothing",
        ) from None


def look_at_rosters(
    lake: Lake, instance: dg.DagsterInstance, memory: Memory, say: Say
) -> tuple[list[dg.RunRequest], Memory, str]:
    """Give the runs to ask for, what to remember, and in words why nothing happens where nothing does."""
    requests: list[dg.RunRequest] = []
    left, said = dict(memory), []
    for asset, corpus in ROSTERS.items():
        known = memory.get(asset, Known())
        try:
            path = source_file(lake, corpus)
            file = roster_fingerprint(path, known.file) if path is not None else None
        except UsageError as error:
            said.append(str(error))
            continue
        if path is None or file is None:
            said.append(f"there is no {corpus.source}")
            continue
        if file != known.file:
            # It may still be on its way: it is looked into at the next tick, when it has lain still since this one.
            left[asset] = msgspec.structs.replace(known, file=file, broken="")
            said.append(f"{corpus.source} changed, or is new; waiting for it to lie still")
            continue
        if file.sha256 != known.sha256 and not known.broken:
            known = msgspec.structs.replace(known, broken=_why_unreadable(path))
            if known.broken:
                say(known.broken)
        if known.broken:
            left[asset] = known
            said.append(known.broken)
            continue
        left[asset] = _due(instance, asset, known, file.sha256, requests, said)
    return requests, left, "; ".join(said) or "no roster changed"


def look_at_exports(
    lake: Lake, instance: dg.DagsterInstance, memory: Memory, _: Say
) -> tuple[list[dg.RunRequest], Memory, str]:
    """Give the runs to ask for, what to remember, and in words why nothing happens where nothing does."""
    requests: list[dg.RunRequest] = []
    left, said = dict(memory), []
    for asset, corpus in EXPORTED.items():
        sha256 = _published(lake, corpus)
        known = memory.get(asset, Known())
        if not sha256:
            said.append(f"{corpus.asset} is not published")
        elif sha256 != known.sha256 and (held := why_held(lake, corpus, sha256)) is not None:
            said.append(held)
        else:
            left[asset] = _due(instance, asset, known, sha256, requests, said)
    return requests, left, "; ".join(said) or "nothing else was published"


def _published(lake: Lake, corpus: Corpus) -> str:
    """Give the SHA-256 of the native file as its publication names it; nothing where none is published."""
    publication = read_publication(lake, corpus.asset)
    refs = publication.outputs if publication is not None else []
    return next((ref.sha256 for ref in refs if ref.path == corpus.source), "")


def _why_unreadable(path: Path) -> str:
    """Say why nothing can be read from a roster, as from one that is half written; nothing where its first row can."""
    try:
        next(rows_of(path, COLUMNS), None)
    except UsageError as error:
        return str(error)
    return ""


def _due(
    instance: dg.DagsterInstance, asset: str, known: Known, sha256: str, requests: list[dg.RunRequest], said: list[str]
) -> Known:
    """Ask for a run where there is none for this content, or all of them failed; give what is known then."""
    if sha256 != known.sha256:
        turn = known.turn + 1 if known.sha256 else 0
        known = msgspec.structs.replace(known, sha256=sha256, turn=turn, asked=0)
    key = f"{asset}:{sha256[:24]}:{known.turn}"
    states = states_of(instance, key)
    attempt = next_attempt(states)
    if attempt is not None and attempt > known.asked:
        selection = [dg.AssetKey(asset)]
        tags = {BYTES_TAG: key}
        requests.append(dg.RunRequest(run_key=f"{key}:{attempt}", asset_selection=selection, tags=tags))
        known = msgspec.structs.replace(known, asked=attempt)
    elif attempt is None and dg.DagsterRunStatus.SUCCESS not in states and not in_flight(states):
        said.append(f"{key} failed {len(states)} times, or was cancelled: start the job {REINDEX} yourself")
    return known
