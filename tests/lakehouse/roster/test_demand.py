"""Demands: clusters of one client and city with several roles, four styles, answers that the roster holds."""

from collections import defaultdict

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lakehouse.errors import UsageError
from lakehouse.roster.demand import (
    STYLES,
    Demand,
    demands_of,
    places_of,
    queries,
    read_fill_events,
    write_fill_events,
)
from lakehouse.roster.generate import workers

ONE = Demand("Beacon Freight", "Forklift Operator", "Detroit", "MI", 3, "06:00")


@pytest.fixture(scope="module")
def held():
    return places_of(workers(7, 2000))


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("need", "Need 3 Forklift Operators in Detroit MI starting at 06:00 for Beacon Freight"),
        ("client_first", "Beacon Freight needs 3 Forklift Operators in Detroit MI starting at 06:00"),
        ("looking", "Looking for 3 Forklift Operators at Beacon Freight in Detroit MI, 06:00 start"),
        ("shorthand", "3 Forklift Operator Detroit MI 06:00 Beacon Freight"),
    ],
)
def test_a_demand_is_put_in_four_styles(style, text):
    found = list(queries([ONE], [style]))
    assert [(query.style, query.text, query.demand) for query in found] == [(style, text, ONE)]


def test_all_styles_are_asked_unless_some_are_named():
    assert [query.style for query in queries([ONE])] == list(STYLES)


def test_an_unknown_style_is_refused_before_any_query():
    with pytest.raises(UsageError, match="shouting"):
        next(queries([ONE], ["need", "shouting"]))


def test_the_roster_can_answer_every_demand(held):
    demands = demands_of(held, 7, clusters=20)
    assert len(demands) == 80
    for demand in demands:
        assert 1 <= demand.count <= held[demand.city, demand.state][demand.role]


def test_demands_come_in_clusters_of_one_client_and_city_with_several_roles(held):
    clusters = defaultdict(list)
    for demand in demands_of(held, 7, clusters=20, roles=3):
        clusters[demand.cluster].append(demand.role)
    assert len(clusters) == 20
    assert all(len(roles) == len(set(roles)) == 3 for roles in clusters.values())


def test_the_same_seed_draws_the_same_demands_in_whatever_order_the_roster_lies(held):
    backwards = places_of(reversed(list(workers(7, 2000))))
    assert demands_of(held, 7, clusters=9) == demands_of(backwards, 7, clusters=9)
    assert demands_of(held, 7, clusters=9) != demands_of(held, 8, clusters=9)


def test_workers_who_are_away_or_nowhere_answer_no_demand():
    rows = [
        {"available": True, "city": "Flint", "state": "MI", "role": "Welder"},
        {"available": None, "city": "Flint", "state": "MI", "role": "Packer"},
        {"available": False, "city": "Flint", "state": "MI", "role": "Picker"},
        {"available": True, "city": "", "state": "", "role": "Loader"},
    ]
    assert places_of(rows) == {("Flint", "MI"): {"Welder": 1, "Packer": 1}}


def test_a_city_with_one_role_makes_no_cluster():
    assert demands_of({("Flint", "MI"): {"Welder": 4}}, 7, clusters=3) == []


def test_fill_events_read_back_as_they_were_written(tmp_path, held):
    demands = demands_of(held, 7, clusters=5)
    assert write_fill_events(tmp_path / "fill_events.parquet", demands) == 20
    assert list(read_fill_events(tmp_path / "fill_events.parquet", pytest.fail)) == demands


def test_a_fill_event_that_asks_for_nobody_is_refused_and_a_missing_count_is_one(tmp_path):
    columns = {
        "client": ["Beacon Freight"] * 4,
        "role": ["Welder", None, "Packer", "Picker"],
        "city": ["Flint"] * 4,
        "headcount": [None, 1, 0, 2],
    }
    pq.write_table(pa.table(columns), tmp_path / "fill_events.parquet")
    refused = []
    found = list(read_fill_events(tmp_path / "fill_events.parquet", refused.append))
    assert [(demand.role, demand.count) for demand in found] == [("Welder", 1), ("Picker", 2)]
    assert [(row.line_offset, row.field, row.reason_code) for row in refused] == [
        (1, "role", "missing_role"),
        (2, "count", "no_count"),
    ]
