"""What nobody sees is nothing: a text of it is blank, and it parts no word."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.validators.looks import is_blank, readings

# Format characters that are drawn, before digits or around them, and those that join hieroglyphs.
DRAWN = ("ARABIC", "SYRIAC", "KAITHI", "EGYPTIAN")
ALL = [chr(code) for code in range(sys.maxunicode + 1)]
WHITE = "".join(sign for sign in ALL if sign.isspace())
UNSEEN = "".join(
    sign
    for sign in ALL
    if unicodedata.category(sign) in ("Cf", "Cc")
    and sign not in WHITE
    and (sign == "\u061c" or not unicodedata.name(sign, "").startswith(DRAWN))
)


@pytest.mark.parametrize(
    "text", ["", " ", "\n", "\u00a0", "\u200b", "\0", "\x7f", "\u2066", "\u3164", "\u2800", " \u200b\n\0"]
)
def test_white_space_and_what_nobody_sees_is_blank(text: str) -> None:
    assert is_blank(text)


@pytest.mark.parametrize(
    "text", [".", "\u200ba", "\u0301", "\u0600", "\ud800", "\ue000", "\u00b7", "\N{GRINNING FACE}"]
)
def test_whatever_can_be_seen_is_not(text: str) -> None:
    assert not is_blank(text)


@given(st.text(st.sampled_from(UNSEEN + WHITE)))
def test_every_control_format_character_and_white_space_is_blank(text: str) -> None:
    assert is_blank(text)


@given(word=st.text("ab1-[", min_size=1), signs=st.text(st.sampled_from(UNSEEN), min_size=1), place=st.integers(0, 5))
def test_a_text_looks_as_it_would_without_what_nobody_sees(word: str, signs: str, place: int) -> None:
    assert readings(word) == (word,)
    hidden = word[:place] + signs + word[place:]
    assert readings(hidden) == (hidden, word)


@pytest.mark.parametrize("text", ["Hi Ann,\n\tsee you.\r\n", "\x1c\x1f", "é", "\u3000".strip()])
def test_white_space_stays(text: str) -> None:
    assert readings(text) == (text,)
