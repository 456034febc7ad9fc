"""The adapter tells failed from broken, counts and places what failed, gives away no value and makes no noise."""

from __future__ import annotations

import logging
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest

from lakehouse.contracts.adapter import MOST, validate
from lakehouse.contracts.suites import Expectation, at_least, holds, matches, one_of, present, unique
from tests.lakehouse.contracts.planting import SSN


def frame(**columns: list[Any]) -> pd.DataFrame:
    kinds = {str: object, type(None): object, float: np.float64, bool: np.bool_, int: np.int64}
    return pd.DataFrame(
        {
            name: pd.Series(np.array(held, dtype=kinds[type(held[0])]), dtype=kinds[type(held[0])])
            for name, held in columns.items()
        }
    )


@pytest.mark.parametrize(
    ("expectation", "held", "positions"),
    [
        (present("c"), ["a", None, "b"], (1,)),
        (present("c"), [1.0, float("nan")], (1,)),
        (one_of("c", "a", "b"), ["a", "x", None, "b"], (1,)),
        (one_of("c", 0.5, 1.0), [1.0, 0.7, float("nan")], (1,)),
        (matches("c", "^a+$", "must be all a"), ["aa", "ab", None], (1,)),
        (at_least("c", 0), [0.0, -0.1, float("nan"), 3.0], (1,)),
        (at_least("c", 0, 1), [0.0, 1.0, 1.01], (2,)),
        (holds("c", "c", "must be so"), [True, False, True], (1,)),
        (unique("c", "must be unique"), [1, 2, 1, 3], (0, 2)),
    ],
    ids=lambda value: value.kind if isinstance(value, Expectation) else None,
)
def test_failed_rows_are_counted_and_placed(
    expectation: Expectation, held: list[Any], positions: tuple[int, ...]
) -> None:
    column = "key" if expectation.column == "key" else "c"
    (found,) = validate([expectation], frame(**{column: held}))
    assert (found.failed, found.positions, found.broken) == (len(positions), positions, None)


def test_a_frame_without_faults_has_none() -> None:
    found = validate([present("c"), one_of("c", "a")], frame(c=["a", "a"]))
    assert [(one.failed, one.positions, one.broken) for one in found] == [(0, (), None)] * 2


def test_all_failed_rows_are_counted_and_the_first_are_placed() -> None:
    (found,) = validate([at_least("c", 0)], frame(c=[-1.0] * (3 * MOST)))
    assert (found.failed, found.positions) == (3 * MOST, tuple(range(MOST)))


def test_a_missing_column_is_broken_and_its_neighbours_are_not() -> None:
    broken, failed, held = validate([present("gone"), one_of("c", "a"), present("c")], frame(c=["a", "x"]))
    assert (broken.failed, broken.broken) == (0, "the frame has no column 'gone'")
    assert (failed.failed, failed.broken) == (1, None)
    assert (held.failed, held.broken) == (0, None)


def test_an_expectation_that_cannot_look_is_broken_without_a_value() -> None:
    (found,) = validate([at_least("c", 0)], frame(c=[SSN, "text"]))
    assert found.broken is not None
    assert found.broken.startswith("Great Expectations raised ")
    assert SSN not in repr(found)


def test_an_unknown_kind_is_broken() -> None:
    found = validate([Expectation("c", "c", "must be odd", "ExpectOddity"), present("c")], frame(c=["a"]))
    assert [one.broken for one in found] == ["Great Expectations raised AttributeError"] * 2


def test_great_expectations_raising_is_broken_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    import great_expectations

    def fail(*args: Any, **kwargs: Any) -> None:
        raise great_expectations.exceptions.GreatExpectationsError(f"cannot take {SSN}")

    monkeypatch.setattr(great_expectations, "get_context", fail)
    (found,) = validate([present("c")], frame(c=["a"]))
    assert found.broken == "Great Expectations raised GreatExpectationsError"


def test_great_expectations_that_cannot_be_imported_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "great_expectations.exceptions", None)
    (found,) = validate([present("c")], frame(c=["a"]))
    assert found.broken == "Great Expectations cannot be imported (ModuleNotFoundError)"


def test_an_answer_that_does_not_come_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lakehouse.contracts.adapter._run", lambda *_: [])
    (found,) = validate([present("c")], frame(c=["a"]))
    assert found.broken == "Great Expectations gave no answer"


def test_it_makes_no_noise(
    capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        validate([present("c"), at_least("c", 0), present("gone")], frame(c=[SSN, "text"]))
    assert capfd.readouterr() == ("", "")
    assert [str(one.message) for one in recwarn] == []
    assert caplog.records == []
