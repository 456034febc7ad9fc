"""The sensor `new_evidence`, tick by tick, with a hand-set clock and a real instance."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from lakehouse.lake import Lake
from lakehouse_dagster.evidence_sensor import sizes, tick
from lakehouse_dagster.growth import Watch
from resources.lake import LakeResource
from tests.conftest import FIRST, NOON, SECOND, THIRD, TinyLake, review

S = dg.DagsterRunStatus


class Sensor:
    """The sensor as the daemon drives it: a cursor kept between ticks, a clock that is moved by hand."""

    def __init__(self, tiny: TinyLake, instance: dg.DagsterInstance) -> None:
        self.tiny, self.instance = tiny, instance
        self.now = NOON
        self.watch = Watch()
        self.said: list[str] = []

    def tick(self, seconds: float = 30.0, *, keep: bool = True) -> list[dg.RunRequest]:
        """Let time pass and tick once; with `keep=False` the daemon dies before it keeps the cursor."""
        self.now += timedelta(seconds=seconds)
        requests, watch, why = tick(self.tiny.lake, self.instance, self.watch, self.now, FIRST, self.said.append)
        self.why = why
        if keep:
            self.watch = watch
        return requests

    def until_requests(self) -> list[dg.RunRequest]:
        """Tick through growth and a minute of quiet."""
        for _ in range(4):
            requests = self.tick()
            if requests:
                return requests
        return []

    def ended(self, request: dg.RunRequest, status: S) -> None:
        """Let the run of a request be in the instance, with this status."""
        tags = {**request.tags, **({"dagster/partition": request.partition_key} if request.partition_key else {})}
        self.instance.add_run(dg.DagsterRun(request.job_name or "", run_id=str(uuid.uuid4()), status=status, tags=tags))


@pytest.fixture
def sensor(tiny: TinyLake, instance: dg.DagsterInstance) -> Iterator[Sensor]:
    return Sensor(tiny, instance)


def days(requests: list[dg.RunRequest]) -> list[tuple[str, str]]:
    return [
        (request.partition_key, request.partition_key)
        if request.partition_key
        else (
            request.tags["dagster/asset_partition_range_start"],
            request.tags["dagster/asset_partition_range_end"],
        )
        for request in requests
    ]


def test_growth_is_asked_for_once_it_has_been_quiet_for_a_minute(sensor: Sensor) -> None:
    sensor.tiny.fill(FIRST)
    assert sensor.tick() == []
    assert "waiting for 60 s of quiet" in sensor.why
    assert sensor.tick(30) == []
    assert days(sensor.tick(30)) == [(FIRST, FIRST)]


def test_more_growth_starts_the_minute_anew(sensor: Sensor) -> None:
    sensor.tiny.fill(FIRST)
    sensor.tick()
    sensor.tick(30)
    sensor.tiny.append("scrum_reviews", review("more.rs", FIRST))
    assert sensor.tick(30) == []
    assert len(sensor.tick(60)) == 1


def test_growth_that_never_stops_is_asked_for_after_ten_minutes(sensor: Sensor) -> None:
    found: list[int] = []
    for number in range(21):
        sensor.tiny.append("scrum_reviews", review(f"{number}.rs", FIRST))
        found.append(len(sensor.tick(30)))
    assert found == [0] * 20 + [1]


def test_the_same_bytes_are_asked_for_once(sensor: Sensor) -> None:
    sensor.tiny.fill(FIRST)
    (request,) = sensor.until_requests()
    sensor.ended(request, S.STARTED)
    assert [sensor.tick(600) for _ in range(3)] == [[], [], []]


def test_a_finished_run_leaves_nothing_to_ask_for(sensor: Sensor) -> None:
    sensor.tiny.fill(FIRST)
    (request,) = sensor.until_requests()
    sensor.tiny.run(FIRST)
    sensor.ended(request, S.SUCCESS)
    assert [sensor.tick(600) for _ in range(2)] == [[], []]
    assert sensor.watch.asked == []
    assert sensor.why == "no stream grew"


def test_only_touched_days_are_asked_for(sensor: Sensor) -> None:
    sensor.tiny.fill(FIRST, SECOND, THIRD)
    (request,) = sensor.until_requests()
    sensor.tiny.run(FIRST, SECOND, THIRD)
    sensor.ended(request, S.SUCCESS)
    sensor.tiny.append("scrum_reviews", review("late.rs", SECOND))
    assert days(sensor.until_requests()) == [(SECOND, SECOND)]


def test_days_without_gaps_are_one_run(sensor: Sensor) -> None:
    sensor.tiny.fill(FIRST, SECOND, "2026-05-05")
    assert days(sensor.until_requests()) == [(FIRST, SECOND), ("2026-05-05", "2026-05-05")]


def test_a_failed_run_is_tried_three_times_and_no_more(sensor: Sensor) -> None:
    sensor.tiny.fill(FIRST)
    (request,) = sensor.until_requests()
    keys = [request.run_key]
    for _ in range(2):
        sensor.ended(request, S.FAILURE)
        (request,) = sensor.tick()
        keys.append(request.run_key)
    sensor.ended(request, S.FAILURE)
    assert [sensor.tick() for _ in range(3)] == [[], [], []]
    assert [str(key)[-2:] for key in keys] == [":1", ":2", ":3"]
    assert any("failed 3 times" in said for said in sensor.said)


def test_new_bytes_are_asked_for_although_the_old_ones_failed(sensor: Sensor) -> None:
    sensor.tiny.fill(FIRST)
    (request,) = sensor.until_requests()
    for _ in range(3):
        sensor.ended(request, S.FAILURE)
    sensor.tick()
    sensor.tiny.append("scrum_reviews", review("more.rs", FIRST))
    (again,) = sensor.until_requests()
    assert again.run_key != request.run_key
    assert str(again.run_key).endswith(":1")


def test_a_run_that_a_gate_stopped_after_all_was_made_is_tried_again_too(sensor: Sensor) -> None:
    sensor.tiny.fill(FIRST)
    (request,) = sensor.until_requests()
    sensor.tiny.run(FIRST)  # everything is made, so no day is stale
    sensor.ended(request, S.FAILURE)
    assert days(sensor.tick()) == [(FIRST, FIRST)]


def test_a_run_that_a_person_cancelled_is_not_repeated(sensor: Sensor) -> None:
    sensor.tiny.fill(FIRST)
    (request,) = sensor.until_requests()
    sensor.ended(request, S.CANCELED)
    assert sensor.tick() == []
    assert sensor.watch.asked == []


def test_a_tick_that_dies_is_made_good_by_the_next(sensor: Sensor) -> None:
    sensor.tiny.fill(FIRST)
    sensor.tick()
    sensor.tick(30)
    lost = sensor.tick(30, keep=False)
    again = sensor.tick(30)
    assert [request.run_key for request in again] == [request.run_key for request in lost]


def test_a_tick_that_dies_after_its_run_began_asks_for_nothing_twice(sensor: Sensor) -> None:
    sensor.tiny.fill(FIRST)
    sensor.tick()
    sensor.tick(30)
    (request,) = sensor.tick(30, keep=False)
    sensor.ended(request, S.STARTED)
    assert sensor.tick(30) == []


def test_days_to_come_wait_until_they_are_there(sensor: Sensor) -> None:
    sensor.tiny.fill("2026-05-11")
    assert sensor.until_requests() == []
    sensor.now = datetime(2026, 5, 11, 0, 1, tzinfo=UTC)
    sensor.tiny.append("scrum_reviews", review("new.rs", "2026-05-11"))
    assert days(sensor.until_requests()) == [("2026-05-11", "2026-05-11")]


def test_days_before_the_first_partition_are_told_and_left_alone(sensor: Sensor) -> None:
    sensor.tiny.fill("2026-04-30", FIRST)
    assert days(sensor.until_requests()) == [(FIRST, FIRST)]
    assert any("2026-04-30" in said and "reload the code location" in said for said in sensor.said)


def test_a_rewritten_stream_is_told_and_stops_no_other(sensor: Sensor) -> None:
    sensor.tiny.fill(FIRST)
    (request,) = sensor.until_requests()
    sensor.ended(request, S.STARTED)
    path = sensor.tiny.root / "_kb" / "audits.jsonl"
    path.write_text(path.read_text().replace("low", "med"))
    sensor.tiny.append("scrum_reviews", review("new.rs", SECOND))
    assert SECOND in {last for _, last in days(sensor.until_requests())}
    assert any("_kb/audits.jsonl" in said for said in sensor.said)


def test_a_new_override_is_growth(sensor: Sensor) -> None:
    before = sizes(sensor.tiny.lake)
    (sensor.tiny.root / "_kb" / "human_overrides.jsonl").write_text("{}\n")
    assert sizes(Lake(sensor.tiny.root)) != before


def test_the_sensor_keeps_its_memory_in_the_cursor(tiny: TinyLake, instance: dg.DagsterInstance) -> None:
    tiny.fill(FIRST)
    clock = [NOON]
    definitions = tiny.definitions(clock=lambda: clock[0])
    sensor = definitions.resolve_sensor_def("new_evidence")
    resources = {"lake": LakeResource(root=str(tiny.root), reports=str(tiny.reports))}
    cursor: str | None = None
    found = []
    for _ in range(3):
        context = dg.build_sensor_context(
            instance=instance,
            cursor=cursor,
            resources=resources,
            repository_def=definitions.get_repository_def(),
            sensor_name="new_evidence",
        )
        ticked = sensor.evaluate_tick(context)
        cursor = ticked.cursor
        found.append([request.tags["dagster/partition"] for request in ticked.run_requests or []])
        clock[0] += timedelta(seconds=40)
    assert found == [[], [], [FIRST]]
