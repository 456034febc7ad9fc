"""Times as rows carry them: which day, which instant, and what is no time at all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakehouse.timestamps import BadTimestamp, DayReader, day_of, days_between, lacks_offset, read, written

NOON = 1_777_636_800_000_000  # 2026-05-01T12:00:00Z in microseconds


@pytest.mark.parametrize(
    ("stamp", "day", "micros", "assumed"),
    [
        ("2026-05-01T12:00:00Z", "2026-05-01", NOON, False),
        ("2026-05-01T12:00:00.123Z", "2026-05-01", NOON + 123_000, False),
        ("2026-05-01T12:00:00.123456Z", "2026-05-01", NOON + 123_456, False),
        ("2026-05-01T12:00:00.123456789Z", "2026-05-01", NOON + 123_456, False),
        ("2026-05-01T12:00:00.1234567890Z", "2026-05-01", NOON + 123_456, False),
        ("2026-05-01T12:00:00.5Z", "2026-05-01", NOON + 500_000, False),
        ("2026-05-01t12:00:00z", "2026-05-01", NOON, False),
        ("2026-05-01 12:00:00Z", "2026-05-01", NOON, False),
        ("2026-05-01T14:00:00+02:00", "2026-05-01", NOON, False),
        ("2026-05-01T14:00:00+0200", "2026-05-01", NOON, False),
        ("2026-05-01T02:00:00-10", "2026-05-01", NOON, False),
        ("2026-05-01T12:00:00", "2026-05-01", NOON, True),
        ("2026-05-01 12:00:00", "2026-05-01", NOON, True),
        ("2026-05-01T12:00", "2026-05-01", NOON, True),
        # The day is the day in UTC.
        ("2026-05-01T23:30:00-01:00", "2026-05-02", NOON + 45_000_000_000, False),
        ("2026-05-02T00:30:00+01:00", "2026-05-01", NOON + 41_400_000_000, False),
        ("2026-05-01T23:59:59.999999Z", "2026-05-01", NOON + 43_199_999_999, False),
        ("2026-05-02T00:00:00Z", "2026-05-02", NOON + 43_200_000_000, False),
        ("2024-02-29T12:00:00Z", "2024-02-29", 1_709_208_000_000_000, False),
        # Epochs, by magnitude.
        (1_777_636_800, "2026-05-01", NOON, False),
        (1_777_636_800.25, "2026-05-01", NOON + 250_000, False),
        (1_777_636_800_123, "2026-05-01", NOON + 123_000, False),
        (1_777_636_800_123_456, "2026-05-01", NOON + 123_456, False),
        (1_777_636_800_000_000_000, "2026-05-01", NOON, False),
        ("1777636800", "2026-05-01", NOON, False),
        ("1777636800.25", "2026-05-01", NOON + 250_000, False),
        ("1777636800123", "2026-05-01", NOON + 123_000, False),
    ],
)
def test_a_stamp_is_read(stamp: str | float, day: str, micros: int, assumed: bool) -> None:
    moment = read(stamp)
    assert (moment.day, moment.micros, moment.assumed_utc) == (day, micros, assumed)
    assert DayReader().day(stamp) == day
    assert lacks_offset(stamp) == assumed


@pytest.mark.parametrize(
    "stamp",
    [
        "",
        "yesterday",
        "2026-05-01",
        "20260501",
        "2026-13-01T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2025-02-29T12:00:00Z",
        "2026-05-01T25:00:00Z",
        "2026-05-01T12:60:00Z",
        "2026-05-01T12:00:00+25:00",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:00:00-05:00",
        "../../etc/passwd",
        "2026-05-01T12:00:00Z; drop table",
        "2026-05-01T12:00:0\u0663Z",
        "\uff12\uff10\uff12\uff16-05-01T12:00:00Z",
        True,
        -1,
        -0.5,
        10**20,
        1e300,
        float("inf"),
        float("nan"),
    ],
)
def test_what_is_no_time_is_refused_on_both_paths(stamp: str | float) -> None:
    with pytest.raises(BadTimestamp):
        read(stamp)
    with pytest.raises(BadTimestamp):
        DayReader().day(stamp)


MOMENTS = st.datetimes()
STAMPS = (
    st.builds(
        lambda moment, form: form(moment),
        MOMENTS.filter(lambda moment: 1 < moment.year < 9999),
        st.sampled_from(
            [
                lambda moment: moment.isoformat() + "Z",
                lambda moment: moment.isoformat(sep=" ") + "z",
                lambda moment: moment.isoformat(timespec="milliseconds") + "Z",
                lambda moment: moment.replace(tzinfo=timezone(timedelta(hours=-11, minutes=-30))).isoformat(),
                lambda moment: moment.replace(tzinfo=timezone(timedelta(hours=14))).isoformat(),
                lambda moment: moment.isoformat(),
                lambda moment: f" {moment.isoformat()}Z",
                lambda moment: f"{moment.isoformat()}Z\n",
            ]
        ),
    )
    | st.from_regex(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,12})?([Zz]|[+-]\d\d:\d\d)?", fullmatch=True)
    | st.integers(-10, 10**20)
    | st.floats()
    | st.text(max_size=30)
)


@settings(deadline=None, max_examples=800)
@given(st.lists(STAMPS, min_size=1, max_size=4))
@example(["2026-02-30T10:00:00Z", "2026-02-30T10:00:00Z"])
def test_the_fast_day_is_the_day_that_is_read(stamps: list[str | float]) -> None:
    reader = DayReader()
    for stamp in [*stamps, *stamps]:
        try:
            expected = read(stamp).day
        except BadTimestamp:
            with pytest.raises(BadTimestamp):
                reader.day(stamp)
        else:
            assert reader.day(stamp) == expected


@settings(deadline=None, max_examples=800)
@given(STAMPS)
@example("2026-05-01T10:00:00Z ")
def test_a_stamp_lacks_an_offset_where_reading_it_assumes_one(stamp: str | float) -> None:
    try:
        moment = read(stamp)
    except BadTimestamp:
        return
    assert lacks_offset(stamp) == moment.assumed_utc


@settings(deadline=None)
@given(MOMENTS)
def test_what_is_written_has_milliseconds_and_z_and_is_read_back(moment: datetime) -> None:
    text = written(moment.replace(tzinfo=UTC))
    assert len(text) == len("2026-05-01T12:00:00.000Z")
    assert text.endswith("Z")
    back = read(text)
    assert back.day == day_of(moment.replace(tzinfo=UTC))
    assert not back.assumed_utc


def test_a_time_of_another_zone_is_written_in_utc() -> None:
    moment = datetime(2026, 5, 2, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert written(moment) == "2026-05-01T23:30:00.000Z"
    assert day_of(moment) == "2026-05-01"


@pytest.mark.parametrize(
    ("first", "last", "days"),
    [
        ("2026-04-30", "2026-05-02", ["2026-04-30", "2026-05-01", "2026-05-02"]),
        ("2026-05-01", "2026-05-01", ["2026-05-01"]),
        ("2026-05-02", "2026-05-01", []),
    ],
)
def test_days_are_counted_with_both_ends(first: str, last: str, days: list[str]) -> None:
    assert days_between(first, last) == days
