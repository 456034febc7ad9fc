"""The probe `session_log`: what it compares, what it lets differ, and what is no answer."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Any

import msgspec
import pytest

from lakehouse.errors import RecordError
from lakehouse.parity.peers import Answer, Golden, Reply
from lakehouse.parity.probe import Fixture, Probe
from lakehouse.parity.probes.session_log import SESSION_LOG
from lakehouse.parity.run import compare
from lakehouse.records import SessionRecord

FIXTURES = {fixture.name: fixture for fixture in SESSION_LOG.fixtures}
FIELDS = SESSION_LOG.fixtures[1].input


class Changed:
    """A peer that gives the pinned lines, changed."""

    name = "changed"

    def __init__(self, change: Any) -> None:
        self._change = change

    def ask(self, probe: Probe, fixture: Fixture) -> Reply:
        return Answer({"line": self._change(fixture.expected["line"])})


def verdicts(change: Any) -> list[str]:
    return [result.verdict for result in compare(SESSION_LOG, [Changed(change)])]


def test_there_are_the_four_fixtures_of_the_original() -> None:
    assert list(FIXTURES) == ["accepted_grounded", "max_iter_exhausted", "infra_error", "unicode_in_prompt"]


def test_our_lines_are_the_pinned_ones() -> None:
    assert [result.verdict for result in compare(SESSION_LOG, [Golden()])] == ["match"] * 4


def test_a_pinned_line_is_a_record_that_survives_a_round_trip() -> None:
    for fixture in SESSION_LOG.fixtures:
        line = fixture.expected["line"]
        assert SESSION_LOG.ours(json.loads(line)) == {"line": line}
        assert msgspec.json.encode(msgspec.json.decode(line, type=SessionRecord)).decode() == line


def test_time_and_daemon_may_differ() -> None:
    def another(line: str) -> str:
        facts = json.loads(line) | {"timestamp": "2030-01-01T00:00:00.000Z", "daemon": 'an "other" \\ one'}
        return json.dumps(facts, ensure_ascii=False, separators=(",", ":"))

    assert verdicts(another) == ["match"] * 4


@pytest.mark.parametrize(
    ("change", "differing"),
    [
        (lambda line: line.replace('"prompt_tokens":0,', ""), ["max_iter_exhausted"]),
        (lambda line: line.replace('"error":"",', ""), ["max_iter_exhausted"]),
        (lambda line: line.replace('"grounded_in_roster":false,', ""), ["infra_error"]),
        (lambda line: line.replace('"provider":"",', '"provider":" ",'), ["infra_error"]),
        (lambda line: line.replace(',"note":null', ""), ["accepted_grounded"]),
        (lambda line: line.replace('"tags":[],', ""), ["accepted_grounded"]),
        (lambda line: line.replace("<&>", "\\u003c\\u0026\\u003e"), ["unicode_in_prompt"]),
        (lambda line: line.replace("é", "\\u00e9"), ["unicode_in_prompt"]),
        (lambda line: line.replace("\u2028", "\\u2028"), ["unicode_in_prompt"]),
        (lambda line: line.replace("e\u0301", "é"), ["unicode_in_prompt"]),
        (lambda line: line.replace('"duration_ms":1620', '"duration_ms":1620,"artifact2":null'), ["accepted_grounded"]),
        (lambda line: line.replace(',"', ', "'), list(FIXTURES)),
        (lambda line: json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")), list(FIXTURES)),
    ],
    ids=[
        "zero",
        "empty text",
        "false",
        "space",
        "null within",
        "empty list",
        "html",
        "ascii",
        "separator",
        "composed",
        "more",
        "spaces",
        "order",
    ],
)
def test_every_other_byte_counts(change: Any, differing: list[str]) -> None:
    assert verdicts(change) == ["differ" if name in differing else "match" for name in FIXTURES]


@pytest.mark.parametrize(
    "change",
    [
        lambda line: "",
        lambda line: "null",
        lambda line: "{}",
        lambda line: line + "\n",
        lambda line: line[:-1],
        lambda line: line.replace("session.iterate.v1", "session.iterate.v2"),
        lambda line: json.dumps(json.loads(line) | {"session_id": ""}),
        lambda line: json.dumps(json.loads(line) | {"daemon": ""}),
        lambda line: json.dumps(json.loads(line) | {"timestamp": "soon"}),
        lambda line: json.dumps(json.loads(line) | {"attempts": []}),
        lambda line: json.dumps(json.loads(line) | {"duration_ms": "9"}),
        lambda line: {"no": "text"},
    ],
)
def test_what_is_no_session_does_not_count_even_where_both_sides_agree(change: Any) -> None:
    assert verdicts(change) == ["invalid"] * 4
    for fixture in SESSION_LOG.fixtures:
        assert SESSION_LOG.fault(fixture, {"line": change(fixture.expected["line"])})


@pytest.mark.parametrize("answer", [None, [], "text", {}, {"line": None}])
def test_an_answer_of_another_shape_does_not_count(answer: Any) -> None:
    assert SESSION_LOG.fault(SESSION_LOG.fixtures[0], answer)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"session_id": ""}, "its session_id is empty"),
        ({"session_id": None}, "Expected `str`, got `null` - at `$.session_id`"),
        ({"verdict": "maybe"}, "Invalid enum value 'maybe' - at `$.verdict`"),
    ],
)
def test_fields_that_are_no_session_make_no_line_and_their_fixture_is_invalid(change: dict[str, Any], why: str) -> None:
    good, bad = SESSION_LOG.fixtures[0], dataclasses.replace(SESSION_LOG.fixtures[1], input={**FIELDS, **change})
    with pytest.raises(RecordError, match=re.escape(f"this is no session ({why})")):
        SESSION_LOG.ours(bad.input)
    results = compare(dataclasses.replace(SESSION_LOG, fixtures=(good, bad)), [Golden()])
    assert [(one.verdict, one.reason) for one in results] == [
        ("match", ""),
        ("invalid", f"ours: this is no session ({why})"),
    ]


def test_keys_of_the_same_names_within_the_artifact_count() -> None:
    facts = {**FIXTURES["accepted_grounded"].input, "artifact": {"timestamp": "then", "daemon": "another"}}
    line = SESSION_LOG.normalise(SESSION_LOG.ours(facts))["line"]
    assert '"timestamp":"","daemon":""' in line
    assert '"artifact":{"timestamp":"then","daemon":"another"}' in line
