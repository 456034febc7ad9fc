"""A build brings a corpus to its source: only news is embedded, what left goes, a failure leaves the old state."""

from __future__ import annotations

import json
import shutil
from typing import Any

import numpy as np
import pytest

from lakehouse.corpora import store, tail
from lakehouse.corpora.build import build, quarantine_path
from lakehouse.corpora.fresh import record_fresh
from lakehouse.corpora.reading import snapshot, version
from lakehouse.corpora.state import read_state
from lakehouse.embedding import EmbedderIdentity
from lakehouse.errors import OutsideFailure, UsageError
from tests.lakehouse.corpora.conftest import IDENTITY, NOW, RUN, Room, WordEmbedder, worker


def test_a_first_build_holds_every_row(room: Room) -> None:
    room.workers(30)
    report = room.build()
    assert (report.rows, report.upserted, report.unchanged, report.deleted) == (30, 30, 0, 0)
    assert room.ids() == sorted(f"w-{number}" for number in range(30))
    rows = snapshot(room.lake, "workers")
    assert rows.identity == IDENTITY
    assert rows.vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows.vectors, axis=1), 1, atol=1e-5)


def test_a_vector_is_the_mean_of_text_and_head(room: Room) -> None:
    room.roster([worker(3)])
    room.build()
    rows = snapshot(room.lake, "workers")
    text, [head] = rows.column("text")[0].as_py(), rows.column("also")[0].as_py()
    assert head == "Loader in Akron, MI."
    mean = WordEmbedder().embed([text, head]).mean(axis=0)
    assert np.allclose(rows.vectors[0], mean / np.linalg.norm(mean), atol=1e-6)


def test_after_one_percent_of_news_only_that_is_embedded(room: Room) -> None:
    rows = [worker(number) for number in range(200)]
    room.roster(rows)
    room.build()
    asked = len(room.embedder.asked)
    rows[17]["resume_text"] = "Learned to weld titanium."
    room.roster([*rows, worker(900, role="Baker")])
    report = room.build()
    new = room.embedder.asked[asked:]
    assert len(new) == 4, "two rows, each with its whole text and its head"
    assert sum("titanium" in text for text in new) == 1
    assert (report.embedded, report.upserted, report.unchanged, report.rows) == (4, 2, 199, 201)


def test_nothing_new_is_nothing_to_do(room: Room) -> None:
    room.workers(20)
    first = room.build()
    again = room.build()
    assert (again.upserted, again.deleted, again.embedded, again.unchanged) == (0, 0, 0, 20)
    assert (again.version, again.tag) == (first.version, first.tag)


def test_changed_metadata_is_written_without_embedding(room: Room) -> None:
    rows = [worker(number) for number in range(10)]
    room.roster(rows)
    room.build()
    before = room.rows()
    rows[4]["available"] = "no"
    room.roster(rows)
    report = room.build()
    assert (report.upserted, report.embedded, report.cached) == (1, 0, 2)
    after = room.rows()
    assert json.loads(after["w-4"][5])["available"] is False
    assert after["w-4"][6] == before["w-4"][6]


def test_a_text_that_moves_to_another_id_is_not_embedded_again(room: Room) -> None:
    room.workers(10)
    room.build()
    room.roster([worker(number, id=f"w-{number + 100}") for number in range(10)])
    report = room.build()
    assert (report.embedded, report.upserted, report.deleted) == (0, 10, 10)
    assert room.ids() == sorted(f"w-{number + 100}" for number in range(10))


def test_what_left_the_source_is_deleted(room: Room) -> None:
    room.workers(20)
    room.build()
    room.workers(15)
    assert room.build().deleted == 5
    assert room.ids() == sorted(f"w-{number}" for number in range(15))


def test_a_build_is_one_commit(room: Room) -> None:
    room.workers(20)
    assert room.build().version == 1
    room.roster([worker(number, role="Baker" if number < 9 else "Cook") for number in range(5, 23)])
    report = room.build()
    assert (report.deleted, report.rows, report.version) == (5, 18, 2)
    assert room.ids() == sorted(f"w-{number}" for number in range(5, 23))


@pytest.mark.parametrize(
    "text", ["", "id,name,role\n", "id,name,role\nx-1,A,Cook\n"], ids=["empty", "head", "bad rows"]
)
@pytest.mark.parametrize("anew", [False, True])
def test_an_empty_source_does_not_delete_everything(room: Room, text: str, anew: bool) -> None:
    room.workers(5)
    room.build()
    (room.lake.raw / "workers.csv").write_text(text)
    with pytest.raises(UsageError, match="To mend it"):
        room.build(anew=anew)
    assert len(room.ids()) == 5
    assert quarantine_path(room.lake, "workers").exists() == ("x-1" in text)


def test_a_source_that_is_meant_to_be_empty_may_be(room: Room) -> None:
    room.workers(5)
    room.build()
    (room.lake.raw / "workers.csv").write_text("id,name,role\n")
    assert room.build(allow_empty=True).deleted == 5
    assert room.ids() == []


@pytest.mark.parametrize("name", ["workers", "ethereal_workers", "rag"])
def test_a_missing_source_says_what_to_do(room: Room, name: str) -> None:
    with pytest.raises(UsageError, match="To mend it"):
        room.build(name)
    assert version(room.lake, name) == 0


def test_bad_rows_are_quarantined_and_do_not_stop_the_others(room: Room) -> None:
    path = room.roster([worker(1), worker(2, id="x-2"), worker(3), worker(1, name="Again")])
    report = room.build()
    assert (report.rows, report.refused) == (2, 2)
    lines = [json.loads(line) for line in quarantine_path(room.lake, "workers").read_text().splitlines()]
    assert [(line["stage"], line["reason_code"], line["line_offset"]) for line in lines] == [
        ("index", "wrong_prefix", lines[0]["line_offset"]),
        ("index", "duplicate_id", lines[1]["line_offset"]),
    ]
    assert lines[0]["source_file"] == f"_kb/{path.name}"
    room.roster([worker(1), worker(3)])
    assert room.build().refused == 0
    assert not quarantine_path(room.lake, "workers").exists()


def test_a_failure_in_the_middle_leaves_the_old_state(room: Room) -> None:
    room.workers(1500)
    room.build()
    before, at = room.rows(), version(room.lake, "workers")
    room.roster([worker(number, role="Baker") for number in range(1490)])
    with pytest.raises(ConnectionError):
        room.build(embedder=WordEmbedder(fail_after=1100))
    assert (room.rows(), version(room.lake, "workers")) == (before, at)
    assert [path.name for path in (room.lake.root / "lance").iterdir() if "staged" in path.name] == []
    assert room.build().upserted == 1490


@pytest.mark.parametrize("step", ["renew", "put", "tidy", "built"])
def test_a_failure_at_any_commit_is_mended_by_the_next_build(
    room: Room, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if step != "renew":
        room.workers(20)
        room.build()
    room.roster([worker(number, role="Baker") for number in range(5, 30)])
    before = room.rows() if step != "renew" else {}

    def dies(*args: Any, **more: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store.Writer, step, dies)
        with pytest.raises(KeyboardInterrupt):
            room.build()
    if step == "put":
        assert room.rows() == before
    room.build()
    assert room.ids() == sorted(f"w-{number}" for number in range(5, 30))


def test_a_writer_that_died_between_table_and_state_is_mended(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    room.workers(5)
    keep = store.Writer._keep

    def dies(writer: store.Writer, **changes: Any) -> None:
        if changes.get("changing") is False:
            raise KeyboardInterrupt
        keep(writer, **changes)

    with monkeypatch.context() as patched:
        patched.setattr(store.Writer, "_keep", dies)
        with pytest.raises(KeyboardInterrupt):
            room.build()
    state = read_state(room.lake, "workers")
    assert state is not None
    assert state.changing
    room.build()
    state = read_state(room.lake, "workers")
    assert state is not None
    assert (state.changing, state.embedder) == (False, IDENTITY)
    assert len(room.ids()) == 5


OTHERS = {
    "another revision": EmbedderIdentity("fake", "words", "r2", 32),
    "another model": EmbedderIdentity("fake", "letters", "r1", 32),
    "another dimension": EmbedderIdentity("fake", "words", "r1", 16),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_another_embedder_is_refused_and_may_build_anew(room: Room, other: EmbedderIdentity) -> None:
    room.workers(5)
    room.build()
    embedder = WordEmbedder(other)
    with pytest.raises(UsageError, match="another embedder"):
        room.build(embedder=embedder)
    assert embedder.asked == []
    report = room.build(embedder=embedder, anew=True)
    assert report.upserted == 5
    rows = snapshot(room.lake, "workers")
    assert (rows.identity, rows.vectors.shape) == (other, (5, other.dimension))
    assert room.build(embedder=embedder).unchanged == 5


def test_building_anew_keeps_what_came_from_elsewhere(room: Room) -> None:
    from lakehouse.corpora.merge import merge

    room.workers(3)
    room.workers(2, "ethereal_workers", "e-")
    room.build()
    room.build("ethereal_workers")
    merge(room.lake, "ethereal_workers", "workers", NOW)
    before = room.rows()
    room.build(anew=True)
    assert room.rows() == before


def test_rag_follows_the_export_and_refuses_what_cannot_be_used(room: Room) -> None:
    path = room.lake.root / "distilled" / "rag" / "rag_export.jsonl"
    path.parent.mkdir(parents=True)
    stamp = {"source_file": "_kb/audits.jsonl", "line_offset": 0, "sig_hash": "a" * 64, "recorded_at": NOW}

    def chunk(number: int) -> dict[str, Any]:
        text = f"chunk number {number}"
        named = {"id": f"rag-{number:016x}", "title": "phase", "content": text, "tags": [], "category": "accepted"}
        run = {"stream": "audits", "source_run_id": f"r{number}", "task_id": "phase:1", "created_at": NOW}
        place = {"chunk_index": 0, "chunk_count": 1, "token_count": 3, "char_start": 0, "char_end": len(text)}
        return {"schema_version": 1, **named, **run, **place, "provenance": stamp}

    path.write_text("".join(json.dumps(chunk(number)) + "\n" for number in range(8)))
    assert room.build("rag").rows == 8
    path.write_text("".join(json.dumps(chunk(number)) + "\n" for number in range(1, 9)))
    with path.open("a") as export:
        for changes in ({"content": " "}, {"id": "w-1"}, {"id": chunk(3)["id"]}):
            export.write(json.dumps({**chunk(9), **changes}) + "\n")
    report = room.build("rag")
    lines = [json.loads(line) for line in quarantine_path(room.lake, "rag").read_text().splitlines()]
    assert [(line["line_offset"], line["reason_code"]) for line in lines] == [
        (8, "empty_text"),
        (9, "wrong_prefix"),
        (10, "duplicate_id"),
    ]
    assert (report.upserted, report.deleted, report.embedded) == (1, 1, 1)
    row = room.rows("rag")["rag-" + f"{8:016x}"]
    assert row[1] == "chunk number 8"
    assert json.loads(row[5])["stream"] == "audits"


def test_a_build_takes_in_the_tail_and_keeps_it_right(room: Room) -> None:
    record_fresh(room.lake, [{"id": "f1", "role": "Cook"}], room.embedder, NOW)
    record_fresh(room.lake, [{"id": "f2", "role": "Baker"}], room.embedder, NOW)
    assert tail.size_of(tail.tail_path(room.lake, "fresh_workers", store.committed(room.lake, "fresh_workers")))
    report = room.build("fresh_workers")
    assert (report.rows, report.unchanged, report.embedded) == (2, 2, 0)


def test_progress_is_told(room: Room) -> None:
    room.workers(1500)
    heard: list[int] = []
    room.build(done=heard.append)
    assert heard == [1024, 1500]


def test_a_damaged_table_is_an_error_that_names_it(room: Room) -> None:
    room.workers(5)
    room.build()
    for path in (store.folder_of(room.lake, "workers") / "data").iterdir():
        path.write_bytes(b"nothing of the kind")
    with pytest.raises(OutsideFailure, match=r"workers\.lance"):
        snapshot(room.lake, "workers")
    shutil.rmtree(room.lake.root / "lance")
    assert room.build().rows == 5


def test_leftovers_of_killed_writers_are_swept(room: Room) -> None:
    room.workers(5)
    room.build()
    leftover = store.folder_of(room.lake, "workers") / "data" / ".tmpAbC.lance"
    leftover.write_bytes(b"half")
    build(room.lake, "workers", room.embedder, NOW, RUN)
    assert not leftover.exists()
