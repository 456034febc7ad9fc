"""Playbooks and fresh workers: what is wrong is refused whole, the log is the truth, a namespace is on its own."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from lakehouse.corpora.build import quarantine_path
from lakehouse.corpora.fresh import record_fresh
from lakehouse.corpora.playbooks import Recording, id_of, listed, record, record_many, retire
from lakehouse.corpora.reading import snapshot, version
from lakehouse.embedding import EmbedderIdentity
from lakehouse.errors import UsageError
from tests.lakehouse.corpora.conftest import NOW, Room, WordEmbedder

LATER = "2026-05-11T02:00:00.000Z"
GOOD = {"query_text": "need a cook", "answer_id": "w-1", "corpus": "workers", "score": 0.5}


def one(room: Room, **changes: Any) -> Any:
    return record(room.lake, room.embedder, **{**GOOD, "now": NOW, **changes})


def test_a_playbook_is_in_the_log_and_found_at_once(room: Room) -> None:
    entry = one(room, role="Cook", tags=["night"])
    assert room.log("playbooks") == [
        {
            "id": entry.id,
            "query_text": "need a cook",
            "role": "Cook",
            "answer_id": "w-1",
            "answer_corpus": "workers",
            "score": 0.5,
            "tags": ["night"],
            "recorded_by": "lakehouse",
            "recorded_at": NOW,
        }
    ]
    rows = snapshot(room.lake, "playbook_memory")
    assert rows.ids.to_pylist() == [entry.id]
    said = rows.metadata_at(0)
    assert (said["answer_id"], said["answer_corpus"], said["score"], said["role"]) == ("w-1", "workers", 0.5, "Cook")


def test_the_id_comes_from_what_is_said_and_not_from_the_score(room: Room) -> None:
    entry = one(room)
    assert entry.id == id_of("need a cook", None, "w-1", "workers")
    assert len(entry.id) == len("pb-") + 16
    assert one(room, score=1.0).id == entry.id
    assert one(room, answer_id="w-2").id != entry.id
    assert one(room, role="Cook").id != entry.id


def test_recording_again_replaces_the_score(room: Room) -> None:
    one(room)
    one(room, score=1.0, now=LATER)
    [entry] = listed(room.lake)
    assert (entry.score, entry.recorded_at) == (1.0, LATER)
    assert [snapshot(room.lake, "playbook_memory").metadata_at(0)["score"]] == [1.0]


@pytest.mark.parametrize("score", [-0.01, 1.01, float("nan"), float("inf"), True])
def test_a_score_outside_0_to_1_is_an_error(room: Room, score: float) -> None:
    with pytest.raises(UsageError, match="score"):
        one(room, score=score)


@pytest.mark.parametrize("score", [0, 0.0, 1, 1.0])
def test_the_ends_of_the_score_are_inside(room: Room, score: float) -> None:
    assert one(room, score=score).score == score


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"query_text": " "}, "query_text is empty"),
        ({"answer_id": ""}, "answer_id is empty"),
        ({"corpus": "nope"}, "no corpus"),
        ({"namespace": "../x"}, "no namespace"),
    ],
)
def test_what_is_wrong_is_an_error(room: Room, changes: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        one(room, **changes)
    assert not (room.lake.raw / "playbooks.jsonl").exists()
    assert room.embedder.asked == []


def test_a_bulk_with_one_that_is_wrong_records_none(room: Room) -> None:
    wrong = [Recording("a", "w-1", "workers", 0.1), Recording("b", "w-1", "workers", 7)]
    with pytest.raises(UsageError, match="playbook 1 of 2"):
        record_many(room.lake, room.embedder, wrong, NOW)
    assert version(room.lake, "playbook_memory") == 0
    right = [Recording(f"query {number}", "w-1", "workers", 0.1) for number in range(300)]
    assert len(record_many(room.lake, room.embedder, right, NOW)) == 300
    assert len(room.ids("playbook_memory")) == 300


def test_another_embedder_writes_neither_log_nor_table(room: Room) -> None:
    one(room)
    other = WordEmbedder(EmbedderIdentity("fake", "words", "r2", 32))
    with pytest.raises(UsageError, match="another embedder"):
        record(room.lake, other, "b", "w-1", "workers", 1, NOW)
    assert len(room.log("playbooks")) == 1


def test_a_namespace_is_on_its_own(room: Room) -> None:
    entry = one(room, namespace="alice")
    assert listed(room.lake) == []
    assert listed(room.lake, "alice") == [entry]
    assert room.ids("playbook_alice") == [entry.id]
    assert version(room.lake, "playbook_memory") == 0
    with pytest.raises(UsageError, match="playbook_memory has no playbook"):
        retire(room.lake, entry.id, LATER)


def test_retiring_takes_it_out_of_the_corpus_and_keeps_it_in_the_log(room: Room) -> None:
    entry = one(room)
    other = one(room, answer_id="w-2")
    assert retire(room.lake, entry.id, LATER).retired_at == LATER
    assert listed(room.lake) == [other]
    assert [found.id for found in listed(room.lake, retired=True)] == [other.id, entry.id]
    assert room.ids("playbook_memory") == [other.id]
    assert room.build("playbook_memory").rows == 1
    with pytest.raises(UsageError, match="in use"):
        retire(room.lake, entry.id, LATER)


def test_retiring_all_of_them_is_no_empty_source(room: Room) -> None:
    entry = one(room)
    retire(room.lake, entry.id, LATER)
    assert room.build("playbook_memory").rows == 0


def test_a_retirement_that_was_killed_before_the_table_is_ended_by_a_build(room: Room) -> None:
    entry = one(room)
    with (room.lake.raw / "playbooks.jsonl").open("a") as log:
        log.write(json.dumps({**room.log("playbooks")[0], "retired_at": LATER}) + "\n")
    assert room.ids("playbook_memory") == [entry.id]
    assert room.build("playbook_memory").deleted == 1
    assert room.ids("playbook_memory") == []


def test_tables_are_rebuilt_from_the_logs_alone(room: Room) -> None:
    for number in range(5):
        one(room, answer_id=f"w-{number}", role="Cook" if number % 2 else None)
        one(room, answer_id=f"w-{number}", namespace="alice")
        record_fresh(room.lake, [{"id": f"x{number}", "resume_text": f"cook number {number}"}], room.embedder, NOW)
    retire(room.lake, listed(room.lake)[2].id, LATER)
    names = ("playbook_memory", "playbook_alice", "fresh_workers")
    before = {name: room.rows(name) for name in names}
    shutil.rmtree(room.lake.root / "lance")
    for name in names:
        room.build(name)
    assert {name: room.rows(name) for name in names} == before


def test_recording_where_the_table_is_gone_brings_back_all(room: Room) -> None:
    for number in range(4):
        one(room, answer_id=f"w-{number}")
    shutil.rmtree(room.lake.root / "lance")
    one(room, answer_id="w-9")
    assert len(room.ids("playbook_memory")) == 5


def test_lines_that_cannot_be_used_are_quarantined_and_their_neighbours_go_on(room: Room) -> None:
    one(room)
    good = room.log("playbooks")[0]
    bad = [
        b"no json",
        b'{"id": "pb-1"}',
        json.dumps({**good, "id": "x-1"}).encode(),
        json.dumps({**good, "score": 1.5}).encode(),
        json.dumps({**good, "query_text": " "}).encode(),
        json.dumps({**good, "namespace": "../x"}).encode(),
        b"\xff\xfe",
    ]
    with (room.lake.raw / "playbooks.jsonl").open("ab") as log:
        log.write(b"\n".join(bad) + b"\n")
        log.write(json.dumps({**good, "id": "pb-other", "answer_id": "w-7"}).encode() + b"\n")
        log.write(b'{"id": "pb-torn')
    report = room.build("playbook_memory")
    assert (report.rows, report.refused) == (2, len(bad))
    lines = [json.loads(line) for line in quarantine_path(room.lake, "playbook_memory").read_text().splitlines()]
    assert [line["line_offset"] for line in lines] == list(range(1, len(bad) + 1))
    assert {line["stage"] for line in lines} == {"index"}
    assert {line["source_file"] for line in lines} == {"_kb/playbooks.jsonl"}


def test_a_truncated_log_does_not_delete_every_playbook(room: Room) -> None:
    one(room)
    (room.lake.raw / "playbooks.jsonl").write_text("")
    with pytest.raises(UsageError, match="restore the source"):
        room.build("playbook_memory")
    assert len(room.ids("playbook_memory")) == 1


def test_playbooks_of_another_runtime_come_in_by_a_build(room: Room) -> None:
    one(room)
    with (room.lake.raw / "playbooks.jsonl").open("a") as log:
        log.write(json.dumps({**room.log("playbooks")[0], "id": "pb-go", "score": 1, "unknown": [1]}) + "\n")
    assert room.build("playbook_memory").upserted == 1
    assert "pb-go" in room.ids("playbook_memory")


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"role": "Cook"}, "no worker"),
        ({"id": "", "role": "Cook"}, "no id"),
        ({"id": "a b", "role": "Cook"}, "no id"),
        ({"id": "../x", "role": "Cook"}, "no id"),
        ({"id": "x1"}, "neither a role nor a resume_text"),
        ({"id": "x1", "role": " ", "resume_text": ""}, "neither"),
        ({"id": "x1", "role": 7}, "no worker"),
        ({"id": "x1", "role": "Cook", "merged_into": "workers"}, "merging"),
    ],
)
def test_a_fresh_worker_who_cannot_be_used_is_an_error(room: Room, row: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        record_fresh(room.lake, [{"id": "ok", "role": "Cook"}, row], room.embedder, NOW)
    assert not (room.lake.raw / "fresh_workers.jsonl").exists()


def test_a_fresh_worker_is_like_one_of_a_roster(room: Room) -> None:
    row = {
        "id": "any.id:1",
        "name": "A",
        "role": "Cook",
        "city": "Flint",
        "state": "MI",
        "skills": ["soup"],
        "years": 3,
    }
    record_fresh(room.lake, [row], room.embedder, NOW)
    found = room.rows("fresh_workers")["any.id:1"]
    assert (found[1], found[2]) == ("Cook in Flint, MI. Skills: soup.", ["Cook in Flint, MI."])
    expected = {"name": "A", "role": "Cook", "city": "Flint", "state": "MI", "skills": ["soup"], "years": 3}
    assert json.loads(found[5]) == expected
