"""The vectors that were ever made, in one SQLite file per embedder: `index/embeddings/<embedder>.sqlite`.

Here: reading, adding and purging. Not here: what is remembered in memory and what is embedded (`cached.py`).

A row is a text's SHA-256, its vector and whether it was cut; no text is kept. Many processes may read and add at once
(write-ahead log); what a killed one had not committed is as if it had never been. The file can be removed while nothing
runs: texts are then embedded again.
"""

from __future__ import annotations

import re
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from lakehouse.embedding.identity import EmbedderIdentity
from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.files import locked
from lakehouse.lake import Lake

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FORMAT: Final = 1
PATIENCE = 60.0
"""Seconds to wait for another writer; each holds the file for milliseconds."""
_PAGE = 16_384
"""Bytes of a page: ten vectors of 384 numbers, where the usual 4096 would waste a quarter."""
_HASH = re.compile(r"[0-9a-f]{64}")
_SCHEMA = (
    "create table embedder (identity text not null)",
    """create table vectors (
        id integer primary key, text_sha256 blob not null, kind text not null, cut integer not null,
        vector blob not null, unique (text_sha256, kind)
    )""",
)


class Known(NamedTuple):
    """What is known of a text: its vector (dimension,), and whether the model's window cut it."""

    vector: NDArray[np.float32]
    cut: bool


class VectorTable:
    """The table of one embedder in a lake. Safe to use from many threads; not across a fork."""

    def __init__(self, lake: Lake, identity: EmbedderIdentity) -> None:
        self.path = path_of(lake, identity)
        self._bytes = 4 * identity.dimension
        self._one_at_a_time = threading.Lock()
        with locked(lake.lock("embeddings")), self._told():
            self._file = _connect(self.path)
            try:
                self._prepare(identity)
            except BaseException:
                self._file.close()
                raise

    def _prepare(self, identity: EmbedderIdentity) -> None:
        (version,) = self._file.execute("pragma user_version").fetchone()
        if version not in (0, _FORMAT):
            raise UsageError(f"it has the format {version}, not {_FORMAT}", where=str(self.path), mend=_REMOVE)
        if not version:
            self._file.execute(f"pragma page_size = {_PAGE}")
            self._file.execute("pragma journal_mode = wal")
            said = msgspec.json.encode(identity).decode()
            # One transaction: after a kill there is no table or a whole one.
            self._file.execute("begin immediate")
            for statement in _SCHEMA:
                self._file.execute(statement)
            self._file.execute("insert into embedder values (?)", (said,))
            self._file.execute(f"pragma user_version = {_FORMAT}")
            self._file.execute("commit")
        # Commits survive a kill at once, and a power cut from the next checkpoint on: what is lost is made again.
        self._file.execute("pragma synchronous = normal")
        (said,) = self._file.execute("select identity from embedder").fetchone()
        if msgspec.json.decode(said, type=EmbedderIdentity) != identity:
            raise UsageError(f"it is the table of another embedder ({said})", where=str(self.path), mend=_REMOVE)

    def get(self, kind: str, hashes: Sequence[bytes]) -> dict[bytes, Known]:
        """Give what is known of texts, by their SHA-256; those never seen are left out."""
        import numpy as np

        found: dict[bytes, Known] = {}
        query = "select vector, cut from vectors where text_sha256 = ? and kind = ?"
        for digest in hashes:
            with self._one_at_a_time, self._told():
                row = self._file.execute(query, (digest, kind)).fetchone()
            if row is None:
                continue
            vector, cut = row
            if len(vector) != self._bytes:
                raise OutsideFailure("a vector in it is damaged", where=str(self.path), mend=_REMOVE)
            found[digest] = Known(np.frombuffer(vector, "<f4"), bool(cut))
        return found

    def put(self, kind: str, rows: Iterable[tuple[bytes, Known]]) -> None:
        """Add texts in one transaction; what another process added meanwhile stays as it is."""
        values = [(digest, kind, known.cut, known.vector.astype("<f4").tobytes()) for digest, known in rows]
        insert = "insert or ignore into vectors (text_sha256, kind, cut, vector) values (?, ?, ?, ?)"
        with self._one_at_a_time, self._told():
            self._file.execute("begin immediate")
            try:
                self._file.executemany(insert, values)
                self._file.execute("commit")
            except BaseException:
                self._file.execute("rollback")
                raise

    def count(self) -> int:
        """Give the number of vectors."""
        with self._one_at_a_time, self._told():
            return int(self._file.execute("select count(*) from vectors").fetchone()[0])

    def close(self) -> None:
        """Close the file; the table cannot be used any more."""
        self._file.close()

    @contextmanager
    def _told(self) -> Iterator[None]:
        with _told(self.path):
            yield


_REMOVE = "remove the file while nothing runs: its texts are embedded again"


def path_of(lake: Lake, identity: EmbedderIdentity) -> Path:
    """Give the file of an embedder; those that differ never share one."""
    said = msgspec.json.encode(identity)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{identity.backend}-{identity.model}").strip("-.")[:80]
    return folder_of(lake) / f"{name}-{sha256(said).hexdigest()[:12]}.sqlite"


def folder_of(lake: Lake) -> Path:
    """Give the folder of all tables of a lake."""
    return lake.root / "index" / "embeddings"


def purge(lake: Lake, hashes: Iterable[str]) -> int:
    """Erase the vectors of texts, by the hex SHA-256 of their UTF-8, from every table of a lake; give how many went.

    The bytes are overwritten, in the log too. Processes that run keep what they remember until they end. Raises
    `UsageError` where a hash is none, `OutsideFailure` where a reader keeps the log: then purge again.
    """
    given = sorted(set(hashes))
    for one in given:
        if not _HASH.fullmatch(one):
            raise UsageError(f"{one!r} is no SHA-256", mend="give 64 hex digits, in lower case")
    gone = 0
    for path in sorted(folder_of(lake).glob("*.sqlite")):
        with _told(path), closing(_connect(path)) as file:
            file.execute("pragma secure_delete = on")
            file.execute("begin immediate")
            before = file.total_changes
            file.executemany("delete from vectors where text_sha256 = ?", [(bytes.fromhex(one),) for one in given])
            gone += file.total_changes - before
            file.execute("commit")
            (busy, *_) = file.execute("pragma wal_checkpoint(truncate)").fetchone()
        if busy:
            raise OutsideFailure(
                "a reader keeps old pages in its log", where=str(path), mend="purge again when it has finished"
            )
    return gone


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    return sqlite3.connect(path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn SQLite's errors into ones that name the file."""
    try:
        yield
    except sqlite3.OperationalError as error:
        raise OutsideFailure(
            f"it cannot be used ({error})", where=str(path), mend="look at the disk's free space and rights"
        ) from error
    except sqlite3.DatabaseError as error:
        raise OutsideFailure(f"it is damaged ({error})", where=str(path), mend=_REMOVE) from error
