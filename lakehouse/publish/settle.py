"""What the whole lake knows against a sample: another verdict on its run or its content, or the same content earlier.

Here: one pass of SQL over the keys of all days; DuckDB spills to disk where they outgrow its memory. Not here: writing
keys (`chain/keys.py`) or samples (`sft.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from lakehouse.lake import Lake
from lakehouse.records import DayManifest

Drop = tuple[str, int, str]
"""A sample that is not published: its day, its place in the day's part, the reason code."""

_SETTLE = """
with share as (
    select unnest(?::STRUCT(file VARCHAR, day VARCHAR, before BIGINT)[], recursive := true)
), key as (
    select k.* replace (k.ordinal + share.before as ordinal), share.day
    from read_parquet(?, filename=true) k join share on share.file = k.filename
), run_conflict as (
    select stream, run_id from key group by all having bool_or(never) and not bool_and(never)
), content_conflict as (
    select content_id from key group by all having bool_or(never) and not bool_and(never)
), judged as (
    select key.day, key.ordinal, key.content_id, key.micros, key.sig_hash,
        case
            when run_conflict.run_id is not null or content_conflict.content_id is not null then 'conflicting_verdicts'
            when key.partial and not ? then 'partial_not_requested'
        end as reason
    from key
    left join run_conflict using (stream, run_id)
    left join content_conflict using (content_id)
    where not key.never and not list_contains(?, key.day)
), ranked as (
    select *, case when reason is null then
        row_number() over (partition by content_id, reason is null order by micros, sig_hash, day, ordinal)
    end as place
    from judged
)
select day, ordinal, coalesce(reason, 'duplicate_content') from ranked
where reason is not null or place > 1
order by day, ordinal
"""


def drops(
    lake: Lake, connection: Any, manifests: Mapping[str, DayManifest], held: Iterable[str], *, include_partial: bool
) -> Iterator[Drop]:
    """Give the samples that are not published, ordered by day and place in the day's part.

    `manifests` are those of all days that have parts: also what a held day's verdicts say against a run counts.
    """
    shares = []
    for day, manifest in manifests.items():
        before = 0
        for stream, samples in manifest.counts.items():
            shares.append({"file": str(lake.keys(day, stream)), "day": day, "before": before})
            before += samples
    if not shares:
        return
    files = [share["file"] for share in shares]
    cursor = connection.execute(_SETTLE, [shares, files, include_partial, list(held)])
    while rows := cursor.fetchmany(10_000):
        yield from rows
