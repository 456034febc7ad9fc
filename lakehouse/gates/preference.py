"""The gates of the preference export: every pair and every label is held against the scored runs and the evidence, in SQL.

Here: the joins, and one more search for secrets. They share no code with publishing and read only files: the candidate
before it is published, and the published files again.

A message counts here as one line of text: its role, its text, the names of the tools it calls. A run's lines are those
of its messages, and its text as an answer where that does not stand in them. Of a run without messages only the answer
is compared, for its prompt is made by a template.
"""

from __future__ import annotations

from collections.abc import Callable
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

VERSION = "preference-1"
MOST_PAIRS = 5
_AT_ONCE = 64 << 20
"""Bytes of evidence that one statement reads, about."""
REVIEWS = ("observer_reviews", "audits")
"""Streams whose verdict is about something else than what they say."""

_MACROS = """
create or replace temp macro text_of(content) as
    case json_type(content)
        when 'VARCHAR' then content ->> '$'
        when 'ARRAY' then array_to_string(json_extract_string(content, '$[*].text'), '')
        else ''
    end;
create or replace temp macro calls_of(calls) as
    case json_type(calls) when 'OBJECT' then json_array(calls) else calls end;
create or replace temp macro told(messages) as
    list_transform(messages, lambda one:
        coalesce(one.role, '') || ': ' || coalesce(text_of(one.content), '')
        || coalesce(' ' || nullif(array_to_string(list_sort(list_concat(
            json_extract_string(calls_of(one.tool_calls), '$[*].function.name'),
            json_extract_string(calls_of(one.tool_calls), '$[*].name'))), ','), ''), ''));
create or replace temp macro answers(messages) as
    list_filter(
        list_transform(
            list_filter(messages, lambda one: one.role = 'assistant'), lambda one: text_of(one.content)),
        lambda text: regexp_matches(text, '\\S'));
create or replace temp macro until_assistant(lines) as
    lines[:len(lines) + 1 - coalesce(
        list_position(list_reverse(list_transform(lines, lambda one: starts_with(one, 'assistant: '))), true),
        len(lines) + 1)];
create or replace temp macro said(lines) as array_to_string(lines, chr(30));
"""
# DuckDB's JSON reader takes several times the longest line it must expect on every core and for every file it reads at once.
# So each statement reads one kind of file on one core, and what they hand on are digests and places, no texts.
_SCORED = """
from (
    select category, stream, evidence_run_id as run_id, evidence_task_id as task_id, provenance.*
    from read_json(getvariable('scored_runs'), format='newline_delimited', columns={
        category: 'VARCHAR', stream: 'VARCHAR', evidence_run_id: 'VARCHAR', evidence_task_id: 'VARCHAR',
        provenance: 'STRUCT(source_file VARCHAR, line_offset BIGINT, sig_hash VARCHAR)'})
)
"""
_NO_SCORED = """
from (
    select '' as category, '' as stream, '' as run_id, '' as task_id, '' as source_file, 0::BIGINT as line_offset,
        '' as sig_hash where false
)
"""
_MESSAGES = "'STRUCT(role VARCHAR, content JSON, tool_calls JSON)[]'"
_EVIDENCE = """
from (
    select source_file, line_offset, sig_hash, 'assistant: ' || text as answer, case
            when coalesce(len(lines), 0) = 0 then null
            when regexp_matches(text, '\\S') and coalesce(answers[-1], '') <> text
                then list_append(lines, 'assistant: ' || text)
            else lines
        end as lines
    from (
        select provenance.*, text, told(messages) as lines, answers(messages) as answers
        from read_json(getvariable('evidence'), format='newline_delimited', maximum_object_size=67108864, columns={
            text: 'VARCHAR', messages: <messages>,
            provenance: 'STRUCT(source_file VARCHAR, line_offset BIGINT, sig_hash VARCHAR)'})
    )
) evidence
""".replace("<messages>", _MESSAGES)
_SIDE = """
create or replace temp table side as
with pair as (
    select row_number() over () as line, *
    from read_json($path, format='newline_delimited', maximum_object_size=67108864, columns={
        id: 'VARCHAR', prompt: <messages>, chosen: <messages>, rejected: <messages>, chosen_run_id: 'VARCHAR',
        rejected_run_id: 'VARCHAR', task_id: 'VARCHAR', chosen_category: 'VARCHAR', rejected_category: 'VARCHAR',
        provenance_chosen: 'STRUCT(source_file VARCHAR, line_offset BIGINT, sig_hash VARCHAR)',
        provenance_rejected: 'STRUCT(source_file VARCHAR, line_offset BIGINT, sig_hash VARCHAR)'})
), told as (
    select *, told(prompt) as asked,
        unnest([
            {name: 'chosen', run_id: chosen_run_id, category: chosen_category, place: provenance_chosen,
                answered: told(chosen)},
            {name: 'rejected', run_id: rejected_run_id, category: rejected_category, place: provenance_rejected,
                answered: told(rejected)}
        ], recursive := true)
    from pair
)
select line, id, task_id, name, run_id, category, source_file, line_offset, sig_hash, chosen is not distinct from rejected as equal,
    coalesce(len(asked), 0) as asked, coalesce(len(answered), 0) as answered,
    starts_with(answered[1], 'assistant: ') as begins, starts_with(answered[-1], 'assistant: ') as ends,
    md5(said(list_concat(asked, answered))) as whole, md5(answered[1]) as answer
from told
""".replace("<messages>", _MESSAGES)
_VERDICT = """
create or replace temp table verdict as
select *, case category when 'accepted' then 3 when 'partially_accepted' then 2 when 'rejected' then 1 end as worth
{scored} semi join side using (source_file, line_offset, sig_hash)
"""
_TORN = """
create or replace temp table torn as
select stream, run_id {scored} semi join verdict using (stream, run_id) group by all
having bool_or(category in ('rejected', 'needs_human_review')) and bool_or(category in ('accepted', 'partially_accepted'))
"""
_HEARD = """
insert into heard
select line, name, case
        when lines is null then side.answered = 1 and side.answer is not distinct from md5(evidence.answer)
        else side.whole is not distinct from md5(said(lines[:side.asked + side.answered]))
    end as so
<evidence> join side using (source_file, line_offset, sig_hash)
""".replace("<evidence>", _EVIDENCE)
_NO_HEARD = "create or replace temp table heard (line BIGINT, name VARCHAR, so BOOLEAN)"
_NO_SPOKEN = "create or replace temp table spoken_by (place UBIGINT, whole UHUGEINT, answer UHUGEINT)"
_PAIRS = """
with joined as (
    select side.line, side.name, verdict.stream, verdict.run_id, verdict.worth,
        case
            when verdict.category is null then 'its ' || name || ' run has no verdict'
            when verdict.worth is null then 'its ' || name || ' run is ' || verdict.category
            when side.category is distinct from verdict.category then
                'it calls its ' || name || ' run ' || coalesce(side.category, 'nothing') || ', which is ' || verdict.category
            when side.run_id is distinct from verdict.run_id then
                'it names the ' || name || ' run ' || coalesce(side.run_id, 'nothing') || ', the verdict ' || verdict.run_id
            when side.task_id is distinct from verdict.task_id then 'its ' || name || ' run is of task ' || verdict.task_id
            when list_contains($barred, verdict.stream)
                then 'its ' || name || ' run is of ' || verdict.stream || ', whose runs are not compared'
            when torn.run_id is not null then 'its ' || name || ' run has a conflicting verdict'
            when side.asked = 0 then 'it has no prompt'
            when side.answered = 0 then 'its ' || name || ' side is empty'
            when not begins then 'its ' || name || ' side does not begin with an assistant'
            when not ends then 'its ' || name || ' side does not end on an assistant'
            when heard.so is null then 'its ' || name || ' run has no evidence'
            when not heard.so then 'its ' || name || ' run did not say this to this prompt'
        end as why
    from side
    left join verdict using (source_file, line_offset, sig_hash)
    left join heard using (line, name)
    left join torn on torn.stream = verdict.stream and torn.run_id = verdict.run_id
), counted as (
    select line, id, task_id, equal,
        row_number() over (partition by task_id order by line) as of_task,
        row_number() over (partition by id order by line) as of_id
    from side where name = 'chosen'
), judged as (
    select counted.line, counted.id, counted.task_id, case
            when good.why is not null then good.why
            when bad.why is not null then bad.why
            when good.stream = bad.stream and good.run_id = bad.run_id then 'both sides are of one run'
            when good.worth <= bad.worth then 'its chosen run is not judged better than the other'
            when counted.equal then 'both sides are equal'
            when of_task > $most then 'its task has more than ' || $most || ' pairs'
            when of_id > 1 then 'the pair stands in the file before'
        end as why
    from counted
    join joined good on good.line = counted.line and good.name = 'chosen'
    join joined bad on bad.line = counted.line and bad.name = 'rejected'
)
select line, id, task_id, any_value(why) from judged where why is not null group by all order by line
"""
_LABELLED = """
create or replace temp table labelled as
select row_number() over () as line, label, coalesce(len(asked), 0) as asked,
    coalesce(starts_with(answered[-1], 'assistant: '), false) as ends,
    md5_number(said(list_concat(asked, answered))) as whole,
    case when len(asked) = 1 and len(answered) = 1 then md5_number(answered[1]) end as answer
from (
    select label, told(prompt) as asked, told(completion) as answered
    from read_json($path, format='newline_delimited', maximum_object_size=67108864,
        columns={prompt: <messages>, completion: <messages>, label: 'BOOLEAN'})
)
""".replace("<messages>", _MESSAGES)
_JUDGED = """
create or replace temp table judged as
select hash(source_file, line_offset, sig_hash) as place, category = 'accepted' as label
{scored} where category in ('accepted', 'rejected') and not list_contains($barred, stream)
"""
_SPOKEN = """
insert into spoken_by
select hash(source_file, line_offset, sig_hash) as place, md5_number(said(until_assistant(lines))) as whole,
    case when lines is null then md5_number(answer) end as answer
<evidence>
""".replace("<evidence>", _EVIDENCE)
_LABELS = """
with said_by as (
    select label, whole, answer from spoken_by join judged using (place)
), found as (
    select line from labelled semi join said_by on said_by.label = labelled.label and said_by.whole = labelled.whole
    union all
    select line from labelled semi join said_by on said_by.label = labelled.label and said_by.answer = labelled.answer
)
select line, case
        when label is null then 'it has no label'
        when asked = 0 then 'it has no prompt'
        when not ends then 'it does not end on an assistant'
        when label then 'it is labelled true, and no accepted run says this'
        else 'it is labelled false, and no rejected run says this'
    end as why
from labelled
where label is null or asked = 0 or not ends or line not in (select line from found)
order by line
"""
_TABLES = ("side", "verdict", "torn", "heard", "labelled", "judged", "spoken_by")
Offender = dict[str, Any]


def strict_order(lake: Lake, path: Path, connection: Any, checked_at: str, name: str | None = None) -> Verdict:
    """Join the pairs of `path` to the scored runs; the chosen run must be judged better, in one task, on one prompt.

    Its claims must be the verdicts', its sides what its runs said and different, no task may have more than 5 pairs and no
    review stream any. Each line is also searched for secrets and SSNs. `connection` is an in-memory DuckDB connection,
    whose memory limit bounds the join; `name` is what offenders call the file. An empty file passes with nothing checked.
    A file that cannot be read is red.
    """

    def joined(scored: str) -> Any:
        connection.execute(_SIDE, {"path": str(path)})
        connection.execute(_VERDICT.format(scored=scored))
        connection.execute(_TORN.format(scored=scored))
        connection.execute(_NO_HEARD)
        _each_evidence(lake, connection, _HEARD)
        return connection.execute(_PAIRS, {"barred": _barred(lake), "most": MOST_PAIRS})

    def offender(row: tuple[Any, ...]) -> Offender:
        return {"line": row[0], "pair": row[1], "task": row[2], "why": row[3]}

    return _checked("strict_order", "pairs", lake, path, connection, checked_at, name, joined, offender)


def kto_labels(lake: Lake, path: Path, connection: Any, checked_at: str, name: str | None = None) -> Verdict:
    """Hold each line of `path` (`kto.jsonl`) against the runs: some run of the labelled verdict must say just this.

    The lines carry no provenance, so they are found by their content. The rest is as for `strict_order`.
    """

    def joined(scored: str) -> Any:
        connection.execute(_LABELLED, {"path": str(path)})
        connection.execute(_JUDGED.format(scored=scored), {"barred": _barred(lake)})
        connection.execute(_NO_SPOKEN)
        _each_evidence(lake, connection, _SPOKEN)
        return connection.execute(_LABELS)

    def offender(row: tuple[Any, ...]) -> Offender:
        return {"line": row[0], "why": row[1]}

    return _checked("kto_labels", "labelled runs", lake, path, connection, checked_at, name, joined, offender)


def _barred(lake: Lake) -> list[str]:
    named = {one.name for one in lake.streams.values() if one.source_class == "extraction" or one.judges_others}
    return sorted(named | set(REVIEWS))


def _checked(
    check: str,
    what: str,
    lake: Lake,
    path: Path,
    connection: Any,
    checked_at: str,
    name: str | None,
    joined: Callable[[str], Any],
    offender: Callable[[tuple[Any, ...]], Offender],
) -> Verdict:
    named = name or lake.relative(path)
    rows = 0
    offenders: list[Offender] = []
    try:
        rows, offenders = secrets_in(path, named)
        total = len(offenders)
        if rows:
            connection.execute("set threads = 1")
            cursor = joined(_scored(lake, connection))
            shown = cursor.fetchmany(MOST_OFFENDERS)
            total += len(shown)
            offenders += [{"file": named, **offender(row)} for row in shown]
            while more := cursor.fetchmany(10_000):
                total += len(more)
            for table in _TABLES:
                connection.execute(f"drop table if exists {table}")
    except (duckdb.Error, msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        total = 1
        offenders = [unreadable(path, named, error)]
    finally:
        connection.execute("reset threads")
    return verdict(
        check,
        passed=total == 0,
        rows_checked=rows,
        summary=f"{total} faults in {rows} {what}" if total else f"{rows} {what}, each as its verdicts say",
        offenders=offenders,
        input_sha256=sha256_of(path) if path.exists() else "",
        code_version=VERSION,
        checked_at=checked_at,
    )


def _scored(lake: Lake, connection: Any) -> str:
    """Make the macros; give the clause that reads all scored runs."""
    paths = sorted(map(str, (lake.root / "scored-runs").glob("*/*/*/[!.]*.jsonl")))
    connection.execute(_MACROS)
    connection.execute("set variable scored_runs = ?", [paths])
    return _SCORED if paths else _NO_SCORED


def _each_evidence(lake: Lake, connection: Any, statement: str) -> None:
    """Run a statement over the evidence of all streams whose runs are compared, some files at a time."""
    barred = _barred(lake)
    some: list[str] = []
    size = 0
    for path in sorted((lake.root / "evidence").glob("*/*/*/[!.]*.jsonl")):
        if path.stem in barred:
            continue
        some.append(str(path))
        size += path.stat().st_size
        if size > _AT_ONCE:
            connection.execute("set variable evidence = ?", [some])
            connection.execute(statement)
            some, size = [], 0
    if some:
        connection.execute("set variable evidence = ?", [some])
        connection.execute(statement)
