"""What assets show: columns of records, tables of any rows."""

import dagster as dg
import pytest

from assets.describing import SHOWN, column_schema, rows_table
from lakehouse.records import EvidenceRecord, ScoredRun


@pytest.mark.parametrize(
    ("record", "name", "kind", "nullable"),
    [
        (EvidenceRecord, "run_id", "str", False),
        (EvidenceRecord, "observer_confidence", "int | float", True),
        (EvidenceRecord, "source_files", "list[str]", True),
        (EvidenceRecord, "provenance", "Provenance", False),
        (ScoredRun, "sub_scores", "dict[str, float | bool | str]", False),
        (ScoredRun, "schema_version", "1", False),
    ],
)
def test_columns_are_named_and_typed_as_in_the_record(
    record: type[EvidenceRecord], name: str, kind: str, nullable: bool
) -> None:
    columns = {column.name: column for column in column_schema(record).columns}
    assert (columns[name].type, columns[name].constraints.nullable) == (kind, nullable)


def test_a_table_takes_rows_with_different_keys() -> None:
    table = rows_table([{"file": "a", "line": 1}, {"file": "b", "line": 2, "run": "r"}])
    assert [column.name for column in table.schema.columns] == ["file", "line", "run"]
    assert [dict(record.data) for record in table.records] == [
        {"file": "a", "line": 1, "run": None},
        {"file": "b", "line": 2, "run": "r"},
    ]


def test_an_empty_table_still_has_its_columns() -> None:
    assert [column.name for column in rows_table([], ("file", "why")).schema.columns] == ["file", "why"]


def test_a_table_shows_its_first_rows_only() -> None:
    table = rows_table([{"line": number} for number in range(SHOWN + 5)])
    assert [record.data["line"] for record in table.records] == list(range(SHOWN))
    assert isinstance(table, dg.TableMetadataValue)
