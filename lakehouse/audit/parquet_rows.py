"""Which rows of a Parquet file are not those of another.

Here: the comparison, row group by row group and column by column. Not here: where the other file comes from
(`rebuild.py`).

A changed byte often spoils a compressed block, which then cannot be read: of it only the rows are known that it holds.
"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_UNREADABLE = (pa.ArrowException, OSError)


def differing_rows(path: Path, was: Path, *, leave_out: frozenset[str]) -> list[tuple[int, str]]:
    """Name the rows (from 1) of a file that differ from those of another; 0 where the row cannot be told.

    The columns of `leave_out` are not compared. Memory: a column of a row group of both files.
    """
    try:
        with pq.ParquetFile(path) as file, pq.ParquetFile(was) as other:
            found = list(_rows(file, other, leave_out))
    except _UNREADABLE:
        return [(0, "it cannot be read as Parquet: its footer or its schema changed")]
    return found or [(0, f"{_first_difference(path, was)}, which belongs to no row")]


def _rows(file: Any, other: Any, leave_out: frozenset[str]) -> list[tuple[int, str]]:
    if (file.schema_arrow.names, file.num_row_groups) != (other.schema_arrow.names, other.num_row_groups):
        return [(0, "its columns or row groups are not those that were written")]
    named: dict[int, list[str]] = {}
    blocks = []
    first = 1
    for group in range(other.num_row_groups):
        size = other.metadata.row_group(group).num_rows
        for name in other.schema_arrow.names:
            if name in leave_out:
                continue
            held = other.read_row_group(group, columns=[name]).column(0)
            try:
                found = file.read_row_group(group, columns=[name]).column(0)
                found.validate(full=True)
            except _UNREADABLE:
                blocks.append((0, f"column {name} of rows {first} to {first + size - 1} cannot be read"))
                continue
            if not found.equals(held):
                for place, (one, two) in enumerate(zip_longest(found.to_pylist(), held.to_pylist())):
                    if one != two:
                        named.setdefault(first + place, []).append(name)
        first += size
    rows = [(row, f"the row changed after it was written (column {', '.join(names)})") for row, names in named.items()]
    return [*sorted(rows), *blocks]


def _first_difference(path: Path, was: Path) -> str:
    with path.open("rb") as one, was.open("rb") as other:
        start = 0
        while True:
            a, b = one.read(1 << 20), other.read(1 << 20)
            if a != b:
                place = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
                return f"byte {start + place} changed"
            if not a:
                return "no byte changed"
            start += len(a)
