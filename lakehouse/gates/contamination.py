"""The firewall's third place: every sample of a file is joined back to the scored runs by provenance, in SQL.

Here: the join, and one more search for secrets. The join shares no code with the scorer, the synthesis or the other two
places, and reads only files: the candidate before it is published, and the published file again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import msgspec

from lakehouse.files import sha256_of
from lakehouse.gates.secrets import secrets_in
from lakehouse.gates.unreadable import unreadable
from lakehouse.gates.verdicts import MOST_OFFENDERS, verdict
from lakehouse.lake import Lake
from lakehouse.records import Verdict

VERSION = "contamination-1"
_VERDICTS = """
create or replace temp view verdict as
    select category, stream, evidence_run_id as run_id, evidence_task_id as task_id,
           provenance.source_file as source_file, provenance.line_offset as line_offset,
           provenance.sig_hash as sig_hash
    from read_json(getvariable('scored_runs'), format='newline_delimited', maximum_object_size=67108864, columns={
        category: 'VARCHAR', stream: 'VARCHAR', evidence_run_id: 'VARCHAR', evidence_task_id: 'VARCHAR',
        provenance: 'STRUCT(source_file VARCHAR, line_offset BIGINT, sig_hash VARCHAR)'})
"""
_NO_VERDICTS = """
create or replace temp view verdict as
    select '' as category, '' as stream, '' as run_id, '' as task_id, '' as source_file, 0::BIGINT as line_offset,
           '' as sig_hash where false
"""
_CONDEMNED = """
create or replace temp view condemned_content as
    select distinct content_id from read_parquet(getvariable('keys')) where never
"""
_NONE_CONDEMNED = "create or replace temp view condemned_content as select '' as content_id where false"
_OFFENDERS = """
with sample as (
    select row_number() over () as line, id, category, quality_score, source_run_id, task_id,
           provenance.source_file as source_file, provenance.line_offset as line_offset,
           provenance.sig_hash as sig_hash
    from read_json(?, format='newline_delimited', maximum_object_size=67108864, columns={
        id: 'VARCHAR', category: 'VARCHAR', quality_score: 'DOUBLE', source_run_id: 'VARCHAR', task_id: 'VARCHAR',
        provenance: 'STRUCT(source_file VARCHAR, line_offset BIGINT, sig_hash VARCHAR)'})
), condemned as (
    select distinct stream, run_id from verdict where category in ('rejected', 'needs_human_review')
), joined as (
    select sample.line, sample.id, sample.source_run_id, sample.source_file, sample.line_offset,
        case
            when verdict.category is null then 'its run has no verdict'
            when verdict.category in ('rejected', 'needs_human_review') then 'its run is ' || verdict.category
            when verdict.category not in ('accepted', 'partially_accepted') then 'its run is ' || verdict.category
            when verdict.category <> sample.category
                then 'it claims ' || sample.category || ', its run is ' || verdict.category
            when sample.category = 'partially_accepted' and not ? then 'partially accepted runs were not asked for'
            when verdict.run_id <> sample.source_run_id or verdict.task_id <> sample.task_id
                then 'it names run ' || sample.source_run_id || ', the verdict ' || verdict.run_id
            when list_contains(?, verdict.stream) then 'its stream ' || verdict.stream || ' is an extraction'
            when condemned.run_id is not null then 'its run has a conflicting verdict'
            when condemned_content.content_id is not null then 'the same content has a conflicting verdict'
        end as why
    from sample
    left join verdict using (source_file, line_offset, sig_hash)
    left join condemned_content on condemned_content.content_id = sample.id
    left join condemned on condemned.stream = verdict.stream and condemned.run_id = verdict.run_id
)
select line, id, source_run_id, source_file || ':' || (line_offset + 1), why from joined where why is not null order by line
"""


def contamination_firewall(
    lake: Lake, path: Path, connection: Any, checked_at: str, *, include_partial: bool, name: str | None = None
) -> Verdict:
    """Join the samples of `path` to the scored runs; fail on a run that must not be there, is missing or differs.

    Each line is also searched for secrets and SSNs. `connection` is an in-memory DuckDB connection, whose memory limit
    bounds the join. `name` is what offenders call the file. An empty file passes with nothing checked: there is nothing
    in it that could contaminate. A file that cannot be read is red.
    """
    named = name or lake.relative(path)
    rows = 0
    offenders: list[dict[str, Any]] = []
    try:
        rows, offenders = secrets_in(path, named)
        total = len(offenders)
        if rows:
            joined, shown = _joined(lake, path, connection, include_partial, named)
            total += joined
            offenders += shown
    except (duckdb.Error, msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        total = 1
        offenders = [unreadable(path, named, error)]
    return verdict(
        "contamination_firewall",
        passed=total == 0,
        rows_checked=rows,
        summary=f"{total} of {rows} samples must not be there" if total else f"{rows} samples, each of an accepted run",
        offenders=offenders,
        input_sha256=sha256_of(path) if path.exists() else "",
        code_version=VERSION,
        checked_at=checked_at,
    )


def _joined(
    lake: Lake, path: Path, connection: Any, include_partial: bool, name: str
) -> tuple[int, list[dict[str, Any]]]:
    """Count the samples that the scored runs speak against, and give the first of them."""
    extraction = [stream.name for stream in lake.streams.values() if stream.source_class == "extraction"]
    scored = sorted(map(str, (lake.root / "scored-runs").glob("*/*/*/[!.]*.jsonl")))
    keys = sorted(map(str, lake.parts.glob("*/*/*.keys/[!.]*.parquet")))
    connection.execute("set variable scored_runs = ?", [scored])
    connection.execute("set variable keys = ?", [keys])
    connection.execute(_VERDICTS if scored else _NO_VERDICTS)
    connection.execute(_CONDEMNED if keys else _NONE_CONDEMNED)
    cursor = connection.execute(_OFFENDERS, [str(path), include_partial, extraction])
    shown = cursor.fetchmany(MOST_OFFENDERS)
    total = len(shown)
    while more := cursor.fetchmany(10_000):
        total += len(more)
    # Other gates on the same connection have tables of their own by these names.
    connection.execute("drop view verdict; drop view condemned_content")
    return total, [
        {"file": name, "line": line, "sample": sample, "run": run, "source": source, "why": why}
        for line, sample, run, source, why in shown
    ]
