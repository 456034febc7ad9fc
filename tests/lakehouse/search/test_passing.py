"""What conditions let through is kept within a bound."""

from __future__ import annotations

import numpy as np

from lakehouse.search.filters import Condition
from lakehouse.search.passing import Late, Passing


def test_what_was_asked_for_longest_ago_goes_first() -> None:
    made: list[object] = []

    def make(where: tuple[Condition, ...]) -> Passing:
        made.append(where[0].value)
        return Passing(np.ones(10, bool), np.arange(10), None)

    def ask(value: str) -> None:
        late.get((Condition("city", "eq", value),), make)

    late = Late(room=200)
    for value in ("a", "b", "a", "c", "a", "b"):
        ask(value)
    assert made == ["a", "b", "c", "b"]


def test_what_is_larger_than_the_room_is_given_all_the_same() -> None:
    large = Passing(np.ones(10, bool), np.arange(10), np.ones((10, 8), np.float32))
    late = Late(room=100)
    for _ in range(2):
        assert late.get((Condition("city", "eq", "a"),), lambda _: large) is large
