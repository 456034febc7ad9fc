"""The keys of every run that counts for training: by them publishing finds conflicts and copies over the whole lake.

Here: writing a stream's keys while its samples are made. Not here: what follows from them (`publish/settle.py`).

One row per run: `stream` and `run_id` name it, `content_id` is the id its sample has or would have, `never` says that
its verdict keeps it from training. Rows of samples also carry `partial`, for a partially accepted run, `ordinal`, their
place among the stream's samples of the day, and `micros` and `sig_hash`, by which the earliest of equal samples is kept.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.files import Staged

SCHEMA = pa.schema(
    [
        ("stream", pa.string()),
        ("run_id", pa.string()),
        ("content_id", pa.string()),
        ("never", pa.bool_()),
        ("partial", pa.bool_()),
        ("ordinal", pa.int64()),
        ("micros", pa.int64()),
        ("sig_hash", pa.string()),
    ]
)
_BATCH = 8_000


class KeysWriter:
    """Writes keys in row groups; the file appears whole. Memory: one row group."""

    def __init__(self, path: Path) -> None:
        self._staged = Staged(path)
        self._rows: list[tuple[Any, ...]] = []

    def __enter__(self) -> Self:
        self._staged.__enter__()
        self._sink = _Sink(self._staged)
        self._writer = pq.ParquetWriter(self._sink, SCHEMA, compression="zstd", compression_level=1)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if kind is None:
                self._flush()
                self._writer.close()
        except BaseException as failure:
            self._give_up(type(failure), failure, None)
            raise
        if kind is None:
            self._staged.__exit__(None, None, None)
        else:
            self._give_up(kind, error, tb)

    def _give_up(self, kind: type[BaseException], error: BaseException | None, tb: TracebackType | None) -> None:
        """Remove the file; the Parquet writer wants to write its end once more and is not listened to."""
        self._sink.deaf = True
        self._writer.close()
        self._staged.__exit__(kind, error, tb)

    def add(self, *row: Any) -> None:
        """Add one row, values in the order of the schema."""
        self._rows.append(row)
        if len(self._rows) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            columns = zip(*self._rows, strict=True)
            arrays = [pa.array(column, type=kind) for column, kind in zip(columns, SCHEMA.types, strict=True)]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=SCHEMA))
            self._rows = []


class _Sink:
    """What pyarrow needs of a file to write Parquet into a staged file."""

    closed = False
    deaf = False

    def __init__(self, staged: Staged) -> None:
        self._staged = staged
        self._position = 0

    def write(self, data: Any) -> int:
        """Write bytes or a pyarrow buffer."""
        block = bytes(data)
        if not self.deaf:
            self._staged.write(block)
        self._position += len(block)
        return len(block)

    def tell(self) -> int:
        """Give the number of bytes written."""
        return self._position

    def flush(self) -> None:
        """Nothing is buffered here."""

    def close(self) -> None:
        """The staged file is closed by its own block."""

    def readable(self) -> bool:
        """This end only writes."""
        return False

    def writable(self) -> bool:
        """This end writes."""
        return True

    def seekable(self) -> bool:
        """Parquet is written front to back."""
        return False
