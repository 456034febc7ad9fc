"""Merging: idempotent, refuses what makes no sense, keeps origins, clears only what arrived, survives a kill."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from lakehouse.corpora import merge as merging
from lakehouse.corpora.fresh import record_fresh
from lakehouse.corpora.merge import merge
from lakehouse.corpora.playbooks import listed, record
from lakehouse.embedding import EmbedderIdentity
from lakehouse.errors import UsageError
from tests.lakehouse.corpora.conftest import NOW, Room, WordEmbedder, worker


@pytest.fixture
def full(room: Room) -> Room:
    """A lake with ten workers and four fresh ones, one of whom has a worker's id."""
    room.workers(10)
    room.build()
    rows = [{"id": one, "role": "Baker", "city": "Flint"} for one in ("f1", "f2", "f3", "w-3")]
    record_fresh(room.lake, rows, room.embedder, NOW)
    return room


def test_what_is_not_there_yet_arrives_and_keeps_its_origin(full: Room) -> None:
    worker_3 = full.rows()["w-3"]
    report = merge(full.lake, "fresh_workers", "workers", NOW)
    assert (report.arrived, report.skipped, report.cleared) == (3, 1, 0)
    rows = full.rows()
    assert {one: row[4] for one, row in rows.items() if row[4] != "workers"} == dict.fromkeys(
        ("f1", "f2", "f3"), "fresh_workers"
    )
    assert rows["w-3"] == worker_3
    assert rows["f1"] == full.rows("fresh_workers")["f1"]


def test_merging_twice_adds_nothing(full: Room) -> None:
    merge(full.lake, "fresh_workers", "workers", NOW)
    before = full.rows()
    report = merge(full.lake, "fresh_workers", "workers", NOW)
    assert (report.arrived, report.skipped) == (0, 4)
    assert full.rows() == before


def test_only_what_arrived_is_cleared(full: Room) -> None:
    report = merge(full.lake, "fresh_workers", "workers", NOW, clear_source=True)
    assert (report.arrived, report.cleared) == (3, 3)
    assert full.ids("fresh_workers") == ["w-3"]
    assert full.build("fresh_workers").rows == 1
    assert len(full.ids()) == 13


def test_a_build_of_the_roster_does_not_delete_what_was_merged(full: Room) -> None:
    merge(full.lake, "fresh_workers", "workers", NOW, clear_source=True)
    full.workers(8)
    assert full.build().deleted == 2
    assert {"f1", "f2", "f3"} <= set(full.ids())


@pytest.mark.parametrize("clear", [False, True])
def test_everything_is_rebuilt_from_the_sources(full: Room, clear: bool) -> None:
    merge(full.lake, "fresh_workers", "workers", NOW, clear_source=clear)
    names = ("workers", "fresh_workers")
    before = {name: full.rows(name) for name in names}
    shutil.rmtree(full.lake.root / "lance")
    for name in names:
        full.build(name)
    merge(full.lake, "fresh_workers", "workers", NOW)
    assert {name: full.rows(name) for name in names} == before


def test_a_worker_recorded_again_after_a_merge_is_fresh_again(full: Room) -> None:
    merge(full.lake, "fresh_workers", "workers", NOW, clear_source=True)
    record_fresh(full.lake, [{"id": "f1", "role": "Driver"}], full.embedder, NOW)
    full.build("fresh_workers")
    assert full.ids("fresh_workers") == ["f1", "w-3"]


@pytest.mark.parametrize("step", ["put", "_clear", "delete"])
def test_a_kill_between_the_steps_loses_nothing_and_the_next_merge_ends_it(
    full: Room, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lakehouse.corpora.store import Writer

    def dies(*args: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(merging if step == "_clear" else Writer, step, dies)
        with pytest.raises(KeyboardInterrupt):
            merge(full.lake, "fresh_workers", "workers", NOW, clear_source=True)
    assert {"f1", "f2", "f3"} <= set(full.ids()) | set(full.ids("fresh_workers"))
    merge(full.lake, "fresh_workers", "workers", NOW, clear_source=True)
    full.build()
    full.build("fresh_workers")
    assert full.ids("fresh_workers") == ["w-3"]
    assert len(full.ids()) == 13


@pytest.mark.parametrize(
    ("src", "dest", "clear", "says"),
    [
        ("workers", "workers", False, "into itself"),
        ("fresh_workers", "nope", False, "no corpus"),
        ("nope", "workers", False, "no corpus"),
        ("fresh_workers", "ethereal_workers", False, "never built"),
        ("ethereal_workers", "workers", False, "never built"),
        ("workers", "rag", False, "merge corpora of one kind"),
        ("workers", "fresh_workers", True, "cannot be cleared"),
    ],
)
def test_what_makes_no_sense_is_refused(full: Room, src: str, dest: str, clear: bool, says: str) -> None:
    before = full.rows(), full.rows("fresh_workers")
    with pytest.raises(UsageError, match=says):
        merge(full.lake, src, dest, NOW, clear_source=clear)
    assert (full.rows(), full.rows("fresh_workers")) == before


@pytest.mark.parametrize("dimension", [16, 32])
def test_another_embedder_is_refused(full: Room, dimension: int) -> None:
    full.workers(3, "ethereal_workers", "e-")
    full.build("ethereal_workers", embedder=WordEmbedder(EmbedderIdentity("fake", "words", "r2", dimension)))
    with pytest.raises(UsageError, match="another embedder"):
        merge(full.lake, "ethereal_workers", "workers", NOW)
    assert len(full.ids()) == 10


def test_items_without_metadata_survive(full: Room) -> None:
    record_fresh(full.lake, [{"id": "bare", "resume_text": "can cook"}], full.embedder, NOW)
    merge(full.lake, "fresh_workers", "workers", NOW)
    assert json.loads(full.rows()["bare"][5]) == {}


def test_a_second_roster_is_merged_without_clearing(full: Room) -> None:
    full.roster([worker(number, "e-") for number in range(4)], "ethereal_workers")
    full.build("ethereal_workers")
    assert merge(full.lake, "ethereal_workers", "workers", NOW).arrived == 4
    assert full.build().deleted == 0
    assert full.rows()["e-1"][4] == "ethereal_workers"


@pytest.mark.parametrize("clear", [False, True])
def test_playbooks_move_between_namespaces_and_survive_a_rebuild(room: Room, clear: bool) -> None:
    for number in range(3):
        record(room.lake, room.embedder, f"query {number}", "w-1", "workers", 0.5, NOW, namespace="alice")
    record(room.lake, room.embedder, "query 0", "w-1", "workers", 1.0, NOW)
    report = merge(room.lake, "playbook_alice", "playbook_memory", NOW, clear_source=clear)
    # The same query with another score is another item: it stays where it is.
    assert (report.arrived, report.skipped, report.cleared) == (2, 1, 2 if clear else 0)
    assert len(listed(room.lake)) == 3
    assert len(listed(room.lake, "alice")) == (1 if clear else 3)
    names = ("playbook_memory", "playbook_alice")
    before = {name: room.rows(name) for name in names}
    assert {row[4] for row in room.rows("playbook_memory").values()} == {"playbook_memory", "playbook_alice"}
    shutil.rmtree(room.lake.root / "lance")
    for name in names:
        room.build(name)
    assert {name: room.rows(name) for name in names} == before
    again = merge(room.lake, "playbook_alice", "playbook_memory", NOW, clear_source=clear)
    assert again.arrived == 0
