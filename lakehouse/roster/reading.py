"""Reading a roster into Arrow batches of one schema, and refusing the rows that cannot be used.

Here: what makes a row usable, and the fingerprint of a file for a sensor. Not here: formats (`files.py`), cells
(`cells.py`), what is done with the rows. A refused row is a quarantine entry and never stops the others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa

from lakehouse.errors import UsageError
from lakehouse.files import sha256_of
from lakehouse.quarantine import quarantined
from lakehouse.records import QuarantinedRow
from lakehouse.roster.cells import Column, Fault, read
from lakehouse.roster.files import RawRow, rows_of
from lakehouse.roster.schema import COLUMNS, SCHEMA

STAGE: Final = "index"
BATCH_ROWS: Final = 4096

_REST_OF_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_ID: Final = [column.name for column in COLUMNS].index("id")

Refuse = Callable[[QuarantinedRow], None]


class Fingerprint(msgspec.Struct, frozen=True):
    """What a roster file was when it was looked at: bytes, time of its last change in nanoseconds, hex SHA-256."""

    size: int
    mtime_ns: int
    sha256: str


def find_roster(folder: Path, name: str) -> Path | None:
    """Give `<name>.parquet` or `<name>.csv` of a folder, `None` where there is neither.

    Raises `UsageError` where there are both: nobody could say which one is meant.
    """
    found = [path for suffix in (".parquet", ".csv") if (path := folder / f"{name}{suffix}").is_file()]
    if len(found) > 1:
        raise UsageError(
            f"there are {found[0].name} and {found[1].name}", where=str(folder), mend="keep the one that is meant"
        )
    return found[0] if found else None


def read_roster(
    path: Path, prefix: str, refuse: Refuse, *, roster: str = "", source_file: str = "", batch_rows: int = BATCH_ROWS
) -> Iterator[Any]:
    """Read a `.parquet` or `.csv` roster as `pyarrow.RecordBatch`es of `SCHEMA`, in the order of the file.

    Ids must begin with `prefix` and be there once; of rows with one id the first usable one stays. Refused rows go to
    `refuse`, under the name `roster` (the file's stem by default) and `source_file` (the path relative to the lake). Memory:
    one batch, and some 100 bytes per id. Raises `UsageError` for a file that cannot be read as a whole, also halfway.
    """
    if not prefix:
        raise UsageError("the prefix of a roster's ids is empty", where=str(path), mend="give one, as w-")
    seen: set[bytes] = set()

    def id_fault(worker: str) -> Fault | None:
        if not worker.startswith(prefix):
            return Fault("wrong_prefix", f"does not begin with {prefix}", f"write it as {prefix}<number>")
        if not _REST_OF_ID.fullmatch(worker, len(prefix)):
            return Fault(
                "bad_id", "is no id", f"write {prefix} and a number, or letters, digits and . _ : - (at most 128)"
            )
        key = sha256(worker.encode()).digest()[:16]
        if key in seen:
            return Fault("duplicate_id", "is that of an earlier row", "give each worker an id of its own")
        seen.add(key)
        return None

    def fault_of(cells: Sequence[Any]) -> tuple[str, Fault] | None:
        fault = id_fault(cells[_ID])
        return None if fault is None else ("id", fault)

    waiting: list[list[Any]] = []
    for cells in usable_rows(path, COLUMNS, refuse, roster or path.stem, source_file or path.name, fault_of):
        waiting.append(cells)
        if len(waiting) >= batch_rows:
            yield _batch(waiting)
            waiting = []
    if waiting:
        yield _batch(waiting)


def usable_rows(
    path: Path,
    columns: Sequence[Column],
    refuse: Refuse,
    stream: str,
    source_file: str,
    fault_of: Callable[[Sequence[Any]], tuple[str, Fault] | None],
) -> Iterator[list[Any]]:
    """Give the cells of each row that can be used, in the order of `columns`; the others go to `refuse`.

    `fault_of` is asked last, of rows whose cells are right, and names the column at fault.
    """
    for row in rows_of(path, columns):
        faults: list[tuple[str, Fault]] = []
        cells: list[Any] = []
        if row.fault is not None:
            faults.append(("", row.fault))
        else:
            for column, value in zip(columns, row.cells, strict=True):
                cell = read(column, value)
                if type(cell) is Fault:
                    faults.append((column.name, cell))
                cells.append(cell)
            if not faults and (fault := fault_of(cells)) is not None:
                faults.append(fault)
        if faults:
            refuse(_refused(row, columns, faults, stream, source_file))
        else:
            yield cells


def _refused(
    row: RawRow, columns: Sequence[Column], faults: list[tuple[str, Fault]], stream: str, source_file: str
) -> QuarantinedRow:
    """Describe a refused row by its first fault; the reason names all of them."""
    said = "; ".join(f"{field or 'the row'} {fault.why}. To mend it: {fault.mend}" for field, fault in faults)
    field, first = faults[0]
    reason = f"{row.place}: {said}."
    return quarantined(
        STAGE, stream, source_file, row.offset, first.code, reason, row.raw(columns), field=field or None
    )


def _batch(rows: list[list[Any]]) -> Any:
    columns = zip(*rows, strict=True)
    arrays = [pa.array(column, type=field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=SCHEMA)


def roster_fingerprint(path: Path, known: Fingerprint | None = None) -> Fingerprint | None:
    """Give the fingerprint of a roster file for a sensor, `None` where there is no file.

    The content is hashed only where size or time differ from those of `known`; a file that was merely touched keeps its
    `sha256`, which is what a re-index depends on.
    """
    try:
        found = path.stat()
        if known is not None and (known.size, known.mtime_ns) == (found.st_size, found.st_mtime_ns):
            return known
        return Fingerprint(found.st_size, found.st_mtime_ns, sha256_of(path))
    except FileNotFoundError:
        return None
