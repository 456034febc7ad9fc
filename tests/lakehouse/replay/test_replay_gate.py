"""The gate on replays, with everything planted that it must catch."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from lakehouse.files import sha256_of
from lakehouse.gates.replays import REPLAY_GATES, replays_hold
from lakehouse.replay.report import remembered, state_path
from tests.lakehouse.conftest import NOW


def look(bench: Any) -> Any:
    return replays_hold(bench.lake, NOW)


def tell(bench: Any, **newest: Any) -> None:
    """Let the newest report say something else than it did; `before` says the same of the one before."""
    held = remembered(bench.lake)
    before = newest.pop("before", None)
    if before is not None:
        held.before = [msgspec.structs.replace(held.newest, **before)]
    held.newest = msgspec.structs.replace(held.newest, **newest)
    state_path(bench.lake).write_bytes(msgspec.json.encode(held))


def test_a_report_of_valid_answers_passes_and_says_what_it_looked_at(filled: Any, helpers: Any) -> None:
    report = filled.replays(helpers.FakeChat(weak="verified"))
    found = look(filled)
    assert (found.passed, found.severity, found.rows_checked, found.offenders) == (True, "WARN", 6, [])
    assert found.summary == (
        f"6 of 6 tasks answered by weak, 6 valid, mean similarity {report.mean:.4f}; no report before it to compare with"
    )
    assert found.input_sha256 == sha256_of(state_path(filled.lake))
    assert (found.tables or {})["reports"][0]["mean"] == report.mean


def test_where_nobody_looked_nothing_passes(filled: Any, helpers: Any) -> None:
    found = look(filled)
    assert (found.passed, found.severity, found.rows_checked) == (False, "WARN", 0)
    assert "nothing was replayed yet" in found.summary
    state_path(filled.lake).parent.mkdir(exist_ok=True)
    state_path(filled.lake).write_text("{")
    found = look(filled)
    assert (found.passed, found.offenders[0]["file"]) == (False, "index/replays.json")


def test_a_lake_without_accepted_tasks_is_not_called_good(bench: Any, helpers: Any) -> None:
    from tests.conftest import review

    bench.lab.write("scrum_reviews", review("c.rs", helpers.days[0], None))
    bench.night()
    bench.replays(helpers.FakeChat())
    assert (look(bench).passed, look(bench).summary) == (False, "there was no accepted task to replay")


@pytest.mark.parametrize(("invalid", "passed"), [(0, True), (1, True), (2, False), (6, False)])
def test_fewer_than_four_in_five_valid_answers_warn_by_line(
    filled: Any, helpers: Any, invalid: int, passed: bool
) -> None:
    filled.lab.write("replay_runs", b'{"schema":"replay_run.v1","producer":"go"}')
    filled.replays(helpers.FakeChat(weak=[*[""] * invalid, *["fine"] * (6 - invalid)]))
    found = look(filled)
    assert found.passed is passed
    lines = [] if passed else list(range(2, 2 + invalid))
    assert [one["line"] for one in found.offenders] == lines
    assert all(one["why"].startswith("not valid: scrum_review:") for one in found.offenders)


@pytest.mark.parametrize(("failures", "passed"), [(1, True), (2, False)])
def test_fewer_than_four_in_five_answers_warn(filled: Any, helpers: Any, failures: int, passed: bool) -> None:
    filled.replays(helpers.FakeChat(weak=[*[helpers.failing("timeout")] * failures, "fine"]))
    found = look(filled)
    assert found.passed is passed
    assert passed or "only 4 of 6 tasks got an answer: 2 calls failed" in found.summary


def test_an_answer_that_is_gone_from_the_log_warns(filled: Any, helpers: Any) -> None:
    filled.replays(helpers.FakeChat(weak="fine"))
    lines = filled.lake.replays.read_bytes().splitlines(keepends=True)
    filled.lake.replays.write_bytes(b"".join(lines[1:]))
    found = look(filled)
    assert not found.passed
    assert "is not in the log any more" in found.offenders[0]["why"]


@pytest.mark.parametrize(
    ("before", "now", "passed"),
    [(0.5, 0.5, True), (0.5, 0.4, True), (0.5, 0.399, False), (0.5, 0.9, True), (0.0, 0.0, True), (0.5, -0.1, False)],
)
def test_a_mean_that_fell_by_more_than_a_fifth_warns(
    filled: Any, helpers: Any, before: float, now: float, passed: bool
) -> None:
    filled.replays(helpers.FakeChat(weak="fine"))
    tell(filled, mean=now, before={"mean": before})
    found = look(filled)
    assert found.passed is passed
    assert passed or f"fell from {before:.4f} to {now:.4f}" in found.summary
    assert f"{before:.4f} before" in found.summary


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ({"method": "cosine (x)"}, "another measure"),
        ({"model": "other"}, "another model"),
        ({"stronger": "other"}, "another stronger model"),
        ({"corpus": "rag"}, "another corpus"),
        ({"passages": 9}, "another number of passages"),
        ({"compared": 4}, "fewer than 5 tasks"),
    ],
)
def test_reports_that_cannot_be_compared_are_not_and_it_says_why(
    filled: Any, helpers: Any, before: dict[str, Any], why: str
) -> None:
    filled.replays(helpers.FakeChat(weak="fine"))
    tell(filled, mean=0.1, before={"mean": 0.9, **before})
    found = look(filled)
    assert found.passed
    assert f"not compared with the report before: {why}" in found.summary


def test_the_same_report_again_warns_again(filled: Any, helpers: Any) -> None:
    filled.replays(helpers.FakeChat(weak="verified on 2026-05-01 2026-05-02 2026-05-03 a01.rs b01.rs a02.rs"))
    filled.replays(helpers.FakeChat(weak="nothing alike"), anew=True)
    assert not look(filled).passed
    filled.replays(helpers.FakeChat())
    assert not look(filled).passed


def test_a_report_with_another_model_in_between_takes_nothing_from_the_comparison(filled: Any, helpers: Any) -> None:
    chat = helpers.FakeChat(weak="verified on 2026-05-01 2026-05-02 2026-05-03 a01.rs b01.rs a02.rs", other="what")
    before = filled.replays(chat)
    filled.replays(chat, model="other")
    assert "not compared with the report before: another model" in look(filled).summary
    filled.replays(helpers.FakeChat(weak="nothing alike"), anew=True)
    found = look(filled)
    assert not found.passed
    assert f"fell from {before.mean:.4f}" in found.summary


def test_the_gate_holds_nothing_back() -> None:
    assert [(gate.name, gate.blocks) for gate in REPLAY_GATES] == [("replays_hold", False)]
