"""Rows of a Parquet or CSV file, one after the other, whatever is wrong with some of them.

Here: opening, finding the columns, and where each row stands. Not here: what a cell may hold (`cells.py`) and what makes
a row usable (`reading.py`). Memory: one batch of rows, or one line of at most `LONGEST_LINE` bytes.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from lakehouse.errors import UsageError
from lakehouse.roster.cells import LONGEST_TEXT, NOT_UTF8, Column, Fault

LONGEST_LINE: Final = 1 << 20
_BATCH: Final = 4096
_BUFFER: Final = 1 << 20
_BOM: Final = b"\xef\xbb\xbf"


@dataclass(slots=True)
class RawRow:
    """A row as its file has it.

    `place` is for people, `offset` counts lines (CSV) or rows (Parquet) from 0; `cells` are in the order of the columns,
    unless the row as a whole has a `fault`. `lines` are those of the CSV file.
    """

    place: str
    offset: int
    cells: Sequence[Any]
    lines: Sequence[bytes] = ()
    fault: Fault | None = None

    def raw(self, columns: Sequence[Column]) -> bytes:
        """Give the row for the quarantine: the CSV lines as they stand, or the Parquet row as JSON."""
        if self.lines:
            return b"".join(self.lines).rstrip(b"\r\n")
        named = {column.name: cell for column, cell in zip(columns, self.cells, strict=True) if cell is not None}
        return orjson.dumps(named, default=_shown, option=orjson.OPT_NON_STR_KEYS)


def rows_of(path: Path, columns: Sequence[Column]) -> Iterator[RawRow]:
    """Give the rows of a `.parquet` or `.csv` file, cells in the order of `columns`, `None` where a column is missing.

    Raises `UsageError` for a file that cannot be read or lacks a required column.
    """
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise UsageError("it is neither .parquet nor .csv", where=str(path), mend="give one of these two formats")
    try:
        yield from _READERS[suffix](path, columns)
    except (OSError, pa.ArrowException) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged or of another format"
        raise UsageError(
            f"it cannot be read ({why})", where=str(path), mend="look at the file, or copy it again"
        ) from error


def _positions(path: Path, columns: Sequence[Column], names: Sequence[str]) -> list[int | None]:
    """Say where each column stands in the file, by its name or one of its aliases, in any case."""
    folded = [name.strip().lower() for name in names]
    found: list[int | None] = []
    for column in columns:
        places = [place for place, name in enumerate(folded) if name == column.name or name in column.aliases]
        if len(places) > 1:
            raise UsageError(
                f"it has {len(places)} columns for {column.name}", where=str(path), mend="keep one of them"
            )
        if column.required and not places:
            raise UsageError(
                f"it has no column {column.name}; its columns are {', '.join(names)[:400]}",
                where=str(path),
                mend="name the column so in the first line (separated by commas in CSV)",
            )
        found.append(places[0] if places else None)
    return found


def _parquet(path: Path, columns: Sequence[Column]) -> Iterator[RawRow]:
    offset = 0
    with pq.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False) as file:
        names = file.schema_arrow.names
        held = [None if place is None else names[place] for place in _positions(path, columns, names)]
        wanted = [name for name in held if name is not None]
        for batch in file.iter_batches(_BATCH, columns=wanted, use_threads=False):
            nothing = [None] * batch.num_rows
            lists = [nothing if name is None else _values(batch.column(name)) for name in held]
            for cells in zip(*lists, strict=True):
                yield RawRow(f"row {offset + 1}", offset, cells)
                offset += 1


def _values(array: Any) -> list[Any]:
    """Give the values of an Arrow array; one that is not UTF-8 becomes a fault."""
    try:
        return array.to_pylist()  # type: ignore[no-any-return]
    except UnicodeDecodeError:
        return [_value(array, place) for place in range(len(array))]


def _value(array: Any, place: int) -> Any:
    try:
        return array[place].as_py()
    except UnicodeDecodeError:
        return NOT_UTF8


def _shown(value: Any) -> str:
    return value.why if type(value) is Fault else str(value)


class _Lines:
    """The lines of a CSV file as text, for `csv.reader`, and the bytes of those that the current row took."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._again: deque[bytes] = deque()
        self.number = 0
        self.taken: list[bytes] = []
        self.bad = False
        self.too_long = False

    def start(self) -> None:
        """Begin a row."""
        self.taken, self.bad, self.too_long = [], False, False

    def give_back(self) -> None:
        """Keep the first line of a faulty row alone: a quote that nobody closed does not cost the rows behind it."""
        self._again.extendleft(reversed(self.taken[1:]))
        self.number -= len(self.taken) - 1
        del self.taken[1:]

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._again:
            line = self._again.popleft()
        elif not (line := self._read()):
            raise StopIteration
        self.number += 1
        self.taken.append(line)
        if len(line) >= LONGEST_LINE and not line.endswith(b"\n"):
            self.too_long = True
            line = b"\n"
        try:
            return line.decode()
        except UnicodeDecodeError:
            self.bad = True
            return line.decode(errors="surrogateescape")

    def _read(self) -> bytes:
        """Read a line; of one that is too long the start, passing over the rest."""
        line = self._file.readline(LONGEST_LINE)
        if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
            while (rest := self._file.readline(LONGEST_LINE)) and not rest.endswith(b"\n"):
                pass
        return line.removeprefix(_BOM) if self.number == 0 else line


def _csv(path: Path, columns: Sequence[Column]) -> Iterator[RawRow]:
    with path.open("rb", buffering=_BUFFER) as file:
        lines = _Lines(file)
        # Strict: a quote that nobody closes is a fault of its row.
        reader = csv.reader(lines, strict=True)
        try:
            names = next(reader, [])
        except csv.Error as error:
            raise UsageError(f"its first line is no CSV ({error})", where=f"{path}:1", mend="see RFC 4180") from None
        if lines.bad:
            raise UsageError("its first line is not UTF-8", where=f"{path}:1", mend=NOT_UTF8.mend)
        places = _positions(path, columns, names)
        while True:
            lines.start()
            offset, cells, fault = lines.number, [], None
            try:
                cells = next(reader)
                fault = _row_fault(lines, cells, len(names))
            except StopIteration:
                return
            except csv.Error as error:
                fault = _csv_fault(str(error))
            place = f"line {offset + 1}"
            if fault is not None:
                lines.give_back()
                yield RawRow(place, offset, (), lines.taken, fault)
            elif cells:
                kept = [None if at is None else _decoded(cells[at], lines.bad) for at in places]
                yield RawRow(place, offset, kept, lines.taken)


def _decoded(cell: str, bad: bool) -> str | Fault:
    """Give a cell as it is, or a fault where bytes in it were not UTF-8; `bad` says that some of its row were not."""
    if bad:
        try:
            cell.encode()
        except UnicodeEncodeError:
            return NOT_UTF8
    return cell


def _row_fault(lines: _Lines, cells: list[str], width: int) -> Fault | None:
    if lines.too_long:
        return Fault("too_long", f"is longer than {LONGEST_LINE} bytes", "shorten it, or look for a missing line end")
    if cells and len(cells) != width:
        why = f"has {len(cells)} fields where the first line has {width}"
        return Fault("wrong_width", why, "quote fields that hold commas or line ends")
    return None


def _csv_fault(error: str) -> Fault:
    if "field limit" in error:
        why = f"has a field of more than {LONGEST_TEXT} characters"
        return Fault("too_long", why, "look for a quote that is never closed, or shorten the field")
    return Fault("bad_csv", f"is no CSV ({error})", 'close each quote, and write a quote inside one as ""')


_READERS: Final = {".parquet": _parquet, ".csv": _csv}
