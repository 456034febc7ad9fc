"""`lakehouse search`: where it looks, what it shows, and what conditions may say."""

from typing import Any

import pytest

from lakehouse.errors import UsageError
from lakehouse.search.filters import Condition
from lakehouse_dagster.commands.search import condition

ASK = "Need 2 Welders in Flint MI starting at 06:00 for Acme"


@pytest.fixture
def built(desk: Any) -> Any:
    from tests.lakehouse.corpora.conftest import worker

    desk.room.roster([worker(number) for number in range(60)])
    desk.room.roster([worker(n, "e-", resume_text=f"[red]odd[/red] {n}") for n in range(10)], "ethereal_workers")
    assert desk.run("index", "build").code == 0
    return desk


@pytest.mark.parametrize(
    ("text", "field", "op", "value"),
    [
        ("city=Flint", "city", "eq", "Flint"),
        (" city == Green Bay ", "city", "eq", "Green Bay"),
        ("years>=5", "years", "ge", 5),
        ("years<2.5", "years", "lt", 2.5),
        ("years!=0", "years", "ne", 0),
        ("available=true", "available", "eq", True),
        ("certs~OSHA-10", "certs", "contains", "OSHA-10"),
        ("certs~10", "certs", "contains", "10"),
        ("shift=first|any", "shift", "in", ("first", "any")),
        ('zip="48502"', "zip", "eq", "48502"),
        ("zip=04850", "zip", "eq", "04850"),
        ('name="a|b"', "name", "eq", "a|b"),
        ("title=a=b", "title", "eq", "a=b"),
        ("name=' OR '1'='1", "name", "eq", "' OR '1'='1"),
    ],
)
def test_a_condition_is_read_as_typed_values(text: str, field: str, op: Any, value: Any) -> None:
    found = condition(text)
    assert found == Condition(field, op, value)
    assert type(found.value) is type(value)


@pytest.mark.parametrize("text", ["city", "=Flint", "city=", "ci ty=Flint", "a;b=1", "years>true", "shift=first|2", ""])
def test_what_is_no_condition_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        condition(text)


def test_a_demand_looks_among_workers_in_other_words_and_says_so(built: Any) -> None:
    done = built.run("search", ASK, "-k", "3")
    assert done.code == 0, done.err
    assert "Searched workers, ethereal_workers: the query asks for workers" in done.out
    assert "Searched for 'Welder in Flint, MI.' in workers, ethereal_workers" in done.out
    assert "Its role, as read from the query: Welder." in done.out
    answer = built.run("search", ASK, "-k", "3", "--json").json["answer"]
    assert {one["metadata"]["role"] for one in answer["results"]} == {"Welder"}
    assert answer["given"] == {"workers": 3, "ethereal_workers": 3}


def test_as_written_embeds_the_query_itself(built: Any) -> None:
    answer = built.run("search", ASK, "--as-written", "--json").json["answer"]
    assert set(answer["searched_for"].values()) == {ASK}


def test_what_is_no_demand_looks_everywhere_but_in_playbooks(built: Any) -> None:
    assert built.run("playbook", "record", ASK, "w-0").code == 0
    done = built.run("search", "worked as number 7", "--json").json
    assert done["corpora"] == ["workers", "ethereal_workers"]
    assert "does not read as a demand" in done["why"]
    assert (
        built.run("search", "number 7", "--role", "Welder", "--json")
        .json["why"]
        .startswith("the query asks for workers")
    )


def test_named_corpora_are_searched_and_unbuilt_ones_refused(built: Any) -> None:
    assert set(built.run("search", ASK, "--corpus", "workers", "--json").json["answer"]["given"]) == {"workers"}
    refused = built.run("search", ASK, "--corpus", "rag")
    assert (refused.code, "lakehouse index build rag" in refused.err) == (2, True)
    assert "there is no corpus 'people'" in built.run("search", ASK, "--corpus", "people").err


def test_conditions_and_exclusions_hold(built: Any) -> None:
    first = built.run("search", ASK, "--json").json["answer"]["results"]
    out = first[0]["id"]
    found = built.run("search", ASK, "--where", "city=Toledo|Gary", "--exclude", out, "-k", "50", "--json").json[
        "answer"
    ]
    assert {one["metadata"]["city"] for one in found["results"]} == {"Toledo", "Gary"}
    assert out not in {one["id"] for one in found["results"]}


def test_a_misspelt_field_is_named(built: Any) -> None:
    done = built.run("search", ASK, "--where", "ctiy=Flint")
    assert done.code == 0
    assert "Nothing was found" in done.out
    assert "none of the 200 nearest rows has a field ctiy" in done.out


def test_a_boost_shows_both_distances_and_who_gave_it(built: Any) -> None:
    cold = built.run("search", ASK, "-k", "5", "--json").json["answer"]["results"]
    told = built.run("playbook", "record", ASK, cold[4]["id"], "--score", "1", "--json").json["playbook"]
    warm = built.run("search", ASK, "-k", "5", "--json").json["answer"]
    raised = next(one for one in warm["results"] if one["boosted"])
    assert (raised["id"], raised["playbook_id"]) == (cold[4]["id"], told["id"])
    assert raised["distance"] == pytest.approx(cold[4]["distance"] / 2)
    assert raised["cosine"] == cold[4]["distance"]
    shown = built.run("search", ASK, "-k", "5").out
    assert f"boosted by {told['id']}, score 1, Welder" in " ".join(shown.split())
    assert "1 recorded queries are near: 1 boosted, 0 injected" in shown
    off = built.run("search", ASK, "-k", "5", "--no-playbooks", "--json").json["answer"]
    assert off["results"] == cold


def test_a_playbook_of_another_role_is_refused_and_counted(built: Any) -> None:
    built.run("playbook", "record", ASK, "w-1", "--role", "Picker")
    done = built.run("search", ASK)
    assert "0 boosted, 0 injected, 1 refused for another role" in done.out
    opened = built.run("search", ASK, "--role", "", "--json").json["answer"]
    assert (opened["refused_by_role"], opened["boosted"] + opened["injected"]) == (0, 1)


def test_a_namespace_in_which_nothing_was_recorded_is_named(built: Any) -> None:
    done = built.run("search", ASK, "--namespace", "bob")
    assert "nothing was ever recorded in playbook_bob" in done.out
    assert built.run("search", ASK, "--namespace", "../bob").code == 2


def test_hybrid_says_that_words_counted(built: Any) -> None:
    done = built.run("search", "skill7", "--hybrid", "--json").json["answer"]
    assert {"w-7", "e-7"} <= {one["id"] for one in done["results"][:3]}
    assert "by words together" in built.run("search", "skill7", "--hybrid").out


def test_data_is_shown_as_it_is_written(built: Any) -> None:
    from tests.lakehouse.corpora.conftest import worker

    built.room.roster([worker(1, name="[bold]Ann[/bold]")])
    built.run("index", "build", "workers")
    done = built.run("search", "[red]welders[/red] in [Flint]", "--corpus", "workers")
    assert done.code == 0
    assert "[bold]Ann[/bold]" in done.out
    assert "[red]welders[/red]" in done.out


def test_without_a_corpus_it_says_how_to_build_one(desk: Any) -> None:
    done = desk.run("search", ASK)
    assert (done.code, "lakehouse index build" in done.err) == (2, True)
    assert desk.run("search", ASK, "--lake", "elsewhere").code == 2


def test_an_empty_query_is_an_error(built: Any) -> None:
    done = built.run("search", " ")
    assert (done.code, "the query is empty" in done.err) == (2, True)
