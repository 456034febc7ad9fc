"""What is asked of an open table: columns of all rows, rows by their ids, rows written since a version.

Here: queries that read every row they match, never the nearest ones (`lakehouse.search` finds those in memory). Not here:
opening a table (`store.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from lakehouse.corpora.filters import at_least, one_of, slices
from lakehouse.corpora.rows import matrix_of


def scanned(table: Any, columns: Sequence[str]) -> Any:
    """Read some columns of all rows."""
    return _fitted(table, table.search().select(list(columns)).limit(None).to_arrow(), columns)


def written_since(table: Any, version: int) -> Any:
    """Read the rows that were written by commits after a version."""
    query = table.search().where(at_least("after_version", version)).limit(None)
    return _fitted(table, query.to_arrow(), table.schema.names)


def rows_by_id(table: Any, ids: Sequence[str]) -> Any:
    """Read rows by their ids, in any order; those that are not there are left out."""
    names = table.schema.names
    found = [
        _fitted(table, table.search().where(one_of("id", some)).limit(None).to_arrow(), names) for some in slices(ids)
    ]
    return pa.concat_tables(found) if found else table.schema.empty_table()


def ids_among(table: Any, rows: Any) -> set[str]:
    """Give those ids of some rows that a table holds."""
    found: set[str] = set()
    for some in slices(rows.column("id").to_pylist()):
        query = table.search().where(one_of("id", some)).select(["id"]).limit(None)
        found.update(query.to_arrow().column("id").to_pylist())
    return found


def vectors_by_id(table: Any, ids: Sequence[str]) -> dict[str, Any]:
    """Read the vectors of rows by their ids."""
    rows = rows_by_id(table, ids)
    return dict(zip(rows.column("id").to_pylist(), matrix_of(rows), strict=True))


def _fitted(table: Any, rows: Any, columns: Sequence[str]) -> Any:
    """Bring what a query gave to the schema of its table."""
    schema = pa.schema([table.schema.field(name) for name in columns], metadata=table.schema.metadata)
    return rows.select(list(columns)).cast(schema)
