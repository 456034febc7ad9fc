"""What a demand asks for: its place beside its role, and the wording that finds such workers."""

import pytest

from lakehouse.roster.asks import Ask, query_text, read_ask
from lakehouse.roster.cities import find_place
from lakehouse.roster.demand import STYLES, demands_of, places_of, queries
from lakehouse.roster.generate import workers
from lakehouse.roster.schema import text_of

PLACES = frozenset(
    {
        ("Detroit", "MI"),
        ("Flint", "MI"),
        ("Springfield", "IL"),
        ("Springfield", "OH"),
        ("St. Louis", "MO"),
        ("Grand Rapids", "MI"),
    }
)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("Need 3 Welders in Detroit MI", ("Detroit", "MI")),
        ("3 welder detroit, mi", ("Detroit", "MI")),
        ("welders for grand rapids", ("Grand Rapids", "MI")),
        ("St Louis MO, two packers", ("St. Louis", "MO")),
        ("Springfield OH", ("Springfield", "OH")),
        ("Springfield", ("Springfield", "")),
        ("Springfield WI", ("Springfield", "")),
        ("Detroit Freight needs 3 Welders in Flint MI", ("Flint", "MI")),
        ("Detroit Freight needs 3 Welders in Flint", ("Flint", "MI")),
        ("Flint or Detroit", ("Flint", "MI")),
        ("Boise ID", ("", "")),
        ("", ("", "")),
    ],
)
def test_the_place_is_the_city_with_its_state_then_the_one_after_in(text, place):
    assert find_place(text, PLACES) == place


def test_without_known_places_there_is_none():
    assert find_place("Detroit MI", frozenset()) == ("", "")


@pytest.mark.parametrize("style", STYLES)
def test_what_a_demand_asks_for_is_found_in_every_style(style):
    held = places_of(workers(7, 2000))
    for query in queries(demands_of(held, 7, clusters=60), [style]):
        asked = query.demand
        assert read_ask(query.text, held) == Ask(asked.role, asked.city, asked.state), query.text


def test_a_demand_is_worded_as_a_worker_text_begins():
    (row,) = workers(7, 1)
    text = f"Need 2 {row['role']}s in {row['city']} {row['state']} for Beacon Freight"
    ask = read_ask(text, {(row["city"], row["state"])})
    assert text_of(row).startswith(query_text(text, ask) + " ")


def test_a_demand_without_a_role_is_embedded_as_it_is():
    assert query_text("who can weld in Flint?", read_ask("who can weld in Flint?", PLACES)) == "who can weld in Flint?"
