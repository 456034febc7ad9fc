"""What assets and checks show: column schemas from the records, tables, files, numbers with a history.

Here: from records of the domain to Dagster metadata. A plain number under the same name in every materialization is
what the UI plots. Not here: which asset shows what.
"""

import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
import msgspec

from lakehouse.board import bars, table
from lakehouse.lake import Lake
from lakehouse.records import DayManifest, FileRef

OWNER = "team:lakehouse"
ROWS = "dagster/row_count"
SHOWN = 100
"""Rows of a table that the UI is given."""


def column_schema(record: type[msgspec.Struct]) -> dg.TableSchema:
    """Give the columns of a record as the UI lists them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                field.encode_name,
                _type_name(field.type),
                constraints=dg.TableColumnConstraints(nullable=not field.required),
            )
            for field in msgspec.structs.fields(record)
        ]
    )


def _type_name(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " | ".join(_type_name(one) for one in arguments if one is not type(None))
    if origin is typing.Literal:
        return " | ".join(repr(one) for one in arguments)
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(_type_name, arguments))}]"
    return str(getattr(kind, "__name__", kind))


def rows_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str] = ()) -> dg.TableMetadataValue:
    """Give rows of plain values as a table; `columns` names those of a table that may be empty. At most 100 are kept."""
    names = list(dict.fromkeys([*columns, *(name for row in rows for name in row)]))
    kinds = {name: {_plain_type(row[name]) for row in rows if row.get(name) is not None} for name in names}
    schema = [dg.TableColumn(name, kinds[name].pop() if len(kinds[name]) == 1 else "string") for name in names]
    records = [
        dg.TableRecord({column.name: _cell(row.get(column.name), column.type) for column in schema})
        for row in rows[:SHOWN]
    ]
    return dg.MetadataValue.table(records=records, schema=dg.TableSchema(columns=schema))


def _plain_type(value: Any) -> str:
    return {bool: "bool", int: "int", float: "float"}.get(type(value), "string")


def _cell(value: Any, kind: str) -> str | int | float | bool | None:
    return value if value is None or kind != "string" else str(value)


def files_table(refs: Iterable[FileRef]) -> dg.MarkdownMetadataValue:
    """List the files that were written, relative to the lake."""
    rows = ((ref.path, ref.rows, ref.bytes, ref.sha256[:16]) for ref in refs)
    return dg.MetadataValue.md(table(("path", "rows", "bytes", "sha256"), rows))


def day_metadata(lake: Lake, manifest: DayManifest) -> dict[str, Any]:
    """Describe what a stage made of a day. Counts of categories or of samples per stream come as plots and numbers."""
    found: dict[str, Any] = {
        ROWS: manifest.records_out,
        "rows_in": manifest.records_in,
        "rows_skipped": sum(manifest.skip_reasons.values()),
        "rows_quarantined": manifest.records_quarantined,
        "quarantined_share": manifest.records_quarantined / manifest.records_in if manifest.records_in else 0.0,
        "bytes": sum(ref.bytes for ref in manifest.outputs),
        "files": files_table(manifest.outputs),
        "manifest": dg.MetadataValue.path(str(lake.manifest(manifest.stage, manifest.day))),
    }
    if manifest.skip_reasons:
        found["skipped"] = dg.MetadataValue.md(bars("reason", manifest.skip_reasons))
    whole = {name: number for name, number in manifest.counts.items() if "/" not in name}
    if whole:
        found["counts"] = dg.MetadataValue.md(bars("what", whole))
        found |= whole
    return found
