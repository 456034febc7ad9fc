"""The code location: it loads, without a warning of ours, from what the environment says."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from lakehouse.errors import UsageError
from lakehouse.parity.probes.embed import can_run
from tests.conftest import TinyLake

ROOT = Path(__file__).parents[2]
HEAVY = ("great_expectations", "lancedb", "sentence_transformers", "torch", "dagster_webserver")


def python(*arguments: str, root: Path, home: Path, **more: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("LAKEHOUSE_", "PYTEST_"))}
    environ |= {"LAKEHOUSE_ROOT": str(root), "DAGSTER_HOME": str(home), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    environ |= {"PYTHONPATH": str(ROOT), **more}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.slow
def test_dagster_finds_the_definitions_valid(tiny: TinyLake, tmp_path: Path) -> None:
    answer = python(
        "-m", "dagster", "definitions", "validate", "--workspace", "workspace.yaml", root=tiny.root, home=tmp_path
    )
    assert answer.returncode == 0, answer.stderr
    assert "All code locations passed validation" in answer.stderr + answer.stdout
    # Dagster says of its own command that another one is to come; anything else would be of our making.
    warned = [line for line in answer.stderr.splitlines() if "Warning" in line]
    assert [line for line in warned if "definitions_validate_command" not in line] == []


@pytest.mark.slow
def test_loading_warns_of_nothing_and_imports_nothing_heavy(tiny: TinyLake, tmp_path: Path) -> None:
    code = (
        "import sys, warnings; warnings.simplefilter('error')\n"
        "from lakehouse_dagster.definitions import defs\n"
        "defs.get_repository_def().load_all_definitions()\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    answer = python("-c", code, root=tiny.root, home=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_code_location_in_production_has_its_schedule_on(tiny: TinyLake, tmp_path: Path) -> None:
    code = (
        "from lakehouse_dagster.definitions import defs\n"
        "print(defs.resolve_schedule_def('nightly_distillation').default_status.value)"
    )
    answer = python("-c", code, root=tiny.root, home=tmp_path, LAKEHOUSE_ENV="production")
    assert answer.stdout.strip() == "RUNNING"


def test_settings_that_are_wrong_are_named(tiny: TinyLake) -> None:
    (tiny.root / "lakehouse.toml").write_text("first_day = soon\n")
    with pytest.raises(UsageError, match=r"lakehouse\.toml"):
        tiny.definitions()


def test_the_jobs_hold_the_whole_chain_and_every_check(tiny: TinyLake) -> None:
    definitions = tiny.definitions()
    for name in ("nightly_distillation", "backfill_distillation"):
        layer = definitions.resolve_job_def(name).asset_layer
        assert {key.to_user_string() for key in layer.selected_asset_keys} == {
            "line_index",
            "evidence",
            "scored_runs",
            "sft_samples",
            "rag_chunks",
            "sft_export",
            "rag_export",
            "preference_export",
            "run_summary",
            "session_audit",
            "subject_audit",
            "replay_report",
            "audit_baseline",
        }
        assert len(list(layer.asset_graph.asset_check_keys)) == 38 + can_run()


def test_every_daily_asset_is_backfilled_in_one_run(tiny: TinyLake) -> None:
    graph = tiny.definitions().resolve_asset_graph()
    for name in ("evidence", "scored_runs", "sft_samples", "rag_chunks"):
        policy = graph.get(dg.AssetKey(name)).backfill_policy
        assert policy is not None
        assert policy.max_partitions_per_run is None


def test_runs_are_executed_in_one_process(tiny: TinyLake) -> None:
    assert tiny.definitions().executor is dg.in_process_executor
