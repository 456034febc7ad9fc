"""What a replay gets to read, by full text and by vectors, and what it must never read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import OutsideFailure, RecordError, UsageError
from lakehouse.lake import Lake
from lakehouse.replay.fulltext import FullText, open_fulltext
from lakehouse.replay.retrieval import LeftOut, Retriever, open_retrieve

ANSWER = "The export guard holds its lock across an await point and so starves the reader"
CHUNKS = {
    "rag-1": ("run-1", ANSWER),
    "rag-2": ("run-2", "The reader starves where the export guard waits for the disk"),
    "rag-3": ("run-3", "A welder in Flint is certified for overhead seams"),
    "rag-4": ("run-4", f"Seen before in another run: {ANSWER}. It was mended by scope."),
    "rag-5": ("run-5", "starves the reader"),
    "rag-6": ("run-6", "夜勤のフォークリフト運転手"),
}


def line(row_id: str, run_id: str, content: str) -> str:
    place = {
        "source_file": "_kb/x.jsonl",
        "line_offset": 0,
        "sig_hash": "0" * 64,
        "recorded_at": "2026-05-01T00:00:00.000Z",
    }
    row = {
        "schema_version": 1, "id": row_id, "title": "t", "content": content, "tags": [], "category": "accepted",
        "stream": "x", "source_run_id": run_id, "task_id": "x:1", "chunk_index": 0, "chunk_count": 1, "token_count": 9,
        "char_start": 0, "char_end": len(content), "created_at": "2026-05-01T00:00:00.000Z", "provenance": place,
    }  # fmt: skip
    return json.dumps(row) + "\n"


def export(root: Path, chunks: dict[str, tuple[str, str]]) -> Lake:
    path = root / "distilled" / "rag" / "rag_export.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(line(row_id, *of) for row_id, of in chunks.items()))
    return Lake(root)


@pytest.fixture
def by_text(tmp_path: Path) -> Iterator[Retriever]:
    with open_retrieve(export(tmp_path, CHUNKS)) as opened:
        yield opened


def ids(found: list[Any]) -> list[str]:
    return [one.id for one in found]


def test_what_shares_most_words_comes_first_and_says_that_it_is_no_vector(by_text: Retriever) -> None:
    found = by_text("where does the welder in Flint stand", "rag_export", 3)
    assert (found[0].id, found[0].corpus) == ("rag-3", "rag_export")
    distances = [one.distance for one in found]
    assert distances == sorted(distances)
    assert all(0 < one <= 1 for one in distances)


def test_scripts_without_spaces_are_found_by_their_characters(by_text: Retriever) -> None:
    assert ids(by_text("フォークリフト", "rag_export", 3)) == ["rag-6"]


def test_a_query_of_words_that_nobody_wrote_finds_nothing(by_text: Retriever) -> None:
    assert by_text("zebra", "rag_export", 3) == []
    assert by_text("!?", "rag_export", 3) == []


@pytest.mark.parametrize(
    "query",
    [
        'NEAR("lock" "await", 2)',
        '"',
        "lock AND OR NOT",
        "content:lock",
        "lock*",
        "^lock",
        "{a b}: lock",
        "- lock +",
        "a\0b lock",
    ],
)
def test_nothing_in_a_query_is_syntax(by_text: Retriever, query: str) -> None:
    found = ids(by_text(query, "rag_export", 6))
    assert ("rag-1" in found) == ("lock" in query)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FullText]:
    lake = export(tmp_path_factory.mktemp("lake"), CHUNKS)
    with open_fulltext(lake.root / "distilled" / "rag" / "rag_export.jsonl") as opened:
        yield opened


@given(query=st.text() | st.text(alphabet='"*^:(){}+-NEARORAND lock'))
def test_any_text_is_a_query_and_the_best_come_first(index: FullText, query: str) -> None:
    distances = [one.distance for one in index.search(query)]
    assert distances == sorted(distances)
    assert all(0 < one <= 1 for one in distances)


@pytest.mark.parametrize(
    ("left_out", "gone"),
    [
        (LeftOut(), set()),
        (LeftOut(("run-2",)), {"rag-2"}),
        # The run itself, the same text under another run, what holds it whole, and a piece of it.
        (LeftOut(("run-9",), ANSWER), {"rag-1", "rag-4", "rag-5"}),
        (LeftOut((), f"  {ANSWER.replace(' ', chr(10))}"), {"rag-1", "rag-4", "rag-5"}),
        # Three words may stand in anybody's text; only the same text is a copy of them.
        (LeftOut((), "starves the reader"), {"rag-5"}),
        (LeftOut((), "   "), set()),
    ],
)
def test_a_replay_never_reads_its_own_answer(by_text: Retriever, left_out: LeftOut, gone: set[str]) -> None:
    asked = "the export guard starves the reader", "rag_export", 9
    assert {*ids(by_text(*asked))} - {*ids(by_text(*asked, left_out))} == gone


def test_what_is_left_out_makes_room_for_the_next(by_text: Retriever) -> None:
    found = by_text("the export guard starves the reader in Flint", "rag_export", 2, LeftOut((), ANSWER))
    assert {*ids(found)} == {"rag-2", "rag-3"}


def test_full_text_is_no_corpus_of_vectors(by_text: Retriever) -> None:
    with pytest.raises(UsageError, match=r"no vectors of 'rag' here.*rag_export"):
        by_text("lock", "rag", 3)


def test_a_lake_without_an_export_says_what_to_do_when_it_is_asked(tmp_path: Path) -> None:
    with open_retrieve(Lake(tmp_path)) as opened, pytest.raises(UsageError, match=r"not published.*lakehouse distill"):
        opened("lock", "rag_export", 3)


def test_a_damaged_export_names_its_line(tmp_path: Path) -> None:
    lake = export(tmp_path, CHUNKS)
    path = lake.root / "distilled" / "rag" / "rag_export.jsonl"
    path.write_text(path.read_text() + "{}\n")
    with pytest.raises(RecordError, match=r"rag_export\.jsonl:7"), open_retrieve(lake):
        pass


class TestByVectors:
    """With the corpus `rag` of LanceDB and an embedder that adds up words."""

    @pytest.fixture(autouse=True)
    def installed(self) -> None:
        pytest.importorskip("lancedb", reason="the extra retrieval is not installed")

    def built(self, root: Path, chunks: dict[str, tuple[str, str]]) -> Any:
        from tests.lakehouse.corpora.conftest import Room

        room = Room(root)
        export(root, chunks)
        room.build("rag")
        return room

    @contextmanager
    def opened(self, room: Any) -> Iterator[Retriever]:
        @contextmanager
        def embedder() -> Iterator[Any]:
            yield room.embedder

        with open_retrieve(room.lake, embedder) as found:
            yield found

    def test_a_built_corpus_is_taken_before_full_text(self, tmp_path: Path) -> None:
        with self.opened(self.built(tmp_path, CHUNKS)) as by_vectors:
            assert by_vectors.corpus == "rag"
            (found,) = by_vectors(CHUNKS["rag-3"][1], "rag", 1)
            assert (found.id, found.corpus, found.text) == ("rag-3", "rag", CHUNKS["rag-3"][1])
            assert found.distance == pytest.approx(0, abs=1e-6)

    def test_a_replay_never_reads_its_own_answer(self, tmp_path: Path) -> None:
        with self.opened(self.built(tmp_path, CHUNKS)) as by_vectors:
            found = by_vectors(ANSWER, "rag", 6, LeftOut(("run-2",), ANSWER))
            assert {*ids(found)} == {"rag-3", "rag-6"}

    def test_more_copies_than_were_asked_for_still_leave_k_passages(self, tmp_path: Path) -> None:
        copies = {f"rag-c{n}": (f"run-c{n}", f"{ANSWER} {'again ' * n}") for n in range(30)}
        with self.opened(self.built(tmp_path, {**copies, **CHUNKS})) as by_vectors:
            assert ids(by_vectors(ANSWER, "rag", 2, LeftOut((), ANSWER)))[0] == "rag-2"
            assert len(by_vectors(ANSWER, "rag", 2, LeftOut((), ANSWER))) == 2

    def test_a_corpus_of_another_embedder_is_not_searched_and_it_says_why(self, tmp_path: Path) -> None:
        from lakehouse.embedding import EmbedderIdentity
        from tests.lakehouse.corpora.conftest import WordEmbedder

        room = self.built(tmp_path, CHUNKS)
        room.embedder = WordEmbedder(EmbedderIdentity("fake", "other words", "r1", 32))
        with self.opened(room) as by_text:
            assert (by_text.corpus, by_text.embedder) == ("rag_export", None)
            assert "another embedder" in by_text.note
            assert ids(by_text("a welder in Flint", "rag_export", 1)) == ["rag-3"]

    def test_an_embedder_that_cannot_be_opened_leaves_full_text_and_it_says_why(self, tmp_path: Path) -> None:
        @contextmanager
        def embedder() -> Iterator[Any]:
            raise OutsideFailure("the model server does not answer", where="127.0.0.1:1")
            yield

        with open_retrieve(self.built(tmp_path, CHUNKS).lake, embedder) as by_text:
            assert by_text.corpus == "rag_export"
            assert "the model server does not answer" in by_text.note

    def test_an_error_of_whoever_retrieves_is_no_fault_of_the_corpus(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="mine"), self.opened(self.built(tmp_path, CHUNKS)):
            raise UsageError("mine")
