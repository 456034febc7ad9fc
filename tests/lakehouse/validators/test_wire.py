"""Errors on the wire: one tag each, the older flat form read, anything else refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import RecordError
from lakehouse.records import ValidationError
from lakehouse.validators.wire import completeness, consistency, policy, read_error, said, schema_error, tagged

FORMS: list[tuple[ValidationError, dict[str, Any], dict[str, Any]]] = [
    (
        schema_error("x", "y"),
        {"Schema": {"field": "x", "reason": "y"}},
        {"Kind": "schema", "Field": "x", "Reason": "y"},
    ),
    (completeness("y"), {"Completeness": {"reason": "y"}}, {"Kind": "completeness", "Field": "", "Reason": "y"}),
    (consistency("y"), {"Consistency": {"reason": "y"}}, {"Kind": "consistency", "Reason": "y"}),
    (policy("y"), {"Policy": {"reason": "y"}}, {"Kind": "Policy", "Field": "", "Reason": "y"}),
]


@pytest.mark.parametrize(("error", "form", "flat"), FORMS)
def test_each_kind_has_its_tag_and_both_forms_are_read(error: Any, form: Any, flat: Any) -> None:
    assert tagged(error) == form
    assert read_error(form) == read_error(flat) == error
    assert msgspec.json.decode(msgspec.json.encode(error)) == form


MAKERS = st.one_of(
    st.builds(schema_error, st.text(), st.text()),
    *(st.builds(one, st.text()) for one in (completeness, consistency, policy)),
)


@given(error=MAKERS)
def test_what_was_written_reads_back(error: ValidationError) -> None:
    assert read_error(tagged(error)) == error
    assert read_error(msgspec.json.decode(msgspec.json.encode(error))) == error
    tag, field, reason = said(error)
    assert tagged(error)[tag]["reason"] == reason
    assert tagged(error)[tag].get("field", "") == field


def test_empty_texts_are_written() -> None:
    assert tagged(schema_error("", "")) == {"Schema": {"field": "", "reason": ""}}


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({}, "it has no tag"),
        ({"Legal": {"reason": "y"}}, "'Legal' is no kind of error"),
        ({"schema": {"field": "x", "reason": "y"}}, "'schema' is no kind of error"),
        ({"Policy": {"reason": "y"}, "Legal": {}}, "'Legal' is no kind of error"),
        ({"Policy": {"reason": "y"}, "Schema": {"field": "x", "reason": "y"}}, "it has the tags Policy and Schema"),
        ({"Policy": {"reason": "y"}, "Schema": None}, "it has the tags"),
        ({"Policy": None}, "Policy holds nothing"),
        ({"Policy": {}}, "missing required field `reason`"),
        ({"Schema": {"reason": "y"}}, "missing required field `field`"),
        ({"Schema": {"field": 3, "reason": "y"}}, "Expected `str`, got `int`"),
        ({"Policy": "y"}, "got `str`"),
        ({"Kind": "legal", "Field": "", "Reason": "y"}, "'legal' is no kind of error"),
        ({"Kind": "schema", "Reason": "y"}, "missing required field `field`"),
        ({"Kind": "schema", "Field": None, "Reason": "y"}, "Expected `str`, got `null`"),
        ({"Kind": "policy", "Field": ""}, "Kind and Reason are not both texts"),
        ({"Kind": 1, "Reason": "y"}, "Kind and Reason are not both texts"),
        ({"Kind": "policy", "Reason": "y", "Policy": {"reason": "y"}}, "'Policy' stands beside Kind"),
        ([], "it is no object"),
        (None, "it is no object"),
        ("Policy", "it is no object"),
    ],
)
def test_anything_else_is_refused_and_says_why(value: Any, says: str) -> None:
    with pytest.raises(RecordError) as refused:
        read_error(value)
    assert says in refused.value.what
    assert "Schema, Completeness, Consistency, Policy" in refused.value.mend
