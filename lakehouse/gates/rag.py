"""The gates of the RAG export: no chunk of a rejected run, and chunks that rebuild the texts they were cut from.

Here: both, as joins of the file back to scored runs and evidence. They share no code with the chunker or with publishing,
and read only files: the candidate before it is published, and the published file again.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import msgspec

from lakehouse.canonical import content_id
from lakehouse.chunking import tokens
from lakehouse.errors import OutsideFailure
from lakehouse.files import sha256_of
from lakehouse.gates.secrets import secrets_in
from lakehouse.gates.unreadable import unreadable
from lakehouse.gates.verdicts import MOST_OFFENDERS, verdict
from lakehouse.lake import Lake
from lakehouse.records import Verdict

VERSION = "rag-gates-1"
RECOUNTED = 1_000
Offender = dict[str, Any]

_PROVENANCE = "provenance: 'STRUCT(source_file VARCHAR, line_offset BIGINT, sig_hash VARCHAR)'"
_READ = "format='newline_delimited', maximum_object_size=67108864"
_PLACE = """provenance.source_file as source_file, provenance.line_offset as line_offset,
    provenance.sig_hash as sig_hash"""
_VERDICTS = f"""
create or replace temp view rag_verdict as
select category, stream, evidence_run_id as run_id, evidence_task_id as task_id, {_PLACE}
from read_json(getvariable('scored_runs'), {_READ}, columns={{category: 'VARCHAR', stream: 'VARCHAR',
    evidence_run_id: 'VARCHAR', evidence_task_id: 'VARCHAR', {_PROVENANCE}}})
"""  # noqa: S608 - made of constants
_NO_VERDICTS = """
create or replace temp view rag_verdict as
select '' as category, '' as stream, '' as run_id, '' as task_id, '' as source_file, 0::BIGINT as line_offset,
    '' as sig_hash where false
"""
_NEVER = f"""
with chunk as (
    select row_number() over () as line, id, category, stream, source_run_id, task_id,
        coalesce(list_contains(tags, 'unreviewed'), false) as unreviewed, {_PLACE}
    from read_json($file, {_READ}, columns={{id: 'VARCHAR', category: 'VARCHAR', stream: 'VARCHAR',
        source_run_id: 'VARCHAR', task_id: 'VARCHAR', tags: 'VARCHAR[]', {_PROVENANCE}}})
), rejected as (
    select distinct stream, run_id from rag_verdict where category = 'rejected'
), joined as (
    select chunk.line, chunk.id, chunk.source_run_id, chunk.source_file, chunk.line_offset,
        case
            when verdict.category is null then 'its run has no verdict'
            when verdict.category not in ('accepted', 'partially_accepted', 'needs_human_review')
                then 'its run is ' || verdict.category
            when chunk.category is distinct from verdict.category
                then 'it claims ' || coalesce(chunk.category, 'nothing') || ', its run is ' || verdict.category
            when verdict.category = 'needs_human_review' and not $review
                then 'its run waits for a person, and such runs were not asked for'
            when verdict.category = 'needs_human_review' and not unreviewed
                then 'its run waits for a person, and it is not tagged unreviewed'
            when verdict.run_id is distinct from chunk.source_run_id or verdict.task_id is distinct from chunk.task_id
                or verdict.stream is distinct from chunk.stream
                then 'it names another run than its verdict, ' || verdict.stream || ' ' || verdict.run_id
            when rejected.run_id is not null then 'its run is also rejected'
        end as why
    from chunk
    left join rag_verdict verdict using (source_file, line_offset, sig_hash)
    left join rejected on rejected.stream = verdict.stream and rejected.run_id = verdict.run_id
)
select line, id, source_run_id, source_file || ':' || (line_offset + 1), why from joined where why is not null order by line
"""  # noqa: S608 - made of constants

_SHARE = 150_000
"""Chunks whose texts are joined at once."""
_FIELDS = f"""id, sha256(content) as digest, chunk_index, chunk_count, char_start, char_end, token_count, {_PLACE}
    from read_json($files, {_READ}, columns={{id: 'VARCHAR', content: 'VARCHAR', chunk_index: 'BIGINT',
        chunk_count: 'BIGINT', char_start: 'BIGINT', char_end: 'BIGINT', token_count: 'BIGINT', {_PROVENANCE}}})"""
_CLAIMS = f"create or replace temp table rag_claim as select row_number() over () as line, {_FIELDS}"
_INCOMPLETE = """
create or replace temp table rag_incomplete as
select source_file, line_offset, sig_hash from rag_claim
group by all having count(distinct chunk_index) <> max(chunk_count)
"""
_ELSEWHERE = f"""
insert into rag_claim
select 0 as line, part.* from (select {_FIELDS}) part
semi join rag_incomplete using (source_file, line_offset, sig_hash)
anti join rag_claim using (source_file, line_offset, sig_hash, chunk_index)
semi join rag_claim using (id)
"""  # noqa: S608 - made of constants
_TEXTS = f"""
with run as (
    select source_file, line_offset, sig_hash, list({{
        line: line, id: id, digest: digest, chunk_index: chunk_index, chunk_count: chunk_count,
        char_start: char_start, char_end: char_end, token_count: token_count
    }} order by chunk_index, line) as claims
    from rag_claim where hash(sig_hash) % $shares = $share group by all
)
select source_file || ':' || (line_offset + 1), claims, text from run left join (
    select text, {_PLACE} from read_json($files, {_READ}, columns={{text: 'VARCHAR', {_PROVENANCE}}})
    where hash(provenance.sig_hash) % $shares = $share
) evidence using (source_file, line_offset, sig_hash)
"""  # noqa: S608 - made of constants
_NO_TEXTS = "select source_file || ':' || (line_offset + 1), [{line: line, id: id}], null from rag_claim where line > 0"


def never_rejected(
    lake: Lake, path: Path, connection: Any, checked_at: str, *, include_review: bool, name: str | None = None
) -> Verdict:
    """Join the chunks of `path` to the scored runs; fail on a run that must not be there, is missing or differs.

    A run that waits for a person must have been asked for, and its chunks be tagged `unreviewed`. Each line is also
    searched for secrets and SSNs. `connection` is an in-memory DuckDB connection, whose memory limit bounds the join.
    `name` is what offenders call the file. An empty file passes with nothing checked: there is nothing in it that could do
    harm. A file that cannot be read is red.
    """
    named = name or lake.relative(path)
    rows = 0
    try:
        rows, offenders = secrets_in(path, named)
        total = len(offenders)
        if rows:
            scored = sorted(map(str, (lake.root / "scored-runs").glob("*/*/*/[!.]*.jsonl")))
            connection.execute("set variable scored_runs = ?", [scored])
            connection.execute(_VERDICTS if scored else _NO_VERDICTS)
            cursor = connection.execute(_NEVER, {"file": str(path), "review": include_review})
            while found := cursor.fetchmany(10_000):
                total += len(found)
                offenders += [
                    {"file": named, "line": line, "chunk": chunk, "run": run, "source": source, "why": why}
                    for line, chunk, run, source, why in found[: max(MOST_OFFENDERS - len(offenders), 0)]
                ]
    except (duckdb.Error, msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        total, offenders = 1, [unreadable(path, named, error)]
    return verdict(
        "never_rejected",
        passed=total == 0,
        rows_checked=rows,
        summary=f"{total} of {rows} chunks must not be there" if total else f"{rows} chunks, none of a rejected run",
        offenders=offenders,
        input_sha256=sha256_of(path) if path.exists() else "",
        code_version=VERSION,
        checked_at=checked_at,
    )


class _Claim(NamedTuple):
    """What a chunk says of itself. `line` is 0 for one that the file leaves out, as its content stands under an id there."""

    line: int
    id: str
    digest: str
    chunk_index: int
    chunk_count: int
    char_start: int
    char_end: int
    token_count: int


def chunks_rebuild_text(
    lake: Lake,
    path: Path,
    connection: Any,
    checked_at: str,
    *,
    name: str | None = None,
    recounted: int = RECOUNTED,
) -> Verdict:
    """Read back the text of each chunk's run: contents are the slices they claim, and all of a run's rebuild its text.

    A chunk of a run may be missing where its content stands under the same id elsewhere in the file. No chunk has more
    tokens than the settings and the embedder allow; `recounted` of them, seeded by the file, are counted again by the
    embedder's tokenizer. Memory: one text, what DuckDB may take, and `recounted` line numbers.
    """
    named = name or lake.relative(path)
    rows = total = 0
    offenders: list[Offender] = []
    digest = sha256_of(path) if path.exists() else ""
    try:
        if path.stat().st_size:
            rows = _claims(lake, path, connection)
            chosen = set(random.Random(digest).sample(range(1, rows + 1), min(rows, recounted)))  # noqa: S311 - a sample, no secret
            for source, claims, text in _runs(lake, connection, rows):
                for line, chunk, why in _faults(claims, text, min(lake.settings.rag.tokens, tokens.MOST), chosen):
                    total += 1
                    if total <= MOST_OFFENDERS:
                        offenders.append({"file": named, "line": line, "chunk": chunk, "source": source, "why": why})
    except (duckdb.Error, OSError) as error:
        total, offenders = 1, [unreadable(path, named, error)]
    except OutsideFailure as error:
        total, offenders = 1, [{"file": named, "line": 0, "why": str(error)}]
    return verdict(
        "chunks_rebuild_text",
        passed=total == 0,
        rows_checked=rows,
        summary=f"{total} faults in {rows} chunks" if total else f"{rows} chunks rebuild their texts",
        offenders=sorted(offenders, key=lambda one: one["line"]),
        input_sha256=digest,
        code_version=VERSION,
        checked_at=checked_at,
    )


def _claims(lake: Lake, path: Path, connection: Any) -> int:
    """Read what the chunks claim, and of incomplete runs also the chunks whose content the file has elsewhere."""
    connection.execute(_CLAIMS, {"files": [str(path)]})
    rows = int(connection.execute("select count(*) from rag_claim").fetchone()[0])
    connection.execute(_INCOMPLETE)
    parts = sorted(map(str, (lake.root / "distilled" / "rag" / "parts").glob("*/*/[!.]*.jsonl")))
    if parts and connection.execute("select count(*) from rag_incomplete").fetchone()[0]:
        connection.execute(_ELSEWHERE, {"files": parts})
    return rows


def _runs(lake: Lake, connection: Any, chunks: int) -> Iterator[tuple[str, list[dict[str, Any]], str | None]]:
    """Give each run's place, its claims in the order of their index, and its text.

    A join holds the texts of its runs in memory, so many chunks are joined share by share, each reading the evidence.
    """
    files = sorted(map(str, (lake.root / "evidence").glob("*/*/*/[!.]*.jsonl")))
    shares = 1 + chunks // _SHARE if files else 1
    for share in range(shares):
        asked = {"files": files, "shares": shares, "share": share}
        cursor = connection.execute(_TEXTS, asked) if files else connection.execute(_NO_TEXTS)
        while rows := cursor.fetchmany(1_000):
            yield from rows


def _faults(
    found: list[dict[str, Any]], text: str | None, limit: int, chosen: set[int]
) -> Iterator[tuple[int, str, str]]:
    """Give line, chunk and reason of whatever is wrong with the chunks of one run."""
    # A chunk that the file has elsewhere has no line of its own here.
    line = min(claim["line"] for claim in found if claim["line"])
    if text is None:
        yield from ((claim["line"], claim["id"], "its run has no evidence") for claim in found if claim["line"])
        return
    if any(value is None for claim in found for value in claim.values()):
        yield line, found[0]["id"], "a chunk of its run lacks a field"
        return
    claims = [_Claim(**claim) for claim in found]
    for claim in claims:
        why = _wrong(claim, text, limit, claim.line in chosen)
        if why is not None:
            yield claim.line or line, claim.id, why
    first, count = claims[0], max(claim.chunk_count for claim in claims)
    if any(claim.chunk_count != count for claim in claims):
        yield line, first.id, "the chunks of its run disagree on how many they are"
    elif [claim.chunk_index for claim in claims] != list(range(len(claims))) or len(claims) != count:
        has = ", ".join(str(claim.chunk_index) for claim in claims[:20])
        yield line, first.id, f"of the {count} chunks of its run there are numbers {has}"
    else:
        reached = 0
        for claim in claims:
            if claim.char_start > reached or claim.char_end <= reached:
                yield claim.line or line, claim.id, f"it does not go on where the text was left, at {reached}"
            reached = claim.char_end
        if reached != len(text):
            yield claims[-1].line or line, claims[-1].id, f"the chunks end at {reached}, the text at {len(text)}"


def _wrong(claim: _Claim, text: str, limit: int, recount: bool) -> str | None:
    """Say what is wrong with a chunk for itself."""
    content = text[max(claim.char_start, 0) : max(claim.char_end, 0)]
    if claim.char_start < 0 or sha256(content.encode()).hexdigest() != claim.digest:
        return f"its content is not the text from {claim.char_start} to {claim.char_end}"
    if content_id("rag", {"content": content}) != claim.id:
        return "its id is not that of its content"
    if not 0 < claim.token_count <= limit:
        return f"it has {claim.token_count} tokens, the most is {limit}"
    if recount:
        counted = len(tokens.load().encode(content, add_special_tokens=False).ids)
        if counted != claim.token_count:
            return f"it claims {claim.token_count} tokens, the tokenizer counts {counted}"
    return None
