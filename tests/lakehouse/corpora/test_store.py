"""The store: ids stay unique, readers follow, tails fold, versions come back, many write at once."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.corpora import queries, store, tail
from lakehouse.corpora.filters import one_of
from lakehouse.corpora.fresh import record_fresh
from lakehouse.corpora.playbooks import Recording, record, record_many, retire
from lakehouse.corpora.reading import changes, ids_of, snapshot, table_version, version
from lakehouse.corpora.rows import Item, matrix_of, table_of
from lakehouse.corpora.versions import rollback, status
from lakehouse.errors import OutsideFailure, UsageError
from tests.lakehouse.corpora.conftest import IDENTITY, NOW, RUN, Room, WordEmbedder

FRESH = "fresh_workers"


def fresh(room: Room, *ids: str, role: str = "Cook") -> None:
    record_fresh(room.lake, [{"id": one, "role": role, "city": "Flint"} for one in ids], room.embedder, NOW)


def many(room: Room, count: int, start: int = 0) -> None:
    fresh(room, *(f"f{number}" for number in range(start, start + count)))


def test_a_version_is_zero_before_and_grows_with_every_write(room: Room) -> None:
    assert version(room.lake, FRESH) == 0
    seen = [0]
    for number in range(5):
        fresh(room, f"f{number}")
        seen.append(version(room.lake, FRESH))
    assert seen == sorted(set(seen))
    assert version(room.lake, FRESH) == seen[-1]


def test_single_writes_make_no_commit_until_the_tail_is_folded(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh(room, "f0")
    start = store.committed(room.lake, FRESH)
    for number in range(1, 6):
        fresh(room, f"f{number}")
    assert store.committed(room.lake, FRESH) == start
    monkeypatch.setattr(tail, "FOLD_BYTES", 1000)
    many(room, 1, 6)
    assert store.committed(room.lake, FRESH) == start + 1
    fresh(room, "f7")
    assert room.ids(FRESH) == [f"f{number}" for number in range(8)]


def test_an_id_written_again_is_replaced_in_tail_and_table(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh(room, "f1", "f2")
    fresh(room, "f1", role="Baker")
    fresh(room, "f1", role="Driver")
    assert room.rows(FRESH)["f1"][1] == "Driver in Flint."
    monkeypatch.setattr(tail, "FOLD_BYTES", 1)
    fresh(room, "f3", "f3")
    assert room.ids(FRESH) == ["f1", "f2", "f3"]
    assert room.rows(FRESH)["f1"][1] == "Driver in Flint."


def test_a_torn_line_of_the_tail_is_not_there_yet_and_spoils_no_other(room: Room) -> None:
    fresh(room, "f0")
    fresh(room, "f1")
    path = tail.tail_path(room.lake, FRESH, store.committed(room.lake, FRESH))
    with path.open("ab") as file:
        file.write(b'{"id":"half')
    assert room.ids(FRESH) == ["f0", "f1"]
    fresh(room, "f2")
    assert room.ids(FRESH) == ["f0", "f1", "f2"]


def test_a_tail_belongs_to_one_version_of_the_table(room: Room) -> None:
    fresh(room, "f0")
    fresh(room, "f1")
    old = tail.tail_path(room.lake, FRESH, store.committed(room.lake, FRESH))
    kept = old.read_bytes()
    with store.writing(room.lake, FRESH) as writer:
        writer.fold()
        writer.delete(["f1"])
    old.write_bytes(kept)
    assert room.ids(FRESH) == ["f0"], "the killed writer's tail brings nothing back"


def test_a_reader_that_follows_the_changes_holds_what_a_snapshot_holds(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(room, 3)
    held = {one: row[1] for one, row in room.rows(FRESH).items()}
    at = version(room.lake, FRESH)
    monkeypatch.setattr(tail, "FOLD_BYTES", 3000)
    for number in range(3, 40):
        fresh(room, f"f{number % 30}", role=f"Role{number}")
        if number % 4 == 0:
            found = changes(room.lake, FRESH, at)
            assert found is not None
            held |= dict(
                zip(found.rows.ids.to_pylist(), found.rows.column("text").to_pylist(), strict=True),
            )
            at = found.version
            assert at == version(room.lake, FRESH)
            assert held == {one: row[1] for one, row in room.rows(FRESH).items()}
            assert found.total in (None, len(held))


def test_changes_of_the_tail_alone_open_no_table(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh(room, "f0")
    at = version(room.lake, FRESH)

    def refused(*args: Any) -> None:
        raise AssertionError("LanceDB was opened")

    monkeypatch.setattr(store, "_connect", refused)
    fresh(room, "f1")
    found = changes(room.lake, FRESH, at)
    assert found is not None
    assert (found.rows.ids.to_pylist(), found.total) == (["f1"], None)
    assert found.rows.vectors.shape == (1, 32)


def test_a_bulk_write_shows_in_the_changes(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh(room, "f0")
    fresh(room, "f1")
    at = version(room.lake, FRESH)
    monkeypatch.setattr(tail, "FOLD_BYTES", 1000)
    many(room, 10, 2)
    found = changes(room.lake, FRESH, at)
    assert found is not None
    assert {f"f{number}" for number in range(2, 12)} <= set(found.rows.ids.to_pylist())
    assert found.total == 12


def test_a_deletion_shows_in_the_total(room: Room) -> None:
    room.workers(20)
    room.build()
    at = version(room.lake, "workers")
    room.workers(18)
    room.build()
    found = changes(room.lake, "workers", at)
    assert found is not None
    assert (len(found.rows), found.total) == (0, 18)


def test_a_rollback_cannot_be_followed(room: Room) -> None:
    room.workers(5)
    tag = room.build().tag
    room.workers(9)
    room.build()
    at = version(room.lake, "workers")
    rollback(room.lake, "workers", tag)
    assert changes(room.lake, "workers", at) is None
    at = version(room.lake, "workers")
    room.workers(7)
    room.build()
    assert changes(room.lake, "workers", at) is not None


def test_every_build_is_tagged_and_ten_tags_are_kept(room: Room) -> None:
    for number in range(1, 14):
        room.workers(number)
        assert room.build().tag == f"{RUN[:12]}-{number}"
    assert list(status(room.lake, "workers").tags) == [f"{RUN[:12]}-{number}" for number in range(4, 14)]


def test_a_tag_restores_what_was_there(room: Room) -> None:
    room.workers(6)
    first = room.build()
    before = room.rows()
    room.workers(3)
    room.build()
    rollback(room.lake, "workers", first.tag)
    assert room.rows() == before
    report = room.build()
    assert (report.rows, report.deleted) == (3, 3)


@pytest.mark.parametrize("tag", ["", "nope-1", "../x", "0123456789ab-2"])
def test_a_tag_that_is_none_is_refused(room: Room, tag: str) -> None:
    room.workers(3)
    room.build()
    with pytest.raises(UsageError, match="no tag"):
        rollback(room.lake, "workers", tag)


def test_a_run_hash_that_is_none_is_refused(room: Room) -> None:
    room.workers(3)
    with pytest.raises(UsageError, match="no run hash"):
        room.build(run_hash="../x")


def test_many_commits_are_compacted_and_old_versions_go_while_tags_stay(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "KEPT_FOR", timedelta(milliseconds=1))
    monkeypatch.setattr(tail, "FOLD_BYTES", 1)
    many(room, 20)
    tag = room.build(FRESH).tag
    for number in range(40):
        fresh(room, f"g{number}")
    folder = store.folder_of(room.lake, FRESH)
    with store.opened(room.lake, FRESH) as table:
        assert table.stats()["fragment_stats"]["num_fragments"] < 20
    assert len(room.ids(FRESH)) == 60
    rollback(room.lake, FRESH, tag)
    assert len(room.ids(FRESH)) == 20
    assert folder.is_dir()


def test_versions_that_no_tag_holds_are_pruned(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "KEPT_FOR", timedelta(milliseconds=1))
    monkeypatch.setattr(tail, "FOLD_BYTES", 1)
    for number in range(40):
        fresh(room, f"g{number}")
    assert len(list((store.folder_of(room.lake, FRESH) / "_versions").glob("*.manifest"))) < 20
    assert len(room.ids(FRESH)) == 40


def test_eight_writers_and_a_reader_lose_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "FOLD_BYTES", 4000)
    fresh(room, "start")
    failed: list[BaseException] = []
    stop = threading.Event()

    def write(who: int) -> None:
        try:
            for number in range(6):
                one = {"id": f"{who}-{number}", "role": "Cook"}
                record_fresh(room.lake, [one], WordEmbedder(), NOW)
        except BaseException as error:  # noqa: BLE001 - a thread's failure is looked at below
            failed.append(error)

    def read() -> None:
        seen = 0
        try:
            while not stop.is_set():
                rows = snapshot(room.lake, FRESH)
                assert len(set(rows.ids.to_pylist())) == len(rows) >= seen
                seen = len(rows)
        except BaseException as error:  # noqa: BLE001 - a thread's failure is looked at below
            failed.append(error)

    writers = [threading.Thread(target=write, args=(who,)) for who in range(8)]
    reader = threading.Thread(target=read)
    for thread in (*writers, reader):
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert failed == []
    assert len(room.ids(FRESH)) == len(set(room.ids(FRESH))) == 49


def test_two_writers_of_one_key_make_no_duplicate(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail, "FOLD_BYTES", 1)
    fresh(room, "start")
    threads = [threading.Thread(target=fresh, args=(room, "same"), kwargs={"role": f"R{n}"}) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.opened(room.lake, FRESH) as table:
        assert table.count_rows() == 2


HOSTILE = ["a' OR '1'='1", "'; drop", 'a"b', "a\\", "é\u2028", "--", "x' IN ('x"]


@pytest.mark.parametrize("hostile", HOSTILE)
def test_an_id_never_becomes_a_filter(room: Room, hostile: str) -> None:
    fresh(room, "f0", "f1")
    with store.writing(room.lake, FRESH) as writer:
        item = Item(hostile, ("a text",), {}, FRESH)
        writer.fold()
        writer.put(table_of(IDENTITY, [item], room.embedder.embed(["a text"])))
        writer.delete([hostile])
        assert writer.table.count_rows() == 2
        assert [*queries.vectors_by_id(writer.table, ["f0", hostile])] == ["f0"]


@pytest.mark.parametrize(
    ("values", "written"),
    [
        (["x' OR '1'='1"], "id IN ('x'' OR ''1''=''1')"),
        (["''", "b"], "id IN ('''''', 'b')"),
        (["a\\'b"], "id IN ('a\\''b')"),
        ([], "false"),
    ],
)
def test_quotes_in_a_filter_are_doubled(values: list[str], written: str) -> None:
    assert one_of("id", values) == written


def test_a_nul_character_is_not_filtered_by() -> None:
    with pytest.raises(UsageError, match="NUL"):
        one_of("id", ["a\0b"])


@given(st.lists(st.text().filter(lambda text: "\0" not in text), min_size=1, max_size=4))
def test_a_filter_holds_the_values_and_nothing_else(values: list[str]) -> None:
    literal = r"'(?:[^']|'')*'"
    text = one_of("id", values)
    assert re.fullmatch(rf"id IN \({literal}(, {literal})*\)", text)
    assert [found[1:-1].replace("''", "'") for found in re.findall(literal, text)] == values


def test_vectors_are_not_copied_where_they_lie_in_one_piece(room: Room) -> None:
    room.workers(10)
    room.build()
    with store.opened(room.lake, "workers") as table:
        rows = table.to_arrow()
    assert np.shares_memory(matrix_of(rows), rows.column("vector").chunk(0).flatten().to_numpy())
    assert np.array_equal(matrix_of(rows.slice(3, 2)), matrix_of(rows)[3:5])


def test_status_tells_how_a_corpus_lies(room: Room) -> None:
    assert status(room.lake, "workers").rows == 0
    room.workers(4)
    report = room.build()
    found = status(room.lake, "workers")
    assert (found.rows, found.table_version, found.embedder) == (4, report.version, IDENTITY)
    assert (found.built_at, list(found.tags)) == (NOW, [report.tag])
    assert table_version(found.version) == report.version


def test_ids_are_read_without_vectors(room: Room) -> None:
    many(room, 2)
    fresh(room, "f9")
    found = ids_of(room.lake, FRESH)
    assert found.column_names == ["id", "origin", "text_sha256", "after_version"]
    assert sorted(found.column("id").to_pylist()) == ["f0", "f1", "f9"]


def test_a_missing_corpus_says_how_to_make_it(room: Room) -> None:
    with pytest.raises(UsageError, match="lakehouse index build workers"):
        snapshot(room.lake, "workers")


def test_a_full_disk_leaves_the_tail_whole(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh(room, "f0")
    path = tail.tail_path(room.lake, FRESH, store.committed(room.lake, FRESH))
    rows = table_of(IDENTITY, [Item("f1", ("a",), {}, FRESH)], np.ones((1, 32), np.float32))
    tail.append(path, tail.lines_of(rows))
    size = tail.size_of(path)

    class Full:
        def __init__(self, real: Any) -> None:
            self.real = real

        def __enter__(self) -> Full:
            return self

        def __exit__(self, *args: Any) -> None:
            self.real.close()

        def write(self, data: bytes) -> int:
            return int(self.real.write(data[:7]))

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

    opened = type(path).open
    with monkeypatch.context() as patched:
        patched.setattr(type(path), "open", lambda *args, **more: Full(opened(*args, **more)))
        with pytest.raises(OutsideFailure, match="cannot write"):
            tail.append(path, tail.lines_of(rows))
    assert tail.size_of(path) == size


def test_retired_and_recorded_again_while_the_tail_is_waiting(room: Room) -> None:
    one = record(room.lake, room.embedder, "need a cook", "w-1", "workers", 0.5, NOW)
    record_many(room.lake, room.embedder, [Recording("need a baker", "w-2", "workers", 1.0)], NOW)
    retire(room.lake, one.id, NOW)
    assert one.id not in room.ids("playbook_memory")
    record(room.lake, room.embedder, "need a cook", "w-1", "workers", 0.9, NOW)
    assert one.id in room.ids("playbook_memory")
