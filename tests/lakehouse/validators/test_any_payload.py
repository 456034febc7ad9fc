"""Whatever a payload is, there is an answer: a list of errors, each of which can be written and read again."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.validators.kinds import KINDS, answer, validate
from lakehouse.validators.roster import of_rows
from lakehouse.validators.wire import read_error, tagged
from tests.lakehouse.validators.conftest import ROWS, email, fill

ROSTER = of_rows(ROWS)
KEYS = st.sampled_from(
    "contract_id role city state start count fills worker_id name score reason to subject body".split()
)
# Half of a surrogate pair too: JSON can hold one.
TEXTS = st.text(st.characters(), max_size=20) | st.sampled_from(
    ["w-1", "w-99", "Welder", "Flint", "ann.lee@staff.example"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | TEXTS, inner, max_size=6),
    max_leaves=20,
)
NEARLY = st.builds(
    lambda base, changes: base | changes,
    st.sampled_from([fill("w-1"), fill("w-1", "w-99"), email(), {"body": "ok"}]),
    st.dictionaries(KEYS, JSON, max_size=3),
)


@given(kind=st.sampled_from([*KINDS, "letter"]), payload=JSON | NEARLY)
def test_any_json_gives_a_list_of_errors(kind: str, payload: Any) -> None:
    errors = validate(kind, payload, ROSTER)
    assert all(read_error(tagged(error)) == error for error in errors)
    json.dumps([tagged(error) for error in errors], ensure_ascii=False).encode()
    status, body = answer(kind, payload, ROSTER)
    assert (status, body["ok"]) == (200 if kind in KINDS else 400, not errors)


@pytest.mark.parametrize("kind", ["letter", "", "Fill", "fill ", None, 7, ["fill"], {}])
def test_an_unknown_kind_is_a_schema_error_and_the_only_thing_that_is_no_answer(kind: Any) -> None:
    error = {"Schema": {"field": "kind", "reason": "is no kind of payload, the kinds are email, fill, sms"}}
    assert [tagged(one) for one in validate(kind, fill("w-1"), ROSTER)] == [error]
    assert answer(kind, fill("w-1"), ROSTER) == (400, {"ok": False, "errors": [error]})


def test_an_invalid_payload_is_an_answer() -> None:
    assert answer("fill", fill("w-1"), ROSTER) == (200, {"ok": True, "errors": []})
    status, body = answer("fill", fill("w-99"), ROSTER)
    assert (status, body["ok"], len(body["errors"])) == (200, False, 1)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 300_000,
        "{{" * 150_000,
        "<a" * 150_000,
        "1 " * 150_000,
        "@" * 300_000,
        "a@" * 150_000,
        "[a](" * 75_000,
        "%AA" * 100_000,
        "123" + " " * 300_000,
        "123 - " * 50_000,
        "123\n-\n45 " * 30_000,
        "_" * 300_000,
        "_ " * 150_000,
        "a___ " * 60_000,
        "_" * 12 + " " * 300_000 + "\n",
    ],
)
def test_a_huge_text_is_looked_at_all_the_same(text: str) -> None:
    assert validate("email", email(body=text), ROSTER) == []
