"""Pairing: whatever is missing, doubled or foreign is named alone, and what agrees is paired."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.gates import pairing
from lakehouse.gates.pairing import Pair, paired

N = 12
WHOLE = list(range(N))


def odd(ones: list[int], others: list[int]) -> list[tuple[int, int | None, int, int | None]]:
    """Give the pairs that do not agree."""
    pairs: list[Pair[int, int]] = list(paired(iter(ones), iter(others), lambda x: x, lambda x: x))
    assert [pair.one for pair in pairs if pair.one is not None] == ones
    assert [pair.other for pair in pairs if pair.other is not None] == others
    return [tuple(pair) for pair in pairs if pair.one != pair.other]


@pytest.mark.parametrize("at", WHOLE)
def test_one_that_is_gone_is_named_alone(at: int) -> None:
    rest = WHOLE[:at] + WHOLE[at + 1 :]
    assert odd(WHOLE, rest) == [(at + 1, at, at + 1, None)]
    assert odd(rest, WHOLE) == [(at + 1, None, at + 1, at)]


@pytest.mark.parametrize("at", WHOLE)
@pytest.mark.parametrize("extra", [99, None])
def test_one_that_is_foreign_or_stands_twice_is_named_alone(at: int, extra: int | None) -> None:
    added = at if extra is None else extra
    assert odd(WHOLE, [*WHOLE[: at + 1], added, *WHOLE[at + 1 :]]) == [(at + 2, None, at + 2, added)]


@pytest.mark.parametrize("at", WHOLE)
def test_one_in_the_place_of_another_is_held_against_it(at: int) -> None:
    assert odd(WHOLE, [*WHOLE[:at], 99, *WHOLE[at + 1 :]]) == [(at + 1, at, at + 1, 99)]


@pytest.mark.parametrize("at", WHOLE[:-1])
def test_two_that_changed_places_are_both_named_and_no_more(at: int) -> None:
    swapped = [*WHOLE[:at], at + 1, at, *WHOLE[at + 2 :]]
    assert odd(WHOLE, swapped) == [(at + 1, at, at + 1, at + 1), (at + 2, at + 1, at + 2, at)]


def test_every_second_one_that_is_gone_is_named() -> None:
    assert [pair[1] for pair in odd(WHOLE, WHOLE[::2])] == WHOLE[1::2]


def test_a_line_that_cannot_be_read_stands_in_its_place() -> None:
    broken = ValueError("no record")
    found = list(paired(iter([1, 2, 3]), iter([1, broken, 3]), lambda x: x, lambda x: x))
    assert found == [Pair(1, 1, 1, 1), Pair(2, 2, 2, broken), Pair(3, 3, 3, 3)]


def test_no_more_is_held_than_is_looked_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairing, "FURTHEST", 4)
    drawn = 0

    def counted() -> object:
        nonlocal drawn
        for number in range(100):
            drawn = number
            yield number

    pairs = paired(counted(), iter(range(100, 200)), lambda x: x, lambda x: x)  # type: ignore[arg-type]
    next(pairs)
    assert drawn <= 5
    assert len(list(pairs)) == 99


@given(st.sets(st.integers(0, 40)), st.sets(st.integers(0, 40)))
def test_nothing_is_lost_and_every_line_counts_once(some: set[int], others: set[int]) -> None:
    """`odd` holds both sides against what went in."""
    assert (odd(sorted(some), sorted(others)) == []) == (some == others)
