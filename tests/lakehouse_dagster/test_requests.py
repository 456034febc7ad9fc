"""By what a run is known again, and when one is tried again."""

import json
from collections.abc import Callable

import dagster as dg
import pytest

from lakehouse.chain.manifests import Staleness
from lakehouse.index import update_all
from lakehouse_dagster.requests import BYTES_TAG, bytes_key, in_flight, next_attempt, run_request
from tests.conftest import FIRST, SECOND, THIRD, TinyLake, review

S = dg.DagsterRunStatus


@pytest.mark.parametrize(
    ("states", "attempt"),
    [
        ([], 1),
        ([S.FAILURE], 2),
        ([S.FAILURE, S.FAILURE], 3),
        ([S.FAILURE, S.FAILURE, S.FAILURE], None),
        ([S.SUCCESS], None),
        ([S.FAILURE, S.SUCCESS], None),
        ([S.CANCELED], None),
        ([S.QUEUED], None),
        ([S.FAILURE, S.STARTED], None),
    ],
)
def test_only_failed_runs_are_tried_again_and_at_most_three_times(states: list[S], attempt: int | None) -> None:
    assert next_attempt(states) == attempt


@pytest.mark.parametrize(
    ("states", "waits"),
    [([], True), ([S.QUEUED], True), ([S.FAILURE, S.STARTED], True), ([S.SUCCESS], False), ([S.CANCELED], False)],
)
def test_what_has_not_ended_is_waited_for(states: list[S], waits: bool) -> None:
    assert in_flight(states) is waits


def test_one_day_is_asked_for_by_its_partition() -> None:
    request = run_request([FIRST], "key", "run-key")
    assert (request.job_name, request.partition_key) == ("nightly_distillation", FIRST)
    assert request.tags[BYTES_TAG] == "key"


def test_many_days_are_asked_for_by_their_range() -> None:
    request = run_request([FIRST, SECOND, THIRD], "key", "run-key")
    assert (request.job_name, request.partition_key) == ("backfill_distillation", None)
    assert request.tags == {
        BYTES_TAG: "key",
        "dagster/asset_partition_range_start": FIRST,
        "dagster/asset_partition_range_end": THIRD,
    }


def add_row(tiny: TinyLake) -> None:
    tiny.append("scrum_reviews", review("late.rs", FIRST))


def add_override(tiny: TinyLake) -> None:
    row = {"sig_hash": "0" * 64, "category": "rejected", "by": "ann", "reason": "no", "at": "2026-05-01T00:00:00Z"}
    with (tiny.root / "_kb" / "human_overrides.jsonl").open("a") as log:
        log.write(json.dumps(row) + "\n")


def change_settings(tiny: TinyLake) -> None:
    (tiny.root / "lakehouse.toml").write_text('[sft]\nstreams = ["audits"]\n')


def nothing(tiny: TinyLake) -> None:
    pass


def add_row_elsewhere(tiny: TinyLake) -> None:
    tiny.append("scrum_reviews", review("late.rs", THIRD))


@pytest.mark.parametrize(
    ("change", "same"),
    [(nothing, True), (add_row_elsewhere, True), (add_row, False), (add_override, False), (change_settings, False)],
)
def test_the_key_changes_with_what_a_run_would_read(
    tiny: TinyLake, change: Callable[[TinyLake], None], same: bool
) -> None:
    def key() -> str:
        update_all(tiny.lake)
        return bytes_key(tiny.lake, Staleness(tiny.lake), [FIRST, SECOND])

    tiny.fill(FIRST, SECOND)
    before = key()
    change(tiny)
    assert (key() == before) is same
