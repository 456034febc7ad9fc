"""Full text over the published RAG export: what retrieval is where no vectors are.

Here: an index (SQLite's FTS5, which Python brings along) and searching it. Not here: which of the two ways is
taken, and what is left out (`retrieval.py`).

Ranks are BM25 as FTS5 computes it: 0 or below, the best the lowest. As a distance it is `1 / (1 + -bm25)`: 1 where nothing
speaks for a passage, towards 0 the better it fits, in the same order. It says nothing across lakes, for BM25 has no scale.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from lakehouse.jsonl import JsonlReader
from lakehouse.records import RagChunk
from lakehouse.similarity.words import words

MOST_WORDS: Final = 128
"""Distinct words of a query that are searched for, the first ones: a task may be a whole conversation."""
_BATCH: Final = 2_000
_CACHE: Final = 64 << 20
"""Bytes of the index that stay in memory."""


class Found(NamedTuple):
    """A chunk that full text found, and the run that it is from."""

    id: str
    distance: float
    text: str
    run_id: str


class FullText:
    """An index of chunks, best matches first.

    100,000 chunks of 600 characters take 9 s and 120 MB to index, and a question 0.6 s: from there on vectors pay.
    """

    def __init__(self, database: sqlite3.Connection) -> None:
        self._database = database

    def search(self, query: str) -> Iterator[Found]:
        """Give the chunks that share a word with a query, the best first, those of one rank in the export's order."""
        asked = match_of(query)
        if not asked:
            return
        # Texts are read one by one: a word that is everywhere matches everything.
        ranked = self._database.execute(
            "SELECT rowid, bm25(found) FROM found WHERE found MATCH ? ORDER BY bm25(found), rowid", (asked,)
        )
        with closing(ranked):
            for row, rank in ranked:
                row_id, text, run_id = self._database.execute(_CHUNK, (row,)).fetchone()
                yield Found(row_id, round(1 / (1 + max(-rank, 0.0)), 9), text, run_id)


_CHUNK: Final = "SELECT id, content, run_id FROM chunk WHERE row = ?"


def match_of(query: str) -> str:
    """Write a query for FTS5: its words, each quoted, any of them; empty where it has none.

    Words are letters, digits and underscores (`lakehouse.similarity.words`), so that nothing of the text can be syntax.
    """
    distinct = list(dict.fromkeys(words(query)))[:MOST_WORDS]
    return " OR ".join(f'"{word.decode("utf-8", "replace")}"' for word in distinct)


@contextmanager
def open_fulltext(path: Path) -> Iterator[FullText]:
    """Index an export. Raises `RecordError` that names a line which is no chunk."""
    # A database without a name lies in a temporary file; in memory is what its cache holds.
    with closing(sqlite3.connect("")) as database:
        database.executescript(
            f"PRAGMA cache_size = -{_CACHE >> 10};"
            "CREATE TABLE chunk (row INTEGER PRIMARY KEY, id TEXT, content TEXT, run_id TEXT);"
            "CREATE VIRTUAL TABLE found USING fts5(words, content='', tokenize='unicode61');"
        )
        batch: list[tuple[int, str, str, str]] = []
        for number, chunk in JsonlReader(RagChunk).lines(path):
            batch.append((number, chunk.id, chunk.content, chunk.source_run_id))
            if len(batch) >= _BATCH:
                _add(database, batch)
        _add(database, batch)
        yield FullText(database)


def _add(database: sqlite3.Connection, batch: list[tuple[int, str, str, str]]) -> None:
    # The words, not the text: scripts without spaces would be one word to SQLite.
    told = ((row, b" ".join(words(text)).decode("utf-8", "replace")) for row, _, text, _ in batch)
    database.executemany("INSERT INTO found (rowid, words) VALUES (?, ?)", told)
    # A lone surrogate is no UTF-8, and SQLite takes nothing else.
    whole = ((row, *(one.encode("utf-8", "replace").decode() for one in rest)) for row, *rest in batch)
    database.executemany("INSERT INTO chunk VALUES (?, ?, ?, ?)", whole)
    database.commit()
    batch.clear()
