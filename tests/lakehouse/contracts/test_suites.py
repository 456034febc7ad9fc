"""What each contract finds: one field wrong in one line, and that line named with what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lakehouse.contracts import suites
from lakehouse.gates.contracts import evidence_contract, preference_contract, rag_contract, sft_contract
from lakehouse.lake import Lake
from lakehouse.records import Verdict
from tests.lakehouse.contracts.planting import (
    ABSENT,
    DAY,
    NOW,
    Fault,
    chunk,
    counts,
    day_of,
    evidence,
    lines,
    pair,
    place,
    sample,
    turn,
    whys,
)

pytestmark = pytest.mark.contracts

NOT_JSON = "the line does not decode"
FILE, STREAM = "must be a JSONL file below _kb/", "must be of the stream that the file is named by"
HEX, TIME, GONE, EMPTY = "must be 64 hex digits", "must be a time", "must not be absent", "must not be empty"


def provenance(name: str = "provenance") -> list[Fault]:
    return [
        (f"{name} away from _kb", {f"{name}.source_file": "_lost/audits.jsonl"}, [f"{name}.source_file {FILE}"]),
        (f"{name} without its file", {f"{name}.source_file": ABSENT}, [f"{name}.source_file {GONE}"]),
        (f"{name} before the first line", {f"{name}.line_offset": -1}, [f"{name}.line_offset must be 0 or more"]),
        (f"{name} without its line", {f"{name}.line_offset": None}, [f"{name}.line_offset {GONE}"]),
        (f"{name} with a line in words", {f"{name}.line_offset": "3"}, [NOT_JSON]),
        (f"{name} of half a line", {f"{name}.line_offset": 0.5}, [NOT_JSON]),
        (f"{name} with a short signature", {f"{name}.sig_hash": "abc"}, [f"{name}.sig_hash {HEX}"]),
        (f"{name} with a loud signature", {f"{name}.sig_hash": "A" * 64}, [f"{name}.sig_hash {HEX}"]),
        (f"{name} without its signature", {f"{name}.sig_hash": ABSENT}, [f"{name}.sig_hash {GONE}"]),
        (f"{name} recorded some day", {f"{name}.recorded_at": "soon"}, [f"{name}.recorded_at {TIME}"]),
        (f"{name} never recorded", {f"{name}.recorded_at": ABSENT}, [f"{name}.recorded_at {TIME}"]),
    ]


def gone(*names: str) -> list[Fault]:
    return [(f"no {name}", {name: ABSENT}, [f"{name} {GONE}"]) for name in names]


def empty(value: Any, *names: str) -> list[Fault]:
    return [(f"empty {name}", {name: value}, [f"{name} {EMPTY}"]) for name in names]


def also(faults: list[Fault], why: str) -> list[Fault]:
    """Faults of a place, of which a file that is no stream's own is also not the stream's."""
    return [(name, changes, [*said, why] if "away" in name else said) for name, changes, said in faults]


COMMON: list[Fault] = [
    ("another version", {"schema_version": 2}, ["schema_version must be 1"]),
    ("no version", {"schema_version": ABSENT}, [f"schema_version {GONE}"]),
    ("a version in words", {"schema_version": "1"}, [NOT_JSON]),
    ("no task", {"task_id": ABSENT}, [f"task_id {GONE}"]),
    ("a null task", {"task_id": None}, [f"task_id {GONE}"]),
    ("no JSON", b'{"schema_version":1', [NOT_JSON]),
    ("a list", b"[]", [NOT_JSON]),
    ("lists without end", b'{"x":' + b"[" * 50_000 + b"]" * 50_000 + b"}", [NOT_JSON]),
    ("nothing", b"", [NOT_JSON]),
    ("no UTF-8", b'{"task_id":"\xff"}', [NOT_JSON]),
]
EVIDENCE: list[Fault] = [
    *COMMON,
    *also(provenance(), f"provenance.source_file {STREAM}"),
    (
        "no provenance",
        {"provenance": ABSENT},
        [f"provenance.{name} {GONE}" for name in ("line_offset", "sig_hash", "source_file")]
        + [f"provenance.recorded_at {TIME}"],
    ),
    ("another stream", {"provenance.source_file": "_kb/outcomes.jsonl"}, [f"provenance.source_file {STREAM}"]),
    ("a row twice", {"provenance": place(1)}, ["provenance.sig_hash must be unique in its stream and day"]),
    ("no run", {"run_id": ABSENT}, [f"run_id {GONE}"]),
    ("an empty run", {"run_id": ""}, [f"run_id {EMPTY}"]),
    ("a run by number", {"run_id": 7}, [NOT_JSON]),
    ("no time", {"timestamp": ABSENT}, [f"timestamp {TIME}"]),
    ("a time in words", {"timestamp": "yesterday"}, [f"timestamp {TIME}"]),
    ("the day after", {"timestamp": "2026-05-02T00:00:00Z"}, [f"day of timestamp must be {DAY}"]),
    ("the day before by its offset", {"timestamp": f"{DAY}T01:00:00+02:00"}, [f"day of timestamp must be {DAY}"]),
    ("another class", {"source_class": "rumour"}, ["source_class must be one of verdict, telemetry, extraction"]),
    ("no class", {"source_class": ABSENT}, [f"source_class {GONE}"]),
    ("no text", {"text": ABSENT}, [f"text {GONE}"]),
    ("a text by number", {"text": 5}, [NOT_JSON]),
    ("no markers for it", {"success_markers": ABSENT}, [f"success_markers {GONE}"]),
    ("no markers against it", {"failure_markers": ABSENT}, [f"failure_markers {GONE}"]),
    ("a marker by number", {"success_markers": [1]}, [NOT_JSON]),
    (
        "an override to nowhere",
        {"human_override": {"category": "great", "by": "me"}},
        [f"human_override.category must be one of {', '.join(suites.CATEGORIES)}"],
    ),
    (
        "a message without a role",
        {"messages": [{"content": "x"}]},
        ["messages: the number without a role must be 0"],
    ),
]
ODD: dict[str, Any] = {
    "observer_confidence": (1.7, "observer_confidence must be from 0 to 1"),
    "cost_usd": (-1, "cost_usd must be 0 or more"),
    "latency_ms": (-0.5, "latency_ms must be 0 or more"),
    "prompt_tokens": (-(10**400), "prompt_tokens must be 0 or more"),
    "completion_tokens": (-3, "completion_tokens must be 0 or more"),
    "task_id": ("", "task_id must not be empty"),
}
"""What agents claimed of themselves: counted, and no fault."""
MESSAGES: list[Fault] = [
    ("no messages in it", {"messages": []}, ["messages must not be empty"]),
    ("a question last", {"messages": turn("assistant") + turn("user")}, ["messages: the last role must be assistant"]),
    (
        "a role that is missing",
        {"messages": [{"content": "x"}, *turn("assistant")]},
        ["messages: the number without a role must be 0"],
    ),
]
SFT: list[Fault] = [
    *COMMON,
    *provenance(),
    *MESSAGES,
    *gone("id", "instruction", "response", "context", "quality_score", "source_run_id"),
    *empty("", "source_run_id"),
    ("no category", {"category": ABSENT}, [f"category {GONE}"]),
    ("the id of a chunk", {"id": "rag-0123456789abcdef"}, ["id must be sft- and 16 hex digits"]),
    ("an id twice", {"id": f"sft-{1:016x}"}, ["id must be unique"]),
    ("a blank instruction", {"instruction": " \n"}, [f"instruction {EMPTY}"]),
    ("a blank response", {"response": "\t"}, [f"response {EMPTY}"]),
    ("rejected", {"category": "rejected"}, ["category must be one of accepted, partially_accepted"]),
    (
        "another score",
        {"quality_score": 0.7},
        [
            "quality_score must be 1.0 for accepted and 0.5 for partially_accepted",
            "quality_score must be one of 0.5, 1.0",
        ],
    ),
    (
        "the score of the other category",
        {"quality_score": 0.5},
        ["quality_score must be 1.0 for accepted and 0.5 for partially_accepted"],
    ),
    ("tools that are no list", {"tools": "{}"}, ["tools must be the JSON text of a list"]),
    ("tools that are no JSON", {"tools": "["}, ["tools must be the JSON text of a list"]),
    ("made some day", {"created_at": "some day"}, [f"created_at {TIME}"]),
]
RAG: list[Fault] = [
    *COMMON,
    *also(provenance(), "stream must be the stream of provenance.source_file"),
    ("the id of a sample", {"id": "sft-0123456789abcdef"}, ["id must be rag- and 16 hex digits"]),
    ("an id twice", {"id": f"rag-{1:016x}"}, ["id must be unique"]),
    *gone("id", "title", "content", "stream", "source_run_id", "tags", "category"),
    *gone("chunk_index", "chunk_count", "token_count", "char_start", "char_end"),
    *empty("", "title", "source_run_id"),
    *empty([], "tags"),
    ("empty stream", {"stream": ""}, [f"stream {EMPTY}", "stream must be the stream of provenance.source_file"]),
    ("made some day", {"created_at": "some day"}, [f"created_at {TIME}"]),
    ("tags in one text", {"tags": "audits"}, [NOT_JSON]),
    (
        "rejected",
        {"category": "rejected"},
        ["category must be one of accepted, partially_accepted, needs_human_review"],
    ),
    ("another stream", {"stream": "outcomes"}, ["stream must be the stream of provenance.source_file"]),
    ("after the last", {"chunk_index": 1}, ["chunk_count must be above chunk_index"]),
    ("before the first", {"chunk_index": -1}, ["chunk_index must be 0 or more"]),
    ("no tokens", {"token_count": 0}, ["token_count must be 1 or more"]),
    ("from before the text", {"char_start": -1, "char_end": 3}, ["char_start must be 0 or more"]),
    ("longer than its span", {"char_end": 3}, ["content must have char_end - char_start characters"]),
    ("an empty span", {"char_end": 0, "content": ""}, ["char_end must be above char_start", f"content {EMPTY}"]),
]
PREFERENCE: list[Fault] = [
    *COMMON,
    *provenance("provenance_chosen"),
    *provenance("provenance_rejected"),
    ("the id of a sample", {"id": "sft-0123456789abcdef"}, ["id must be pref- and 16 hex digits"]),
    ("an id twice", {"id": f"pref-{1:016x}"}, ["id must be unique among the pairs of its task and tools"]),
    *gone("id", "prompt", "chosen", "rejected", "reason", "chosen_run_id", "rejected_run_id"),
    *gone("chosen_category", "rejected_category"),
    *empty([], "prompt", "chosen", "rejected"),
    *empty("", "reason", "chosen_run_id", "rejected_run_id"),
    ("made some day", {"created_at": "some day"}, [f"created_at {TIME}"]),
    ("tools that are no list", {"tools": "{}"}, ["tools must be the JSON text of a list"]),
    (
        "an accepted reject",
        {"rejected_category": "accepted"},
        [
            "rejected_category must be one of partially_accepted, rejected",
            "rejected_category must not be that of the chosen run",
        ],
    ),
    *(
        (f"a {name} without a role", {name: [*turn("assistant"), {"content": "x"}, *turn("assistant")]}, [f"{name}: the number without a role must be 0"])
        for name in ("prompt", "chosen", "rejected")
    ),
    ("a rejected question first", {"rejected": turn("user") + turn("assistant")}, ["rejected: the first role must be assistant"]),
    ("a question for an answer", {"rejected": turn("user")}, [f"rejected: the {end} role must be assistant" for end in ("first", "last")]),
    ("a question last", {"chosen": turn("assistant") + turn("user")}, ["chosen: the last role must be assistant"]),
    ("a tool first", {"chosen": turn("tool") + turn("assistant")}, ["chosen: the first role must be assistant"]),
    ("a rejected choice", {"chosen_category": "rejected"}, ["chosen_category must be one of accepted, partially_accepted", "rejected_category must not be that of the chosen run"]),
    ("two of one category", {"chosen_category": "partially_accepted", "rejected_category": "partially_accepted"}, ["rejected_category must not be that of the chosen run"]),
    ("a run against itself", {"provenance_rejected": place(1_000), "provenance_chosen": place(1_000)}, ["provenance_rejected.sig_hash must not be the chosen run's own row"]),
]  # fmt: skip
TABLES = {"evidence": EVIDENCE, "sft_export": SFT, "rag_export": RAG, "preference_export": PREFERENCE}
EXPORTS: dict[str, Any] = {
    "sft_export": (sample, sft_contract),
    "rag_export": (chunk, rag_contract),
    "preference_export": (pair, preference_contract),
}


@pytest.fixture(scope="session")
def contracts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Verdict]:
    """The verdict on a file of each asset that has every fault of its table, a line each."""
    root = tmp_path_factory.mktemp("lake")
    lake = day_of(root, audits=lines(evidence, EVIDENCE))
    found = {"evidence": evidence_contract(lake, DAY, NOW)}
    for asset, (make, look) in EXPORTS.items():
        path = root / f"{asset}.jsonl"
        path.write_bytes(lines(make, TABLES[asset]))
        found[asset] = look(lake, path, NOW)
    return found


CASES = [
    pytest.param(asset, line, said, id=f"{asset}-{name}".replace(" ", "_"))
    for asset, table in TABLES.items()
    for line, (name, _, said) in enumerate(table, start=2)
]


@pytest.mark.parametrize(("asset", "line", "said"), CASES)
def test_a_planted_fault_is_named_by_its_line(
    contracts: dict[str, Verdict], asset: str, line: int, said: list[str]
) -> None:
    assert [why.partition(" (")[0] for why in whys(contracts[asset], line)] == sorted(said)


@pytest.mark.parametrize("asset", TABLES)
def test_the_lines_around_the_faults_are_good_ones(contracts: dict[str, Verdict], asset: str) -> None:
    found, last = contracts[asset], len(TABLES[asset]) + 2
    doubled = [why for _, _, said in TABLES[asset] for why in said if "must be unique" in why]
    # The first line is what another line repeats.
    assert whys(found, 1) == doubled
    assert whys(found, last) == []
    assert (found.passed, found.severity, found.rows_checked, found.check) == (False, "ERROR", last, "contract")


@pytest.mark.parametrize("asset", TABLES)
def test_every_blocking_expectation_can_fail(contracts: dict[str, Verdict], asset: str) -> None:
    suite = {"evidence": suites.evidence(DAY), "sft_export": suites.SFT, "rag_export": suites.RAG}.get(
        asset, suites.PREFERENCE
    )
    planted = {why for _, _, said in TABLES[asset] for why in said}
    never = {one.says for one in suite.expectations if one.blocks} - planted
    assert never == set()


@pytest.mark.parametrize("asset", TABLES)
def test_the_table_counts_what_failed(contracts: dict[str, Verdict], asset: str) -> None:
    found = counts(contracts[asset])
    for _, _, said in TABLES[asset]:
        for why in said:
            assert found[suites.DECODES if why == NOT_JSON else why] >= 1


def test_a_suite_says_nothing_twice() -> None:
    for suite in (suites.evidence(DAY), suites.SFT, suites.RAG, suites.PREFERENCE):
        said = [one.says for one in suite.expectations]
        assert len(said) == len(set(said))


def test_what_agents_claim_is_counted_and_no_fault(tmp_path: Path) -> None:
    claims: list[Fault] = [(name, {name: value}, []) for name, (value, _) in ODD.items()]
    found = evidence_contract(day_of(tmp_path, audits=lines(evidence, claims)), DAY, NOW)
    assert (found.passed, found.offenders) == (True, [])
    assert counts(found) == {words: 1 for _, words in ODD.values()}
    assert "6 values are odd" in found.summary


def test_a_stream_that_is_declared_no_more_is_taken_by_its_name(tmp_path: Path) -> None:
    row = lines(lambda number: evidence(number) | {"provenance": place(number) | {"source_file": "_kb/old.jsonl"}}, [])
    assert evidence_contract(day_of(tmp_path, old=row), DAY, NOW).passed
    assert not evidence_contract(day_of(tmp_path, outcomes=row), DAY, NOW).passed


def test_paths_of_the_original_runtimes_are_good(tmp_path: Path) -> None:
    row = lines(
        lambda number: evidence(number) | {"provenance": place(number) | {"source_file": "data/_kb/audits.jsonl"}}, []
    )
    assert evidence_contract(day_of(tmp_path, audits=row), DAY, NOW).passed


def test_a_role_that_no_template_knows_is_counted_and_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "sft_export.jsonl"
    path.write_bytes(lines(sample, [("", {"messages": turn("human") + turn("assistant")}, [])]))
    found = sft_contract(Lake(tmp_path), path, NOW)
    assert found.passed
    assert counts(found) == {"messages: the number of a role that no chat template knows must be 0": 1}


def test_equal_signatures_in_two_streams_are_two_rows(tmp_path: Path) -> None:
    outcomes = evidence(1) | {"provenance": place(1) | {"source_file": "_kb/outcomes.jsonl"}}
    other = lines(
        lambda number: outcomes | {"provenance": {**outcomes["provenance"], "sig_hash": f"{number:064x}"}}, []
    )
    assert evidence_contract(day_of(tmp_path, audits=lines(evidence, []), outcomes=other), DAY, NOW).passed


def test_a_partially_accepted_sample_and_a_pair_of_it_are_good(tmp_path: Path) -> None:
    sft, pref = tmp_path / "sft.jsonl", tmp_path / "pref.jsonl"
    sft.write_bytes(lines(sample, [("", {"category": "partially_accepted", "quality_score": 0.5}, [])]))
    pref.write_bytes(lines(pair, [("", {"rejected_category": "partially_accepted", "tools": "[]"}, [])]))
    assert sft_contract(Lake(tmp_path), sft, NOW).passed
    assert preference_contract(Lake(tmp_path), pref, NOW).passed
