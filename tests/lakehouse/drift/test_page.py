"""The drift page: whole HTML that loads nothing, what moved in its place, and nothing left out without a word."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from lakehouse.baseline import log_path
from lakehouse.drift.gather import DriftReport, MetricDriftSeen, gather, ordered, scorer_seen
from lakehouse.drift.page import render, write_drift_page
from lakehouse.drift.plots import histogram, over_time
from lakehouse.drift.psi import categorical_psi
from lakehouse.drift.rescoring import rescore
from lakehouse_dagster.commands.drift import drift

DAYS = ("2026-05-01", "2026-05-02", "2026-05-03", "2026-05-04")
FIRST, LAST = DAYS[0], DAYS[-1]
NOW = "2026-05-10T02:00:00.000Z"
VOID = {"meta", "link", "wbr"}


class Page(HTMLParser):
    """A page taken apart; fails where a tag is not closed by its own."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(data.decode())
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def classes(self, tag: str) -> list[str]:
        return [found.get("class") or "" for name, found in self.elements if name == tag]


def fill(lab: Any, drifts: bool = True) -> Any:
    for day in DAYS:
        good = 300 if drifts and day == LAST else 540
        lab.write(
            "agent_runs",
            *(
                {"run_id": f"r{n}", "prompt": f"p{n}", "response": f"{n}", "passed": n < good, "ts": f"{day}T10:00:00Z"}
                for n in range(600)
            ),
        )
    lab.make(chunks=False)
    row = {"schema": "audit_baseline.v1", "recorded_at": "x", "git_commit": "f", "run_id": "r", "producer": "p"}
    lines = [{**row, "run_hash": str(rows), "metrics": {"p2_evidence_rows": rows}} for rows in (12, 82)]
    log_path(lab.lake).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return lab.lake


def empty(**changes: Any) -> DriftReport:
    nothing = MetricDriftSeen(passed=True, severity="WARN", summary="nothing to compare yet", rows=[])
    given: dict[str, Any] = {"made_at": NOW, "days": [], "things": {}, "by_stream": {}, "metrics": nothing, "notes": []}
    return DriftReport(schema_version=1, **(given | changes))


def test_a_day_that_drifts_is_the_headline_and_its_histograms_stand_side_by_side(lab: Any) -> None:
    lake = fill(lab)
    path, report = write_drift_page(lake, lab.root / "reports", DAYS, NOW, scorer_seen([LAST], rescore(lake, [LAST])))
    page = Page(path.read_bytes())
    assert path == lab.root / "reports/drift/index.html"
    assert f"{LAST} major drift, holds the day back" in page.text
    for words in ("category major drift", "agent_runs.passed major drift", "accepted: 90.0% before, 50.0% on this day"):
        assert words in page.text
    assert page.classes("rect").count("reference") == page.classes("rect").count("current") == 4
    assert "p2_evidence_rows moved1282+583.3%" in page.text
    assert "0 of 600 verdicts of 2026-05-04 would be others now." in page.text
    assert report.red


def test_the_page_loads_nothing_and_is_the_same_for_the_same_lake(lab: Any) -> None:
    lake = fill(lab)
    path, report = write_drift_page(lake, lab.root / "reports", DAYS, NOW)
    page = Page(path.read_bytes())
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"script", "img", "iframe", "object"}
    assert not re.search(r"https?:|@import|url\(", path.read_text())
    hrefs = {found["href"] for tag, found in page.elements if tag == "a" and found.get("href")}
    assert {href for href in hrefs if href and not href.startswith("#")} == {"drift.json"}
    assert render(report) == render(gather(lake, DAYS, NOW)) == path.read_bytes()


def test_the_same_is_there_for_machines(lab: Any) -> None:
    path, _ = write_drift_page(fill(lab), lab.root / "reports", DAYS, NOW)
    held = json.loads((path.parent / "drift.json").read_bytes())
    assert [(day["day"], day["verdict"], day["blocks"]) for day in held["days"]] == [
        (FIRST, "insufficient_data", False),
        ("2026-05-02", "stable", False),
        ("2026-05-03", "stable", False),
        (LAST, "major", True),
    ]
    assert held["things"]["category"]["verdict"] == "major"
    assert held["days"][1]["psi"]["agent_runs.passed"] == 0.0
    assert held["metrics"]["rows"][0]["flag"] == "warn"
    assert "scorer" not in held


def test_a_lake_without_days_says_so() -> None:
    page = Page(render(empty()))
    for words in ("There is no scored day to compare", "nothing to compare yet", "Not measured."):
        assert words in page.text


def test_a_damaged_log_is_on_the_page_and_red(lab: Any) -> None:
    lake = fill(lab)
    log_path(lake).write_bytes(b"{\n")
    path, report = write_drift_page(lake, lab.root / "reports", DAYS, NOW)
    text = Page(path.read_bytes()).text
    assert text.count("What could not be compared") == 1
    assert len(report.notes) == 1
    assert "audit_baselines.jsonl:1" in report.notes[0]
    assert report.red


def test_text_of_data_never_becomes_markup() -> None:
    hostile = "<script>alert(1)</script>"
    things = {hostile: categorical_psi({hostile: 1}, {hostile: 2, "b": 1})}
    page = Page(render(empty(things=things, by_stream=things, notes=[hostile])))
    assert "script" not in {tag for tag, _ in page.elements}


def test_changed_verdicts_stand_in_a_matrix(lab: Any) -> None:
    lake = fill(lab)
    seen = scorer_seen([LAST], rescore(lake, [LAST]))
    assert not seen.red
    seen.rows.append({"stored": "accepted", "now": "rejected", "scorer_version": "v0.9.0", "rows": 7})
    assert not seen.red
    text = Page(render(empty(scorer=seen))).text
    assert "7 of 607 verdicts" in text
    assert "Stored by v0.9.0" in text
    seen.rows.append({**seen.rows[-1], "scorer_version": seen.rows[0]["scorer_version"]})
    assert seen.red


def test_dots_stand_higher_the_larger_the_index_and_a_day_without_one_is_a_gap() -> None:
    drawn = over_time("x", [("d1", 0.0), ("d2", 0.2), ("d3", None), ("d4", 7.0)])
    dots = re.findall(r'class="dot (\w+)" d="M([\d.]+) ([\d.]+)h0"', drawn)
    assert [style for style, _, _ in dots] == ["stable", "minor", "major"]
    heights = [float(y) for _, _, y in dots]
    assert heights == sorted(heights, reverse=True)
    assert min(heights) >= 0
    assert re.search(r'class="trace" d="M[^M]*L[^M]*M[^ML]*"', drawn)
    assert "d3 not compared" in drawn


def test_a_day_that_moved_by_chance_is_drawn_as_that() -> None:
    drawn = over_time("x", [("d1", 0.3), ("d2", 0.3)], {"d2"})
    assert re.findall(r'class="dot (\w+)"', drawn) == ["major", "chance"]


def test_thresholds_are_drawn_even_where_nothing_moved() -> None:
    drawn = over_time("x", [("d1", 0.0)])
    heights = [float(y) for y in re.findall(r'class="limit \w+" d="M0 ([\d.]+)H', drawn)]
    assert len(heights) == 2
    assert 0 < heights[1] < heights[0] < 100


def test_bars_of_a_histogram_are_to_one_scale_and_empty_buckets_are_left_out() -> None:
    psi = categorical_psi({"a": 1, "b": 3}, {"a": 2, "b": 2})
    drawn = histogram("x", [*psi.buckets, categorical_psi({}, {"c": 1}).buckets[0]][:2])
    widths = re.findall(r'class="(\w+)" x="0.00" width="([\d.]+)"', drawn)
    assert widths == [("reference", "333.33"), ("current", "666.67"), ("reference", "1000.00"), ("current", "666.67")]


def test_what_moved_furthest_of_late_stands_first_after_the_category(lab: Any) -> None:
    assert ordered(gather(fill(lab), DAYS, NOW)) == ["category", "agent_runs.passed"]


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(drift)
    return app


def test_the_command_is_red_where_the_newest_day_drifts_far(lab: Any, app: typer.Typer) -> None:
    fill(lab)
    where = ["--lake", str(lab.root), "--reports", str(lab.root / "reports")]
    result = CliRunner().invoke(app, where)
    assert result.exit_code == 1
    for words in ("major drift on 2026-05-04", "agent_runs.passed", "p2_evidence_rows", "+583.3 %", "index.html"):
        assert words in result.output
    assert CliRunner().invoke(app, [*where, "--day", "2026-05-03"]).exit_code == 0


def test_the_command_answers_machines_with_one_object(lab: Any, app: typer.Typer) -> None:
    fill(lab, drifts=False)
    where = ["--lake", str(lab.root), "--reports", str(lab.root / "reports"), "--json"]
    result = CliRunner().invoke(app, where)
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["days"][-1]["verdict"] == "stable"
    assert answer["scorer"]["days"] == ["2026-05-03", LAST]
    every = json.loads(CliRunner().invoke(app, [*where, "--all"]).stdout)
    assert every["scorer"]["days"] == list(DAYS)


def test_the_command_refuses_a_day_that_was_never_scored(lab: Any, app: typer.Typer) -> None:
    fill(lab)
    result = CliRunner().invoke(app, ["--lake", str(lab.root), "--day", "2026-04-01"])
    assert "2026-04-01 is not scored in this lake" in str(result.exception)
    assert "lakehouse distill --day 2026-04-01" in str(result.exception)


@pytest.mark.parametrize("day", ["rubbish", "2026-13-01", "yesterday", ""])
def test_the_command_refuses_what_is_no_day(lab: Any, app: typer.Typer, day: str) -> None:
    result = CliRunner().invoke(app, ["--lake", str(lab.root), "--day", day])
    assert f"{day!r} is no day" in str(result.exception)
    assert "YYYY-MM-DD" in str(result.exception)
