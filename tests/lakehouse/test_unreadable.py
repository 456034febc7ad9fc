"""A file that a gate cannot read: the line is named, and nothing that stands in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lakehouse.gates.contamination import contamination_firewall
from lakehouse.gates.preference import kto_labels, strict_order
from lakehouse.gates.rag import never_rejected
from lakehouse.gates.unreadable import unreadable
from lakehouse.sql import connect

NOW = "2026-05-10T02:00:00.000Z"
SECRET = "Jane of 5 Elm Street"
GATES: dict[str, Callable[..., Any]] = {
    "contamination": lambda *held: contamination_firewall(*held, include_partial=False),
    "rag": lambda *held: never_rejected(*held, include_review=False),
    "pairs": strict_order,
    "labels": kto_labels,
}


@pytest.mark.parametrize("gate", GATES.values(), ids=GATES)
@pytest.mark.parametrize(
    "bad",
    [f'{{"id": "{SECRET}'.encode(), f'["{SECRET}"]'.encode(), b"\xff" + SECRET.encode()],
    ids=["cut", "list", "no text"],
)
def test_the_line_is_named_and_nothing_of_it(lab: Any, gate: Callable[..., Any], bad: bytes) -> None:
    path = lab.root / "published.jsonl"
    path.write_bytes(b"{}\n{}\n" + bad + b"\n{}\n")
    with closing(connect(lab.lake)) as connection:
        found = gate(lab.lake, path, connection, NOW)
    (offender,) = [one for one in found.offenders if "cannot be read" in one["why"]]
    assert (found.passed, offender["file"], offender["line"]) == (False, "published.jsonl", 3)
    assert "Jane" not in json.dumps(found.offenders)


def test_a_value_of_another_type_is_named_by_what_the_reader_says(lab: Any) -> None:
    path = lab.root / "published.jsonl"
    path.write_bytes(b'{}\n{"provenance": "' + SECRET.encode() + b'"}\n')
    with closing(connect(lab.lake)) as connection:
        found = contamination_firewall(lab.lake, path, connection, NOW, include_partial=False)
    (offender,) = found.offenders
    assert offender["file"] == "published.jsonl"
    assert offender["why"].startswith("the file cannot be read (")
    assert offender["line"] == 2
    assert "Jane" not in json.dumps(found.offenders)


def test_a_fault_of_another_file_blames_no_line_of_this_one(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"{}\n")
    found = unreadable(path, "x.jsonl", ValueError('Malformed JSON in file "/lake/evidence/y.jsonl", in line 7: Jane'))
    assert found == {
        "file": "x.jsonl",
        "line": 0,
        "why": "the file, or what it is held against, cannot be read (ValueError)",
    }
