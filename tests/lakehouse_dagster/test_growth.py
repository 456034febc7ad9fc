"""The memory of the `new_evidence` sensor, with a hand-set clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import UsageError
from lakehouse_dagster.growth import Asked, Watch, observe, overdue, read_cursor, settled, why_waiting, write_cursor

A = {"_kb/audits.jsonl": 100}
B = {"_kb/audits.jsonl": 200}


def test_nothing_is_due_while_nothing_grows() -> None:
    assert why_waiting(observe(Watch(sizes=A), A, 50.0), 50.0) == "no stream grew"


@pytest.mark.parametrize(("after", "due"), [(0.0, False), (59.9, False), (60.0, True), (300.0, True)])
def test_growth_is_due_after_a_minute_of_quiet(after: float, due: bool) -> None:
    watch = observe(Watch(sizes=A), B, 1000.0)
    assert (why_waiting(watch, 1000.0 + after) is None) is due


@pytest.mark.parametrize(("after", "due"), [(599.0, False), (600.0, True)])
def test_growth_that_never_stops_is_due_after_ten_minutes(after: float, due: bool) -> None:
    watch = observe(Watch(sizes=A), B, 1000.0)
    watch = observe(watch, {"_kb/audits.jsonl": 300}, 1000.0 + after - 1)
    assert (why_waiting(watch, 1000.0 + after) is None) is due
    assert overdue(watch, 1000.0 + after) is due


@pytest.mark.parametrize("sizes", [{}, {**A, "_kb/outcomes.jsonl": 1}, {"_kb/audits/2026.jsonl": 100}])
def test_any_difference_is_growth(sizes: dict[str, int]) -> None:
    assert observe(Watch(sizes=A), sizes, 7.0).since == 7.0


def test_after_requests_the_watch_begins_anew() -> None:
    watch = settled(observe(Watch(sizes=A), B, 1000.0), 1060.0, behind=False)
    assert why_waiting(watch, 1060.0) == "no stream grew"


def test_an_index_that_is_behind_keeps_the_watch_going() -> None:
    watch = settled(observe(Watch(sizes=A), B, 1000.0), 1600.0, behind=True)
    assert why_waiting(watch, 1600.0) is None
    assert not overdue(watch, 1600.0)


def test_a_fresh_sensor_takes_the_whole_lake_as_growth() -> None:
    assert observe(read_cursor(None), A, 5.0).since == 5.0


asked = st.builds(Asked, key=st.text(), days=st.lists(st.dates().map(str)))
watches = st.builds(
    Watch,
    sizes=st.dictionaries(st.text(), st.integers(0, 2**53)),
    since=st.none() | st.floats(0, 2e9),
    last=st.floats(0, 2e9),
    asked=st.lists(asked),
)


@given(watches)
def test_a_cursor_keeps_all_that_is_remembered(watch: Watch) -> None:
    assert read_cursor(write_cursor(watch)) == watch


@pytest.mark.parametrize("cursor", ["{", "[]", '{"sizes": 1}'])
def test_a_cursor_that_is_none_says_so(cursor: str) -> None:
    with pytest.raises(UsageError, match="reset the sensor's cursor"):
        read_cursor(cursor)
