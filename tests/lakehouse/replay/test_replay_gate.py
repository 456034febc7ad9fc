"""The gate on replays, with everything planted that it must catch."""

from __future__ import annotations

from statistics import fmean
from typing import Any

import msgspec
import pytest

from lakehouse.files import sha256_of
from lakehouse.gates.replays import REPLAY_GATES, replays_hold
from lakehouse.replay.memory import MOST_BEFORE, MOST_WAYS, Way, remembered, state_path
from tests.lakehouse.conftest import NOW


def look(bench: Any) -> Any:
    return replays_hold(bench.lake, NOW)


def tell(bench: Any, now: dict[str, float], before: dict[str, float], **differs: Any) -> None:
    """Let the newest report have found other similarities than it did, and say of one before it what `differs`."""
    held = remembered(bench.lake)
    (newest,) = [one.newest for one in held.ways.values()]
    newest = msgspec.structs.replace(newest, similarities=now, mean=fmean(now.values()))
    earlier = msgspec.structs.replace(
        newest, run_id="before", similarities=before, mean=fmean(before.values()), **differs
    )
    held.ways = {newest.way: Way(newest=newest, before=[])}
    if earlier.way == newest.way:
        held.ways[newest.way].before.append(earlier)
    else:
        held.ways[earlier.way] = Way(newest=earlier, before=[])
    state_path(bench.lake).write_bytes(msgspec.json.encode(held))


def alike(similarity: float, *tasks: int) -> dict[str, float]:
    return dict.fromkeys(map(str, tasks), similarity)


def test_a_report_of_valid_answers_passes_and_says_what_it_looked_at(filled: Any, helpers: Any) -> None:
    report = filled.replays(helpers.FakeChat(weak="verified"))
    found = look(filled)
    assert (found.passed, found.severity, found.rows_checked, found.offenders) == (True, "WARN", 6, [])
    assert found.summary == (
        f"6 of 6 tasks answered by weak, as lakehouse.toml says, 6 valid, mean similarity {report.mean:.4f}; "
        "no report of 5 tasks or more before it to compare with"
    )
    assert found.input_sha256 == sha256_of(state_path(filled.lake))
    (row,) = (found.tables or {})["reports"]
    assert (row["mean"], row["shared_tasks"]) == (report.mean, 0)


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
    tell(filled, alike(now, *range(6)), alike(before, *range(6)))
    found = look(filled)
    assert found.passed is passed
    assert passed or f"fell from {before:.4f} to {now:.4f}" in found.summary
    assert f"over the 6 tasks that the report of 2026-05-10T12:00:00.000Z holds too {now:.4f}, {before:.4f} then" in (
        found.summary
    )


def test_another_number_of_tasks_makes_no_fall_and_hides_none(filled: Any, helpers: Any) -> None:
    filled.replays(helpers.FakeChat(weak="fine"))
    easy, hard = alike(0.9, *range(12)), alike(0.1, *range(12, 20))
    # All 20 have a mean of 0.58, 36 % below that of the 12: the 12 are as they were.
    tell(filled, easy | hard, easy)
    found = look(filled)
    assert found.passed
    assert "over the 12 tasks" in found.summary
    assert [(row["shared_tasks"], row["shared_mean"]) for row in (found.tables or {})["reports"]] == [(12, 0.9)] * 2
    # The 12 fell from 0.9 to 0.5; beside 8 easy ones the mean of all hardly did.
    tell(filled, alike(0.5, *range(12)) | alike(1.0, *range(12, 20)), easy)
    assert "fell from 0.9000 to 0.5000" in look(filled).summary


@pytest.mark.parametrize(
    ("common", "why"), [(4, "at most 4 tasks are in both, and it takes 5"), (5, "over the 5 tasks")]
)
def test_five_tasks_in_common_are_compared_and_four_are_not(filled: Any, helpers: Any, common: int, why: str) -> None:
    filled.replays(helpers.FakeChat(weak="fine"))
    tell(filled, alike(0.1, *range(10)), alike(0.9, *range(10 - common, 20)))
    found = look(filled)
    assert found.passed is (common < 5)
    assert why in found.summary


@pytest.mark.parametrize(
    ("before", "why"),
    [
        ({"method": "cosine (x)"}, "another measure"),
        ({"model": "other"}, "another model"),
        ({"stronger": "other"}, "another stronger model"),
        ({"corpus": "rag"}, "another corpus"),
        ({"passages": 9}, "another number of passages"),
    ],
)
def test_reports_that_cannot_be_compared_are_not_and_it_says_why(
    filled: Any, helpers: Any, before: dict[str, Any], why: str
) -> None:
    filled.replays(helpers.FakeChat(weak="fine"))
    tell(filled, alike(0.1, *range(6)), alike(0.9, *range(6)), **before)
    found = look(filled)
    assert found.passed
    assert f"not compared with the report before it: {why}" in found.summary


def test_the_same_report_again_warns_again(filled: Any, helpers: Any) -> None:
    filled.replays(helpers.FakeChat(weak="verified on 2026-05-01 2026-05-02 2026-05-03 a01.rs b01.rs a02.rs"))
    filled.replays(helpers.FakeChat(weak="nothing alike"), anew=True)
    assert not look(filled).passed
    filled.replays(helpers.FakeChat())
    assert not look(filled).passed


GOOD = "verified on 2026-05-01 2026-05-02 2026-05-03 a01.rs b01.rs a02.rs"


def test_a_try_of_another_model_is_not_judged_and_takes_nothing_from_the_comparison(filled: Any, helpers: Any) -> None:
    before = filled.replays(helpers.FakeChat(weak=GOOD))
    filled.replays(helpers.FakeChat(other=""), model="other")
    found = look(filled)
    assert (found.passed, found.rows_checked) == (True, 6)
    assert "answered by weak, as lakehouse.toml says" in found.summary
    assert "not judged: the report of 2026-05-10T12:00:00.000Z, made otherwise (other, stronger none, " in found.summary
    filled.replays(helpers.FakeChat(weak="nothing alike"), anew=True)
    found = look(filled)
    assert not found.passed
    assert f"fell from {before.mean:.4f}" in found.summary
    assert "not judged" not in found.summary


def test_a_try_that_failed_leaves_the_verdict_on_the_nights(filled: Any, helpers: Any) -> None:
    filled.replays(helpers.FakeChat(weak="nothing alike"))
    filled.replays(helpers.FakeChat(weak=""), anew=True)
    assert not look(filled).passed
    filled.replays(helpers.FakeChat(other=GOOD), model="other")
    found = look(filled)
    assert not found.passed
    assert "not valid: scrum_review:" in found.summary
    filled.replays(helpers.FakeChat(weak="fine"), anew=True)
    filled.replays(helpers.FakeChat(other=helpers.failing("unreachable")), model="other", passages=2)
    assert look(filled).passed


def test_where_only_other_models_were_tried_nobody_looked(filled: Any, helpers: Any) -> None:
    filled.replays(helpers.FakeChat(other=GOOD), model="other")
    found = look(filled)
    assert (found.passed, found.rows_checked) == (False, 0)
    assert found.summary == (
        "nothing was replayed yet as lakehouse.toml says (extractive/rag, stronger none, 6 passages), "
        "only otherwise (other, stronger none, 3 passages of rag_export, word overlap (F1)): run `lakehouse replay`"
    )


def test_a_setting_that_changed_is_another_setting(filled: Any, helpers: Any) -> None:
    filled.replays(helpers.FakeChat(weak=GOOD))
    filled.lab.settings("[replay]\npassages = 9")
    assert "nothing was replayed yet as lakehouse.toml says" in look(filled).summary
    filled.lab.settings("[replay]\ntasks = 9")
    assert look(filled).passed


def test_nights_without_answers_and_tries_of_few_tasks_take_nothing_from_the_comparison(
    filled: Any, helpers: Any
) -> None:
    before = filled.replays(helpers.FakeChat(weak=GOOD))
    filled.lake.replays.unlink()
    assert filled.replays(helpers.FakeChat(weak=helpers.failing("unreachable"))).rows == []
    for number in range(MOST_BEFORE + 1):
        filled.replays(helpers.FakeChat(weak=f"fine {number}"), 1, anew=True)
    filled.replays(helpers.FakeChat(weak="nothing alike"), anew=True)
    assert f"fell from {before.mean:.4f}" in look(filled).summary


def test_a_fall_is_not_over_because_fewer_tasks_are_asked_for(filled: Any, helpers: Any) -> None:
    filled.replays(helpers.FakeChat(weak=GOOD))
    filled.replays(helpers.FakeChat(weak="nothing alike"), anew=True)
    report = filled.replays(helpers.FakeChat(), 5)
    assert (report.asked, look(filled).passed) == (0, False)


def test_tries_are_compared_among_themselves(filled: Any, helpers: Any) -> None:
    filled.replays(helpers.FakeChat(other=GOOD), model="other")
    filled.replays(helpers.FakeChat(weak="fine"))
    filled.replays(helpers.FakeChat(other="nothing alike"), model="other", anew=True)
    first, second = remembered(filled.lake).ways.values()
    assert (first.newest.model, second.newest.model) == ("other", "weak")
    assert first.shared.before.model == "other"
    assert first.shared.then > first.shared.now
    assert (second.shared, second.before) == (None, [])


def test_what_is_remembered_is_bounded_and_the_lakes_own_is_never_pushed_out(filled: Any, helpers: Any) -> None:
    filled.replays(helpers.FakeChat(weak="fine"))
    for number in range(MOST_WAYS + 2):
        filled.replays(helpers.FakeChat(weak="fine"), 1, passages=10 + number)
    held = remembered(filled.lake)
    assert len(held.ways) == MOST_WAYS
    assert look(filled).passed
    for number in range(MOST_BEFORE + 2):
        filled.replays(helpers.FakeChat(weak=f"fine {number}"), anew=True)
    held = remembered(filled.lake)
    assert len(next(iter(held.ways.values())).before) == MOST_BEFORE


def test_the_gate_holds_nothing_back() -> None:
    assert [(gate.name, gate.blocks) for gate in REPLAY_GATES] == [("replays_hold", False)]
