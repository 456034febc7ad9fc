"""The corpora as assets: what a build shows, what it refuses, and that its gates see what is wrong."""

import importlib.util
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import pytest

from lakehouse.embedding import EmbedderIdentity
from lakehouse.embedding.source import PACKAGE, installed
from lakehouse.gates.verdicts import read_verdicts, record, verdict
from lakehouse.lake import Lake
from lakehouse.publish.exports import RAG
from lakehouse_dagster.jobs import REINDEX
from resources.embedder import EmbedderResource
from tests.conftest import FIRST, QUIET, SECOND, TinyLake, review
from tests.lakehouse.corpora.conftest import Room, WordEmbedder, worker

NOW = "2026-05-10T12:00:00.000Z"
ALL = ["ethereal_workers_corpus", "fresh_workers_corpus", "playbook_corpus", "rag_corpus", "workers_corpus"]
CHECKS = {"row_parity", "embed_parity", "recall_at_10", "fresh_is_findable"}
retrieval = pytest.mark.skipif(
    importlib.util.find_spec("lancedb") is None, reason="the extra `retrieval` is not installed"
)


class Words(EmbedderResource):
    """An embedder that needs no model; what it was asked to embed is kept."""

    @contextmanager
    def open(self, _: Lake) -> Iterator[WordEmbedder]:
        embedder = WordEmbedder()
        yield embedder
        ASKED.extend(embedder.asked)

    @contextmanager
    def bare(self, _: Lake) -> Iterator[WordEmbedder]:
        yield WordEmbedder()


ASKED: list[str] = []
OTHER = EmbedderIdentity("fake", "other words", "r1", 32)


class Built:
    """A run of the job `reindex` over some of its assets."""

    def __init__(self, result: dg.ExecuteInProcessResult) -> None:
        self.success = result.success
        self.metadata = {
            event.materialization.asset_key.to_user_string(): {
                name: value.value for name, value in event.materialization.metadata.items()
            }
            for event in result.get_asset_materialization_events()
        }
        self.checks = {
            (one.asset_key.to_user_string(), one.check_name): one for one in result.get_asset_check_evaluations()
        }
        failures = (event.step_failure_data for event in result.get_step_failure_events())
        self.errors = [one.user_failure_data.description for one in failures if one.user_failure_data]

    def red(self) -> set[tuple[str, str]]:
        return {key for key, one in self.checks.items() if not one.passed}


class Corpora:
    """A tiny lake with corpora: its own rosters, and the chain for the RAG export."""

    def __init__(self, tiny: TinyLake) -> None:
        self.tiny = tiny
        self.room = Room(tiny.root)

    def reindex(self, *assets: str, embedder: EmbedderResource | None = None, **config: Any) -> Built:
        ASKED.clear()
        job = self.tiny.definitions(embedder=embedder or Words()).resolve_job_def(REINDEX)
        ops = {"ops": {name: {"config": config} for name in assets}} if config else {}
        return Built(
            job.execute_in_process(
                asset_selection=[dg.AssetKey(name) for name in assets] or None,
                raise_on_error=False,
                run_config={**QUIET, **ops},
            )
        )

    def chunks(self, *contents: str) -> None:
        """Publish chunks by hand, with green gates on exactly this file."""
        path = RAG.main(self.tiny.lake)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(json.dumps(_chunk(number, text)) + "\n" for number, text in enumerate(contents)))
        for check in ("never_rejected", "chunks_rebuild_text", "contract"):
            self.judge(check, passed=True)

    def judge(self, check: str, *, passed: bool) -> None:
        from lakehouse.files import sha256_of

        sha = sha256_of(RAG.main(self.tiny.lake))
        said: dict[str, Any] = {"rows_checked": 1, "summary": "as told", "offenders": [], "code_version": "test"}
        one = verdict(check, passed=passed, input_sha256=sha, checked_at=NOW, **said)
        record(self.tiny.lake, "rag_export", None, one)


def _chunk(number: int, content: str) -> dict[str, Any]:
    seen = {"source_file": "_kb/audits.jsonl", "line_offset": number, "sig_hash": "a" * 64, "recorded_at": NOW}
    return {
        "schema_version": 1,
        "id": f"rag-{number:03d}",
        "title": "a title",
        "content": content,
        "tags": [],
        "category": "accepted",
        "stream": "audits",
        "source_run_id": f"run-{number}",
        "task_id": "task",
        "chunk_index": 0,
        "chunk_count": 1,
        "token_count": 4,
        "char_start": 0,
        "char_end": len(content),
        "created_at": NOW,
        "provenance": seen,
    }


@pytest.fixture
def corpora(tiny: TinyLake) -> Corpora:
    return Corpora(tiny)


@retrieval
def test_a_roster_is_built_shown_and_held_by_every_gate(corpora: Corpora) -> None:
    corpora.room.roster([*(worker(number) for number in range(30)), worker(1, role="")])
    found = corpora.reindex("workers_corpus")
    assert found.success
    shown = found.metadata["workers_corpus"]
    counts = ("dagster/row_count", "upserted", "deleted", "unchanged", "refused", "version")
    assert [shown[name] for name in counts] == [30, 30, 0, 0, 1, 1]
    assert 30 < shown["embedded"] <= len(ASKED)
    assert "fake words" in shown["embedder"]
    assert shown["tag"].endswith("-1")
    [refused] = [row.data for row in shown["refused_rows"].records]
    assert (refused["file"], refused["line"] > 0) == ("_kb/workers.csv", True)
    assert {key[1] for key in found.checks} == CHECKS
    assert found.red() == set()
    assert all(one.metadata["rows_checked"].value > 0 for one in found.checks.values())
    kept = read_verdicts(corpora.tiny.lake, "workers_corpus")
    assert {name for name, one in kept.items() if one.passed} == CHECKS


@retrieval
def test_only_what_is_new_is_embedded(corpora: Corpora) -> None:
    corpora.room.workers(30)
    corpora.reindex("workers_corpus")
    corpora.room.roster([worker(number) for number in range(1, 30)] + [worker(99, skills="under water")])
    shown = corpora.reindex("workers_corpus").metadata["workers_corpus"]
    assert [shown[name] for name in ("upserted", "deleted", "unchanged")] == [1, 1, 29]
    assert shown["embedded"] == 2  # the worker's text, and its head
    assert shown["version"] > 1


@retrieval
def test_a_corpus_without_a_source_says_so_and_fails_nothing(corpora: Corpora) -> None:
    found = corpora.reindex()
    assert found.success
    assert sorted(found.metadata) == ALL
    for name, shown in found.metadata.items():
        assert shown["dagster/row_count"] == 0, name
        assert "there is no" in shown["note"], name
    assert found.red() == set()
    assert all("there is no" in str(one.description) for one in found.checks.values())


@retrieval
def test_an_empty_log_is_an_empty_corpus_and_its_gates_say_so(corpora: Corpora) -> None:
    (corpora.tiny.root / "_kb" / "fresh_workers.jsonl").touch()
    found = corpora.reindex("fresh_workers_corpus")
    assert found.success
    assert found.metadata["fresh_workers_corpus"]["version"] == 1
    assert found.red() == set()
    assert {one.metadata["rows_checked"].value for one in found.checks.values()} == {0}
    assert "empty" in str(found.checks["fresh_workers_corpus", "recall_at_10"].description)


@retrieval
def test_another_embedder_is_refused_until_a_person_wants_the_corpus_anew(corpora: Corpora) -> None:
    class New(Words):
        @contextmanager
        def open(self, _: Lake) -> Iterator[WordEmbedder]:
            yield WordEmbedder(OTHER)

        @contextmanager
        def bare(self, _: Lake) -> Iterator[WordEmbedder]:
            yield WordEmbedder(OTHER)

    corpora.room.workers(5)
    corpora.reindex("workers_corpus")
    refused = corpora.reindex("workers_corpus", embedder=New())
    assert "is another embedder" in refused.errors[0]
    found = corpora.reindex("workers_corpus", embedder=New(), anew=True)
    assert found.red() == set()
    assert found.metadata["workers_corpus"]["upserted"] == 5


@retrieval
def test_a_roster_that_went_away_fails_the_build_and_leaves_the_corpus(corpora: Corpora) -> None:
    corpora.room.workers(5)
    corpora.reindex("workers_corpus")
    (corpora.tiny.root / "_kb" / "workers.csv").unlink()
    found = corpora.reindex("workers_corpus")
    assert not found.success
    assert "there is no roster" in found.errors[0]
    assert len(corpora.room.ids()) == 5


@retrieval
def test_an_emptied_roster_empties_its_corpus_only_where_a_person_says_so(corpora: Corpora) -> None:
    corpora.room.workers(5)
    corpora.reindex("workers_corpus")
    corpora.room.roster([])
    assert not corpora.reindex("workers_corpus").success
    found = corpora.reindex("workers_corpus", allow_empty=True)
    assert found.success
    assert found.metadata["workers_corpus"]["deleted"] == 5


@retrieval
def test_the_rag_corpus_holds_what_is_published(corpora: Corpora) -> None:
    corpora.chunks("the lock is held", "the audit found two")
    found = corpora.reindex("rag_corpus")
    assert found.success
    assert found.metadata["rag_corpus"]["dagster/row_count"] == 2
    assert corpora.room.ids("rag") == ["rag-000", "rag-001"]


@retrieval
@pytest.mark.parametrize("how", ["red", "missing", "stale"])
def test_chunks_whose_gates_are_not_green_never_reach_the_corpus(corpora: Corpora, how: str) -> None:
    corpora.chunks("the lock is held")
    assert corpora.reindex("rag_corpus").success
    path = RAG.main(corpora.tiny.lake)
    if how == "red":
        corpora.judge("never_rejected", passed=False)
    elif how == "missing":
        corpora.tiny.lake.gate("rag_export").unlink()
    else:
        path.write_text(path.read_text() + json.dumps(_chunk(9, "slipped in")) + "\n")
    found = corpora.reindex("rag_corpus")
    assert not found.success
    assert f"rag_export/never_rejected is {how}" in found.errors[0]
    assert found.checks == {}
    assert corpora.room.ids("rag") == ["rag-000"]


@retrieval
def test_one_red_export_keeps_no_other_corpus_from_its_build(corpora: Corpora) -> None:
    corpora.chunks("the lock is held")
    corpora.judge("contract", passed=False)
    corpora.room.workers(3)
    found = corpora.reindex()
    assert not found.success
    assert found.metadata["workers_corpus"]["dagster/row_count"] == 3
    assert "rag_corpus" not in found.metadata


@retrieval
def test_new_evidence_reaches_the_corpus_and_nothing_else_is_embedded(corpora: Corpora) -> None:
    tiny = corpora.tiny
    tiny.fill(FIRST, SECOND)
    tiny.run(FIRST, SECOND)
    first = corpora.reindex("rag_corpus")
    assert first.success
    before = first.metadata["rag_corpus"]
    tiny.append("scrum_reviews", review("zebra.rs", SECOND))
    tiny.run(SECOND)
    shown = corpora.reindex("rag_corpus").metadata["rag_corpus"]
    new = shown["dagster/row_count"] - before["dagster/row_count"]
    assert new == 1
    assert (shown["embedded"], shown["upserted"], shown["unchanged"]) == (1, 1, before["dagster/row_count"])
    assert shown["tag"] != before["tag"]


@retrieval
def test_playbooks_of_every_namespace_are_one_asset(corpora: Corpora) -> None:
    from lakehouse.corpora.playbooks import record as remember

    lake, embedder = corpora.tiny.lake, WordEmbedder()
    corpora.room.workers(3)
    corpora.reindex("workers_corpus")
    for namespace in (None, "acme"):
        remember(lake, embedder, "a welder in Flint", "w-1", "workers", 1.0, NOW, namespace=namespace)
    found = corpora.reindex("playbook_corpus")
    shown = found.metadata["playbook_corpus"]
    assert found.success
    assert found.red() == set()
    assert shown["dagster/row_count"] == 2
    assert [row.data["corpus"] for row in shown["corpora"].records] == ["playbook_memory", "playbook_acme"]
    assert found.checks["playbook_corpus", "row_parity"].metadata["rows_checked"].value == 2


@retrieval
def test_a_row_that_the_source_does_not_have_is_named_and_stops_the_run(corpora: Corpora) -> None:
    corpora.room.workers(5)
    corpora.reindex("workers_corpus")
    corpora.room.workers(4)
    found = look(corpora, "workers_corpus")
    one = found.checks["workers_corpus", "row_parity"]
    assert not one.passed
    assert one.blocking
    [offender] = [row.data for row in one.metadata["offenders"].value.records]
    assert offender["file"] == "lance/workers.lance"
    assert "w-4" in str(offender["why"])
    assert not read_verdicts(corpora.tiny.lake, "workers_corpus")["row_parity"].passed


@retrieval
def test_a_roster_that_was_never_built_is_red(corpora: Corpora) -> None:
    corpora.room.workers(5)
    found = look(corpora, "workers_corpus")
    assert {name for _, name in found.red()} == CHECKS
    assert all("never built" in str(one.description) for one in found.checks.values())


@retrieval
def test_vectors_that_the_embedder_would_not_give_are_red(corpora: Corpora) -> None:
    class Other(Words):
        @contextmanager
        def bare(self, _: Lake) -> Iterator[WordEmbedder]:
            yield Turned()

    corpora.room.workers(5)
    found = corpora.reindex("workers_corpus", embedder=Other())
    assert found.red() == {("workers_corpus", "embed_parity")}
    assert not found.success


@retrieval
def test_a_second_backend_that_is_configured_is_asked_as_well(corpora: Corpora) -> None:
    class Two(Words):
        @contextmanager
        def second(self, _: Lake) -> Iterator[WordEmbedder]:
            yield Turned()

    corpora.room.workers(5)
    found = corpora.reindex("workers_corpus", embedder=Two())
    [one] = [found.checks[key] for key in found.red()]
    assert one.check_name == "embed_parity"
    assert len(one.metadata["backends"].value.records) == 2


@retrieval
def test_a_search_that_misses_neighbours_is_red(corpora: Corpora, monkeypatch: pytest.MonkeyPatch) -> None:
    from lakehouse.search.layered import Layered

    corpora.room.workers(40)
    corpora.reindex("workers_corpus")
    nearest = Layered.nearest
    monkeypatch.setattr(Layered, "nearest", lambda self, vector, k, where=(): nearest(self, vector, k + 5, where)[5:])
    found = look(corpora, "workers_corpus")
    assert {name for _, name in found.red()} == {"recall_at_10", "fresh_is_findable"}
    assert found.checks["workers_corpus", "recall_at_10"].severity is dg.AssetCheckSeverity.ERROR


def test_without_the_extra_the_assets_are_listed_and_say_how_to_get_it(
    corpora: Corpora, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lancedb", None)
    corpora.room.workers(3)
    found = corpora.reindex("workers_corpus")
    assert not found.success
    assert "pip install 'lakehouse-dagster[retrieval]'" in found.errors[0]


def test_without_the_extra_the_night_is_what_it_was(corpora: Corpora, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lancedb", None)
    corpora.tiny.fill(FIRST)
    assert corpora.tiny.run(FIRST).success


@pytest.mark.slow
@pytest.mark.skipif(not installed(PACKAGE, "onnxruntime", "lancedb"), reason="the extra `retrieval` is not installed")
def test_with_the_packaged_model_only_new_texts_are_embedded_and_every_gate_is_green(corpora: Corpora) -> None:
    corpora.room.workers(20)
    real = EmbedderResource(peer="sentence-transformers")
    first = corpora.reindex("workers_corpus", embedder=real)
    assert first.success
    assert first.red() == set()
    backends = first.checks["workers_corpus", "embed_parity"].metadata["backends"].value.records
    assert [row.data["backend"] for row in backends] == ["onnx", "sentence-transformers"]
    corpora.room.workers(21)
    shown = corpora.reindex("workers_corpus", embedder=real).metadata["workers_corpus"]
    assert (shown["upserted"], shown["unchanged"]) == (1, 20)
    assert shown["embedded"] <= 2


class Turned(WordEmbedder):
    """Gives every vector the other way round."""

    def embed(self, *given: Any) -> Any:
        return -super().embed(*given)


def look(corpora: Corpora, asset: str) -> Built:
    """Let the gates of an asset look, without a build."""
    gates = dg.define_asset_job("gates", dg.AssetSelection.checks_for_assets(asset))
    definitions = dg.Definitions.merge(corpora.tiny.definitions(embedder=Words()), dg.Definitions(jobs=[gates]))
    job = definitions.resolve_job_def("gates")
    return Built(job.execute_in_process(raise_on_error=False, run_config=QUIET))
