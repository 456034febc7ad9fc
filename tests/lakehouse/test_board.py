"""Tables and plots in markdown."""

import pytest

from lakehouse.board import bars, crowded_report, stopped, table
from lakehouse.records import ChecksReport, FirewallReport, RunSummary


def test_a_table_has_a_header_a_rule_and_its_rows() -> None:
    assert table(("day", "rows"), [("2026-05-01", 1200)]) == "| day | rows |\n| --- | ---: |\n| 2026-05-01 | 1,200 |\n"


@pytest.mark.parametrize(("value", "cell"), [("a|b", "a\\|b"), ("a\nb", "a b"), (True, "True"), (0, "0"), (0.5, "0.5")])
def test_a_cell_never_breaks_its_table(value: object, cell: str) -> None:
    assert table(("x",), [(value,)]).splitlines()[2] == f"| {cell} |"


def test_bars_show_shares_and_the_longest_is_the_most() -> None:
    lines = bars("category", {"accepted": 3, "rejected": 1}).splitlines()
    assert "| accepted | 3 | 75.0% | " + "█" * 24 + " |" in lines
    assert "| rejected | 1 | 25.0% | " + "█" * 8 + " |" in lines


def test_bars_of_nothing_are_an_empty_table() -> None:
    assert len(bars("category", {}).splitlines()) == 2
    assert "| accepted | 0 |  |  |" in bars("category", {"accepted": 0})


def test_the_report_of_a_stopped_run_names_error_gates_and_held_days() -> None:
    summary = RunSummary(
        schema_version=1,
        run_id="run-1",
        run_hash="0" * 64,
        git_commit="0" * 40,
        partition="2026-05-01",
        started_at="",
        finished_at="",
        status="stopped",
        stages=[],
        counts={},
        firewall=FirewallReport(blocked=0, by_category={}),
        checks=ChecksReport(passed=0, failed=1, warned=0),
        failed_gates=["evidence/2026-05-01/provenance_resolves"],
        held_days={"2026-05-01": "evidence/provenance_resolves: red"},
        error="boom",
    )
    text = stopped(summary, "evidence: ```boom```")
    assert "# Run run-1 was stopped" in text
    assert "- `evidence/2026-05-01/provenance_resolves`" in text
    assert "| 2026-05-01 | evidence/provenance_resolves: red |" in text
    assert text.count("```") == 2


def test_the_report_of_a_crowded_quarantine_says_where_the_rows_are() -> None:
    assert "| 2026-05-01 | 25.0% | quarantine/2026/05/01/collect.jsonl |" in crowded_report({"2026-05-01": 0.25})
