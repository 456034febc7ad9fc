"""Invariants 9 to 12: one verdict on each record, with a reason, by the truth table, and the same from both scorers.

Here: one function each, and reading `truth_table.jsonl`, where a line is a row of the specification's table or an edge of
one. Not here: raw rows (`invariants_rows.py`) and exports (`invariants_exports.py`).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import msgspec

from lakehouse.acceptance.fixture import TRUTH_TABLE
from lakehouse.acceptance.rows import Context, Failure, Outcome, read, twice
from lakehouse.chain.collect import Refused, to_evidence
from lakehouse.scoring import score
from lakehouse.streams import load_streams

_OVERRIDES = "_kb/human_overrides.jsonl"


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A row of a stream, the category that it must get, and which row of the table it stands for."""

    stream: str
    row: dict[str, Any]
    category: str
    why: str


def one_verdict_each(context: Context) -> Outcome:
    """9. Every evidence record has one verdict, and every verdict its record, in the same line of the same file's twin."""
    evidence, scored = context.evidence, context.scored
    failures = twice(read(context.lake, "evidence/*/*/*/*.jsonl")) + twice(
        read(context.lake, "scored-runs/*/*/*/*.jsonl")
    )
    for place, run in evidence.items():
        verdict = scored.get(place)
        if verdict is None:
            failures.append(run.fails("it has no verdict"))
        elif (verdict.sig, verdict.run_id, verdict.task_id) != (run.sig, run.run_id, run.task_id):
            failures.append(verdict.fails(f"it is on another run than {run.file}:{run.number}"))
        elif (verdict.day, verdict.stream, verdict.number) != (run.day, run.stream, run.number):
            failures.append(verdict.fails(f"its record stands in {run.file}:{run.number}"))
    failures += [run.fails("it is on no evidence record") for place, run in scored.items() if place not in evidence]
    return Outcome(len(evidence), failures, None if evidence else "there is no evidence")


def every_verdict_has_a_reason(context: Context) -> Outcome:
    """10. Every verdict gives at least one reason in words."""
    failures = []
    rows = 0
    for line in read(context.lake, "scored-runs/*/*/*/*.jsonl"):
        rows += 1
        reasons = line.record.get("reasons")
        if not isinstance(reasons, list) or not reasons:
            failures.append(line.fails("the verdict gives no reason"))
        elif not all(isinstance(reason, str) and reason.strip() for reason in reasons):
            failures.append(line.fails("one of its reasons is no text"))
    return Outcome(rows, failures, None if rows else "there is no verdict")


def truth_table_holds(context: Context) -> Outcome:
    """11. The scorer gives what the table says; so do the lake's lines where they say it, and people's verdicts win."""
    streams = load_streams()
    failures = []
    cases = TRUTH_TABLE.read_bytes().splitlines()
    for number, line in enumerate(cases, start=1):
        case = msgspec.json.decode(line, type=Case)
        row = json.dumps({**case.row, "ts": "2026-03-02T00:00:00Z"}).encode()
        stream = streams[case.stream]
        try:
            found = score(to_evidence(stream, f"{stream.source}.jsonl", 0, row, ""), stream, "").category
        except Refused as refused:
            found = f"refused ({refused.reason})"  # type: ignore[assignment]  # said to a person, compared as a word
        if found != case.category:
            why = f"{case.stream}, {case.why}: {case.category} in the table, {found} by the scorer"
            failures.append(Failure(f"lakehouse/acceptance/{TRUTH_TABLE.name}", number, why))
    verdicts = [expected for expected in context.expects() if ":" not in expected.becomes]
    for expected in verdicts:
        if expected.becomes in ("duplicate", "torn", "waiting_future"):
            if expected.place in context.scored:
                failures.append(Failure(expected.file, expected.line, f"it has a verdict, and is {expected.becomes}"))
            continue
        run = context.scored.get(expected.place)
        category = run.category if run else "without a verdict"
        if category != expected.becomes:
            failures.append(
                Failure(expected.file, expected.line, f"it is {category}, and should be {expected.becomes}")
            )
    decided, wrong = _people_win(context)
    return Outcome(len(cases) + len(verdicts) + decided, failures + wrong)


def _people_win(context: Context) -> tuple[int, list[Failure]]:
    """Hold the latest override of each signature against the verdict on its row, unless the row has one of its own."""
    latest: dict[str, tuple[datetime, int, dict[str, Any]]] = {}
    for line in read(context.lake, _OVERRIDES):
        sig, at = line.record.get("sig_hash"), _moment(line.record.get("at"))
        if isinstance(sig, str) and at is not None and (sig not in latest or latest[sig][0] <= at):
            latest[sig] = (at, line.number, line.record)
    if not latest:
        return 0, []
    found = read(context.lake, "evidence/*/*/*/*.jsonl")
    own = {line.place for line in found if line.record.get("human_override") is not None}
    failures = []
    decided = 0
    for line in read(context.lake, "scored-runs/*/*/*/*.jsonl"):
        sig = line.record.get("provenance", {}).get("sig_hash")
        if sig in latest and line.place not in own:
            decided += 1
            _, number, row = latest[sig]
            reason = f"human_override:{row.get('by')}"
            if line.record.get("category") != row.get("category") or reason not in line.record.get("reasons", []):
                failures.append(line.fails(f"{_OVERRIDES}:{number} decides on it, and it does not say so"))
    return decided, failures


def _moment(stamp: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(stamp))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def both_scorers_agree(context: Context) -> Outcome:
    """12. The second scorer, in SQL, gives every row the verdict that the first one gave it."""
    from lakehouse.gates.scorers import scorer_parity

    night = context.copies.first
    failures = []
    rows = 0
    for day in night.days:
        verdict = scorer_parity(context.lake, day, night.run.now())
        rows += verdict.rows_checked
        found = [
            Failure(str(one.get("file", "")), int(one.get("line", 0)), str(one.get("why", verdict.summary)))
            for one in verdict.offenders
        ]
        if not verdict.passed:
            failures += found or [Failure(f"scored-runs/{day.replace('-', '/')}", 0, verdict.summary)]
    if rows != len(context.scored):
        failures.append(Failure("scored-runs", 0, f"{rows} rows were compared of {len(context.scored)} verdicts"))
    return Outcome(rows, failures, None if rows or failures else "there is no verdict")
