"""Traps for scoring and the firewall: verdicts that must be seen through, overruled or kept out of training.

Here: one function per trap, behind one registry. Not here: what must not leave because of its content
(`export_traps.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lakehouse.records import Category
from lakehouse.sample.trap import Expected, MakeTrap, Planted, Site, dated, encoded
from lakehouse.timestamps import written


def _skipped(reason_code: str) -> Expected:
    return Expected(stage="export-sft", outcome="skipped", reason_code=reason_code)


def _scored(category: Category, reason_code: str) -> Expected:
    return Expected(stage="score", outcome=category, reason_code=reason_code)


def rejected_run(site: Site) -> Iterator[Planted]:
    """A run that failed."""
    moment = site.at(0.5)
    row = site.row("agent_runs", "rejected", moment)
    yield dated("rejected_run", "agent_runs", row, moment, _skipped("rejected"), "a rejected run never reaches SFT")


def needs_review_run(site: Site) -> Iterator[Planted]:
    """A run that a person has to look at."""
    moment = site.at(0.5)
    row = site.row("agent_runs", "needs_human_review", moment)
    text = "a run that needs a person never reaches SFT"
    yield dated("needs_review_run", "agent_runs", row, moment, _skipped("needs_human_review"), text)


def partial_run(site: Site) -> Iterator[Planted]:
    """A run that went well in part."""
    moment = site.at(0.5)
    row = site.row("agent_runs", "partially_accepted", moment)
    text = "exported only when include_partial asks for it"
    yield dated("partial_run", "agent_runs", row, moment, _skipped("partial_not_requested"), text)


def accepted_extraction(site: Site) -> Iterator[Planted]:
    """A fact that is surely right."""
    moment = site.at(0.5)
    row = site.row("distilled_facts", "accepted", moment)
    text = "extractions are for retrieval and never for SFT, however sure"
    yield dated("accepted_extraction", "distilled_facts", row, moment, _skipped("extraction_class"), text)


def verdict_conflict(site: Site) -> Iterator[Planted]:
    """An audit that approves something critical."""
    moment = site.at(0.5)
    row = {**site.row("audits", "needs_human_review", moment), "overall": "approve", "severity": "critical"}
    text = "overall approve and severity critical: the worse one counts"
    yield dated("verdict_conflict", "audits", row, moment, _scored("rejected", "verdict_conflict"), text)


def committed_on_red(site: Site) -> Iterator[Planted]:
    """A patch that was committed although the build broke."""
    moment = site.at(0.5)
    row = {**site.row("auto_apply", "accepted", moment), "build_green": False}
    text = "committed, and the build is red"
    yield dated("committed_on_red", "auto_apply", row, moment, _scored("rejected", "committed_on_red"), text)


def out_of_range(site: Site) -> Iterator[Planted]:
    """A confidence of more than one."""
    moment = site.at(0.5)
    row = {**site.row("observer_reviews", "accepted", moment), "confidence": 1.7}
    expected = _scored("needs_human_review", "bad_value:confidence")
    yield dated("out_of_range", "observer_reviews", row, moment, expected, "accepted with a confidence of 1.7")


def unknown_verdict(site: Site) -> Iterator[Planted]:
    """A verdict that no rule names."""
    moment = site.at(0.5)
    row = {**site.row("observer_reviews", "accepted", moment), "verdict": "looks_fine_to_me"}
    expected = _scored("needs_human_review", "unknown_verdict:looks_fine_to_me")
    yield dated("unknown_verdict", "observer_reviews", row, moment, expected, "a verdict that no rule names")


def empty_text(site: Site) -> Iterator[Planted]:
    """Accepted, and nothing was said."""
    moment = site.at(0.5)
    row = {**site.row("contract_analyses", "accepted", moment), "analysis": " \n\t "}
    text = "accepted by the observer, and the analysis is blank"
    yield dated("empty_text", "contract_analyses", row, moment, _scored("rejected", "empty_text"), text)


def not_instructable(site: Site) -> Iterator[Planted]:
    """Accepted, with nothing to learn from."""
    moment = site.at(0.5)
    row = site.row("auto_apply", "accepted", moment)
    del row["patch"]
    text = "committed on green, and the patch is not in the row"
    yield dated("not_instructable", "auto_apply", row, moment, _skipped("not_instructable"), text)


def same_run_two_verdicts(site: Site) -> Iterator[Planted]:
    """One run reported twice, once good and once bad."""
    early, late = site.pair(0.2, 0.9)
    good = site.row("outcomes", "accepted", early)
    bad = {**site.row("outcomes", "rejected", late), "run_id": good["run_id"]}
    held, failed = _skipped("conflicting_verdicts"), _skipped("rejected")
    yield dated("same_run_two_verdicts/accepted", "outcomes", good, early, held, "the same run was rejected elsewhere")
    yield dated("same_run_two_verdicts/rejected", "outcomes", bad, late, failed, "the same run was accepted elsewhere")


def same_content_two_verdicts(site: Site) -> Iterator[Planted]:
    """One answer judged twice, once good and once bad."""
    early, late = site.pair(0.3, 0.8)
    good = site.row("scrum_reviews", "accepted", early)
    bad = {key: value for key, value in good.items() if key != "accepted_on_attempt"}
    bad |= {"attempts_made": 4, "reviewed_at": written(late)}
    held, failed = _skipped("conflicting_verdicts"), _skipped("rejected")
    name = "same_content_two_verdicts"
    yield dated(f"{name}/accepted", "scrum_reviews", good, early, held, "the same content was rejected elsewhere")
    yield dated(f"{name}/rejected", "scrum_reviews", bad, late, failed, "the same content was accepted elsewhere")


def override_up(site: Site) -> Iterator[Planted]:
    """A person accepts what the rules rejected."""
    moment = site.at(0.5)
    line = encoded(site.row("contract_analyses", "rejected", moment))
    site.override(line, "accepted", 1, "the clause was read correctly")
    expected = _scored("accepted", "human_override:shift-lead")
    yield dated(
        "override_up", "contract_analyses", line, moment, expected, "rejected by the observer, accepted by a person"
    )


def override_down(site: Site) -> Iterator[Planted]:
    """A person rejects what the rules accepted."""
    moment = site.at(0.5)
    line = encoded(site.row("scrum_reviews", "accepted", moment))
    site.override(line, "rejected", 1, "the review is of another file")
    expected = _scored("rejected", "human_override:shift-lead")
    yield dated("override_down", "scrum_reviews", line, moment, expected, "accepted at once, rejected by a person")


def override_latest(site: Site) -> Iterator[Planted]:
    """A person changes their mind."""
    moment = site.at(0.5)
    line = encoded(site.row("observer_reviews", "needs_human_review", moment))
    site.override(line, "accepted", 3, "read again: it is right")
    site.override(line, "rejected", 2, "looks wrong at first sight")
    expected = _scored("accepted", "human_override:shift-lead")
    yield dated("override_latest", "observer_reviews", line, moment, expected, "overruled twice: the latest counts")


def override_in_row(site: Site) -> Iterator[Planted]:
    """A person's verdict inside the row."""
    moment = site.at(0.5)
    row = site.row("mode_experiments", "rejected", moment)
    row["human_override"] = {"category": "accepted", "by": "desk", "reason": "the check was wrong", "at": row["ts"]}
    expected = _scored("accepted", "human_override:desk")
    yield dated(
        "override_in_row", "mode_experiments", row, moment, expected, "the row itself carries a person's verdict"
    )


VERDICT_TRAPS: Final[dict[str, MakeTrap]] = {
    trap.__name__: trap
    for trap in (
        rejected_run,
        needs_review_run,
        partial_run,
        accepted_extraction,
        verdict_conflict,
        committed_on_red,
        out_of_range,
        unknown_verdict,
        empty_text,
        not_instructable,
        same_run_two_verdicts,
        same_content_two_verdicts,
        override_up,
        override_down,
        override_latest,
        override_in_row,
    )
}
