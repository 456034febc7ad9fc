"""Publishing the RAG export: the chunks of all green days, each content once, gated as a candidate, moved into place.

Here: which chunks go and in which order, settled by the keys of all days in DuckDB, which spills to disk; the accounting.
Not here: making chunks (`chain/rag.py`), the gates (`gates/rag.py`).

The order is that of the runs' own time and signature, so it does not depend on how the logs were laid out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

from lakehouse.files import locked, sweep
from lakehouse.gates.contracts import rag_contract
from lakehouse.gates.rag import chunks_rebuild_text, never_rejected
from lakehouse.jsonl import JsonlWriter
from lakehouse.lake import Lake
from lakehouse.publish.exports import RAG, Asked, Published
from lakehouse.publish.joining import Days, Place, gated, lines, naming_lost_keys
from lakehouse.publish.state import days_to_publish, keep
from lakehouse.records import DayManifest
from lakehouse.stamps import cut_sample

VERSION = "publish-rag-1"
FIREWALL = ("rejected", "conflicting_verdicts", "review_not_requested")
_BATCH = 10_000
_SETTLED = """
create or replace temp table settled_chunk as
with share as (
    select unnest(?::STRUCT(file VARCHAR, day VARCHAR, before BIGINT)[], recursive := true)
), key as (
    select k.* replace (k.byte_start + share.before as byte_start), share.day
    from read_parquet(?, filename=true) k join share on share.file = k.filename
), rejected as (
    select distinct stream, run_id from key where category = 'rejected'
), judged as (
    select key.*,
        case
            when rejected.run_id is not null then 'conflicting_verdicts'
            when category = 'needs_human_review' and not ? then 'review_not_requested'
        end as reason
    from key left join rejected using (stream, run_id)
    where id is not null and not list_contains(?, day)
), ranked as (
    select *, row_number() over (
        partition by id, reason is null
        order by list_position(['accepted', 'partially_accepted', 'needs_human_review'], category),
            micros, sig_hash, stream, day, chunk_index
    ) as place
    from judged
)
select day, stream, sig_hash, category, micros, chunk_index, byte_start, byte_length,
    case when reason is null and place > 1 then 'duplicate_content' else reason end as reason
from ranked
"""
_NOTHING = """
create or replace temp table settled_chunk (day VARCHAR, stream VARCHAR, sig_hash VARCHAR, category VARCHAR,
    micros BIGINT, chunk_index BIGINT, byte_start BIGINT, byte_length BIGINT, reason VARCHAR)
"""
_PLAN = """
select day, byte_start, byte_length from settled_chunk where reason is null
order by day, micros, sig_hash, stream, chunk_index
"""
_RUNS = """
with run as (
    select case when bool_or(reason is null) then 'published' else min(reason) end as what
    from settled_chunk group by day, stream, sig_hash
)
select what, count(*) from run group by what
"""


def asked(lake: Lake, include_review: bool | None = None) -> Asked:
    """Say what a publication is asked for; without a word, what the lake's settings say."""
    review = lake.settings.rag.include_review if include_review is None else include_review
    return {"version": VERSION, "include_review": review}


def publish(
    lake: Lake,
    connection: Any,
    now: str,
    *,
    include_review: bool | None = None,
    done: Callable[[str], None] = lambda what: None,
) -> Published:
    """Publish the chunks of every day whose gates are green; red, stale and unchecked days are held back and listed.

    The candidate passes its gates before it is moved into place; raises `GateFailed` (and leaves what was published
    before) where it does not. Memory: a batch of keys, a chunk, and what DuckDB may take. `done` hears which days are in.
    """
    with locked(lake.lock(f"publish-{RAG.asset}")):
        wanted = asked(lake, include_review)
        result = _publish(lake, connection, now, bool(wanted["include_review"]), done)
        keep(lake, RAG, wanted, result)
    return result


def _publish(lake: Lake, connection: Any, now: str, review: bool, done: Callable[[str], None]) -> Published:
    path = RAG.main(lake)
    with ExitStack() as stack:
        sweep(RAG.folder(lake))
        manifests, held = days_to_publish(lake, RAG)
        _settle(lake, connection, manifests, held, review)
        out = stack.enter_context(JsonlWriter(path, cut_sample))
        for line in lines(lake.rag_part, _told(_chosen(connection), done)):
            out.add(line)
        out.flush()
        runs, counts = _counted(connection)
        name = f"{lake.relative(path)} (candidate)"
        verdicts = gated(
            lake,
            RAG,
            (
                never_rejected(lake, out.beside, connection, now, include_review=review, name=name),
                chunks_rebuild_text(lake, out.beside, connection, now, name=name),
                rag_contract(lake, out.beside, now, name),
            ),
        )
    days = Days(manifests, held)
    published = runs.pop("published", 0)
    skipped = days.skipped + runs
    return Published(
        inputs=days.inputs,
        outputs=[out.ref(lake.relative(path))],
        held_days=held,
        records_in=days.records_in,
        records_out=published,
        items_out=out.rows,
        records_quarantined=days.quarantined,
        skip_reasons=dict(sorted(skipped.items())),
        verdicts=verdicts,
        counts={**counts, "firewall": {reason: skipped[reason] for reason in FIREWALL}},
    )


def _settle(
    lake: Lake, connection: Any, manifests: Mapping[str, DayManifest], held: Mapping[str, str], review: bool
) -> None:
    """Make the table of all chunks with what speaks against each; also what a held day says against a run counts."""
    shares: list[dict[str, Any]] = []
    for day, manifest in manifests.items():
        before = 0
        for stream in (name for name in manifest.counts if not name.endswith("/bytes")):
            shares.append({"file": str(lake.rag_keys(day, stream)), "day": day, "before": before})
            before += manifest.counts[f"{stream}/bytes"]
    if shares:
        with naming_lost_keys(share["file"] for share in shares):
            connection.execute(_SETTLED, [shares, [share["file"] for share in shares], review, list(held)])
    else:
        connection.execute(_NOTHING)


def _chosen(connection: Any) -> Iterator[Place]:
    """Give where the chunks to publish lie, in the order in which they are published."""
    cursor = connection.execute(_PLAN)
    while rows := cursor.fetchmany(_BATCH):
        yield from rows


def _told(places: Iterable[Place], done: Callable[[str], None]) -> Iterator[Place]:
    """Give places on, and tell of each day when its last has gone by."""
    last = ""
    for place in places:
        if last and place[0] != last:
            done(last)
        last = place[0]
        yield place
    if last:
        done(last)


def _counted(connection: Any) -> tuple[Counter[str], dict[str, dict[str, int]]]:
    """Count the runs by what became of them, and the published chunks by stream and by verdict."""
    runs = Counter(dict(connection.execute(_RUNS).fetchall()))
    counts = {}
    for name in ("stream", "category"):
        query = f"select {name}, count(*) from settled_chunk where reason is null group by {name} order by {name}"  # noqa: S608 - two names of ours
        counts[name] = dict(connection.execute(query).fetchall())
    return runs, counts
