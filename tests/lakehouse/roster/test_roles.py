"""Roles in demands: which words are the role, when nobody knows, and when two spellings are one role."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import OutsideFailure
from lakehouse.roster.demand import STYLES, Demand
from lakehouse.roster.places import CITIES as PLACES
from lakehouse.roster.roles import Fallback, extract_role, role_key, same_role
from lakehouse.roster.trades import TRADES

CITIES = frozenset({"Detroit", "Grand Rapids", "St. Louis", "Mobile", "Fort Wayne"})


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("Need 3 Forklift Operators in Detroit MI starting at 06:00 for Beacon Freight", "Forklift Operator"),
        ("need 1 CNC Operator in Detroit", "CNC Operator"),
        ("NEED 3 WELDERS IN DETROIT MI", "WELDER"),
        ("Hi team, need two more pickers by Friday", "picker"),
        ("Need 3 Forklift Operators", "Forklift Operator"),
        ("Need 2 Boxes", "Box"),
        ("Need 4 Welder/Fabricators (AWS D1.1) in Flint", "Welder/Fabricator"),
        ("Need 3 Welders, days only", "Welder"),
        ("Need 2 Drone Surveyors 06:00 in Flint", "Drone Surveyor"),
        ("Need 2 Pickers - Toledo", "Picker"),
        ("Beacon Freight needs 3 Pickers in Detroit MI", "Picker"),
        ("We need 5 bilingual safety coordinators at the site", "bilingual safety coordinator"),
        ("Looking for 3 Shipping Clerks at Beacon Freight", "Shipping Clerk"),
        ("Hello! We are looking for 12 loaders for tonight", "loader"),
        ("Need 1 Press in Flint", "Press"),
    ],
)
def test_the_three_patterns_give_the_role_in_the_singular(text, role):
    assert extract_role(text) == role


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "Forklift experience with OSHA-30 in Wisconsin",
        "Can anyone work Saturday?",
        "Need someone with a CDL in Chicago",
        "Need 5 people in Chicago",
        "Need 2 hours of overtime at the dock",
        "Need 3 welders and 2 packers in Flint",
        "Need 3 welders, 2 packers in Flint",
        "Need 3 Forklift Operators Fort Wayne IN",
        "Need 7 of the best hands that money can buy anywhere near us",
        "3 Forklift Operator Detroit MI 06:00 Beacon Freight",
        "Need 3 ... in Detroit",
        "Need 3",
    ],
)
def test_what_names_no_single_role_is_empty(text):
    assert extract_role(text) == ""


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("3 Forklift Operator Detroit MI 06:00 Beacon Freight", "Forklift Operator"),
        ("2x cnc operators grand rapids mi", "cnc operator"),
        ("1 Packer St Louis MO", "Packer"),
        ("4 Loaders in Detroit", "Loader"),
        ("2 Mobile Crane Operator Detroit MI", "Mobile Crane Operator"),
        ("2 Lead Mobile Crane Operator Detroit MI", "Lead Mobile Crane Operator"),
        ("Need 3 Forklift Operators Fort Wayne IN", "Forklift Operator"),
        ("3 Forklift Operator Boise ID", ""),
        ("3 people asked about jobs in Detroit", ""),
        ("3 Detroit MI", ""),
    ],
)
def test_shorthand_ends_the_role_at_a_city_of_the_roster(text, role):
    assert extract_role(text, CITIES) == role


@pytest.mark.parametrize("style", STYLES)
def test_every_role_is_found_again_in_every_style_and_city(style):
    cities = frozenset(city for city, _, _ in PLACES)
    for trade in TRADES:
        for city, state, _ in PLACES:
            text = STYLES[style](Demand("Beacon Freight", trade.role, city, state, 3, "06:00"))
            assert extract_role(text, cities) == trade.role, text


def test_a_model_is_asked_only_where_no_pattern_matched_and_once_per_text():
    asked = []
    fallback = Fallback(lambda text: asked.append(text) or " CNC  Operator ")
    assert extract_role("Need 3 Forklift Operators in Detroit", None, fallback) == "Forklift Operator"
    assert extract_role("Need 5 people in Chicago", None, fallback) == ""
    assert extract_role("", None, fallback) == ""
    assert extract_role("2 Packers Detroit MI", CITIES, fallback) == "Packer"
    assert asked == []
    for _ in range(3):
        assert extract_role("1 CNC Operator Boise ID", CITIES, fallback) == "CNC Operator"
    assert (asked, fallback.asked, fallback.failed) == (["1 CNC Operator Boise ID"], 1, 0)


def test_without_a_model_shorthand_stays_empty():
    assert extract_role("1 CNC Operator Boise ID") == ""


@pytest.mark.parametrize(
    "answer",
    [
        OutsideFailure("no answer"),
        TimeoutError(),
        ConnectionRefusedError(),
        ValueError("no JSON"),
        None,
        {"role": "Welder"},
        "word " * 7,
        "x" * 81,
    ],
)
def test_a_model_that_fails_gives_no_role_is_counted_and_not_asked_again(answer):
    def ask(text):
        if isinstance(answer, Exception):
            raise answer
        return answer

    fallback = Fallback(ask)
    assert [extract_role("1 CNC Operator Boise ID", None, fallback) for _ in range(2)] == ["", ""]
    assert (fallback.asked, fallback.failed) == (1, 1)


def test_a_model_that_finds_no_role_has_not_failed():
    fallback = Fallback(lambda text: "")
    assert extract_role("hello there", None, fallback) == ""
    assert (fallback.asked, fallback.failed) == (1, 0)


def test_a_fault_of_the_program_is_not_taken_for_a_failed_model():
    with pytest.raises(ZeroDivisionError):
        extract_role("hello there", None, Fallback(lambda text: str(1 / 0)))


def test_a_fallback_forgets_the_oldest_texts():
    fallback = Fallback(lambda text: "Welder", remember=2)
    for text in ("a", "b", "c", "c", "b", "a"):
        fallback(text)
    assert fallback.asked == 4


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Forklift Operators", "forklift operator"),
        ("FORKLIFT  OPERATOR ", "forklift\toperator"),
        ("Fork Lift Operator", "Forklift Operator"),
        ("fork-lift operator", "Forklift Operators"),
        ("Boxes Packer", "Box Packer"),
        ("Nurses", "nurse"),
        ("Presses", "Press"),
        ("Dispatches", "dispatch"),
        ("Machines Operator", "Machine Operator"),
        ("Welder/Fabricator", "Welders / Fabricators"),
        ("Sales Clerks", "Sales Clerk"),
        ("Axes", "Axe"),
        ("Statuses", "Status"),
        ("Soldador Eléctrico", "soldadores ele\u0301ctrico"),
        ("CNCs", "CNC"),
        ("", " "),
    ],
)
def test_case_plural_and_spacing_are_folded(one, other):
    assert same_role(one, other)
    assert same_role(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("CNC Operator", "Forklift Operator"),
        ("Picker", "Packer"),
        ("Welder/Fabricator", "Welder"),
        ("Welder/Fabricator", "Welder Fabricator"),
        ("Foremen", "Foreman"),
        ("Secretaries", "Secretary"),
        ("Shipping Clerk", "Receiving Clerk"),
        ("Press Operator", "Pres Operators Lead"),
        ("Bus Driver", "Bu Driver"),
        ("", "Packer"),
    ],
)
def test_other_roles_and_irregular_plurals_are_not_the_same(one, other):
    assert not same_role(one, other)


def test_no_two_trades_of_the_roster_fold_into_one():
    assert len({role_key(trade.role) for trade in TRADES}) == len(TRADES)


@given(st.text(max_size=300), st.booleans())
def test_any_text_gives_a_role_of_a_few_words_or_none(text, known):
    role = extract_role(text, CITIES if known else None)
    assert len(role.split()) <= 6
    assert role == " ".join(role.split())


@given(st.text(max_size=60))
def test_folding_ignores_case_and_the_space_around(text):
    assert same_role(text, f"  {text}\n")
    assert role_key(text.casefold()) == role_key(text.casefold().casefold())
