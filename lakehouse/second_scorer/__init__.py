"""The table of scoring rules a second time, in SQL: the instrument that the Python rules are measured with.

Here: judging every record of an evidence file with DuckDB, one `.sql` file per class scorer. Not here, and never imported
here: `lakehouse.scoring`. A rule is changed in both places, from the table that describes it, and the gate `scorer_parity`
says whether both mean the same. Only the verdict is measured, not its reasons and sub-scores.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from lakehouse import timestamps
from lakehouse.errors import UsageError
from lakehouse.records import OverrideRow

BUILT_IN = {
    "scrum_reviews": "scrum_review",
    "observer_reviews": "observer_review",
    "observer_escalations": "observer_review",
    "audits": "audit",
    "contract_analyses": "contract_analysis",
    "auto_apply": "auto_apply",
    "outcomes": "outcome",
    "agent_runs": "outcome",
    "mode_experiments": "mode_experiment",
    "distilled_facts": "extraction",
    "distilled_procedures": "extraction",
    "distilled_config_hints": "extraction",
    "audit_facts": "extraction",
}
"""The rule of each built-in stream, so that a stream that is sent to another in Python is noticed too."""
RULES = tuple(dict.fromkeys(BUILT_IN.values()))
LONGEST = 64 << 20
"""Bytes of the longest evidence line: a row of 16 MiB may stand in its evidence twice, escaped."""
_AT_ONCE = 10_000


class Judged(NamedTuple):
    """The verdict on one evidence record, and which record that is."""

    source_file: str | None
    line_offset: int | None
    sig_hash: str | None
    category: str


def prepare(connection: Any) -> Any:
    """Teach a DuckDB connection the words of the rules.

    It reads on one core: the order of lines counts, and each core would hold several times the longest line.
    """
    connection.execute("set threads = 1")
    connection.execute(_sql("words"))
    return connection


def score(
    connection: Any,
    path: Path,
    stream: str,
    declared: str | None = None,
    overrides: Mapping[str, OverrideRow] | None = None,
) -> Iterator[Judged]:
    """Judge every record of an evidence file, in its order, on a connection that was prepared.

    `declared` is the class scorer of a stream that is not built in, `overrides` are people's verdicts by the signature
    of their row; of one of these and one in the row itself the later wins. Raises `duckdb.Error` for a file that cannot be
    read, `UsageError` for a scorer that has no rule here.
    """
    rule = BUILT_IN.get(stream, declared)
    if rule not in RULES:
        raise UsageError(
            f"there is no rule {rule!r} in SQL",
            where=f"stream {stream!r}",
            mend="write it in lakehouse/second_scorer/, from the table and not from the Python",
        )
    query = _sql("score").replace("<rule>", _sql(rule))
    # DuckDB holds twice the longest line that it must expect, and 32 MiB at least.
    longest = min(path.stat().st_size, LONGEST)
    cursor = connection.execute(query, {"path": str(path), "longest": longest, "stream": stream})
    passed = overrides or {}
    while some := cursor.fetchmany(_AT_ONCE):
        for source_file, line_offset, sig_hash, verdict, own, at in some:
            person = _person(own, at, passed.get(sig_hash))
            yield Judged(source_file, line_offset, sig_hash, person or verdict)


def _person(own: str | None, at: str | None, passed: OverrideRow | None) -> str | None:
    """Give the later of two people's verdicts, that of the log where no time tells."""
    if passed is None:
        return own
    return own if own is not None and _micros(at) > _micros(passed.at, math.inf) else passed.category


def _micros(stamp: str | None, otherwise: float = -math.inf) -> float:
    try:
        return otherwise if stamp is None else timestamps.read(stamp).micros
    except timestamps.BadTimestamp:
        return otherwise


def _sql(name: str) -> str:
    return files(__name__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
