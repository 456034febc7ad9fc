"""The gates `contract`, `quarantine_rate` and `verdict_balance`: each finds what is planted, and passes on what is good."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lakehouse.board import crowded
from lakehouse.chain.manifests import write_manifest
from lakehouse.contracts import suites
from lakehouse.contracts.suites import Suite, present
from lakehouse.errors import RecordError
from lakehouse.gates.contracts import evidence_contract, preference_contract, rag_contract, sft_contract
from lakehouse.gates.loading import loads
from lakehouse.gates.quarantine_rate import quarantine_rate
from lakehouse.gates.verdict_balance import verdict_balance
from lakehouse.jsonl import encode
from lakehouse.lake import Lake
from lakehouse.publish.exports import PREFERENCE, RAG, SFT
from lakehouse.publish.forms import chat, messages_line, prompt_completion_line
from lakehouse.quarantine import quarantined
from lakehouse.records import SftSample
from tests.lakehouse.contracts.planting import DAY, NOW, SSN, day_of, evidence, lines, manifest, place, sample

pytestmark = pytest.mark.contracts

WORDS = " ".join(f"word{n}" for n in range(30))


def run(n: int, **more: Any) -> dict[str, Any]:
    base = {"run_id": f"r{n}", "task_id": f"t{n // 2}", "prompt": f"question number {n // 2}", "passed": n % 2 == 0}
    return {**base, "response": f"{WORDS} {n} {'abcdefgh'[n % 8] * 9}", "ts": f"{DAY}T10:00:{n:02d}Z", **more}


# contract


def test_what_the_chain_made_keeps_to_its_contracts(lab: Any) -> None:
    lab.write("agent_runs", *(run(n) for n in range(6)), run(6, messages=[{"role": "user", "content": "hello there"}]))
    lab.make()
    assert lab.gate([DAY]) == []
    lab.publish()
    lab.publish_rag()
    lab.publish_preference()
    lake = lab.lake
    found = [
        evidence_contract(lake, DAY, NOW),
        sft_contract(lake, SFT.main(lake), NOW),
        rag_contract(lake, RAG.main(lake), NOW),
        preference_contract(lake, PREFERENCE.main(lake), NOW),
    ]
    assert [(one.check, one.passed, one.offenders) for one in found] == [("contract", True, [])] * 4
    assert all(one.rows_checked > 1 for one in found)
    assert "sft_messages.jsonl loads" in found[1].summary


def test_evidence_is_named_by_file_and_line(tmp_path: Path) -> None:
    good = lines(evidence, [])
    bad = lines(evidence, [("", {"source_class": "rumour"}, [])]).replace(b"_kb/audits", b"_kb/outcomes")
    found = evidence_contract(day_of(tmp_path, audits=good, outcomes=bad), DAY, NOW)
    assert [(one["file"], one["line"]) for one in found.offenders] == [("evidence/2026/05/01/outcomes.jsonl", 2)]
    assert found.summary.startswith("1 faults in 5 records: source_class must be one of")


@pytest.mark.parametrize("name", ["distilled/sft/sft_export.jsonl (candidate)", None])
def test_offenders_are_called_by_the_name_that_is_given(tmp_path: Path, name: str | None) -> None:
    path = tmp_path / ".sft_export.jsonl.1-1.tmp"
    path.write_bytes(lines(sample, [("", {"response": ""}, [])]))
    found = sft_contract(Lake(tmp_path), path, NOW, name)
    assert [one["file"] for one in found.offenders] == [name or path.name]


def test_nothing_is_looked_at_where_there_is_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise AssertionError("Great Expectations takes seconds to import")

    monkeypatch.setattr("lakehouse.gates.contracts.validate", fail)
    lake = day_of(tmp_path)
    path = tmp_path / "rag_export.jsonl"
    path.write_bytes(b"")
    for found in (evidence_contract(lake, DAY, NOW), rag_contract(lake, path, NOW)):
        assert (found.passed, found.rows_checked, found.tables) == (True, 0, None)
        assert found.summary == "there are no records to look at"


def test_a_day_that_was_never_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="was never made"):
        evidence_contract(Lake(tmp_path), DAY, NOW)


def test_a_file_that_is_not_there_is_red(tmp_path: Path) -> None:
    found = rag_contract(Lake(tmp_path), tmp_path / "rag_export.jsonl", NOW)
    assert (found.passed, found.offenders[0]["line"]) == (False, 0)
    assert "cannot be read" in found.summary


def test_a_broken_suite_is_red_and_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Suite("rag_export", (present("title", "no such column"),), suites.RAG.whole)
    monkeypatch.setattr(suites, "RAG", broken)
    path = tmp_path / "rag_export.jsonl"
    path.write_bytes(b'{"id": "rag-1"}\n')
    found = rag_contract(Lake(tmp_path), path, NOW)
    assert not found.passed
    assert "1 expectations are broken and looked at nothing" in found.summary
    assert "lakehouse/contracts/suites.py" in found.summary
    assert "faults in" not in found.summary
    assert [(one["line"], one["why"][:7]) for one in found.offenders] == [(0, "broken:")]
    outcomes = {row["expectation"]: row["outcome"] for row in (found.tables or {})["expectations"]}
    assert outcomes["title must not be absent"] == "broken"


def test_broken_and_failed_are_both_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = dataclasses.replace(suites.RAG, rows=(present("x", "no such column"), present("title", "length of title")))
    monkeypatch.setattr(suites, "RAG", broken)
    path = tmp_path / "rag_export.jsonl"
    path.write_bytes(b'{"id": "rag-1"}\n')
    found = rag_contract(Lake(tmp_path), path, NOW)
    assert [one["line"] for one in found.offenders] == [0, 1]
    assert "are broken" in found.summary
    assert "1 faults in 1 records: title must not be absent (1)" in found.summary


def test_a_verdict_holds_no_value_of_the_data(tmp_path: Path) -> None:
    names = ("run_id", "task_id", "timestamp", "source_class", "text")
    rows = [{**evidence(1), name: SSN} for name in names]
    rows += [{**evidence(1), "provenance": {**place(1), name: SSN}} for name in place(1)]
    rows += [{**evidence(1), "human_override": {"category": SSN, "by": SSN}}, {**evidence(1), "messages": SSN}]
    data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    found = evidence_contract(day_of(tmp_path, audits=data), DAY, NOW)
    assert len(found.offenders) > len(rows)
    assert SSN.encode() not in msgspec.json.encode(found)


# contract of the SFT export: the files that trainers load


@pytest.fixture
def sft(tmp_path: Path) -> Path:
    """Four samples, and beside them the files that trainers load."""
    made = [msgspec.convert(sample(n), SftSample) for n in range(4)]
    path = tmp_path / "sft_export.jsonl"
    path.write_bytes(b"".join(encode(one) + b"\n" for one in made))
    for name, line in (("sft_messages", messages_line), ("sft_prompt_completion", prompt_completion_line)):
        path.with_name(f"{name}.jsonl").write_bytes(b"".join(line(chat(one)) + b"\n" for one in made))
    return path


def spoil(path: Path, how: str) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    if how == "a line less":
        rows.pop()
    elif how == "no name that trainers know":
        rows = [{"conversations": row.popitem()[1], **row} for row in rows]
    elif how == "a column more":
        rows[-1]["id"] = "x"
    elif how == "numbers for texts":
        for row in rows:
            row[next(iter(row))] = [{"role": "user", "content": 1}]
    elif how == "two types in one column":
        rows[-1][next(iter(rows[-1]))] = "text"
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text[:-5] if how == "a torn line" else text)


@pytest.mark.parametrize("file", ["sft_messages.jsonl", "sft_prompt_completion.jsonl"])
@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("a line less", "it has 3 rows, the samples are 4"),
        ("no name that trainers know", "which trainers ask for"),
        ("a column more", "it has a column that no trainer asks for"),
        ("numbers for texts", "is no list of messages with role and content"),
        ("two types in one column", "it does not load as one table (ArrowInvalid)"),
        ("a torn line", "it does not load as one table (ArrowInvalid)"),
    ],
)
def test_a_file_that_trainers_cannot_load_is_red(
    sft: Path, monkeypatch: pytest.MonkeyPatch, file: str, how: str, why: str
) -> None:
    # What the samples themselves must hold is not asked here.
    monkeypatch.setattr("lakehouse.gates.contracts.validate", lambda *_: [])
    assert sft_contract(Lake(sft.parent), sft, NOW).passed
    spoil(sft.with_name(file), how)
    found = sft_contract(Lake(sft.parent), sft, NOW)
    assert (found.passed, found.rows_checked) == (False, 4)
    assert any(one["file"] == file and why in one["why"] for one in found.offenders)


def test_the_files_of_a_candidate_are_those_that_are_given(sft: Path) -> None:
    candidate = sft.with_name(".sft_export.jsonl.1-1.tmp")
    candidate.write_bytes(sft.read_bytes() + json.dumps(sample(9)).encode() + b"\n")
    # Those that lie beside it are of what was published before.
    lake = Lake(sft.parent)
    assert sft_contract(lake, candidate, NOW, "sft_export.jsonl (candidate)").passed
    beside = {"sft_messages.jsonl": sft.with_name("sft_messages.jsonl")}
    found = sft_contract(lake, candidate, NOW, "sft_export.jsonl (candidate)", beside=beside)
    assert [one["file"] for one in found.offenders] == ["sft_messages.jsonl (candidate)"]


def test_a_file_is_one_table_over_its_stretches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.gates.loading.STRETCH", 100)
    path = tmp_path / "sft_messages.jsonl"
    turns = [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "name": "z"}]
    rows: list[dict[str, Any]] = [{"messages": turns[: 1 + n % 2]} for n in range(20)] + [
        {"messages": turns, "tools": "[]"}
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert loads(path, ("messages",), 21) == []
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, {"messages": [{"role": 1}]}]))
    assert loads(path, ("messages",), 22) == [{"line": 0, "why": "it does not load as one table (ArrowTypeError)"}]


# quarantine_rate


def quarantine(lake: Lake, rows: int, *bad: tuple[str, str, str]) -> None:
    """A day of which some rows were quarantined: stream, code and reason of each."""
    write_manifest(lake, manifest(rows, len(bad)))
    if bad:
        path = lake.quarantine(DAY, "collect")
        path.parent.mkdir(parents=True, exist_ok=True)
        entries = [
            encode(quarantined("collect", stream, f"_kb/{stream}.jsonl", n, code, reason, SSN.encode()))
            for n, (stream, code, reason) in enumerate(bad)
        ]
        path.write_bytes(b"\n".join(entries) + b"\n")


BAD = ("audits", "bad_value", "Expected `int`, got `str`")


@pytest.mark.parametrize(
    ("rows", "bad", "passed", "severity"),
    [
        (100, 0, True, "WARN"),
        (100, 1, True, "WARN"),
        (2_900, 29, True, "WARN"),
        (99, 1, False, "WARN"),
        (5, 1, False, "WARN"),
        (35, 7, False, "WARN"),
        (34, 7, False, "ERROR"),
        (1, 1, False, "ERROR"),
    ],
)
def test_the_limits_of_quarantine_are_not_over_themselves(
    tmp_path: Path, rows: int, bad: int, passed: bool, severity: str
) -> None:
    quarantine(Lake(tmp_path), rows, *[BAD] * bad)
    found = quarantine_rate(Lake(tmp_path), DAY, NOW)
    assert (found.passed, found.severity, found.rows_checked) == (passed, severity, rows)
    assert f"{bad} of {rows} rows" in found.summary or not bad
    assert bool(crowded(Lake(tmp_path), [DAY], 0.2)) is (severity == "ERROR")


def test_a_day_without_rows_is_fine_and_says_so(tmp_path: Path) -> None:
    quarantine(Lake(tmp_path), 0)
    found = quarantine_rate(Lake(tmp_path), DAY, NOW)
    assert (found.passed, found.rows_checked, found.summary) == (True, 0, "the day has no rows")


def test_quarantined_rows_are_counted_by_stream_and_reason(tmp_path: Path) -> None:
    other = ("outcomes", "missing_field", "Object missing required field `scenario`")
    quarantine(Lake(tmp_path), 10, BAD, other, BAD)
    found = quarantine_rate(Lake(tmp_path), DAY, NOW)
    assert (found.tables or {})["quarantined"] == [
        {"stream": "audits", "reason": "bad_value", "rows": 2, "share": 0.2},
        {"stream": "outcomes", "reason": "missing_field", "rows": 1, "share": 0.1},
    ]
    assert "most of them bad_value in audits" in found.summary


def test_a_quarantined_row_is_named_by_its_place_and_not_by_what_it_says(lab: Any) -> None:
    good = {"file": "a.rs", "reviewed_at": f"{DAY}T10:00:00Z"}
    lab.write("scrum_reviews", good, {**good, "human_override": {"category": SSN, "by": "me"}})
    lab.make()
    found = quarantine_rate(lab.lake, DAY, NOW)
    (offender,) = found.offenders
    assert (offender["file"], offender["line"]) == ("_kb/scrum_reviews.jsonl", 2)
    assert offender["why"] == "bad_value (human_override.category): Invalid enum value '…'"


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("transform_error", f"the transform of 'mine' failed on it: ValueError: no place for {SSN}"),
        ("bad_value", f"what is {SSN} doing here"),
        ("bad_value", f"'{SSN}' is no value"),
    ],
)
def test_a_reason_that_repeats_a_value_does_not_do_so_here(tmp_path: Path, code: str, reason: str) -> None:
    quarantine(Lake(tmp_path), 1, ("audits", code, reason))
    assert SSN.encode() not in msgspec.json.encode(quarantine_rate(Lake(tmp_path), DAY, NOW))


def test_many_quarantined_rows_are_counted_and_the_first_hundred_named(tmp_path: Path) -> None:
    quarantine(Lake(tmp_path), 300, *[BAD] * 250)
    found = quarantine_rate(Lake(tmp_path), DAY, NOW)
    assert (len(found.offenders), (found.tables or {})["quarantined"][0]["rows"]) == (100, 250)
    assert [one["line"] for one in found.offenders] == list(range(1, 101))


def test_a_quarantine_file_that_is_gone_is_told(tmp_path: Path) -> None:
    quarantine(Lake(tmp_path), 10, *[BAD] * 9)
    Lake(tmp_path).quarantine(DAY, "collect").unlink()
    found = quarantine_rate(Lake(tmp_path), DAY, NOW)
    assert (found.passed, found.offenders[0]["why"]) == (False, "the file is gone")


# verdict_balance


def reviews(root: Path, stream: str, *answers: dict[str, Any]) -> Path:
    """An SFT file of a sample for each answer, and the evidence that they come from."""
    path = root / "sft_export.jsonl"
    held = path.read_bytes() if path.exists() else b""
    rows, samples = [], []
    for n, answer in enumerate(answers, start=1):
        where = {**place(n), "source_file": f"_kb/{stream}.jsonl"}
        rows.append({**evidence(n), **answer, "provenance": where})
        samples.append({**sample(n), "provenance": where})
    day_of(root, **{stream: "".join(json.dumps(row) + "\n" for row in rows).encode()})
    path.write_bytes(held + "".join(json.dumps(row) + "\n" for row in samples).encode())
    return path


def said(verdict: str) -> dict[str, Any]:
    return {"observer_verdict": verdict, "success_markers": [f"verdict:{verdict}"]}


@pytest.mark.parametrize(
    ("answers", "passed"),
    [
        (["accept"] * 19, True),
        (["accept"] * 20, False),
        (["accept"] * 7 + ["approve"] * 7 + ["pass"] * 6, False),
        (["accept"] * 18 + ["cycle"] * 2, False),
        (["accept"] * 17 + ["cycle"] * 3, True),
        (["cycle"] * 20, False),
        (["accept"] * 10 + ["reject"] * 10, True),
        ([SSN] * 30, True),
        (["accept"] * 18 + [SSN] * 30, True),
    ],
)
def test_reviews_that_answer_alike_are_a_warning(tmp_path: Path, answers: list[str], passed: bool) -> None:
    path = reviews(tmp_path, "observer_reviews", *map(said, answers))
    found = verdict_balance(Lake(tmp_path), path, NOW)
    assert (found.passed, found.severity, found.rows_checked) == (passed, "WARN", len(answers))
    assert [(one["file"], one["line"]) for one in found.offenders] == [] if passed else [("sft_export.jsonl", 0)]
    assert "observer_reviews answer alike" in found.summary or passed
    # A word that no rule names is a row's own.
    assert SSN.encode() not in msgspec.json.encode(found)


def test_answers_are_counted_by_stream(tmp_path: Path) -> None:
    reviews(tmp_path, "observer_reviews", said("accept"), said("accept"), said("cycle"))
    severities = [
        {"success_markers": ["severity:low"]},
        {"failure_markers": ["severity:high"], "success_markers": ["overall:approve"]},
    ]
    path = reviews(tmp_path, "audits", *severities, {})
    found = verdict_balance(Lake(tmp_path), path, NOW)
    assert [(row["stream"], row["answer"], row["samples"]) for row in (found.tables or {})["answers"]] == [
        ("audits", "(not known)", 1),
        ("audits", "overall approve, severity high", 1),
        ("audits", "severity low", 1),
        ("observer_reviews", "accept", 2),
        ("observer_reviews", "cycle", 1),
    ]
    assert ("audits", "rejected", 1, 0.5) in [tuple(row.values()) for row in (found.tables or {})["sides"]]


def test_a_stream_that_judges_itself_is_no_review(tmp_path: Path) -> None:
    path = reviews(tmp_path, "scrum_reviews", *[said("accept")] * 30)
    found = verdict_balance(Lake(tmp_path), path, NOW)
    assert (found.passed, found.tables, found.summary) == (
        True,
        None,
        "none of 30 samples is a review of something else",
    )


def test_reviews_whose_evidence_is_gone_have_no_known_answer(tmp_path: Path) -> None:
    path = reviews(tmp_path, "audits", *[{"success_markers": ["severity:low"]}] * 30)
    Lake(tmp_path).evidence(DAY, "audits").unlink()
    found = verdict_balance(Lake(tmp_path), path, NOW)
    assert found.passed
    assert [(row["answer"], row["samples"]) for row in (found.tables or {})["answers"]] == [("(not known)", 30)]


def test_an_export_of_accepted_reviews_alone_is_one_sided_by_nature(lab: Any) -> None:
    rows = [
        {"file": f"f{n}.rs", "verdict": ("accept", "cycle")[n % 2], "confidence": 0.9, "ts": f"{DAY}T10:00:{n:02d}Z"}
        for n in range(44)
    ]
    lab.write(
        "observer_reviews",
        *({**row, "notes": f"{' '.join(f'n{n}w{k}' for k in range(20))}"} for n, row in enumerate(rows)),
    )
    lab.make()
    assert lab.gate([DAY]) == []
    lab.publish()
    alone = verdict_balance(lab.lake, SFT.main(lab.lake), NOW)
    assert (alone.passed, alone.rows_checked) == (False, 22)
    assert "22 of 22 samples of observer_reviews answer alike" in alone.summary
    lab.publish(include_partial=True)
    assert verdict_balance(lab.lake, SFT.main(lab.lake), NOW).passed


@pytest.mark.parametrize("data", [b"{\n", b'"text"\n'])
def test_an_export_that_cannot_be_read_is_an_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "sft_export.jsonl"
    path.write_bytes(data)
    found = verdict_balance(Lake(tmp_path), path, NOW)
    assert (found.passed, found.severity) == (False, "ERROR")


def test_an_empty_export_has_no_reviews(tmp_path: Path) -> None:
    path = tmp_path / "sft_export.jsonl"
    path.write_bytes(b"")
    assert verdict_balance(Lake(tmp_path), path, NOW).summary == "none of 0 samples is a review of something else"
