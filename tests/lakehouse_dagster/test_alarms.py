"""What people are told: a run that was stopped, a crowded quarantine."""

from dataclasses import replace
from typing import Any

import dagster as dg
import pytest

from assets.distillation import DAILY
from resources.lake import LakeResource
from resources.webhook import WebhookResource
from tests.conftest import FIRST, SECOND, TinyLake


class Posted(WebhookResource):
    """A webhook that keeps what it is given."""

    def post(self, message: Any) -> str | None:
        MESSAGES.append(dict(message))
        return None


MESSAGES: list[dict[str, Any]] = []


@pytest.fixture(autouse=True)
def nothing_posted_yet() -> None:
    MESSAGES.clear()


def ring(tiny: TinyLake, name: str, result: dg.ExecuteInProcessResult, instance: dg.DagsterInstance) -> None:
    """Let a sensor hear of the end of a run, as the daemon does."""
    definitions = tiny.definitions()
    event = result.get_run_success_event() if result.success else result.get_run_failure_event()
    context = dg.build_run_status_sensor_context(
        sensor_name=name,
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=event,
        resources={
            "lake": LakeResource(root=str(tiny.root), reports=str(tiny.reports), commit="c" * 40),
            "webhook": Posted(),
        },
    )
    definitions.resolve_sensor_def(name)(context.for_run_failure() if name == "run_failed" else context)


def red_night(tiny: TinyLake, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    tiny.fill(FIRST)
    tiny.run(FIRST)
    path = tiny.root / "_kb" / "audits.jsonl"
    path.write_text(path.read_text().replace("low", "med"))
    return tiny.run(FIRST, instance=instance)


def test_a_night_that_a_gate_stopped_has_a_summary_that_names_it(tiny: TinyLake, instance: dg.DagsterInstance) -> None:
    result = red_night(tiny, instance)
    ring(tiny, "run_failed", result, instance)
    summary = tiny.summary(result.run_id)
    assert (summary.status, summary.partition, summary.stages) == ("stopped", FIRST, ["collect"])
    assert summary.failed_gates == [f"evidence/{FIRST}/provenance_resolves"]
    assert list(summary.held_days) == [FIRST]
    assert "evidence: provenance_resolves" in (summary.error or "")


def test_a_report_stands_beside_the_summary(tiny: TinyLake, instance: dg.DagsterInstance) -> None:
    result = red_night(tiny, instance)
    ring(tiny, "run_failed", result, instance)
    report = (tiny.reports / "distillation" / result.run_id / "run_failed.md").read_text()
    assert f"- `evidence/{FIRST}/provenance_resolves`" in report


def test_the_webhook_hears_of_a_failed_run(tiny: TinyLake, instance: dg.DagsterInstance) -> None:
    result = red_night(tiny, instance)
    ring(tiny, "run_failed", result, instance)
    (message,) = MESSAGES
    assert (message["event"], message["run_id"], message["days"]) == ("run_failed", result.run_id, FIRST)
    assert message["failed_gates"] == [f"evidence/{FIRST}/provenance_resolves"]


def test_an_error_of_a_step_is_told_in_its_own_words(tiny: TinyLake, instance: dg.DagsterInstance) -> None:
    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("by nothing")

    tiny.fill(FIRST)
    result = tiny.run(FIRST, instance=instance, daily=[replace(DAILY[0], step=broken), *DAILY[1:]])
    ring(tiny, "run_failed", result, instance)
    assert "evidence: ZeroDivisionError: by nothing" in (tiny.summary(result.run_id).error or "")


@pytest.mark.parametrize(("bad", "rings"), [(0, False), (1, False), (2, True)])
def test_a_quarantine_of_more_than_a_fifth_is_told(
    tiny: TinyLake, instance: dg.DagsterInstance, bad: int, rings: bool
) -> None:
    tiny.fill(FIRST)  # four good rows; one bad one among five is exactly a fifth
    tiny.fill(SECOND)
    tiny.append("scrum_reviews", *[{"accepted_on_attempt": 1, "ts": f"{FIRST}T10:00:00Z"}] * bad)
    result = tiny.run(FIRST, SECOND, instance=instance)
    ring(tiny, "quarantine_alarm", result, instance)
    report = tiny.reports / "distillation" / result.run_id / "quarantine_alarm.md"
    assert report.exists() is rings
    assert [message["days"] for message in MESSAGES] == ([{FIRST: 2 / 6}] if rings else [])


def test_a_run_that_went_well_is_told_to_nobody(tiny: TinyLake, instance: dg.DagsterInstance) -> None:
    tiny.fill(FIRST)
    result = tiny.run(FIRST, instance=instance)
    ring(tiny, "quarantine_alarm", result, instance)
    assert MESSAGES == []
    assert not (tiny.reports / "distillation" / result.run_id / "run_failed.md").exists()


@pytest.mark.parametrize("name", ["run_failed", "run_cancelled", "quarantine_alarm"])
def test_alarms_are_on_everywhere(tiny: TinyLake, name: str) -> None:
    assert tiny.definitions().resolve_sensor_def(name).default_status is dg.DefaultSensorStatus.RUNNING
