"""The nightly schedule: the day that ended, and every day that is not up to date."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from lakehouse_dagster.schedules import night
from resources.lake import LakeResource
from tests.conftest import FIRST, SECOND, THIRD, TinyLake, review


def asked(requests: list[dg.RunRequest]) -> list[str]:
    return [
        request.partition_key
        or f"{request.tags['dagster/asset_partition_range_start']} to "
        f"{request.tags['dagster/asset_partition_range_end']}"
        for request in requests
    ]


def test_the_day_that_ended_is_asked_for_although_it_has_no_rows(tiny: TinyLake) -> None:
    assert asked(night(tiny.lake, SECOND, FIRST)) == [SECOND]


def test_stale_days_without_gaps_are_one_run(tiny: TinyLake) -> None:
    tiny.fill(FIRST, SECOND, "2026-05-05")
    assert asked(night(tiny.lake, THIRD, FIRST)) == [f"{FIRST} to {THIRD}"]
    assert asked(night(tiny.lake, "2026-05-05", FIRST)) == [f"{FIRST} to {SECOND}", "2026-05-05"]


def test_days_that_are_up_to_date_are_left_alone(tiny: TinyLake) -> None:
    tiny.fill(FIRST, SECOND)
    tiny.run(FIRST, SECOND)
    assert asked(night(tiny.lake, THIRD, FIRST)) == [THIRD]


def test_a_late_row_brings_its_day_back(tiny: TinyLake) -> None:
    tiny.fill(FIRST, SECOND, THIRD)
    tiny.run(FIRST, SECOND, THIRD)
    tiny.append("scrum_reviews", review("late.rs", FIRST))
    assert asked(night(tiny.lake, THIRD, FIRST)) == [FIRST, THIRD]


def test_today_is_not_over_and_waits(tiny: TinyLake) -> None:
    tiny.fill(FIRST, SECOND)
    assert asked(night(tiny.lake, FIRST, FIRST)) == [FIRST]


def test_each_night_has_run_keys_of_its_own_and_one_night_always_the_same(tiny: TinyLake) -> None:
    tiny.fill(FIRST)
    first, again, next_night = (night(tiny.lake, day, FIRST) for day in (FIRST, FIRST, SECOND))
    assert [request.run_key for request in first] == [request.run_key for request in again]
    assert {request.run_key for request in first}.isdisjoint(request.run_key for request in next_night)


@pytest.mark.parametrize(("moment", "day"), [((2026, 5, 3, 2), SECOND), ((2026, 5, 2, 2), FIRST)])
def test_at_two_in_the_morning_the_day_before_is_asked_for(
    tiny: TinyLake, instance: dg.DagsterInstance, moment: tuple[int, int, int, int], day: str
) -> None:
    definitions = tiny.definitions()
    schedule = definitions.resolve_schedule_def("nightly_distillation")
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime(*moment, tzinfo=UTC),
        resources={"lake": LakeResource(root=str(tiny.root), reports=str(tiny.reports))},
        repository_def=definitions.get_repository_def(),
    )
    (request,) = schedule.evaluate_tick(context).run_requests or []
    assert request.tags["dagster/partition"] == day
    assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 2 * * *", "UTC")


def test_before_the_first_day_has_ended_nothing_is_asked_for(tiny: TinyLake, instance: dg.DagsterInstance) -> None:
    definitions = tiny.definitions()
    context = dg.build_schedule_context(
        instance=instance,
        scheduled_execution_time=datetime(2026, 5, 1, 2, tzinfo=UTC),
        resources={"lake": LakeResource(root=str(tiny.root), reports=str(tiny.reports))},
        repository_def=definitions.get_repository_def(),
    )
    ticked = definitions.resolve_schedule_def("nightly_distillation").evaluate_tick(context)
    assert ticked.run_requests == []
    assert "no day has ended yet" in (ticked.skip_message or "")


@pytest.mark.parametrize("production", [True, False])
def test_schedule_and_sensor_are_on_by_default_in_production_only(tiny: TinyLake, production: bool) -> None:
    definitions = tiny.definitions(production=production)
    schedule = definitions.resolve_schedule_def("nightly_distillation")
    sensor = definitions.resolve_sensor_def("new_evidence")
    assert (schedule.default_status is dg.DefaultScheduleStatus.RUNNING) is production
    assert (sensor.default_status is dg.DefaultSensorStatus.RUNNING) is production
