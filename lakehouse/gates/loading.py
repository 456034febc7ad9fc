"""Whether the files beside the samples load as trainers load them: as one table, with TRL's fields, a row for each sample.

Here: reading such a file with `pyarrow.json`, on which the loader of `datasets` rests. Not here: the gate
(`contracts.py`), how the lines are written (`lakehouse/publish/forms.py`).

A file is read in stretches whose schemas must unite, so that memory does not grow with it. Source: TRL documentation,
"Dataset formats and types".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from lakehouse.jsonl import stretches

STRETCH = 32 << 20
BESIDE = ("tools",)
"""Columns that a file may have beside those that are asked for."""


def loads(path: Path, wanted: Sequence[str], rows: int) -> list[dict[str, Any]]:
    """Give what keeps a file from loading: an offender without its file for each fault, none where it loads.

    `wanted` are its columns, lists of messages; `rows` how many it must have. Empty files have no columns and load.
    """
    try:
        size = path.stat().st_size
        found, schema = 0, pa.schema([])
        for start, end in stretches(path, 1 + size // STRETCH) if size else ():
            table = _table(path, start, end)
            found += table.num_rows
            schema = pa.unify_schemas([schema, table.schema], promote_options="permissive")
    except (pa.ArrowException, OSError) as error:
        # Without its message, which may repeat values.
        return [{"line": 0, "why": f"it does not load as one table ({type(error).__name__})"}]
    faults = []
    if found != rows:
        faults.append(f"it has {found} rows, the samples are {rows}")
    if found:
        faults += _columns(schema, wanted)
    return [{"line": 0, "why": why} for why in faults]


def _table(path: Path, start: int, end: int) -> Any:
    from pyarrow import json

    with path.open("rb") as file:
        file.seek(start)
        data = file.read(end - start)
    # A block holds the longest line.
    return json.read_json(pa.BufferReader(data), json.ReadOptions(block_size=max(len(data), 1)))


def _columns(schema: Any, wanted: Sequence[str]) -> Iterator[str]:
    for name in wanted:
        if name not in schema.names:
            yield f"it has no column {name!r}, which trainers ask for"
        elif not _is_messages(schema.field(name).type):
            yield f"its column {name!r} is no list of messages with role and content"
    for name in schema.names:
        if name not in wanted and name not in BESIDE:
            yield "it has a column that no trainer asks for"


def _is_messages(kind: Any) -> bool:
    if not pa.types.is_list(kind) or not pa.types.is_struct(kind.value_type):
        return False
    fields = {field.name: field.type for field in kind.value_type}
    return all(name in fields and pa.types.is_string(fields[name]) for name in ("role", "content"))
