"""A green verdict on the code stands until the code, or what the gate reads, is another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lakehouse.errors import UsageError
from lakehouse.gates import code_gates
from lakehouse.gates.code_gates import ASSET, CODE_GATES, standing
from lakehouse.gates.verdicts import read_verdicts
from lakehouse.records import Verdict
from tests.lakehouse.conftest import NOW, green

pytestmark = pytest.mark.code_gates
NAME = "acceptance"


class Gate:
    """A gate on code that says what it is told, and counts how often it looked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.code, self.passed, self.looked = "code 1", True, 0
        gate = replace(CODE_GATES[NAME], current=lambda: self.code, look=self.look)
        monkeypatch.setitem(CODE_GATES, NAME, gate)

    def look(self, lake: Any, now: str) -> Verdict:
        self.looked += 1
        return green(NAME, self.code, now, passed=self.passed)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Gate:
    return Gate(monkeypatch)


def test_a_green_verdict_stands_while_the_code_is_the_same(lab: Any, gate: Gate) -> None:
    first = standing(lab.lake, NAME, NOW)
    assert standing(lab.lake, NAME, "2026-06-01T00:00:00.000Z") == first
    assert gate.looked == 1
    assert read_verdicts(lab.lake, ASSET)[NAME] == first


def test_other_code_is_looked_at(lab: Any, gate: Gate) -> None:
    standing(lab.lake, NAME, NOW)
    gate.code, gate.passed = "code 2", False
    assert not standing(lab.lake, NAME, NOW).passed
    assert gate.looked == 2


def test_a_red_verdict_never_stands(lab: Any, gate: Gate) -> None:
    gate.passed = False
    standing(lab.lake, NAME, NOW)
    gate.passed = True
    assert standing(lab.lake, NAME, NOW).passed


def test_whoever_asks_for_it_gets_a_new_look(lab: Any, gate: Gate) -> None:
    standing(lab.lake, NAME, NOW)
    standing(lab.lake, NAME, NOW, anew=True)
    assert gate.looked == 2


def test_a_gate_that_cannot_look_is_red_and_says_why(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def look(lake: Any, now: str) -> Verdict:
        raise UsageError("the fixture lake is not installed", where="tests/fixtures/acceptance", mend="install it")

    monkeypatch.setitem(CODE_GATES, NAME, replace(CODE_GATES[NAME], current=lambda: "code", look=look))
    found = standing(lab.lake, NAME, NOW)
    assert (found.passed, found.severity, found.offenders[0]["file"]) == (False, "ERROR", "tests/fixtures/acceptance")
    assert "not installed" in found.summary


@pytest.mark.parametrize("name", sorted(CODE_GATES))
def test_what_a_gate_looks_at_has_a_name_that_does_not_change_by_itself(name: str) -> None:
    gate = code_gates.CODE_GATES[name]
    assert gate.current() == gate.current()
    assert len(gate.current()) == 64
