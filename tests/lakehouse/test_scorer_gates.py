"""The gates on verdicts: each is green on a sound day, and red for what it is there for, naming file, line and why."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse import second_scorer
from lakehouse.chain import day as chain
from lakehouse.drift.rescoring import Cell, rescore
from lakehouse.errors import RecordError
from lakehouse.gates.scorers import scorer_drift, scorer_parity
from lakehouse.overrides import decide
from lakehouse.records import EvidenceRecord, OverrideRow, Verdict
from lakehouse.scoring import RANK, SCORER_VERSION, SCORERS, Judgement
from tests.lakehouse.conftest import NOW, Lab
from tests.lakehouse.test_scoring_streams import CASES

FIRST, SECOND = "2026-05-01", "2026-05-02"
AUDITS = f"scored-runs/{FIRST.replace('-', '/')}/audits.jsonl"
EVIDENCE = f"evidence/{FIRST.replace('-', '/')}/audits.jsonl"
TICKETS = """
workers = 1
[streams.tickets]
class = "telemetry"
scorer = "outcome"
timestamp = "at"
[streams.tickets.fields]
task_id = "ticket:{id}"
text = "answer"
"metadata.reward" = "csat"
"""


def audit(phase: str, severity: str = "low", day: str = FIRST, **more: Any) -> dict[str, Any]:
    return {"phase": phase, "severity": severity, "reasoning": f"about {phase}", "ts": f"{day}T11:00:00Z", **more}


def parity(lab: Lab, day: str = FIRST) -> Verdict:
    return scorer_parity(lab.lake, day, NOW)


def drift(lab: Lab, day: str = SECOND) -> Verdict:
    return scorer_drift(lab.lake, day, NOW)


def places(found: Verdict) -> list[tuple[str, int]]:
    return [(one["file"], one["line"]) for one in found.offenders]


def whys(found: Verdict) -> list[str]:
    return [one["why"] for one in found.offenders]


def edit(path: Path, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))


def replaced(number: int, old: str, new: str) -> Callable[[list[bytes]], list[bytes]]:
    def change(lines: list[bytes]) -> list[bytes]:
        assert old.encode() in lines[number - 1]
        lines[number - 1] = lines[number - 1].replace(old.encode(), new.encode())
        return lines

    return change


@pytest.fixture
def made(lab: Lab) -> Lab:
    """Make two days of audits: accepted, partial and rejected on the first, accepted on the second."""
    lab.write("audits", audit("one"), audit("two", "medium"), audit("three", "high"), audit("four", day=SECOND))
    lab.make(chunks=False)
    return lab


def lenient(record: EvidenceRecord) -> Judgement:
    """Stand for a rule that somebody changed: what was partially accepted is accepted."""
    found = SCORERS_BEFORE["audit"](record)
    return Judgement("accepted", found.reasons, {}) if found.category == "partially_accepted" else found


SCORERS_BEFORE = dict(SCORERS)


@pytest.fixture
def changed_rule(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Give a function that changes the rule for audits in Python."""
    return lambda: monkeypatch.setitem(SCORERS, "audit", lenient)


def test_a_day_of_every_stream_and_verdict_is_green(lab: Lab) -> None:
    for number, (stream, fields, _) in enumerate(CASES):
        lab.write(stream, {**fields, "run_id": f"r{number}", "ts": f"{FIRST}T10:00:00Z"})
    lab.make(chunks=False)
    found = parity(lab)
    assert (found.passed, found.severity, found.rows_checked) == (True, "ERROR", len(lab.scored())), found.offenders
    assert {row["category"] for row in lab.scored()} == set(RANK)
    assert found.tables is not None
    assert {one["stream"]: one["rows"] for one in found.tables["streams"]} == {
        stream: sum(row["stream"] == stream for row in lab.scored()) for stream, _, _ in CASES
    }
    assert "disagreements" not in found.tables


def test_a_category_that_was_edited_is_red_by_file_and_line(made: Lab) -> None:
    edit(made.root / AUDITS, replaced(3, '"category":"rejected"', '"category":"accepted"'))
    found = parity(made)
    assert (found.passed, found.severity, found.rows_checked) == (False, "ERROR", 3)
    assert places(found) == [(AUDITS, 3)]
    assert whys(found) == ["Python says accepted, SQL says rejected of _kb/audits.jsonl:3"]
    assert found.summary == "1 of 3 verdicts are not what SQL says of the evidence"
    assert found.tables is not None
    assert found.tables["disagreements"] == [{"stream": "audits", "python": "accepted", "sql": "rejected", "rows": 1}]


def test_a_rule_that_was_changed_in_python_alone_is_red(made: Lab, changed_rule: Callable[[], None]) -> None:
    changed_rule()
    made.make([FIRST], chunks=False)
    found = parity(made)
    assert (found.passed, places(found)) == (False, [(AUDITS, 2)])
    assert whys(found) == ["Python says accepted, SQL says partially_accepted of _kb/audits.jsonl:2"]


def test_evidence_that_was_edited_is_red(made: Lab) -> None:
    edit(made.root / EVIDENCE, replaced(1, "severity:low", "severity:blocker"))
    found = parity(made)
    assert places(found) == [(AUDITS, 1)]
    assert whys(found) == ["Python says accepted, SQL says rejected of _kb/audits.jsonl:1"]


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("scored", lambda lines: lines[:-1], [(3, "Python says nothing, SQL says rejected")]),
        ("scored", lambda lines: [*lines, lines[0]], [(4, "SQL finds no evidence for it")]),
        ("scored", lambda lines: [lines[0], lines[0], *lines[1:]], [(2, "SQL finds no evidence for it")]),
        ("scored", lambda lines: [lines[1], lines[0], lines[2]], [(1, "in its place"), (2, "in its place")]),
        ("scored", lambda lines: lines[1:], [(1, "Python says nothing")]),
        ("scored", lambda lines: [], [(n, "Python says nothing") for n in (1, 2, 3)]),
        ("evidence", lambda lines: lines[:-1], [(3, "SQL finds no evidence for it")]),
        ("evidence", lambda lines: [], [(n, "SQL finds no evidence for it") for n in (1, 2, 3)]),
    ],
)
def test_a_verdict_that_is_missing_or_in_the_place_of_another_is_red(
    made: Lab, name: str, change: Any, expected: list[tuple[int, str]]
) -> None:
    edit(made.root / (AUDITS if name == "scored" else EVIDENCE), change)
    found = parity(made)
    blamed = [(EVIDENCE if why.startswith("Python says nothing") else AUDITS, line) for line, why in expected]
    assert (found.passed, places(found)) == (False, blamed)
    assert all(words in why for (_, words), why in zip(expected, whys(found), strict=True)), whys(found)


@pytest.mark.parametrize("path", [AUDITS, EVIDENCE])
def test_a_file_that_is_gone_is_red(made: Lab, path: str) -> None:
    (made.root / path).unlink()
    assert (parity(made).passed, len(parity(made).offenders)) == (False, 3)


@pytest.mark.parametrize(
    "garbage", [b'{"text": "my secret"\n', b"[1]\n", b"\xff\n", b'{"success_markers": "my secret"}\n', b'"my secret"\n']
)
def test_a_line_that_is_no_record_is_red_and_its_content_stays_out(made: Lab, garbage: bytes) -> None:
    for path in (EVIDENCE, AUDITS):
        before = (made.root / path).read_bytes()
        edit(made.root / path, lambda lines: [lines[0], garbage, lines[2]])
        found = parity(made)
        assert (found.passed, (path, 2) in places(found)) == (False, True), found.offenders
        assert "secret" not in json.dumps(found.offenders)
        (made.root / path).write_bytes(before)


def test_a_line_that_is_longer_than_sql_reads_is_red(made: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_scorer, "LONGEST", 16 << 20)
    edit(made.root / EVIDENCE, replaced(2, "about two", "about two" * (4 << 20)))
    found = parity(made)
    assert (found.passed, found.offenders[0]["file"]) == (False, EVIDENCE)
    assert "a line is longer than SQL reads" in found.offenders[0]["why"]


def test_more_than_a_hundred_differences_are_all_counted(lab: Lab) -> None:
    lab.write("audits", *(audit(f"p{number}") for number in range(150)))
    lab.make(chunks=False)
    edit(lab.root / AUDITS, lambda lines: [line.replace(b'"accepted"', b'"rejected"') for line in lines])
    found = parity(lab)
    assert (len(found.offenders), found.summary[:14]) == (100, "150 of 150 ver")


def decision(lab: Lab, line: int, category: Any) -> None:
    sig_hash = lab.scored()[line]["provenance"]["sig_hash"]
    at = "2026-05-09T00:00:00Z"
    decide(lab.lake, OverrideRow(sig_hash=sig_hash, category=category, by="ann", reason="seen", at=at))


def test_a_persons_verdict_counts_from_the_log_and_from_the_row(made: Lab) -> None:
    made.write("audits", audit("five", "high", human_override={"category": "accepted", "by": "bob"}))
    decision(made, 2, "accepted")
    made.make([FIRST], chunks=False)
    assert [row["category"] for row in made.scored()][:4] == ["accepted", "partially_accepted", "accepted", "accepted"]
    assert parity(made).passed


def test_a_verdict_that_a_person_has_overruled_since_is_red_until_the_day_is_made_again(made: Lab) -> None:
    decision(made, 2, "accepted")
    found = parity(made)
    assert (found.passed, places(found)) == (False, [(AUDITS, 3)])
    assert whys(found)[0].endswith("SQL says accepted of _kb/audits.jsonl:3; a person decided on it")
    made.make([FIRST], chunks=False)
    assert parity(made).passed


@pytest.fixture
def tickets(lab: Lab) -> Lab:
    """Make a day of a declared stream."""
    lab.settings(TICKETS)
    rows = [{"id": number, "answer": "yes", "csat": csat} for number, csat in enumerate((1.0, 0.5, 0.2))]
    lab.write("tickets", *({**row, "at": f"{FIRST}T10:00:00Z"} for row in rows))
    lab.make(chunks=False)
    return lab


def test_a_declared_stream_is_measured_by_the_scorer_it_names(tickets: Lab) -> None:
    path = AUDITS.replace("audits", "tickets")
    assert (parity(tickets).passed, parity(tickets).rows_checked) == (True, 3)
    edit(tickets.root / path, replaced(2, "partially_accepted", "accepted"))
    assert places(parity(tickets)) == [(path, 2)]


def test_a_stream_that_nobody_declares_any_more_is_red(tickets: Lab) -> None:
    tickets.settings("workers = 1")
    found = parity(tickets)
    assert (found.passed, places(found)) == (False, [(EVIDENCE.replace("audits", "tickets"), 0)])
    assert "no rule" in whys(found)[0]


def test_a_day_without_rows_is_green_and_says_that_nothing_was_compared(lab: Lab) -> None:
    lab.make([FIRST], chunks=False)
    found = parity(lab)
    assert (found.passed, found.rows_checked, found.tables) == (True, 0, None)
    assert found.summary == "the day has no evidence, so nothing was compared"
    found = drift(lab, FIRST)
    assert (found.passed, found.rows_checked, found.tables) == (True, 0, None)
    assert found.summary == "there are no verdicts on 2026-05-01 to score again"


@pytest.mark.parametrize("gate", [scorer_parity, scorer_drift])
def test_a_day_that_was_never_scored_is_an_error(lab: Lab, gate: Any) -> None:
    with pytest.raises(RecordError, match=r"scored_runs of 2026-05-01 was never made.*lakehouse distill"):
        gate(lab.lake, FIRST, NOW)


def test_rules_that_stand_are_green_with_the_whole_matrix(made: Lab) -> None:
    found = drift(made)
    assert (found.passed, found.rows_checked, found.offenders) == (True, 4, [])
    assert found.summary == "4 verdicts on 2026-05-01 and 2026-05-02 are the same when scored again"
    assert found.tables == {
        "changes": [
            {"stored": one, "now": one, "scorer_version": SCORER_VERSION, "rows": rows}
            for one, rows in (("accepted", 2), ("partially_accepted", 1), ("rejected", 1))
        ]
    }


def test_a_rule_that_changed_without_a_version_is_an_error_by_the_day_before(
    made: Lab, changed_rule: Callable[[], None]
) -> None:
    changed_rule()
    made.make([SECOND], chunks=False)
    found = drift(made)
    assert (found.passed, found.severity, places(found)) == (False, "ERROR", [(AUDITS, 2)])
    assert whys(found) == [
        f"partially_accepted as stored, accepted by the rules of now, and both are {SCORER_VERSION}",
    ]
    assert "1 of 4 verdicts" in found.summary
    assert found.tables is not None
    assert {"stored": "partially_accepted", "now": "accepted", "scorer_version": SCORER_VERSION, "rows": 1} in (
        found.tables["changes"]
    )


def test_a_rule_that_changed_with_its_version_is_a_warning(made: Lab, changed_rule: Callable[[], None]) -> None:
    changed_rule()
    edit(made.root / AUDITS, lambda lines: [line.replace(SCORER_VERSION.encode(), b"v0.9.0") for line in lines])
    found = drift(made)
    assert (found.passed, found.severity, places(found)) == (False, "WARN", [(AUDITS, 2)])
    assert whys(found) == [f"partially_accepted as stored by v0.9.0, accepted by {SCORER_VERSION}"]
    assert found.tables is not None
    assert [(one["stored"], one["now"], one["scorer_version"]) for one in found.tables["changes"]] == [
        ("accepted", "accepted", "v0.9.0"),
        ("accepted", "accepted", SCORER_VERSION),
        ("partially_accepted", "accepted", "v0.9.0"),
        ("rejected", "rejected", "v0.9.0"),
    ]


def test_what_changed_without_a_version_is_named_first(made: Lab, changed_rule: Callable[[], None]) -> None:
    made.write("audits", audit("five", "medium", SECOND))
    made.make([SECOND], chunks=False)
    edit(made.root / AUDITS, lambda lines: [line.replace(SCORER_VERSION.encode(), b"v0.9.0") for line in lines])
    changed_rule()
    found = drift(made)
    assert (found.severity, places(found)) == ("ERROR", [(AUDITS.replace("/01/", "/02/"), 2), (AUDITS, 2)])


def test_a_persons_verdict_is_no_drift_even_after_another_decision(made: Lab) -> None:
    decision(made, 0, "rejected")
    made.make([FIRST], chunks=False)
    assert drift(made).passed
    decision(made, 0, "partially_accepted")
    assert drift(made).passed


def test_another_scorer_for_a_declared_stream_is_a_setting_and_no_drift(tickets: Lab) -> None:
    tickets.settings(TICKETS.replace('"outcome"', '"mode_experiment"'))
    assert drift(tickets, FIRST).passed


@pytest.mark.parametrize(
    ("path", "change", "line", "why"),
    [
        (EVIDENCE, lambda lines: [lines[0], b"{\n", lines[2]], 2, "does not decode"),
        (AUDITS, lambda lines: [lines[0], b"{\n", lines[2]], 2, "does not decode"),
        (AUDITS, lambda lines: lines[:2], 3, "evidence without a verdict"),
        (EVIDENCE, lambda lines: lines[:2], 3, "a verdict without evidence"),
        (AUDITS, lambda lines: [lines[0], lines[2]], 2, "evidence without a verdict"),
        (AUDITS, lambda lines: [lines[0], lines[0], *lines[1:]], 2, "a verdict without evidence"),
        (AUDITS, lambda lines: [lines[1], lines[0], lines[2]], 1, "another record"),
    ],
)
def test_a_line_that_cannot_be_scored_again_is_an_error(made: Lab, path: str, change: Any, line: int, why: str) -> None:
    edit(made.root / path, change)
    found = drift(made, FIRST)
    assert (found.passed, found.severity, found.offenders[0]["line"]) == (False, "ERROR", line)
    assert why in whys(found)[0]
    assert len(found.offenders) == (2 if why == "another record" else 1)
    assert "cannot be scored again" in found.summary


def test_a_day_before_that_waits_to_be_scored_is_left_out(made: Lab) -> None:
    made.write("audits", audit("late"))
    made.index()
    chain.collect(made.lake, [FIRST], NOW)
    found = drift(made)
    assert (found.passed, found.rows_checked) == (True, 1)
    assert found.summary == "1 verdicts on 2026-05-02 are the same when scored again"


def test_scoring_again_takes_any_days(made: Lab) -> None:
    assert rescore(made.lake, [FIRST]).rows == 3
    both = rescore(made.lake, [SECOND, FIRST, FIRST, "2026-04-01"])
    assert (both.rows, both.moved, both.faults) == (4, [], [])
    assert both.matrix[Cell("accepted", "accepted", SCORER_VERSION)] == 2
