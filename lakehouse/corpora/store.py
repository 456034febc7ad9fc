"""LanceDB: the tables of the corpora under `lance/`. The only module that imports lancedb.

Here: opening a table to read it, and the one writer that each table has at a time. Not here: versions and what a reader is
given (`reading.py`), tags and rolling back (`versions.py`), queries (`queries.py`), what is written (`build.py`,
`fresh.py`, `playbooks.py`).

LanceDB's commits are atomic, but two `merge_insert` of one key at once make duplicates: so every writer takes the lock of
its table first. Filters are built in `filters.py` alone.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from lakehouse.corpora import tail
from lakehouse.corpora.filters import one_of
from lakehouse.corpora.rows import identity_of, overlaid, schema_of, stamped
from lakehouse.corpora.state import CorpusState, read_state, state_path, write_state
from lakehouse.embedding.identity import EmbedderIdentity, require_same
from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.files import locked, remove
from lakehouse.lake import Lake

TIDY_EVERY: Final = 30
"""Commits after which a table is compacted: left alone, 1,000 of them make a search 20 times slower."""
KEPT_FOR: Final = timedelta(hours=1)
"""For how long a version stays that no tag holds: longer than any reader needs to read one."""
_NEWEST: Final = 2**64 - 1


def folder_of(lake: Lake, name: str) -> Path:
    """Give the folder of a table."""
    return lake.root / "lance" / f"{name}.lance"


def committed(lake: Lake, name: str) -> int:
    """Give the newest version of a table without opening it; 0 where there is none."""
    try:
        names = os.listdir(folder_of(lake, name) / "_versions")
    except FileNotFoundError:
        return 0
    numbers = [int(stem) for stem, _, end in (one.partition(".") for one in names) if end == "manifest"]
    # Manifests count down from the largest number, so that the newest is listed first; older releases count up.
    return max((_NEWEST - number if number > _NEWEST >> 1 else number for number in numbers), default=0)


@contextmanager
def opened(lake: Lake, name: str) -> Iterator[Any]:
    """Open a table to read it, at its newest version. Raises `UsageError` where it was never built."""
    if not committed(lake, name):
        raise UsageError(
            f"the corpus {name} was never built", where=str(folder_of(lake, name)), mend=f"lakehouse index build {name}"
        )
    with _told(lake, name):
        yield _connect(lake).open_table(name)


@contextmanager
def writing(lake: Lake, name: str, identity: EmbedderIdentity | None = None) -> Iterator[Writer]:
    """Hold the writer of a table; another one waits. `identity` is of the embedder whose vectors will be written.

    Raises `UsageError` where the vectors in the table are of another one.
    """
    with locked(lake.lock(f"corpus-{name}")), _told(lake, name):
        writer = Writer(lake, name)
        if identity is not None and writer.state is not None:
            require_same(writer.state.embedder, identity, where=str(folder_of(lake, name)))
        yield writer


class Writer:
    """The one writer of a table, inside `writing`. Rows are `pyarrow.Table`s of the corpus' schema."""

    def __init__(self, lake: Lake, name: str) -> None:
        self.lake, self.name = lake, name
        self._table: Any = None
        self.state = read_state(lake, name)
        found = self.committed
        if found and (self.state is None or self.state.changing):
            # A writer died between the table and its state: the table says whose it is.
            self._keep(embedder=embedder_of(self.table.schema), changing=False, rewound=found)
        elif not found and self.state is not None:
            remove(state_path(lake, name))
            self.state = None

    @property
    def committed(self) -> int:
        """The newest version of the table; 0 where there is none."""
        return committed(self.lake, self.name)

    @property
    def table(self) -> Any:
        """LanceDB's table, at its newest version."""
        if self._table is None:
            self._table = _connect(self.lake).open_table(self.name)
            for leftover in (folder_of(self.lake, self.name) / "data").glob(".tmp*"):
                leftover.unlink(missing_ok=True)
        return self._table

    def renew(self, identity: EmbedderIdentity, rows: Any) -> None:
        """Make the table of these rows alone (a table or a `RecordBatchReader`), in one commit.

        Tags go: what they held may be of another embedder.
        """
        if self.committed:
            for tag in self.table.tags.list():
                self.table.tags.delete(tag)
        self._keep(embedder=identity, changing=True)
        for path in self._tails():
            path.unlink(missing_ok=True)
        schema, mode = schema_of(identity), "overwrite" if self.committed else "create"
        self._table = _connect(self.lake).create_table(self.name, rows, schema=schema, mode=mode)
        self._keep(changing=False, rewound=self.committed, tidied=self.committed)

    def append(self, rows: Any) -> None:
        """Take a few rows in at once: into the tail, or into the table where they are many. An id that is there is replaced."""
        lines = tail.lines_of(rows)
        if len(lines) >= tail.FOLD_BYTES:
            self.fold()
            self.put(stamped(overlaid(rows.slice(0, 0), rows), self.committed))
            return
        path = tail.tail_path(self.lake, self.name, self.committed)
        tail.append(path, lines)
        if tail.size_of(path) >= tail.FOLD_BYTES:
            self.fold()

    def fold(self) -> None:
        """Take the tail into the table, in one commit, which is what ends it."""
        version = self.committed
        rows, _ = tail.read(tail.tail_path(self.lake, self.name, version), embedder_of(self.table.schema))
        if rows.num_rows:
            self.put(stamped(overlaid(rows.slice(0, 0), rows), version))
            # The one just folded stays until the next: a reader may be between the table and its tail.
            for path in self._tails():
                if path != tail.tail_path(self.lake, self.name, version):
                    path.unlink(missing_ok=True)

    def put(self, rows: Any, *, all_new: bool = False, without: Collection[str] = ()) -> None:
        """Write rows of different ids, a table or a `RecordBatchReader`, in one commit. The tail must be folded.

        An id that is there is replaced; `all_new` says that none is, which saves looking. The same commit deletes the rows
        whose ids are `without`, none of which may be written.
        """
        if all_new and not without:
            self.table.add(rows)
        else:
            merge = self.table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            if without:
                merge = merge.when_not_matched_by_source_delete(one_of("id", sorted(without)))
            merge.execute(rows)
        self.tidy()

    def delete(self, ids: Collection[str]) -> None:
        """Delete rows by their ids, in one commit. The tail must be folded."""
        if ids:
            self.table.delete(one_of("id", sorted(ids)))
            self.tidy()

    def tidy(self) -> None:
        """Compact the table and drop old versions, once enough was committed since."""
        assert self.state is not None
        if self.committed - self.state.tidied < TIDY_EVERY:
            return
        tagged = [tag["version"] for tag in self.table.tags.list().values()]
        older = KEPT_FOR
        if tagged:
            # LanceDB refuses to drop anything where a tagged version is old enough. Its clock is the machine's.
            oldest = next(one["timestamp"] for one in self.table.list_versions() if one["version"] == min(tagged))
            older = max(older, datetime.now(UTC) - oldest.astimezone(UTC) + timedelta(minutes=1))
        self.table.optimize(cleanup_older_than=older)
        self._keep(tidied=self.committed)

    def built(self, now: str, run_hash: str) -> None:
        """Remember that a build ended with what is there now."""
        self._keep(built=self.committed, built_at=now, run_hash=run_hash)

    def restore(self, version: int) -> None:
        """Make an older version the newest, as one commit. The tail must be folded."""
        self._keep(rewound=self.committed + 1)
        self.table.checkout(version)
        self.table.restore()
        self._table = None

    def _keep(self, **changes: Any) -> None:
        if self.state is None:
            empty: dict[str, Any] = {"changing": False, "rewound": 0, "tidied": 0, "built": 0, "built_at": ""}
            self.state = CorpusState(**{**empty, "run_hash": "", **changes})
        else:
            self.state = msgspec.structs.replace(self.state, **changes)
        write_state(self.lake, self.name, self.state)

    def _tails(self) -> list[Path]:
        return [path for path in (self.lake.root / "lance").glob(f"{self.name}.*.tail") if path.is_file()]


def embedder_of(schema: Any) -> EmbedderIdentity:
    """Give the embedder that the schema of a table names."""
    return identity_of(schema)


def require_lancedb() -> None:
    """Raise `UsageError` with the install command where lancedb is missing."""
    if sys.modules.get("lancedb", True) is None or importlib.util.find_spec("lancedb") is None:
        raise UsageError(
            "corpora need lancedb, which this installation lacks", mend="pip install 'lakehouse-dagster[retrieval]'"
        )


def _connect(lake: Lake) -> Any:
    require_lancedb()
    import lancedb

    # Zero: every look sees what other processes committed.
    return lancedb.connect(str(lake.root / "lance"), read_consistency_interval=timedelta(0))


@contextmanager
def _told(lake: Lake, name: str) -> Iterator[None]:
    """Turn LanceDB's errors into ones that name the table."""
    try:
        yield
    except RuntimeError as error:
        if "lance error" not in str(error).lower():
            raise
        raise OutsideFailure(
            f"LanceDB failed ({str(error).splitlines()[0][:300]})",
            where=str(folder_of(lake, name)),
            mend=f"look at the disk; then `rm -r '{folder_of(lake, name)}'`, and `lakehouse index build {name}` makes it again",
        ) from error
