"""The registered probes: their fixtures, what counts as an answer, and that ours are the pinned ones."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest
import rfc8785

from lakehouse.baseline import read_baselines
from lakehouse.errors import UsageError
from lakehouse.gates.parity import node_peer
from lakehouse.parity import probe as probing
from lakehouse.parity.peers import Answer, Golden
from lakehouse.parity.probe import FIXTURES, Fixture, Probe
from lakehouse.parity.probes import PROBES, probes_named
from lakehouse.parity.probes.embed import can_run
from lakehouse.parity.run import compare
from lakehouse.records import EvidenceRecord
from lakehouse.sample import make_sample
from lakehouse.streams import BUILT_IN

BY_NAME = {probe.name: probe for probe in PROBES}
NODE, NO_NODE = node_peer()
IN_NODE = [probe for probe in PROBES if probe.name != "embed"]


@pytest.mark.parametrize("probe", PROBES, ids=lambda probe: probe.name)
def test_our_answers_are_the_pinned_ones(probe: Probe) -> None:
    assert [(r.fixture, r.verdict, r.reason) for r in compare(probe, [Golden()])] == [
        (fixture.name, "match", "") for fixture in probe.fixtures
    ]


@pytest.mark.skipif(NODE is None, reason=NO_NODE)
@pytest.mark.parametrize("probe", IN_NODE, ids=lambda probe: probe.name)
def test_an_implementation_in_another_language_gives_the_same_answers(probe: Probe) -> None:
    assert NODE is not None
    assert [(r.fixture, r.verdict, r.reason) for r in compare(probe, [NODE])] == [
        (fixture.name, "match", "") for fixture in probe.fixtures
    ]


@pytest.mark.skipif(NODE is None, reason=NO_NODE)
def test_an_implementation_in_another_language_makes_the_same_evidence_of_a_sample_lake(tmp_path: Path) -> None:
    make_sample(tmp_path, seed=11, days=2, rows_per_day=150, last_day=date(2026, 5, 2))
    files = [_file(tmp_path, path) for path in sorted(tmp_path.glob("_kb/**/*.jsonl"))]
    probe = BY_NAME["materializer"]
    ours = probe.ours({"files": files})
    assert sum(map(len, ours["evidence"].values())) > 250
    assert NODE is not None
    theirs = NODE.ask(probe, Fixture("a sample lake", {"files": files}, None))
    assert isinstance(theirs, Answer)
    assert probing.first_difference(ours, theirs.value) is None


def _file(root: Path, path: Path) -> dict[str, Any]:
    lines = path.read_bytes().split(b"\n")
    torn = lines[-1] != b""
    encoded = [{"base64": b64encode(line).decode()} for line in lines[: None if torn else -1]]
    return {"path": path.relative_to(root).as_posix(), "lines": encoded, "torn": torn}


@pytest.mark.skipif(NODE is None, reason=NO_NODE)
def test_the_other_implementation_says_which_probes_it_knows() -> None:
    assert NODE is not None
    stranger = Probe(
        "stranger", "", BY_NAME["extract_json"].fixtures[:1], BY_NAME["extract_json"].ours, lambda f, a: None
    )
    assert "materializer" in compare(stranger, [NODE])[0].reason


@pytest.mark.parametrize(
    ("name", "fixtures"),
    [
        ("extract_json", 12),
        ("canonical_json", 15),
        ("materializer", 2),
        ("audit_baseline", 3),
        ("session_log", 4),
        ("validator", 6),
        ("subject_audit", 6),
        *([("embed", 8)] if can_run() else []),
    ],
)
def test_each_probe_has_its_fixtures_under_names_of_their_own(name: str, fixtures: int) -> None:
    names = [fixture.name for fixture in BY_NAME[name].fixtures]
    assert len(names) == len(set(names)) == fixtures


def test_every_file_of_fixtures_belongs_to_a_probe() -> None:
    assert sorted(path.stem for path in FIXTURES.iterdir()) == sorted({*BY_NAME, "embed"})


def test_probes_are_chosen_by_name() -> None:
    assert probes_named() == list(PROBES)
    assert [probe.name for probe in probes_named(["materializer", "extract_json", "materializer"])] == [
        "extract_json",
        "materializer",
    ]
    with pytest.raises(UsageError, match=r"there is no probe 'retrieve'.*canonical_json"):
        probes_named(["materializer", "retrieve"])


# What is no answer, whoever gives it: also where the pinned answer were the same.
FAULTS: list[tuple[str, int, Any]] = [
    ("extract_json", 0, None),
    ("extract_json", 0, {"matched": "yes", "value": {}}),
    ("extract_json", 0, {"matched": True, "value": None}),
    ("extract_json", 0, {"matched": True, "value": [1]}),
    ("extract_json", 0, {"matched": False, "value": {"a": 1}}),
    ("extract_json", 0, {"matched": False, "value": None}),
    ("canonical_json", 0, {"canonical": "", "sig_hash": ""}),
    ("canonical_json", 0, {"canonical": "{}", "sig_hash": "0" * 64}),
    ("canonical_json", 0, {"sig_hash": "0" * 64}),
    ("canonical_json", 0, []),
    ("materializer", 0, {"evidence": {}}),
    ("materializer", 0, {"evidence": {"evidence/2026/05/01/audits.jsonl": "text"}}),
    ("materializer", 0, {"evidence": {"evidence/2026/05/01/audits.jsonl": ["one of thirteen"]}}),
    ("materializer", 0, "no"),
    ("audit_baseline", 0, {"lines": []}),
    ("audit_baseline", 1, {"rows": []}),
    ("audit_baseline", 1, {"rows": [1]}),
    ("audit_baseline", 2, {"error": "torn_last_line"}),
    ("audit_baseline", 2, {"lines": ["read all the same"]}),
    ("audit_baseline", 0, {"error": "bad_line", "line": 1}),
]


@pytest.mark.parametrize(("name", "position", "answer"), FAULTS)
def test_an_answer_of_the_wrong_shape_or_a_trivial_one_does_not_count(name: str, position: int, answer: Any) -> None:
    probe = BY_NAME[name]
    assert probe.fault(probe.fixtures[position], answer)


def test_the_canonical_vectors_are_those_of_the_reference_where_it_has_an_answer() -> None:
    compared = 0
    for fixture in BY_NAME["canonical_json"].fixtures:
        try:
            reference = rfc8785.dumps(json.loads(fixture.input["json"])).decode()
        except rfc8785.IntegerDomainError:
            continue
        assert reference == fixture.expected["canonical"], fixture.name
        compared += 1
    assert compared == 13


def test_a_lake_of_every_stream_has_evidence_of_every_stream() -> None:
    for fixture in BY_NAME["materializer"].fixtures:
        files = fixture.expected["evidence"]
        assert {path.rpartition("/")[2] for path in files} == {f"{stream.name}.jsonl" for stream in BUILT_IN}
        for lines in files.values():
            for line in lines:
                record = json.loads(line)
                assert "recorded_at" not in record["provenance"]
                record["provenance"]["recorded_at"] = "2026-05-02T02:00:00.000Z"
                msgspec.convert(record, EvidenceRecord)


def test_the_lake_with_traps_holds_the_rows_of_the_clean_one_and_more() -> None:
    clean, trapped = (fixture.expected["evidence"] for fixture in BY_NAME["materializer"].fixtures)

    def signatures(files: dict[str, list[str]]) -> set[str]:
        return {json.loads(line)["provenance"]["sig_hash"] for lines in files.values() for line in lines}

    assert signatures(clean) < signatures(trapped)


def test_the_baselines_are_of_another_producer_with_keys_and_metrics_that_we_do_not_know() -> None:
    entries = [json.loads(line) for line in BY_NAME["audit_baseline"].fixtures[0].expected["lines"]]
    assert len(entries) == 7
    assert {entry["producer"] for entry in entries} == {"typescript"}
    assert {key for entry in entries for key in entry} >= {"host", "notes", "seed"}
    assert "p9_reviewer_minutes" in entries[-1]["metrics"]


def test_a_reader_that_drops_an_unknown_metric_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(path: Any) -> Any:
        entries = read_baselines(path)
        for entry in entries:
            entry["metrics"].pop("p9_reviewer_minutes", None)
        return entries

    monkeypatch.setattr("lakehouse.parity.probes.audit_baseline.read_baselines", forgetful)
    results = compare(BY_NAME["audit_baseline"], [Golden()])
    assert [result.verdict for result in results] == ["differ", "differ", "match"]
    assert "p9_reviewer" in results[0].reason


def test_a_line_offset_of_zero_that_is_left_out_is_seen() -> None:
    """The fault that the first comparison of two runtimes found."""
    probe = BY_NAME["materializer"]
    ours = probe.fixtures[0].expected

    def without(answer: Any) -> Any:
        return {
            "evidence": {p: [x.replace('"line_offset":0,', "") for x in ls] for p, ls in answer["evidence"].items()}
        }

    found = probing.first_difference(ours, without(ours))
    assert found is not None
    assert "line_offset" in found
