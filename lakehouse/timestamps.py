"""Reading the times that rows carry, and writing our own.

Here: from a stamp as written to its day and instant (UTC), and the one format that we write. Not here: any clock; the
time of a run is passed in.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

import msgspec

_UTC_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?[Zz]", re.ASCII)
_HAS_OFFSET = re.compile(r".*(?:[Zz]|[+-]\d\d(?::?\d\d){0,2})", re.DOTALL)
# Ten digits at least: `20260501` in quotes is a date badly written, not a moment of the year 1970.
_NUMBER = re.compile(r"\d{10,}(?:\.\d+)?|\d(?:\.\d+)?[eE]\+?\d+", re.ASCII)
# An epoch is taken by its magnitude: 1e11 seconds is the year 5138, 1e11 milliseconds is 1973.
_EPOCH_UNITS = ((1e11, 1), (1e14, 1_000), (1e17, 1_000_000), (1e20, 1_000_000_000))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICRO = timedelta(microseconds=1)


class BadTimestamp(ValueError):
    """The stamp is no time; the message says why."""


class Moment(msgspec.Struct, frozen=True, gc=False):
    """A stamp read: its day (UTC), its instant in microseconds since 1970, and whether it lacked an offset."""

    day: str
    micros: int
    assumed_utc: bool


def read(stamp: str | int | float) -> Moment:
    """Read a stamp: RFC 3339 with any offset and precision, or a numeric epoch in s, ms, µs or ns.

    A stamp without offset is taken as UTC and marked. Raises `BadTimestamp`.
    """
    if type(stamp) is str and stamp.endswith("Z") and "T" in stamp:
        try:
            utc = datetime.fromisoformat(stamp)
        except ValueError as error:
            raise BadTimestamp(f"{stamp[:64]!r} is no RFC 3339 time ({error})") from None
        return Moment(utc.date().isoformat(), (utc - _EPOCH) // _MICRO, False)
    if isinstance(stamp, str) and not _NUMBER.fullmatch(stamp):
        try:
            moment = datetime.fromisoformat(stamp.strip().upper())
        except ValueError as error:
            raise BadTimestamp(f"{stamp[:64]!r} is no RFC 3339 time ({error})") from None
        if "T" not in stamp.upper() and " " not in stamp.strip() and ":" not in stamp:
            raise BadTimestamp(f"{stamp[:64]!r} is a date without a time")
        assumed = moment.tzinfo is None
        return _moment(moment.replace(tzinfo=UTC) if assumed else moment, assumed)
    if isinstance(stamp, bool):
        raise BadTimestamp("a boolean is no time")
    number = float(stamp)
    for limit, per_second in _EPOCH_UNITS:
        # Below 1e9 seconds (2001) a number is a counter or a duration, not a moment of an agent's life.
        if 1e9 <= number < limit:
            return _moment(_EPOCH + timedelta(seconds=number / per_second), False)
    raise BadTimestamp(f"{str(stamp)[:64]} is no epoch in seconds, milli-, micro- or nanoseconds after 2001")


def _moment(moment: datetime, assumed_utc: bool) -> Moment:
    try:
        utc = moment.astimezone(UTC)
    except OverflowError as error:
        raise BadTimestamp(f"{moment.isoformat()} leaves the calendar in UTC ({error})") from None
    return Moment(utc.date().isoformat(), (utc - _EPOCH) // _MICRO, assumed_utc)


class DayReader:
    """Gives the day of a stamp fast: one pattern match for the usual form, whose dates it has seen before."""

    def __init__(self) -> None:
        self._dates: set[str] = set()

    def day(self, stamp: str | int | float) -> str:
        """Give the day of a stamp as `YYYY-MM-DD` in UTC; raises `BadTimestamp`."""
        if type(stamp) is str:
            match = _UTC_STAMP.fullmatch(stamp)
            if match:
                day = match[1]
                if day in self._dates:
                    return day
                try:
                    date.fromisoformat(day)
                except ValueError as error:
                    raise BadTimestamp(f"{stamp[:64]!r} is no RFC 3339 time ({error})") from None
                self._dates.add(day)
                return day
        return read(stamp).day


def lacks_offset(stamp: str | int | float) -> bool:
    """Say whether a stamp is a time without offset, which is taken as UTC and must be marked."""
    return isinstance(stamp, str) and not _HAS_OFFSET.fullmatch(stamp.strip()) and not _NUMBER.fullmatch(stamp)


def written(moment: datetime) -> str:
    """Write an aware datetime as RFC 3339 in UTC with milliseconds and `Z`: the one form that we write."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def day_of(moment: datetime) -> str:
    """Give the day (UTC) of an aware datetime as `YYYY-MM-DD`."""
    return moment.astimezone(UTC).date().isoformat()


def days_between(first: str, last: str) -> list[str]:
    """List the days from `first` to `last`, both included; empty where `last` is before `first`."""
    start, end = date.fromisoformat(first), date.fromisoformat(last)
    return [(start + timedelta(days=n)).isoformat() for n in range((end - start).days + 1)]
