"""Days as partitions: which there are, and which a run is for."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.days import days_of, first_day_of, partitions, stretches, tags_of
from lakehouse.index import update_all
from tests.conftest import FIRST, NOON, SECOND, THIRD, TinyLake

some_days = st.sets(st.integers(0, 60), min_size=1, max_size=20).map(
    lambda offsets: sorted((date(2026, 2, 1) + timedelta(days=offset)).isoformat() for offset in offsets)
)


@given(some_days)
def test_the_tags_of_a_run_name_exactly_its_days(days: list[str]) -> None:
    assert days_of(tags_of(days)) == days


@given(some_days)
def test_stretches_hold_all_days_in_order_and_have_no_gaps(days: list[str]) -> None:
    cut = stretches(days)
    assert [day for part in cut for day in part] == days
    assert all(len(part) == (date.fromisoformat(part[-1]) - date.fromisoformat(part[0])).days + 1 for part in cut)


@pytest.mark.parametrize(
    ("tags", "days"),
    [
        ({}, []),
        ({"dagster/partition": FIRST}, [FIRST]),
        (
            {"dagster/asset_partition_range_start": FIRST, "dagster/asset_partition_range_end": THIRD},
            [FIRST, SECOND, THIRD],
        ),
        ({"dagster/asset_partition_range_start": FIRST, "dagster/asset_partition_range_end": FIRST}, [FIRST]),
    ],
)
def test_the_tags_that_dagster_sets_are_understood(tags: dict[str, str], days: list[str]) -> None:
    assert days_of(tags) == days


def test_partitions_go_from_the_first_day_to_today(tiny: TinyLake) -> None:
    tiny.fill(SECOND)
    keys = partitions(tiny.lake, NOON).get_partition_keys(current_time=NOON)
    assert (keys[0], keys[-1]) == (SECOND, "2026-05-10")


def test_the_first_day_is_what_the_settings_say(tiny: TinyLake) -> None:
    tiny.fill(FIRST)
    (tiny.root / "lakehouse.toml").write_text(f"first_day = {SECOND}\n")
    assert partitions(tiny.lake, NOON).start.date().isoformat() == SECOND


def test_else_it_is_the_oldest_day_that_is_indexed(tiny: TinyLake) -> None:
    tiny.fill(THIRD, SECOND)
    update_all(tiny.lake)
    assert first_day_of(tiny.lake) == SECOND


def test_else_it_is_the_oldest_day_at_the_start_of_the_streams(tiny: TinyLake) -> None:
    tiny.fill(SECOND, THIRD)
    assert first_day_of(tiny.lake) == SECOND


def test_a_lake_without_rows_begins_today(tiny: TinyLake) -> None:
    assert partitions(tiny.lake, NOON).start.date().isoformat() == "2026-05-10"
