"""End to end: the real `dagster dev`, driven over GraphQL as the UI drives it."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import FIRST, SECOND, THIRD, TinyLake

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
LOCATION = {"repositoryLocationName": "lakehouse_dagster.definitions", "repositoryName": "__repository__"}
ENDED = {"SUCCESS", "FAILURE", "CANCELED"}

LAUNCH = """
mutation ($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}"""
BACKFILL = """
mutation ($params: LaunchBackfillParams!) {
  launchPartitionBackfill(backfillParams: $params) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
  }
}"""
RUN = "query ($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
RUNS = """
query ($backfill: String!) {
  runsOrError(filter: {tags: [{key: "dagster/backfill", value: $backfill}]}) {
    ... on Runs { results { runId status jobName tags { key value } } }
  }
}"""
CHECK = """
query ($asset: AssetKeyInput!, $check: String!) {
  assetCheckExecutions(assetKey: $asset, checkName: $check, limit: 10) {
    runId status partition evaluation { success severity description }
  }
}"""
SHOWN = """
query ($asset: AssetKeyInput!) {
  assetNodeOrError(assetKey: $asset) {
    ... on AssetNode {
      assetChecksOrError {
        ... on AssetChecks { checks { name executionForLatestMaterialization { status } } }
      }
    }
  }
}"""
SENSORS = """
query ($repository: RepositorySelector!) {
  sensorsOrError(repositorySelector: $repository) {
    ... on Sensors { results { name sensorState { status } } }
  }
}"""


class Dev:
    """A running `dagster dev`."""

    def __init__(self, port: int, process: subprocess.Popen[bytes], log: Path) -> None:
        self._address = f"http://127.0.0.1:{port}"
        self._process, self._log = process, log

    def up(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._address}/server_info", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def ask(self, query: str, **variables: Any) -> Any:
        request = urllib.request.Request(
            f"{self._address}/graphql",
            json.dumps({"query": query, "variables": variables}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            body = json.loads(answer.read())
        assert "errors" not in body, body["errors"]
        return next(iter(body["data"].values()))

    def until(self, what: str, seconds: float, found: Any) -> Any:
        """Ask until there is an answer; tell what the server said where none comes."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = found()
            if answer:
                return answer
            assert self._process.poll() is None, self._log.read_text()[-4000:]
            time.sleep(0.5)
        raise AssertionError(f"no {what} after {seconds} s\n{self._log.read_text()[-4000:]}")

    def checks(self, asset: str, check: str) -> list[dict[str, Any]]:
        answer: list[dict[str, Any]] = self.ask(CHECK, asset={"path": [asset]}, check=check)
        return answer

    def backfill(self, **params: Any) -> str:
        """Launch a backfill as the UI does and give its id."""
        launched = self.ask(BACKFILL, params=params)
        assert launched["__typename"] == "LaunchBackfillSuccess", launched
        return str(launched["backfillId"])

    def runs_of(self, backfill: str) -> list[dict[str, Any]]:
        """Give the runs of a backfill when they have ended."""

        def ended() -> Any:
            runs = self.ask(RUNS, backfill=backfill)["results"]
            return runs if runs and all(run["status"] in ENDED for run in runs) else None

        runs: list[dict[str, Any]] = self.until("end of the backfill", 180, ended)
        return runs


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> TinyLake:
    tiny = TinyLake(tmp_path_factory.mktemp("dev"))
    tiny.fill(FIRST, SECOND, THIRD)
    return tiny


@pytest.fixture(scope="module")
def dev(tiny: TinyLake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    home = tmp_path_factory.mktemp("home")
    shutil.copy(ROOT / "dagster.yaml", home)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "DAGSTER_"))}
    environ |= {
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
        "LAKEHOUSE_ROOT": str(tiny.root),
        "LAKEHOUSE_REPORTS": str(tiny.reports),
        "PYTHONPATH": str(ROOT),
    }
    command = ["-m", "dagster", "dev", "--workspace", str(ROOT / "workspace.yaml"), "--host", "127.0.0.1"]
    log = home / "dev.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *command, "--port", str(port)],
            cwd=home,
            env=environ,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        server = Dev(port, process, log)
        server.until("answer of dagster dev", 120, server.up)
        yield server
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the session that was started, and only that; by force where it does not listen."""
    os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)


def test_the_nightly_job_runs_and_its_gates_are_green(dev: Dev, tiny: TinyLake) -> None:
    params = {
        "selector": {**LOCATION, "jobName": "nightly_distillation"},
        "mode": "default",
        "runConfigData": "{}",
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": FIRST}]},
    }
    launched = dev.ask(LAUNCH, params=params)
    assert launched["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["run"]["runId"]

    def ended() -> Any:
        status = dev.ask(RUN, id=run_id)["status"]
        return status if status in ENDED else None

    assert dev.until("end of the run", 120, ended) == "SUCCESS"
    for asset, check in (
        ("evidence", "provenance_resolves"),
        ("evidence", "receipt_balances"),
        ("scored_runs", "receipt_balances"),
        ("scored_runs", "one_verdict_each"),
        ("sft_samples", "receipt_balances"),
    ):
        (execution,) = dev.checks(asset, check)
        assert (execution["runId"], execution["partition"], execution["status"]) == (run_id, FIRST, "SUCCEEDED")
    (firewall,) = [one for one in dev.checks("sft_export", "contamination_firewall") if one["evaluation"]]
    assert firewall["evaluation"] == {
        "success": True,
        "severity": "ERROR",
        "description": "2 samples, each of an accepted run",
    }
    shown = dev.ask(SHOWN, asset={"path": ["sft_export"]})["assetChecksOrError"]["checks"]
    states = {one["name"]: one["executionForLatestMaterialization"]["status"] for one in shown}
    # Nothing is held out in this lake, and the gate says so instead of passing.
    assert states == {
        "contamination_firewall": "SUCCEEDED",
        "splits_disjoint": "SUCCEEDED",
        "no_holdout_overlap": "FAILED",
        "contract": "SUCCEEDED",
        "verdict_balance": "SUCCEEDED",
    }
    assert len(tiny.published()) == 2
    assert tiny.summary(run_id).status == "ok"


def test_backfills_of_the_job_and_of_assets_are_one_run_each(dev: Dev, tiny: TinyLake) -> None:
    of_job = dev.backfill(
        selector={"partitionSetName": "backfill_distillation_partition_set", "repositorySelector": LOCATION},
        partitionNames=[FIRST, SECOND],
    )
    of_assets = dev.backfill(
        assetSelection=[{"path": [name]} for name in ("evidence", "scored_runs", "sft_samples")],
        partitionNames=[SECOND, THIRD],
    )
    (run,) = dev.runs_of(of_job)
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert run["status"] == "SUCCESS"
    assert tags["dagster/asset_partition_range_start"] == FIRST
    assert tags["dagster/asset_partition_range_end"] == SECOND
    assert tiny.summary(run["runId"]).partition == f"{FIRST}...{SECOND}"
    looked_at = {one["partition"] for one in dev.checks("evidence", "receipt_balances") if one["runId"] == run["runId"]}
    assert looked_at == {FIRST, SECOND, None}
    assert [run["status"] for run in dev.runs_of(of_assets)] == ["SUCCESS"]
    assert tiny.lake.part(THIRD).exists()


def test_the_sensors_are_there_and_only_the_alarms_are_on(dev: Dev) -> None:
    states = {
        sensor["name"]: sensor["sensorState"]["status"] for sensor in dev.ask(SENSORS, repository=LOCATION)["results"]
    }
    assert states == {
        "new_evidence": "STOPPED",
        "new_roster": "STOPPED",
        "new_rag_export": "STOPPED",
        "run_failed": "RUNNING",
        "run_cancelled": "RUNNING",
        "quarantine_alarm": "RUNNING",
    }
