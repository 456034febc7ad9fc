"""The ids of sessions that came without a trace id."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from lakehouse.iterate import session_id

MOMENT = st.integers(0, 2**64 - 1)
CHANCE = st.integers(0, 2**32 - 1)


@given(MOMENT, CHANCE)
def test_an_id_is_16_and_8_hexadecimal_digits(moment: int, chance: int) -> None:
    assert re.fullmatch(r"[0-9a-f]{16}-[0-9a-f]{8}", session_id(moment, chance))


@given(MOMENT, MOMENT, CHANCE, CHANCE)
def test_ids_sort_by_time(one: int, other: int, chance: int, further: int) -> None:
    earlier, later = sorted((one, other))
    if earlier != later:
        assert session_id(earlier, chance) < session_id(later, further)


def test_it_has_the_form_of_the_other_runtimes() -> None:
    assert session_id(0x18ABBABDC2306A83, 0xC2306AA9) == "18abbabdc2306a83-c2306aa9"


@given(st.integers(), st.integers())
def test_numbers_of_any_size_make_one(moment: int, chance: int) -> None:
    assert len(session_id(moment, chance)) == 25
