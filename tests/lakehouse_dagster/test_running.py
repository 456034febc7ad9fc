"""Running the chain in process, as the command line does."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from lakehouse.errors import UsageError
from lakehouse.parity.probes.embed import can_run
from lakehouse_dagster.running import RunResult, run_days
from tests.conftest import FIRST, NOON, SECOND, THIRD, TinyLake, review


@pytest.fixture
def run(tiny: TinyLake, monkeypatch: pytest.MonkeyPatch) -> Callable[..., RunResult]:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    def call(*days: str, **options: object) -> RunResult:
        return run_days(tiny.root, tiny.reports, days, clock=lambda: NOON, **options)  # type: ignore[arg-type]

    return call


def break_audits(tiny: TinyLake) -> None:
    path = tiny.root / "_kb" / "audits.jsonl"
    path.write_text(path.read_text().replace("low", "med"))


def test_a_run_tells_what_came_of_it(tiny: TinyLake, run: Callable[..., RunResult]) -> None:
    tiny.fill(FIRST)
    result = run(FIRST)
    assert (result.success, result.finished, result.exit_code, result.days) == (True, True, 0, [FIRST])
    assert result.summary is not None
    assert (result.summary.run_id, result.summary.status) == (result.run_id, "ok")
    assert ([one.check for one in result.failed_checks], result.errors) == (["no_holdout_overlap", "replays_hold"], [])
    assert not any(one.blocks for one in result.failed_checks)


def test_days_in_any_order_are_one_run(tiny: TinyLake, run: Callable[..., RunResult]) -> None:
    tiny.fill(FIRST, SECOND, THIRD)
    result = run(THIRD, FIRST)
    assert result.days == [FIRST, THIRD]
    assert result.summary is not None
    assert result.summary.counts["days"] == 2
    assert not tiny.lake.evidence(SECOND).exists()


@pytest.mark.parametrize(("partial", "samples"), [(None, 2), (True, 3), (False, 2)])
def test_partially_accepted_runs_are_exported_when_asked_for(
    tiny: TinyLake, run: Callable[..., RunResult], partial: bool | None, samples: int
) -> None:
    tiny.fill(FIRST)
    assert run(FIRST, include_partial=partial).success
    assert len(tiny.published()) == samples


def test_a_stopped_run_has_its_summary_and_names_the_gate(tiny: TinyLake, run: Callable[..., RunResult]) -> None:
    tiny.fill(FIRST)
    run(FIRST)
    break_audits(tiny)
    result = run(FIRST)
    assert (result.finished, result.success, result.exit_code) == (False, False, 1)
    blocking = [(one.asset, one.check, one.day) for one in result.failed_checks if one.blocks]
    assert blocking == [("evidence", "provenance_resolves", FIRST)]
    assert result.summary is not None
    assert result.summary.status == "stopped"
    assert result.summary.failed_gates == [f"evidence/{FIRST}/provenance_resolves"]


def test_a_run_with_a_red_day_finishes_and_is_no_success(tiny: TinyLake, run: Callable[..., RunResult]) -> None:
    tiny.fill(FIRST)
    tiny.append("scrum_reviews", review("only.rs", SECOND))
    run(FIRST, SECOND)
    break_audits(tiny)  # the first day has audits, the second has none
    result = run(FIRST, SECOND)
    assert (result.finished, result.success, result.exit_code) == (True, False, 1)
    assert result.summary is not None
    assert list(result.summary.held_days) == [FIRST]


def test_a_torn_log_of_baselines_stops_a_run_and_says_where(tiny: TinyLake, run: Callable[..., RunResult]) -> None:
    tiny.fill(FIRST)
    run(FIRST)
    (tiny.root / "_kb" / "audit_baselines.jsonl").write_text("{torn")
    tiny.append("audits", {"phase": "new", "severity": "low", "ts": f"{FIRST}T12:00:00Z"})
    result = run(FIRST)
    assert (result.finished, result.exit_code) == (False, 1)
    assert "audit_baselines.jsonl:1" in next(one.summary for one in result.failed_checks if one.blocks)
    assert result.summary is not None
    assert result.summary.status == "stopped"


@pytest.mark.parametrize(
    ("days", "said"),
    [([], "needs a day"), (["2026-05-11"], "has not come yet"), (["2026-04-30"], "before the lake's first day")],
)
def test_days_that_the_lake_does_not_have_are_refused(
    tiny: TinyLake, run: Callable[..., RunResult], days: list[str], said: str
) -> None:
    (tiny.root / "lakehouse.toml").write_text(f"first_day = {FIRST}\n")
    with pytest.raises(UsageError, match=said):
        run(*days)


def test_the_listener_hears_of_every_step(tiny: TinyLake, run: Callable[..., RunResult]) -> None:
    heard: list[tuple[str, str]] = []
    run(FIRST, listen=lambda step, state: heard.append((step, state)))
    assert ("evidence", "started") in heard
    assert ("audit_baseline", "done") in heard
    assert len(heard) == 2 * (51 + can_run())


def test_nothing_is_printed(tiny: TinyLake, run: Callable[..., RunResult], capfd: pytest.CaptureFixture[str]) -> None:
    run(FIRST)
    assert capfd.readouterr() == ("", "")


def test_runs_are_kept_where_dagster_home_says(
    tiny: TinyLake, run: Callable[..., RunResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    result = run(FIRST)
    with dg.DagsterInstance.get() as instance:
        kept = instance.get_run_by_id(result.run_id)
    assert kept is not None
    assert (kept.job_name, kept.status) == ("nightly_distillation", dg.DagsterRunStatus.SUCCESS)


def test_a_dagster_home_that_is_not_there_is_told_before_anything_runs(
    tiny: TinyLake, run: Callable[..., RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "nowhere")
    with pytest.raises(UsageError, match="no absolute folder that exists"):
        run(FIRST)
    assert not tiny.reports.exists()


def test_an_interrupted_run_has_a_summary_that_says_so(tiny: TinyLake, run: Callable[..., RunResult]) -> None:
    def interrupt(step: str, state: str) -> None:
        if (step, state) == ("scored_runs", "started"):
            raise KeyboardInterrupt

    tiny.fill(FIRST)
    with pytest.raises(KeyboardInterrupt):
        run(FIRST, listen=interrupt)
    (folder,) = (tiny.reports / "distillation").iterdir()
    summary = tiny.summary(folder.name)
    assert (summary.status, summary.stages, summary.error) == ("stopped", ["collect"], "the run was interrupted")
