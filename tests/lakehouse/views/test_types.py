"""From record types to DuckDB types."""

from __future__ import annotations

from typing import Any, Literal

import duckdb
import msgspec
import pytest
from hypothesis import example, given, strategies

from lakehouse import records
from lakehouse.audit.schemas import record_types
from lakehouse.views.types import columns_of, listed, name, nothing, readable, structure, text, type_of, written

CONNECTION = duckdb.connect()


class Inner(msgspec.Struct):
    id: str
    score: float | None = None


class Renamed(msgspec.Struct, rename="pascal"):
    how_many: int


@pytest.mark.parametrize(
    ("hint", "sql"),
    [
        (str, "VARCHAR"),
        (int, "BIGINT"),
        (float, "DOUBLE"),
        (bool, "BOOLEAN"),
        (str | None, "VARCHAR"),
        (int | float, "DOUBLE"),
        (int | float | None, "DOUBLE"),
        (Literal["a", "b"], "VARCHAR"),
        (Literal[1], "BIGINT"),
        (list[str], "VARCHAR[]"),
        (list[list[int]] | None, "BIGINT[][]"),
        (Inner, 'STRUCT("id" VARCHAR, "score" DOUBLE)'),
        (list[Inner] | None, 'STRUCT("id" VARCHAR, "score" DOUBLE)[]'),
        (dict[str, int], "JSON"),
        (list[dict[str, Any]], "JSON[]"),
        (dict[str, list[Inner]] | None, "JSON"),
        (float | bool | str, "JSON"),
        (Any, "JSON"),
        (Any | None, "JSON"),
    ],
)
def test_a_hint_has_its_type(hint: Any, sql: str) -> None:
    assert written(type_of(hint)) == sql


def test_a_column_has_the_name_that_its_key_has_on_the_wire() -> None:
    assert columns_of(Renamed) == {"HowMany": "BIGINT"}


def test_a_hint_without_a_type_is_an_error_and_no_guess() -> None:
    with pytest.raises(KeyError):
        type_of(bytes)


@pytest.mark.parametrize("record", record_types(records), ids=lambda one: one.__name__)
def test_duckdb_takes_the_types_of_every_record_in_each_of_their_forms(record: type[msgspec.Struct]) -> None:
    columns = columns_of(record)
    with duckdb.connect() as connection:
        wanted = connection.execute(f"DESCRIBE {nothing(columns)}").fetchall()
        transformed = connection.execute(
            f"DESCRIBE SELECT unnest(json_transform('{{}}', {text(structure(dict(columns)))}))"
        ).fetchall()
        read = connection.execute(
            f"DESCRIBE SELECT * FROM read_json('/dev/null', columns = {listed(columns)}, format = 'newline_delimited')"
        ).fetchall()
    assert [one[0] for one in wanted] == list(columns)
    assert [one[:2] for one in transformed] == [one[:2] for one in wanted] == [one[:2] for one in read]


@given(strategies.text(strategies.characters(exclude_categories=["Cs"], exclude_characters="\0")))
@example("it's")
@example("''")
@example('say "so"')
@example("\\'; DROP VIEW sessions; --")
def test_a_text_and_a_name_come_back_as_they_were(value: str) -> None:
    assert CONNECTION.execute(f"SELECT {text(value)}").fetchone() == (value,)
    if value:
        assert CONNECTION.execute(f"SELECT 1 AS {name(value)}").description[0][0] == value


def test_a_null_character_is_no_sql() -> None:
    with pytest.raises(ValueError, match="null character"):
        text("a\0b")


def test_a_line_counts_where_its_version_is_known_and_its_keys_are_there() -> None:
    assert (
        readable(records.SessionRecord, ["session_id"])
        == '"schema" IN (\'session.iterate.v1\') AND "session_id" IS NOT NULL'
    )
    assert readable(records.RagChunk, ["id"]) == '"schema_version" IN (1) AND "id" IS NOT NULL'
    assert readable(records.OverrideRow, ["by"]) == '"by" IS NOT NULL'
