"""Days as Dagster partitions: which there are, and which of them a run is for.

Here: the partitions, and the tags of a run that name its days. Not here: what is stale (`lakehouse.chain.manifests`).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta

import dagster as dg

from lakehouse.index import load
from lakehouse.index.files import discover
from lakehouse.index.scan import Scanner
from lakehouse.lake import Lake
from lakehouse.timestamps import day_of, days_between

DAY_TAG = "dagster/partition"
FIRST_TAG = "dagster/asset_partition_range_start"
LAST_TAG = "dagster/asset_partition_range_end"
ONLY_TAG = "lakehouse/days"
"""Which days of a range the run is for, where it is not all of them: `2026-05-01...2026-05-03,2026-05-09`."""


def partitions(lake: Lake, now: datetime, first_day: str | None = None) -> dg.DailyPartitionsDefinition:
    """Give the days from the lake's first one to today (UTC): days to come have no partition, their rows wait."""
    first = first_day or first_day_of(lake) or day_of(now)
    return dg.DailyPartitionsDefinition(start_date=min(first, day_of(now)), timezone="UTC", end_offset=1)


def first_day_of(lake: Lake) -> str | None:
    """Give the lake's first day; `None` for a lake without rows.

    It is what its settings say, else the oldest indexed day, else the oldest that a look at each stream's start shows.
    """
    if lake.settings.first_day is not None:
        return lake.settings.first_day
    indexed = [day for name in lake.streams for day in load(lake, name).lines_by_day()]
    return min(indexed or _first_seen(lake), default=None)


def _first_seen(lake: Lake) -> list[str]:
    days = []
    for stream in lake.streams.values():
        for path in discover(lake, stream):
            with suppress(FileNotFoundError), (lake.root / path).open("rb") as file:
                size = (lake.root / path).stat().st_size
                days += [run.day for run in Scanner(stream).scan(file, 0, size, 0, limit=1) if run.day is not None]
    return days


def stretches(days: Sequence[str]) -> list[list[str]]:
    """Cut days into stretches without gaps, in order."""
    cut: list[list[str]] = []
    for day in sorted(set(days)):
        if cut and date.fromisoformat(day) - date.fromisoformat(cut[-1][-1]) == timedelta(days=1):
            cut[-1].append(day)
        else:
            cut.append([day])
    return cut


def tags_of(days: Sequence[str]) -> dict[str, str]:
    """Give the tags of a run for these days: of one day, or of the range around many.

    Dagster knows only whole ranges; where the days leave gaps, `lakehouse/days` says which are meant.
    """
    cut = stretches(days)
    first, last = cut[0][0], cut[-1][-1]
    if first == last:
        return {DAY_TAG: first}
    tags = {FIRST_TAG: first, LAST_TAG: last}
    if len(cut) > 1:
        tags[ONLY_TAG] = ",".join(part[0] if len(part) == 1 else f"{part[0]}...{part[-1]}" for part in cut)
    return tags


def days_of(tags: Mapping[str, str]) -> list[str]:
    """Give the days that a run is for, in order; none for a run without partitions."""
    if DAY_TAG in tags:
        return [tags[DAY_TAG]]
    if ONLY_TAG in tags:
        ends = (part.partition("...") for part in tags[ONLY_TAG].split(","))
        return [day for first, _, last in ends for day in days_between(first, last or first)]
    if FIRST_TAG in tags and LAST_TAG in tags:
        return days_between(tags[FIRST_TAG], tags[LAST_TAG])
    return []
