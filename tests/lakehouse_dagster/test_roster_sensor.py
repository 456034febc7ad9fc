"""The sensors `new_roster` and `new_rag_export`, tick by tick, on hand-written files and an instance."""

import importlib.util
import json
import os
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.corpora_checks import CORPUS_GATES
from lakehouse.files import sha256_of
from lakehouse.gates.verdicts import REQUIRED_OF_EXPORTS, record, verdict
from lakehouse.publish.exports import RAG, Published
from lakehouse.publish.state import keep
from lakehouse.records import FileRef
from lakehouse.roster.generate import write_roster
from lakehouse_dagster.roster_sensor import RAG_EXPORT, ROSTER
from resources.lake import LakeResource
from tests.conftest import TinyLake

S = dg.DagsterRunStatus
NOW = "2026-05-10T12:00:00.000Z"
retrieval = pytest.mark.skipif(
    importlib.util.find_spec("lancedb") is None, reason="the extra `retrieval` is not installed"
)


class Daemon:
    """A sensor as the daemon drives it: the cursor is kept between ticks, and a run key is launched once."""

    def __init__(self, tiny: TinyLake, instance: dg.DagsterInstance, name: str) -> None:
        self.instance, self.name = instance, name
        self.definitions = tiny.definitions()
        self.resources = {"lake": LakeResource(root=str(tiny.root), reports=str(tiny.reports))}
        self.cursor: str | None = None
        self.launched: dict[str, str] = {}
        self.requests: list[dg.RunRequest] = []
        self.why = ""

    def tick(self, *, keep: bool = True) -> list[str]:
        """Tick once and give the corpora that a run was launched for; with `keep=False` the cursor is lost."""
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            resources=self.resources,
            repository_def=self.definitions.get_repository_def(),
            sensor_name=self.name,
        )
        ticked = self.definitions.resolve_sensor_def(self.name).evaluate_tick(context)
        if keep:
            self.cursor = ticked.cursor
        self.why = ticked.skip_message or ""
        self.requests += ticked.run_requests or []
        return [asset for request in ticked.run_requests or [] for asset in self._launch(request)]

    def ticks(self, count: int = 3) -> list[str]:
        return [asset for _ in range(count) for asset in self.tick()]

    def _launch(self, request: dg.RunRequest) -> list[str]:
        assert request.run_key
        if request.run_key in self.launched:
            return []
        run = dg.DagsterRun("reindex", run_id=str(uuid.uuid4()), status=S.STARTED, tags=dict(request.tags))
        self.instance.add_run(run)
        self.launched[request.run_key] = run.run_id
        return [key.to_user_string() for key in request.asset_selection or []]

    def ended(self, *, well: bool) -> None:
        """Let the run that was launched last end."""
        run_id = list(self.launched.values())[-1]
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        event = dg.DagsterEvent(
            event_type_value=("PIPELINE_SUCCESS" if well else "PIPELINE_FAILURE"), job_name="reindex", message="ended"
        )
        self.instance.handle_run_event(run_id, event)


@pytest.fixture
def rosters(tiny: TinyLake, instance: dg.DagsterInstance) -> Daemon:
    return Daemon(tiny, instance, ROSTER)


@pytest.fixture
def exports(tiny: TinyLake, instance: dg.DagsterInstance) -> Daemon:
    return Daemon(tiny, instance, RAG_EXPORT)


@pytest.fixture
def workers(tiny: TinyLake) -> Callable[[int], Path]:
    def write(seed: int, suffix: str = ".csv") -> Path:
        path = tiny.root / "_kb" / f"workers{suffix}"
        write_roster(path, seed, 5)
        return path

    return write


Write = Callable[..., Path]


@retrieval
def test_a_roster_is_asked_for_once_it_lies_still_and_no_other_with_it(rosters: Daemon, workers: Write) -> None:
    workers(1)
    assert rosters.tick() == []
    assert "waiting for it to lie still" in rosters.why
    assert rosters.tick() == ["workers_corpus"]


@retrieval
def test_a_missing_roster_is_no_error(rosters: Daemon) -> None:
    assert rosters.ticks() == []
    assert "there is no _kb/workers" in rosters.why


@retrieval
def test_the_same_bytes_are_asked_for_once(rosters: Daemon, workers: Write) -> None:
    path = workers(1)
    assert rosters.ticks() == ["workers_corpus"]
    rosters.ended(well=True)
    os.utime(path, ns=(1, 1))
    assert rosters.ticks() == []
    workers(1)
    assert rosters.ticks() == []


@retrieval
def test_other_bytes_are_asked_for_again(rosters: Daemon, workers: Write) -> None:
    workers(1)
    rosters.ticks()
    workers(2)
    assert rosters.ticks() == ["workers_corpus"]


@retrieval
def test_bytes_that_come_back_after_others_are_asked_for_again(rosters: Daemon, workers: Write) -> None:
    found = []
    for seed in (1, 2, 1):
        workers(seed)
        found += rosters.ticks()
        rosters.ended(well=True)
    assert found == ["workers_corpus"] * 3
    assert rosters.ticks() == []


@retrieval
def test_a_roster_that_still_grows_waits(rosters: Daemon, workers: Write) -> None:
    for seed in range(4):
        workers(seed)
        assert rosters.tick() == []
    assert rosters.tick() == ["workers_corpus"]


@retrieval
def test_two_rosters_are_two_runs(rosters: Daemon, workers: Write, tiny: TinyLake) -> None:
    workers(1)
    write_roster(tiny.root / "_kb" / "ethereal_workers.parquet", 1, 5, "e-")
    assert rosters.ticks() == ["workers_corpus", "ethereal_workers_corpus"]


@retrieval
def test_a_half_written_parquet_is_named_and_retried_at_its_next_change(rosters: Daemon, workers: Write) -> None:
    path = workers(1, ".parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert rosters.ticks() == []
    assert "workers.parquet: it cannot be read" in rosters.why
    assert rosters.ticks() == []
    assert "workers.parquet: it cannot be read" in rosters.why
    path.write_bytes(whole)
    assert rosters.ticks() == ["workers_corpus"]


@retrieval
def test_a_roster_that_is_there_twice_is_named_and_stops_no_other(
    rosters: Daemon, workers: Write, tiny: TinyLake
) -> None:
    workers(1)
    workers(1, ".parquet")
    write_roster(tiny.root / "_kb" / "ethereal_workers.csv", 1, 5, "e-")
    assert rosters.ticks(2) == ["ethereal_workers_corpus"]
    rosters.tick()
    assert "workers.parquet and workers.csv" in rosters.why


@retrieval
def test_a_failed_run_is_tried_three_times_and_no_more(rosters: Daemon, workers: Write) -> None:
    workers(1)
    found = []
    for _ in range(5):
        found += rosters.ticks()
        rosters.ended(well=False)
    assert found == ["workers_corpus"] * 3
    assert "failed 3 times" in rosters.why
    workers(2)
    assert rosters.ticks() == ["workers_corpus"]


@retrieval
def test_a_tick_that_dies_asks_for_nothing_twice(rosters: Daemon, workers: Write) -> None:
    workers(1)
    rosters.tick()
    assert rosters.tick(keep=False) == ["workers_corpus"]
    assert rosters.ticks() == []


@retrieval
def test_a_lost_cursor_asks_for_nothing_twice(rosters: Daemon, workers: Write) -> None:
    workers(1)
    rosters.ticks()
    rosters.ended(well=True)
    rosters.cursor = None
    assert rosters.ticks() == []


@retrieval
def test_a_cursor_that_cannot_be_read_is_told(rosters: Daemon) -> None:
    rosters.cursor = "["
    with pytest.raises(dg.Failure, match="new_roster cannot be read"):
        rosters.tick()


@pytest.mark.parametrize("name", [ROSTER, RAG_EXPORT])
def test_without_the_extra_nothing_is_asked_for(
    tiny: TinyLake, instance: dg.DagsterInstance, workers: Write, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, "lancedb", None)
    workers(1)
    daemon = Daemon(tiny, instance, name)
    assert daemon.ticks() == []
    assert "pip install 'lakehouse-dagster[retrieval]'" in daemon.why


def publish(tiny: TinyLake, text: str, *, green: bool = True, looked: bool = True) -> None:
    """Publish a file by hand: the bytes, the verdicts on them, the record of the publication."""
    lake = tiny.lake
    path = RAG.main(lake)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(text) + "\n")
    sha = sha256_of(path)
    said: dict[str, Any] = {"rows_checked": 1, "summary": "as told", "offenders": [], "code_version": "test"}
    for check in REQUIRED_OF_EXPORTS["rag_export"] if looked else ():
        record(lake, "rag_export", None, verdict(check, passed=green, input_sha256=sha, checked_at=NOW, **said))
    ref = FileRef(path=lake.relative(path), rows=1, bytes=path.stat().st_size, sha256=sha)
    keep(lake, RAG, {}, Published([], [ref], {}, 1, 1, 1, 0, {}, []))


@retrieval
def test_a_published_export_is_asked_for_once(exports: Daemon, tiny: TinyLake) -> None:
    assert exports.ticks() == []
    assert "rag_export is not published" in exports.why
    publish(tiny, "one")
    assert exports.ticks() == ["rag_corpus"]
    publish(tiny, "one")
    assert exports.ticks() == []
    publish(tiny, "two")
    assert exports.ticks() == ["rag_corpus"]


@retrieval
@pytest.mark.parametrize("looked", [True, False])
def test_an_export_whose_gates_are_not_green_waits_for_them(exports: Daemon, tiny: TinyLake, looked: bool) -> None:
    publish(tiny, "one", green=False, looked=looked)
    assert exports.ticks() == []
    assert "rag_export/never_rejected is" in exports.why
    publish(tiny, "one")
    assert exports.ticks() == ["rag_corpus"]


@pytest.mark.parametrize(("production", "status"), [(True, "RUNNING"), (False, "STOPPED")])
def test_the_sensors_are_on_in_production(tiny: TinyLake, production: bool, status: str) -> None:
    definitions = tiny.definitions(production=production)
    for name in (ROSTER, RAG_EXPORT):
        assert definitions.resolve_sensor_def(name).default_status.value == status


@retrieval
def test_a_request_for_one_corpus_runs_all_of_its_checks_and_no_other_corpus(exports: Daemon, tiny: TinyLake) -> None:
    publish(tiny, "one")
    exports.ticks()
    [request] = exports.requests
    # As the daemon makes the run: without a word on checks, they are those of the assets.
    assert request.asset_check_keys is None
    job = tiny.definitions().resolve_job_def("reindex").get_subset(asset_selection=set(request.asset_selection or []))
    assert {node.name for node in job.nodes} == {"rag_corpus", *(f"rag_corpus_{gate.name}" for gate in CORPUS_GATES)}
