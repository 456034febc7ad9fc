"""JSONL files as NumPy-backed pandas frames, batch by batch, in which the place of each row is known.

Here: reading, and strict decoding with msgspec, which is what checks the types of a record and of all that stands in it.
Null, sets, ranges, patterns and uniqueness are left to Great Expectations, so records are decoded with every field
optional and every literal as its type. Not here: which columns a record becomes (`shapes.py`), what they must hold
(`suites.py`).

Memory: one batch of rows, and 24 bytes a row for the keys and the places of all rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, reduce
from operator import or_
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Union, get_args, get_origin, get_type_hints

import msgspec

from lakehouse.contracts.columns import Context, Row, Shape
from lakehouse.contracts.suites import KEY
from lakehouse.lake import Lake
from lakehouse.records import Record

if TYPE_CHECKING:
    import pandas as pd

BATCH = 100_000
_BLOCK = 500
"""Rows held as tuples: fewer than make Python look for garbage, which takes long where much is imported."""


class Source(NamedTuple):
    """A file to read, what offenders call it, and the stream that it must be of, where it is one's."""

    path: Path
    name: str
    stream: str | None = None


class Batch(NamedTuple):
    """A frame, and for each of its rows the number of its file and its line (from 1)."""

    frame: pd.DataFrame
    files: Sequence[int]
    lines: Sequence[int]


class Frames:
    """The rows of files as batches. After the last one, `keys` is the batch of all keys, and `faults` the lost lines."""

    def __init__(self, lake: Lake, shape: Shape, sources: Sequence[Source]) -> None:
        self._lake = lake
        self._shape = shape
        self._sources = sources
        self.rows = 0
        self.faults: list[tuple[int, int, str]] = []
        """File, line and reason of the first lines that do not decode."""
        self.lost = 0
        self._keys = array("q")
        self._files = array("q")
        self._lines = array("q")

    def batches(self, size: int = BATCH, most: int = 100) -> Iterator[Batch]:
        """Read the files once; `most` lines that do not decode are remembered, all are counted as rows."""
        context, row = Context(self._lake), self._shape.row
        decode = decoder(self._shape.record)
        held: list[Row] = []
        columns: list[list[Any]] = self._empty()
        for number, source in enumerate(self._sources):
            context.stream = source.stream
            with source.path.open("rb", buffering=1 << 18) as file:
                for line, data in enumerate(file, start=1):
                    self.rows += 1
                    try:
                        record = decode(data)
                    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                        self.lost += 1
                        if len(self.faults) < most:
                            self.faults.append((number, line, f"the line does not decode ({error})"))
                        continue
                    held.append(row(record, context))
                    self._files.append(number)
                    self._lines.append(line)
                    full = len(held) + len(columns[0]) == size
                    if full or len(held) == _BLOCK:
                        _move(held, columns)
                    if full:
                        yield self._batch(columns)
                        columns = self._empty()
        _move(held, columns)
        if columns[0]:
            yield self._batch(columns)

    def _empty(self) -> list[list[Any]]:
        """Give a list for each column, and one for the keys."""
        return [[] for _ in range(len(self._shape.columns) + 1)]

    def _batch(self, columns: list[list[Any]]) -> Batch:
        self._keys.extend(columns.pop())
        start = len(self._files) - len(columns[0])
        return Batch(frame(self._shape.columns, columns), self._files[start:], self._lines[start:])

    def keys(self) -> Batch:
        """Give the keys of all rows that decoded as 64 bits each: equal keys are equal, and others by chance alone."""
        import numpy as np
        import pandas as pd

        return Batch(pd.DataFrame({KEY: np.frombuffer(self._keys, np.int64)}), self._files, self._lines)


def _move(held: list[Row], columns: list[list[Any]]) -> None:
    """Move rows to the ends of the columns."""
    for column, values in zip(columns, zip(*held, strict=True), strict=False):
        column.extend(values)
    held.clear()


def frame(columns: Mapping[str, str], values: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """Make a frame of columns of NumPy arrays: objects, floats or booleans, by the kind of each column."""
    import numpy as np
    import pandas as pd

    kinds: dict[str, Any] = {"text": object, "number": np.float64, "flag": np.bool_}
    made = {}
    for (name, kind), held in zip(columns.items(), values, strict=True):
        column = np.empty(len(held), dtype=kinds[kind])
        column[:] = held
        # With its type: pandas makes text of its own kind, backed by Arrow, of any other array of strings.
        made[name] = pd.Series(column, dtype=kinds[kind])
    return pd.DataFrame(made)


@lru_cache(maxsize=8)
def decoder(record: type[Record]) -> Callable[[bytes], Any]:
    """Give what decodes a line strictly into the types of a record, in which any field may be absent."""
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(_loose(record)).decode
    return decode


def _loose(hint: Any) -> Any:
    """Give a type without its literals and its required fields."""
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        hints = get_type_hints(hint)
        fields = [(one, _loose(hints[one]) | None, None) for one in hint.__struct_fields__]
        return msgspec.defstruct(hint.__name__, fields, kw_only=True, gc=False)
    if get_origin(hint) is Literal:
        return reduce(or_, {type(value) for value in get_args(hint)})
    if get_origin(hint) in (Union, UnionType):
        return reduce(or_, map(_loose, get_args(hint)))
    return hint
