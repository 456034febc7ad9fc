"""`lakehouse playbook`: recording, retiring and listing good answers."""

import json
from typing import Any

import pytest

ASK = "Need 2 Welders in Flint MI"


@pytest.fixture
def built(desk: Any) -> Any:
    desk.room.workers(20)
    assert desk.run("index", "build").code == 0
    return desk


def test_an_answer_is_found_in_its_corpus_and_the_role_read_from_the_query(built: Any) -> None:
    done = built.run("playbook", "record", ASK, "w-3", "--score", "0.8", "--by", "ann", "--json")
    assert done.code == 0, done.err
    entry = done.json["playbook"]
    assert (entry["answer_corpus"], entry["role"], entry["score"], entry["recorded_by"]) == (
        "workers",
        "Welder",
        0.8,
        "ann",
    )
    line = json.loads((built.room.lake.raw / "playbooks.jsonl").read_text())
    assert line["id"] == entry["id"]


@pytest.mark.parametrize(("role", "kept"), [("CNC Operator", "CNC Operator"), ("", None)])
def test_a_role_that_is_given_wins(built: Any, role: str, kept: str | None) -> None:
    entry = built.run("playbook", "record", ASK, "w-3", "--role", role, "--json").json["playbook"]
    assert entry.get("role") == kept


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["record", ASK, "w-3", "--score", "1.5"], "outside 0..1"),
        (["record", " ", "w-3"], "query_text is empty"),
        (["record", ASK, "w-999"], "is in no corpus that was built"),
        (["record", ASK, "w-3", "--corpus", "people"], "there is no corpus"),
        (["record", ASK, "w-3", "--namespace", "a/b"], "is no namespace"),
        (["retire", "pb-0"], "lakehouse playbook list"),
    ],
)
def test_wrong_usage_ends_with_2_and_writes_nothing(built: Any, arguments: list[str], says: str) -> None:
    done = built.run("playbook", *arguments)
    assert (done.code, says in done.err) == (2, True), done.err
    assert not (built.room.lake.raw / "playbooks.jsonl").exists()


def test_an_id_in_two_corpora_must_be_told_apart(built: Any) -> None:
    from lakehouse.corpora.fresh import record_fresh

    record_fresh(built.room.lake, [{"id": "w-3", "role": "Welder"}], built.room.embedder, "2026-05-10T02:00:00.000Z")
    done = built.run("playbook", "record", ASK, "w-3")
    assert (done.code, "is in workers and fresh_workers" in done.err) == (2, True)
    assert built.run("playbook", "record", ASK, "w-3", "--corpus", "fresh_workers").code == 0


def test_an_answer_that_is_not_there_yet_is_said(built: Any) -> None:
    done = built.run("playbook", "record", ASK, "w-999", "--corpus", "workers")
    assert done.code == 0
    assert "workers holds no w-999 now" in done.out


def test_a_retired_playbook_leaves_the_list_and_the_search(built: Any) -> None:
    told = built.run("playbook", "record", ASK, "w-3", "--json").json["playbook"]
    assert [one["id"] for one in built.run("playbook", "list", "--json").json["playbooks"]] == [told["id"]]
    assert ASK in built.run("playbook", "list").out
    assert built.run("playbook", "retire", told["id"]).code == 0
    assert "Nothing is recorded" in built.run("playbook", "list").out
    assert built.run("playbook", "list", "--retired", "--json").json["playbooks"][0]["retired_at"]
    assert built.run("search", ASK, "--json").json["answer"]["plays"] == 0


def test_a_namespace_keeps_its_own(built: Any) -> None:
    built.run("playbook", "record", ASK, "w-3", "--namespace", "ann")
    assert built.run("playbook", "list", "--json").json["all"] == 0
    assert built.run("playbook", "list", "--namespace", "ann", "--json").json["all"] == 1
    assert built.run("search", ASK, "--json").json["answer"]["plays"] == 0
    assert built.run("search", ASK, "--namespace", "ann", "--json").json["answer"]["plays"] == 1


def test_the_list_shows_the_newest(built: Any) -> None:
    for number in (1, 2, 3):
        built.run("playbook", "record", ASK, f"w-{number}")
    done = built.run("playbook", "list", "--limit", "2")
    assert "1 older ones" in done.out
    assert "w-1 " not in done.out
