"""Each night fresh workers move into the main corpus: once, and only where both were built."""

from typing import Any

import dagster as dg
import pytest

pytest.importorskip("lancedb", reason="the extra retrieval is not installed")

from lakehouse.corpora.fresh import record_fresh
from lakehouse.corpora.reading import snapshot
from lakehouse_dagster.fresh_merge import MERGE_FRESH, merge_schedule
from tests.conftest import QUIET, TinyLake
from tests.lakehouse.corpora.conftest import NOW, Room

WELDER = {"id": "x-1", "name": "New Person", "role": "Welder", "city": "Flint", "state": "MI"}


@pytest.fixture
def room(tiny: TinyLake) -> Room:
    """A lake with a roster, and one fresh worker."""
    found = Room(tiny.root)
    found.workers(3)
    found.build()
    record_fresh(found.lake, [WELDER], found.embedder, NOW)
    return found


def merged(tiny: TinyLake) -> dg.ExecuteInProcessResult:
    job = tiny.definitions().resolve_job_def(MERGE_FRESH)
    return job.execute_in_process(raise_on_error=False, run_config=QUIET)


def ids(room: Room, name: str) -> set[Any]:
    return set(snapshot(room.lake, name).ids.to_pylist())


def test_fresh_workers_move_into_the_main_corpus(tiny: TinyLake, room: Room) -> None:
    assert merged(tiny).success
    assert ids(room, "workers") == {"w-0", "w-1", "w-2", "x-1"}
    assert ids(room, "fresh_workers") == set()


def test_a_second_night_and_a_roster_build_leave_them_there(tiny: TinyLake, room: Room) -> None:
    merged(tiny)
    assert merged(tiny).success
    room.build()
    assert ids(room, "workers") == {"w-0", "w-1", "w-2", "x-1"}


def asked(tiny: TinyLake) -> dg.RunRequest | dg.SkipReason:
    definitions = tiny.definitions()
    context = dg.build_schedule_context(resources={"lake": definitions.resources["lake"]})  # type: ignore[index]
    found = merge_schedule(dg.DefaultScheduleStatus.STOPPED)(context)
    assert isinstance(found, dg.RunRequest | dg.SkipReason)
    return found


def test_the_night_asks_for_a_merge_where_both_were_built(tiny: TinyLake, room: Room) -> None:
    assert isinstance(asked(tiny), dg.RunRequest)


def test_the_night_says_what_was_never_built(tiny: TinyLake) -> None:
    found = asked(tiny)
    assert isinstance(found, dg.SkipReason)
    assert "fresh_workers and workers was never built" in (found.skip_message or "")
