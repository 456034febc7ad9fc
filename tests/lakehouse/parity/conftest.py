"""A probe of three questions for tests of the frame, and programs that answer it well or badly."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lakehouse.parity.peers import Command
from lakehouse.parity.probe import Fixture, Probe

ANSWERING = """
import json, sys
question = json.load(sys.stdin)
number = question["input"]["number"]
"""


def double(question: Any) -> Any:
    """What the probe of these tests asks for."""
    return {"double": 2 * question["number"]}


def fault(fixture: Fixture, answer: Any) -> str | None:
    if not isinstance(answer, dict) or not isinstance(answer.get("double"), int):
        return "the answer has no number"
    return "zero is the double of nothing" if answer["double"] == 0 and fixture.input["number"] else None


def doubling(**changes: Any) -> Probe:
    """The probe `doubling`, or one that is changed."""
    fixtures = tuple(Fixture(f"number {n}", {"number": n}, {"double": 2 * n}) for n in (1, 2, 3))
    given: dict[str, Any] = {
        "name": "doubling",
        "description": "Twice a number.",
        "fixtures": fixtures,
        "ours": double,
        "fault": fault,
    }
    return Probe(**{**given, **changes})


Program = Callable[..., Command]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Give a function that makes a command peer of the last lines of a Python program, which know `number`."""

    def make(text: str, timeout: float = 30) -> Command:
        path = tmp_path / "peer.py"
        path.write_text(ANSWERING + text, encoding="utf-8")
        return Command((sys.executable, "-S", "-E", str(path)), timeout)

    return make
