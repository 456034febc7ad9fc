"""What the model reads: shapes that the validators take, and texts that are cut."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.iterate import prompts
from lakehouse.validators.kinds import KINDS, validate
from lakehouse.validators.roster import Workers
from lakehouse.validators.wire import said


@pytest.mark.parametrize("kind", KINDS)
def test_the_shape_that_a_model_is_told_has_the_fields_that_the_validator_wants(kind: str) -> None:
    named = re.findall(r'"(\w+)": ', prompts.SHAPES[kind])
    entry = {"worker_id": 1, "name": 1} if kind == "fill" else None
    top = [name for name in named if not (entry and name in entry)]
    payload = {name: [entry] if name == "fills" else object() for name in top}
    reasons = [said(error)[2] for error in validate(kind, payload, Workers({}))]
    assert [reason for reason in reasons if "is no field" in reason or "missing" in reason] == []


def test_a_kind_without_a_shape_is_named_all_the_same() -> None:
    assert "'permit'" in prompts.first("permit", "p")[0]["content"]


@given(st.text(st.characters()), st.integers(8, 60))
def test_what_is_clipped_is_short_can_be_sent_and_keeps_both_ends(text: str, most: int) -> None:
    cut = prompts.clipped(text, most)
    assert len(cut) <= most + 60
    cut.encode()
    assert cut.startswith(prompts.cleaned(text[: most // 2]))
    assert cut.endswith(prompts.cleaned(text[len(text) - min(most // 4, len(text)) :]))


def test_a_clipped_text_says_how_much_is_left_out() -> None:
    assert "[6,000 characters are left out here]" in prompts.clipped("x" * 10_000)


def test_an_empty_answer_is_named_for_servers_that_take_no_empty_message() -> None:
    assert prompts.again(prompts.first("sms", "p"), "", "w")[2]["content"] == "(an empty answer)"
