"""The gates on parity: green on our answers, red with the fixture named on others, open about a peer that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from lakehouse.code import sources_sha256
from lakehouse.gates import parity as gate
from lakehouse.gates.parity import node_peer, parity_gates, verdict_on
from lakehouse.parity.peers import Golden
from lakehouse.parity.probes import PROBES
from tests.lakehouse.parity.conftest import Program, doubling

NOW = "2026-05-10T02:00:00.000Z"
NODE, NO_NODE = node_peer()


def test_there_is_one_gate_per_probe() -> None:
    assert list(parity_gates()) == [f"parity_{probe.name}" for probe in PROBES]


@pytest.mark.skipif(NODE is None, reason=NO_NODE)
def test_a_gate_asks_the_pinned_answers_and_the_other_implementation() -> None:
    found = parity_gates()["parity_audit_baseline"](None, NOW)
    assert (found.check, found.passed, found.rows_checked, found.severity) == (
        "parity_audit_baseline",
        True,
        6,
        "ERROR",
    )
    assert found.tables is not None
    assert [row["match"] for row in found.tables["peers"]] == [3, 3]
    assert len(found.input_sha256) == 64


def test_where_node_is_not_there_the_verdict_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = parity_gates()["parity_extract_json"](None, NOW)
    assert (found.passed, found.rows_checked) == (True, 12)
    assert found.summary == "golden: 12 of 12 answers match; node: not asked: node is not on the PATH"
    assert found.tables is not None
    assert found.tables["peers"][1]["why"] == "not asked: node is not on the PATH"


def test_where_the_peer_program_is_not_there_the_verdict_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho v99.0.0\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(gate, "PEER", tmp_path / "peer.mjs")
    peer, why = node_peer()
    assert peer is None
    assert "parity_peers" in why


@pytest.mark.parametrize("says", ["v12.22.9", "segmentation fault"])
def test_a_node_that_is_too_old_is_not_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, says: str) -> None:
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\necho {says}\n")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    peer, why = node_peer()
    assert peer is None
    assert says in why


def test_a_difference_is_red_and_names_fixture_peer_and_place(program: Program) -> None:
    peer = program('print(json.dumps({"answer": {"double": 2 * number + (number == 2)}}))')
    found = verdict_on(doubling(), [Golden(), peer], {}, NOW)
    assert (found.passed, found.rows_checked) == (False, 6)
    assert len(found.offenders) == 1
    assert found.offenders[0]["file"] == "parity/fixtures/doubling.json"
    assert found.offenders[0]["line"] == 0
    why = found.offenders[0]["why"]
    assert why.startswith("number 2, command:")
    assert why.endswith("differ, $.double is 4 in ours, 5 in theirs")
    assert "golden: 3 of 3 answers match" in found.summary


def test_answers_that_both_failed_alike_are_red() -> None:
    found = verdict_on(doubling(ours=lambda q: None), [Golden()], {}, NOW)
    assert (found.passed, len(found.offenders)) == (False, 3)


def test_a_peer_that_breaks_off_is_red(program: Program) -> None:
    found = verdict_on(doubling(), [Golden(), program("import time; time.sleep(60)", timeout=0.3)], {}, NOW)
    assert not found.passed
    assert "no answer within" in found.offenders[0]["why"]


def test_a_peer_that_does_not_know_the_probe_is_told_and_not_red(program: Program) -> None:
    found = verdict_on(doubling(), [Golden(), program('print(\'{"unsupported": "no"}\')')], {}, NOW)
    assert (found.passed, found.rows_checked) == (True, 3)
    assert "does not know this probe" in found.summary


def test_without_any_answer_nothing_is_green() -> None:
    assert not verdict_on(doubling(), [], {"node": "absent"}, NOW).passed


def test_a_verdict_goes_stale_with_the_code_and_with_the_fixtures(tmp_path: Path) -> None:
    fixtures = tmp_path / "x.json"
    fixtures.write_text("[]")
    one, absent = sources_sha256(fixtures), sources_sha256(tmp_path / "y.json")
    assert one == sources_sha256(fixtures)
    fixtures.write_text("[1]")
    assert len({one, sources_sha256(fixtures), absent, sources_sha256()}) == 4
