"""The gate `verdict_balance`: what the samples of review streams answer, for one-sided data teaches one answer.

Here: joining the samples of streams whose verdicts are about something else back to the evidence, where the answer that
the run gave stands, and one rule. Not here: whether a run may be exported (the firewall), what an answer is worth
(`lakehouse/scoring/reviews.py`).

The rule: of a stream's samples, where there are 20 or more with an answer that is known, 90 % or more answer alike. Answers
are alike where the scorer takes them alike (`accept`, `approve` and `pass`; a severity of `none`, `info` and `low`); of
an audit that gives two, the worse counts. An export of accepted runs alone is therefore one-sided by nature.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import duckdb

from lakehouse.files import sha256_of
from lakehouse.gates.verdicts import verdict
from lakehouse.lake import Lake
from lakehouse.records import Verdict
from lakehouse.scoring.judgement import RANK, Signal
from lakehouse.scoring.reviews import AUDITS, VERDICTS
from lakehouse.sql import connect

VERSION = "verdict-balance-1"
FEWEST = 20
"""Samples of a stream below which nothing is said."""
ONE_SIDED = 0.9
_WORDS: Mapping[str, Mapping[str, Signal]] = {"verdict": VERDICTS, **AUDITS}
"""The words that each kind of marker may say."""
UNKNOWN = "(not known)"

_READ = "format='newline_delimited', maximum_object_size=67108864"
_PROVENANCE = "provenance: 'STRUCT(source_file VARCHAR, line_offset BIGINT, sig_hash VARCHAR)'"
_PLACE = """provenance.source_file as source_file, provenance.line_offset as line_offset,
    provenance.sig_hash as sig_hash"""
_SAMPLE = f"""
create or replace temp table sample as
select {_PLACE} from read_json(?, {_READ}, columns={{{_PROVENANCE}}})
"""  # noqa: S608 - made of constants
_FILES = "select source_file, count(*) from sample group by source_file"
_ANSWERS = f"""
with own as (
    select sample.*, stream from sample join (select unnest(?::STRUCT(source_file VARCHAR, stream VARCHAR)[],
        recursive := true)) using (source_file)
), said as (
    select {_PLACE}, list_sort(list_distinct(
        list_filter(list_concat(success_markers, failure_markers), lambda m: regexp_matches(m, '^(verdict|overall|severity):'))
        || if(observer_verdict is null, [], ['verdict:' || observer_verdict])
    )) as answer
    from read_json(?, {_READ}, columns={{{_PROVENANCE}, observer_verdict: 'VARCHAR', success_markers: 'VARCHAR[]',
        failure_markers: 'VARCHAR[]'}})
)
select own.stream, coalesce(said.answer, []), count(*)
from own left join said using (source_file, line_offset, sig_hash) group by all
"""  # noqa: S608 - made of constants


class _Answer(NamedTuple):
    """An answer as people read it, and the category of what it says of its subject."""

    words: str
    side: str


def verdict_balance(lake: Lake, path: Path, checked_at: str, name: str | None = None) -> Verdict:
    """Warn where the samples of a review stream nearly all give one answer; the tables hold the answers per stream.

    `name` is what offenders call the file. An export without reviews passes, and says so. A file that cannot be read is
    an error.
    """
    named = name or lake.relative(path)
    try:
        with closing(connect(lake)) as connection:
            rows, found = _answers(lake, path, connection)
    except (duckdb.Error, OSError) as error:
        why = f"the file cannot be read ({type(error).__name__})"
        return _verdict(path, checked_at, 0, why, [{"file": named, "line": 0, "why": why}], severity="ERROR")
    offenders: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    sides: list[dict[str, Any]] = []
    for stream, counts in sorted(found.items()):
        total = sum(counts.values())
        by_side: dict[str, int] = defaultdict(int)
        for answer, samples in counts.items():
            by_side[answer.side] += samples
        for answer, samples in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
            share = round(samples / total, 4)
            answers.append({"stream": stream, "answer": answer.words, "samples": samples, "share": share})
        known = total - by_side.pop(UNKNOWN, 0)
        for side, samples in sorted(by_side.items(), key=lambda one: (-one[1], one[0])):
            share = round(samples / known, 4)
            sides.append({"stream": stream, "says of its subject": side, "samples": samples, "share": share})
        side, most = max(by_side.items(), key=lambda one: one[1], default=("", 0))
        if known >= FEWEST and most >= ONE_SIDED * known:
            why = f"{most} of {known} samples of {stream} answer alike: that their subject is {side}"
            offenders.append({"file": named, "line": 0, "why": why})
    reviews = sum(sum(counts.values()) for counts in found.values())
    if offenders:
        summary = "; ".join(str(offender["why"]) for offender in offenders)
        summary += ". Export partially accepted runs too, or leave the stream out by [sft] streams"
    elif reviews:
        summary = f"{reviews} of {rows} samples are reviews, and no stream of them gives one answer alone"
    else:
        summary = f"none of {rows} samples is a review of something else"
    tables = {"answers": answers, "sides": sides} if reviews else None
    return _verdict(path, checked_at, rows, summary, offenders, tables=tables)


def _verdict(
    path: Path,
    checked_at: str,
    rows: int,
    summary: str,
    offenders: list[dict[str, Any]],
    *,
    severity: Any = "WARN",
    tables: dict[str, list[dict[str, Any]]] | None = None,
) -> Verdict:
    return verdict(
        "verdict_balance",
        passed=not offenders,
        rows_checked=rows,
        summary=summary,
        offenders=offenders,
        input_sha256=sha256_of(path) if path.exists() else "",
        code_version=VERSION,
        checked_at=checked_at,
        severity=severity,
        tables=tables,
    )


def _answers(lake: Lake, path: Path, connection: Any) -> tuple[int, dict[str, dict[_Answer, int]]]:
    """Count the samples, and by stream the answers of those that are reviews."""
    if not path.stat().st_size:
        return 0, {}
    connection.execute(_SAMPLE, [str(path)])
    files = connection.execute(_FILES).fetchall()
    found: dict[str, dict[_Answer, int]] = defaultdict(lambda: defaultdict(int))
    mine: dict[str, str] = {}
    for source_file, count in files:
        stream = lake.stream_of(source_file or "")
        if stream is not None and stream.judges_others:
            mine[source_file] = stream.name
            found[stream.name][_Answer(UNKNOWN, UNKNOWN)] += count
    evidence = [str(file) for name in sorted(set(mine.values())) for file in _evidence(lake, name)]
    if evidence:
        found.clear()
        sources = [{"source_file": file, "stream": name} for file, name in mine.items()]
        for name, markers, count in connection.execute(_ANSWERS, [sources, evidence]).fetchall():
            found[name][_answer(markers)] += count
    return sum(count for _, count in files), found


def _evidence(lake: Lake, stream: str) -> list[Path]:
    return sorted((lake.root / "evidence").glob(f"*/*/*/{stream}.jsonl"))


def _answer(markers: list[str]) -> _Answer:
    """Read the markers of a run; words that no rule names are not repeated, for they are a row's own."""
    words, sides = [], []
    for marker in markers:
        kind, _, word = marker.partition(":")
        signal = _WORDS[kind].get(word)
        if signal is not None:
            words.append(word if kind == "verdict" else f"{kind} {word}")
            sides.append(signal[0])
    if not words:
        return _Answer(UNKNOWN, UNKNOWN)
    return _Answer(", ".join(words), max(sides, key=RANK.__getitem__))
