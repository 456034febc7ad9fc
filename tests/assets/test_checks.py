"""Each gate is red where what it should catch is planted, says where, and is green otherwise."""

import json
from collections.abc import Callable
from typing import Any

import dagster as dg
import pytest

from lakehouse.gates.verdicts import read_verdicts, why_held
from tests.conftest import FIRST, SECOND, THIRD, TinyLake, evaluations


def shown(check: dg.AssetCheckEvaluation, name: str) -> list[dict[str, Any]]:
    """The rows of a table that a check shows."""
    table = check.metadata[name]
    assert isinstance(table, dg.TableMetadataValue)
    return [dict(record.data) for record in table.records]


def edit_evidence(tiny: TinyLake) -> None:
    path = tiny.lake.evidence(FIRST, "scrum_reviews")
    lines = path.read_text().splitlines()
    record = json.loads(lines[1])
    record["provenance"]["sig_hash"] = "0" * 64
    lines[1] = json.dumps(record, separators=(",", ":"))
    path.write_text("\n".join(lines) + "\n")


def delete_scored_line(tiny: TinyLake) -> None:
    path = tiny.lake.scored(FIRST, "scrum_reviews")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def edit_counts(stage: str) -> Callable[[TinyLake], None]:
    def edit(tiny: TinyLake) -> None:
        path = tiny.lake.manifest(stage, FIRST)
        manifest = json.loads(path.read_text())
        manifest["records_in"] += 1
        path.write_text(json.dumps(manifest))

    return edit


FAULTS = [
    pytest.param("evidence", "provenance_resolves", edit_evidence, ("scrum_reviews.jsonl", 2), id="edited-evidence"),
    pytest.param("evidence", "receipt_balances", edit_evidence, ("scrum_reviews.jsonl", 0), id="edited-evidence-file"),
    pytest.param("evidence", "receipt_balances", edit_counts("collect"), None, id="evidence-count"),
    pytest.param("scored_runs", "receipt_balances", edit_counts("score"), None, id="scored-count"),
    pytest.param("sft_samples", "receipt_balances", edit_counts("export-sft"), None, id="samples-count"),
    pytest.param("scored_runs", "one_verdict_each", delete_scored_line, ("scrum_reviews.jsonl", 3), id="lost-verdict"),
]


@pytest.mark.parametrize(("asset", "name", "plant", "where"), FAULTS)
def test_a_planted_fault_turns_its_gate_red(
    tiny: TinyLake, asset: str, name: str, plant: Callable[[TinyLake], None], where: tuple[str, int] | None
) -> None:
    tiny.fill(FIRST)
    tiny.run(FIRST)
    assert evaluations(tiny.look(asset, FIRST))[asset, name, FIRST].passed
    plant(tiny)
    result = tiny.look(asset, FIRST)
    check = evaluations(result)[asset, name, FIRST]
    assert not result.success
    assert (check.passed, check.severity, check.blocking) == (False, dg.AssetCheckSeverity.ERROR, True)
    assert not read_verdicts(tiny.lake, asset, FIRST)[name].passed
    if where is not None:
        offender = shown(check, "offenders")[0]
        assert str(offender["file"]).endswith(where[0])
        assert offender["line"] == where[1]
        assert offender["why"]


def test_one_red_day_of_many_is_a_warning_and_a_row_of_its_own(tiny: TinyLake) -> None:
    tiny.fill(FIRST, SECOND)
    tiny.run(FIRST, SECOND)
    edit_evidence(tiny)
    result = tiny.look("evidence", FIRST, SECOND)
    found = evaluations(result)
    whole = found["evidence", "provenance_resolves", None]
    assert result.success
    assert (whole.passed, whole.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert [(row["day"], row["passed"]) for row in shown(whole, "days")] == [(FIRST, False), (SECOND, True)]
    assert [row["day"] for row in shown(whole, "offenders")] == [FIRST]
    assert not found["evidence", "provenance_resolves", FIRST].passed
    assert found["evidence", "provenance_resolves", SECOND].passed


def test_a_day_that_was_never_made_is_red_with_the_reason(tiny: TinyLake) -> None:
    tiny.fill(FIRST)
    tiny.run(FIRST)
    result = tiny.look("evidence", THIRD)
    check = evaluations(result)["evidence", "receipt_balances", THIRD]
    assert not check.passed
    assert f"evidence of {THIRD} was never made" in (check.description or "")


def test_a_run_without_days_has_nothing_to_look_at_and_does_not_pass(tiny: TinyLake) -> None:
    tiny.fill(FIRST)
    tiny.run(FIRST)
    found = evaluations(tiny.look("evidence"))
    assert [check.passed for check in found.values()] == [False] * 4


def test_looking_again_changes_no_verdict_file(tiny: TinyLake) -> None:
    tiny.fill(FIRST)
    tiny.run(FIRST)
    before = tiny.tree()
    tiny.look("evidence", FIRST)
    tiny.look("sft_export")
    assert tiny.tree() == before


def test_a_red_gate_holds_its_day_back_until_the_day_is_made_anew(tiny: TinyLake) -> None:
    tiny.fill(FIRST)
    tiny.run(FIRST)
    edit_evidence(tiny)
    tiny.look("evidence", FIRST)
    held = why_held(tiny.lake, FIRST)
    tiny.run(FIRST)
    assert held is not None
    assert held.startswith("evidence/provenance_resolves: red")
    assert why_held(tiny.lake, FIRST) is None


class TestContaminationFirewall:
    def swap(self, tiny: TinyLake) -> None:
        """Put a rejected run into the published file, dressed up as accepted."""
        path = tiny.lake.sft / "sft_export.jsonl"
        lines = path.read_text().splitlines()
        rejected = json.loads(tiny.lake.evidence(FIRST, "scrum_reviews").read_text().splitlines()[2])
        sample = json.loads(lines[0])
        sample |= {
            "source_run_id": rejected["run_id"],
            "task_id": rejected["task_id"],
            "provenance": rejected["provenance"],
        }
        path.write_text("\n".join([json.dumps(sample, separators=(",", ":")), *lines[1:]]) + "\n")

    def test_it_passes_on_what_was_published(self, tiny: TinyLake) -> None:
        tiny.fill(FIRST)
        tiny.run(FIRST)
        check = evaluations(tiny.look("sft_export"))["sft_export", "contamination_firewall", None]
        assert check.passed
        assert check.metadata["rows_checked"].value == 2

    def test_a_rejected_run_in_the_published_file_is_caught(self, tiny: TinyLake) -> None:
        tiny.fill(FIRST)
        tiny.run(FIRST)
        self.swap(tiny)
        result = tiny.look("sft_export")
        check = evaluations(result)["sft_export", "contamination_firewall", None]
        assert not result.success
        assert (check.passed, check.blocking) == (False, True)
        assert [(row["line"], row["why"]) for row in shown(check, "offenders")] == [(1, "its run is rejected")]

    def test_partially_accepted_runs_that_were_asked_for_are_no_contamination(
        self, tiny: TinyLake, instance: dg.DagsterInstance
    ) -> None:
        tiny.fill(FIRST)
        tiny.run(FIRST, instance=instance, config={"ops": {"sft_export": {"config": {"include_partial": True}}}})
        assert evaluations(tiny.look("sft_export", instance=instance))[
            "sft_export", "contamination_firewall", None
        ].passed

    def test_without_a_published_file_it_does_not_pass(self, tiny: TinyLake) -> None:
        check = evaluations(tiny.look("sft_export"))["sft_export", "contamination_firewall", None]
        assert not check.passed
        assert "nothing is published" in (check.description or "")
