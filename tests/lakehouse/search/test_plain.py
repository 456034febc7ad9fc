"""LanceDB alone gives what memory gives."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from lakehouse.search.engine import Searcher
from lakehouse.search.filters import conditions
from lakehouse.search.plain import Plain

from .conftest import IDENTITY, MadeSource, at_distance

lancedb = pytest.importorskip("lancedb")
pa = pytest.importorskip("pyarrow")

ODD_IDS = ["w-1", "x' OR '1'='1", "w-'", 'w-"', "w-\\", "w-é", "w-6", "w-7"]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    source = MadeSource()
    for place, row_id in enumerate(ODD_IDS):
        data = {"city": ["Gary", "x' OR '1'='1"][place % 2], "place": place}
        source.put(row_id, at_distance(0.1 + place / 10), f"text of {place}", data)
    schema = pa.schema(
        [("id", pa.string()), ("vector", pa.list_(pa.float32(), 8)), ("text", pa.string()), ("metadata", pa.string())]
    )
    rows = source.rows()
    data = [
        {"id": row_id, "vector": vector.tolist(), "text": text, "metadata": metadata}
        for row_id, vector, text, metadata in zip(rows.ids, rows.vectors, rows.texts, rows.metadata, strict=True)
    ]
    connection = lancedb.connect(tmp_path_factory.mktemp("lance"), read_consistency_interval=timedelta(0))
    table = connection.create_table("workers", pa.Table.from_pylist(data, schema))
    return Plain(lambda: table, lambda _: IDENTITY).view(), Searcher(source).view()


def same(one: list[Any], other: list[Any]) -> None:
    assert [(hit.id, round(hit.distance, 5), hit.raw) for hit in one] == [
        (hit.id, round(hit.distance, 5), hit.raw) for hit in other
    ]


QUERY = at_distance(0)


@pytest.mark.parametrize(
    "where",
    [
        [],
        [{"field": "city", "op": "eq", "value": "x' OR '1'='1"}],
        [{"field": "place", "op": "gt", "value": 3}, {"field": "city", "op": "ne", "value": "Gary"}],
        [{"field": "city", "op": "eq", "value": "' OR 1=1 --"}],
    ],
)
def test_nearest_is_the_same(both: tuple[Any, Any], where: list[dict[str, Any]]) -> None:
    plain, memory = both
    for k in (0, 3, 20):
        same(plain.nearest(QUERY, k, conditions(where)), memory.nearest(QUERY, k, conditions(where)))


def test_an_id_never_becomes_a_part_of_a_filter(both: tuple[Any, Any]) -> None:
    plain, memory = both
    for asked in ([], ["x' OR '1'='1"], ["' OR true --", "nobody"], ODD_IDS):
        same(plain.among(asked, QUERY), memory.among(asked, QUERY))
    assert [hit.id for hit in plain.among(["x' OR '1'='1"], QUERY)] == ["x' OR '1'='1"]
    assert plain.text_of("x' OR '1'='1") == "text of 1"
    assert plain.text_of("y' OR '1'='1") == ""


def test_the_rest_of_the_interface_is_the_same(both: tuple[Any, Any]) -> None:
    plain, memory = both
    same(plain.within(QUERY, 0.35), memory.within(QUERY, 0.35))
    where = conditions([{"field": "city", "op": "eq", "value": "Gary"}])
    assert plain.matching("text 2", 3, where) == memory.matching("text 2", 3, where)
    assert plain.matching("text", 8) == memory.matching("text", 8)
    assert plain.distinct(["city"]) == memory.distinct(["city"])
    assert np.isclose(plain.nearest(QUERY, 1)[0].distance, 0.1)
    assert json.loads(plain.nearest(QUERY, 1)[0].raw)["place"] == 0
