"""What conditions may say, what meets them, and that no value becomes a part of a filter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import UsageError
from lakehouse.search.columns import Column, distinct
from lakehouse.search.filters import Condition, conditions, ids_in, literal, meets

ROW = {"role": "Welder", "age": 41, "score": 0.5, "day": True, "certs": ["OSHA-10", "forklift"], "none": None}


@pytest.mark.parametrize(
    ("field", "op", "value", "met"),
    [
        ("role", "eq", "Welder", True),
        ("role", "eq", "welder", False),
        ("role", "ne", "Picker", True),
        ("role", "ne", "Welder", False),
        ("role", "in", ["Picker", "Welder"], True),
        ("role", "in", ["Picker"], False),
        ("role", "lt", "Z", True),
        ("role", "contains", "eld", True),
        ("role", "contains", "x", False),
        ("age", "eq", 41.0, True),
        ("age", "eq", "41", False),
        ("age", "lt", 41, False),
        ("age", "le", 41, True),
        ("age", "gt", 40.5, True),
        ("age", "ge", 42, False),
        ("age", "in", [40, 41], True),
        ("score", "gt", 0, True),
        ("day", "eq", True, True),
        ("day", "eq", 1, False),
        ("age", "ne", "x", False),
        ("certs", "contains", "forklift", True),
        ("certs", "contains", "fork", False),
        ("certs", "eq", "forklift", False),
        ("none", "ne", "x", False),
        ("missing", "ne", "x", False),
        ("missing", "eq", "x", False),
    ],
)
def test_a_condition_is_met(field: str, op: str, value: object, met: bool) -> None:
    (condition,) = conditions([{"field": field, "op": op, "value": value}])
    assert meets(condition, ROW.get(field)) is met


@pytest.mark.parametrize(
    ("where", "named"),
    [
        ([{"field": "role", "op": "like", "value": "x"}], "role"),
        ([{"field": "role", "op": ["eq"], "value": "x"}], "role"),
        ([{"field": "role", "op": "in", "value": "Welder"}], "role"),
        ([{"field": "role", "op": "in", "value": []}], "role"),
        ([{"field": "role", "op": "in", "value": ["a", 1]}], "role"),
        ([{"field": "role", "op": "eq", "value": ["a"]}], "role"),
        ([{"field": "role", "op": "eq", "value": None}], "role"),
        ([{"field": "role", "op": "eq", "value": {"a": 1}}], "role"),
        ([{"field": "age", "op": "lt", "value": True}], "age"),
        ([{"field": "age", "op": "lt", "value": float("nan")}], "age"),
        ([{"field": "age", "op": "eq", "value": 2**53}], "age"),
        ([{"field": "certs", "op": "contains", "value": 1}], "certs"),
        ([{"field": "role' OR '1'='1", "op": "eq", "value": "x"}], "where[0]"),
        ([{"field": "role", "op": "eq"}], "where[0]"),
        ([{"field": "a", "op": "eq", "value": 1}, "role = 'x'"], "where[1]"),
        ("role = 'x'", "where"),
        ({"field": "role", "op": "eq", "value": "x"}, "where"),
    ],
)
def test_a_wrong_condition_is_refused_by_name(where: object, named: str) -> None:
    with pytest.raises(UsageError) as refused:
        conditions(where)  # type: ignore[arg-type]
    assert named in str(refused.value)


def test_no_conditions_are_none() -> None:
    assert conditions(None) == conditions([]) == ()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("x' OR '1'='1", "'x'' OR ''1''=''1'"),
        ("''", "''''''"),
        ("a\\'b", "'a\\''b'"),
        (True, "true"),
        (1, "1"),
        (0.5, "0.5"),
        (-1e300, "-1e+300"),
    ],
)
def test_quotes_are_doubled(value: str | float, written: str) -> None:
    assert literal(value) == written


def test_a_nul_character_is_refused() -> None:
    with pytest.raises(UsageError):
        literal("a\0b")


@given(st.lists(st.text().filter(lambda text: "\0" not in text), max_size=4))
def test_a_filter_holds_the_ids_and_nothing_else(ids: list[str]) -> None:
    """Read as SQL reads literals, the filter gives the ids back."""
    written = ids_in(ids)
    if not ids:
        assert written == "false"
        return
    rest, read = written.removeprefix("id IN (").removesuffix(")"), []
    while rest:
        assert rest[0] == "'"
        end = 1
        while rest[end : end + 2] == "''" or rest[end] != "'":
            end += 2 if rest[end] == "'" else 1
        read.append(rest[1:end].replace("''", "'"))
        rest = rest[end + 1 :].removeprefix(", ")
    assert read == ids


def test_a_column_tells_types_apart_and_reads_keywords() -> None:
    column = Column("class", ['{"class": 1}', '{"class": true}', '{"class": "1"}', "{}", '{"class": 1.0}', ""])
    assert column.passing(Condition("class", "eq", 1)).tolist() == [True, False, False, False, True, False]
    assert column.passing(Condition("class", "eq", True)).tolist() == [False, True, False, False, False, False]


def test_distinct_combinations() -> None:
    rows = ['{"a": "x", "b": "1"}', '{"a": "x", "b": "1"}', '{"a": "y"}']
    assert distinct([Column("a", rows), Column("b", rows)]) == {("x", "1"), ("y", None)}
    assert distinct([Column("a", [])]) == set()
