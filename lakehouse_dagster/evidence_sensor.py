"""The sensor `new_evidence`: streams grew, so the line index is extended and runs are asked for.

Here: one tick, from looking at files to run requests. Not here: its memory (`growth.py`) and how runs are known again
(`requests.py`).
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

import dagster as dg

from assets.days import stretches
from lakehouse.chain.manifests import Staleness
from lakehouse.errors import LakehouseError
from lakehouse.index import update_all
from lakehouse.index.files import discover
from lakehouse.lake import Lake
from lakehouse.overrides import log_path
from lakehouse.timestamps import day_of
from lakehouse_dagster.growth import (
    Asked,
    Watch,
    observe,
    overdue,
    read_cursor,
    settled,
    waiting_for,
    why_waiting,
    write_cursor,
)
from lakehouse_dagster.jobs import AssetJob
from lakehouse_dagster.requests import bytes_key, in_flight, next_attempt, run_request, states_of
from resources.lake import LakeResource

NAME = "new_evidence"
SECONDS = 30
BYTES_A_TICK = 64 << 20
Say = Callable[[str], None]


def new_evidence_sensor(
    jobs: list[AssetJob],
    partitions: dg.DailyPartitionsDefinition,
    clock: Callable[[], datetime],
    status: dg.DefaultSensorStatus,
) -> dg.SensorDefinition:
    """Make the sensor; `clock` gives an aware datetime."""

    @dg.sensor(
        name=NAME,
        jobs=jobs,
        minimum_interval_seconds=SECONDS,
        default_status=status,
        description=(
            "Looks at the sizes of the streams. Once growth has been quiet for a minute, or after ten at most, the line "
            "index is extended and the touched days are brought up to date; never twice for the same bytes, and at most "
            "three times where a run fails."
        ),
    )
    def new_evidence(context: dg.SensorEvaluationContext, lake: LakeResource) -> dg.SensorResult:
        first = partitions.start.date().isoformat()
        try:
            watch = read_cursor(context.cursor)
            requests, left, said = tick(lake.open(), context.instance, watch, clock(), first, say=context.log.warning)
        except LakehouseError as error:
            raise dg.Failure(description=str(error)) from error
        return dg.SensorResult(
            run_requests=requests, cursor=write_cursor(left), skip_reason=None if requests else dg.SkipReason(said)
        )

    return new_evidence


def tick(
    lake: Lake, instance: dg.DagsterInstance, watch: Watch, now: datetime, first_day: str, say: Say
) -> tuple[list[dg.RunRequest], Watch, str]:
    """Give the runs to ask for, what to remember, and in words why nothing happens where nothing does.

    `first_day` is the first day that Dagster knows a partition of; `say` takes what a person should see.
    """
    moment = now.timestamp()
    watch = observe(watch, sizes(lake), moment)
    waiting = why_waiting(watch, moment)
    fresh: list[Asked] = []
    if waiting is None:
        report = update_all(lake, BYTES_A_TICK)
        for error in report.broken.values():
            say(error)
        done = sum(update.bytes for update in report.streams.values())
        behind = done >= BYTES_A_TICK
        if behind and not overdue(watch, moment):
            waiting = f"indexed {done:,} new bytes; more are waiting"
        else:
            fresh = _stale(lake, day_of(now), first_day, say)
            watch = settled(watch, moment, behind=behind)
    requests, asked = _ask(instance, [*watch.asked, *fresh], say)
    return requests, waiting_for(watch, asked), waiting or "every day is up to date, or its run is on its way"


def sizes(lake: Lake) -> dict[str, int]:
    """Give the sizes of all files that a day may depend on: those of the streams, and people's verdicts."""
    paths = [lake.root / path for stream in lake.streams.values() for path in discover(lake, stream)]
    found = {}
    for path in [*paths, log_path(lake)]:
        with suppress(FileNotFoundError):
            found[lake.relative(path)] = path.stat().st_size
    return found


def _stale(lake: Lake, today: str, first_day: str, say: Say) -> list[Asked]:
    staleness = Staleness(lake)
    stale = list(staleness.stale(today))
    early = [day for day in stale if day < first_day]
    if early:
        say(
            f"{len(early)} days from {early[0]} on are older than the first day that Dagster knows, {first_day}: reload "
            "the code location, or set first_day in lakehouse.toml to leave them out"
        )
    return [
        Asked(bytes_key(lake, staleness, days), days) for days in stretches([day for day in stale if day >= first_day])
    ]


def _ask(instance: dg.DagsterInstance, candidates: list[Asked], say: Say) -> tuple[list[dg.RunRequest], list[Asked]]:
    """Give the requests that are due, and what is still to be waited for."""
    requests: list[dg.RunRequest] = []
    asked: list[Asked] = []
    for one in {one.key: one for one in candidates}.values():
        states = states_of(instance, one.key)
        attempt = next_attempt(states)
        if attempt is not None:
            requests.append(run_request(one.days, one.key, f"{one.key}:{attempt}"))
            asked.append(one)
        elif in_flight(states):
            asked.append(one)
        elif dg.DagsterRunStatus.SUCCESS not in states:
            say(f"{one.key} failed {len(states)} times, or was cancelled: left to the nightly schedule")
    return requests, asked
