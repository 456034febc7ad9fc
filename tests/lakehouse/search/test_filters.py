"""What conditions may say, what meets them, and that no value becomes a part of a filter."""

from __future__ import annotations

import pytest

from lakehouse.errors import UsageError
from lakehouse.search.columns import Column, distinct
from lakehouse.search.filters import Condition, conditions, meets

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


def test_a_column_tells_types_apart_and_reads_keywords() -> None:
    column = Column("class", ['{"class": 1}', '{"class": true}', '{"class": "1"}', "{}", '{"class": 1.0}', ""])
    assert column.passing(Condition("class", "eq", 1)).tolist() == [True, False, False, False, True, False]
    assert column.passing(Condition("class", "eq", True)).tolist() == [False, True, False, False, False, False]


def test_distinct_combinations() -> None:
    rows = ['{"a": "x", "b": "1"}', '{"a": "x", "b": "1"}', '{"a": "y"}']
    assert distinct([Column("a", rows), Column("b", rows)]) == {("x", "1"), ("y", None)}
    assert distinct([Column("a", [])]) == set()
