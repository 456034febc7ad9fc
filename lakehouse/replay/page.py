"""The page of a replay report: how alike the answers are, which are least so, what was not valid, and how to read it.

Here: a pure function from a report to HTML; the same report, the same bytes. Not here: the numbers (`report.py`), the frame of a
page (`lakehouse.report.frame`).
"""

from __future__ import annotations

from typing import Final

from lakehouse.replay.log import MEND
from lakehouse.replay.report import ReplayReport, ReplayRow
from lakehouse.report.charts import MOST_ROWS, bar, chip, count, note, number, row, share, table
from lakehouse.report.frame import document
from lakehouse.report.markup import Html, breakable, el, join
from lakehouse.report.words import REASONS

BUCKETS: Final = 10
LEAST: Final = 10
"""Rows of the table of the least similar."""
_EXCERPT: Final = 600


def render(report: ReplayReport) -> bytes:
    """Give the page: UTF-8, self-contained HTML."""
    parts = [
        ("alike", "How alike the answers are", _alike(report)),
        ("least", "The least alike", _least(report)),
        ("valid", "Valid then, valid now", _valid(report)),
        ("failed", "Without an answer", _failed(report)),
        ("reading", "How to read this", reading(report)),
    ]
    return document(f"Replay {report.run_id}", _headline(report), parts, _footer(report))


def buckets(report: ReplayReport) -> list[int]:
    """Count the similarities in ten equal widths from 0 to 1; what is below 0 is in the first, 1 in the last."""
    found = [0] * BUCKETS
    for one in report.rows:
        if one.similarity is not None:
            found[min(max(int(one.similarity * BUCKETS), 0), BUCKETS - 1)] += 1
    return found


def said(report: ReplayReport) -> str:
    """Say the outcome in one sentence."""
    if not report.tasks:
        return "There was no accepted task to do again"
    told = f"{len(report.rows)} of {count(report.tasks, 'task')} answered, {report.valid} of the answers valid"
    return told if report.mean is None else f"{told}, mean similarity {report.mean:.2f} by {report.method}"


def _headline(report: ReplayReport) -> Html:
    unanswered = len(report.no_answer) + report.not_asked
    words, style = ("all answered", "good") if report.rows and not unanswered else ("incomplete", "warn")
    asked = f"{report.asked} asked now, {len(report.rows) - report.asked} answers stood in the log"
    facts = [
        ("Model", el("code", report.model)),
        ("Stronger model", el("code", report.stronger) if report.stronger else "none: nothing is asked twice"),
        ("Settings", _OWN if report.settings else _OTHERWISE),
        ("Passages", f"up to {report.passages} of {report.corpus}, by {report.retrieval}"),
        ("Answers", asked),
        ("Escalated", number(report.escalated)),
        ("No answer", f"{len(report.no_answer)} without, {report.not_asked} not asked after them"),
        ("Similarity", report.method),
        ("Finished", report.finished_at),
        ("Commit", el("code", report.git_commit) if report.git_commit.strip("0") else "not in a checkout"),
    ]
    if report.skipped:
        over = ", ".join(f"{number(many)} {REASONS.get(why, why)}" for why, many in report.skipped.items())
        facts.append(("Passed over", over))
    if report.held_days:
        facts.append(("Held days", f"{', '.join(sorted(report.held_days))}: a gate is red, their runs are not taken"))
    if report.refused_lines:
        facts.append(
            ("Log", f"{count(report.refused_lines, 'line')} passed over, the first {report.first_refused}; {MEND}")
        )
    return el(
        "header",
        el("p", "Replay", class_="kind"),
        el("h1", el("code", report.run_id), chip(words, style)),
        el("p", f"{said(report)}."),
        el("div", el("p", report.note), class_="box warn") if report.note else None,
        el("dl", *(el("div", el("dt", name), el("dd", value)) for name, value in facts), class_="facts"),
    )


_OWN: Final = "as lakehouse.toml says: the gate replays_hold judges this report"
_OTHERWISE: Final = "other than lakehouse.toml says: the gate replays_hold does not judge this report"


def _alike(report: ReplayReport) -> Html:
    found = buckets(report)
    whole = sum(found)
    if not whole or report.mean is None or report.median is None:
        return note("Nothing was compared.")
    rows = [
        row(
            f"{place / BUCKETS:.1f} to {(place + 1) / BUCKETS:.1f}",
            (number(many), share(many, whole)),
            chart=bar([("kept", many)], max(found)),
        )
        for place, many in enumerate(found)
    ]
    remark = note(
        f"Measured by {report.method}, between the new answer and the one that was accepted: 1 is the same. Mean "
        f"{report.mean:.2f}, median {report.median:.2f} over {count(whole, 'task')}."
    )
    return join(remark, table("Similarity", ("Similarity", "tasks", "share"), rows))


def _least(report: ReplayReport) -> Html:
    found = report.least_similar[:LEAST]
    if not found:
        return note("Nothing was compared.")
    rows = [row(_pair(one), (f"{one.similarity:.2f}", _distance(one))) for one in found]
    remark = note(_NEAREST[report.retrieval])
    return join(remark, table("The least alike", ("Task, then and now", "similarity", "nearest passage"), rows))


_NEAREST: Final = {
    "vectors": (
        "“Nearest passage” is the cosine distance from the question to the nearest passage that the task got to read: 0 is "
        "the same, 1 has nothing to do with it."
    ),
    "full text": (
        "“Nearest passage” is the distance, 1 / (1 + BM25), from the question to the nearest passage that the task got to "
        "read: near 0 many rare words are shared, 1 none. It orders the tasks of one lake, and is no cosine."
    ),
}


def _pair(one: ReplayRow) -> Html:
    texts = (("accepted then", one.accepted or ""), ("answered now", one.run.response))
    return join(
        breakable(one.task_id),
        el("span", f"{one.stream}, {one.day}, run {one.run.source_run_id}, replay {one.run.run_id}", class_="means"),
        *(el("details", el("summary", name), el("pre", _cut(text))) for name, text in texts),
    )


def _distance(one: ReplayRow) -> str:
    return "none" if one.nearest is None else f"{one.nearest:.3f}"


def _valid(report: ReplayReport) -> Html:
    if not report.rows:
        return note("There is no answer to judge.")
    whole = len(report.rows)
    of_models = {who: [one for one in report.rows if one.run.escalated is by] for who, by in _WHO.items()}
    rows = [
        row("accepted answers, then", (number(report.valid_then), number(whole))),
        row("answers, now", (number(report.valid), number(whole)), chart=bar([("kept", report.valid)], whole)),
        *(
            row(f"… of {who}", (number(sum(one.run.validation.ok for one in some)), number(len(some))))
            for who, some in of_models.items()
            if some
        ),
    ]
    counted = table("Valid answers", ("Whose", "valid", "of"), rows)
    wrong = [one for one in report.rows if not one.run.validation.ok]
    if not wrong:
        return counted
    listed = [
        row(join(breakable(one.task_id), el("span", _errors(one), class_="means")), (one.run.model,))
        for one in wrong[:MOST_ROWS]
    ]
    more = note(f"and {len(wrong) - MOST_ROWS} more, in the record.") if len(wrong) > MOST_ROWS else None
    return join(counted, el("h3", "Not valid now"), table("Not valid now", ("Task", "model"), listed), more)


_WHO: Final = {"the first model": False, "the stronger model": True}


def _errors(one: ReplayRow) -> str:
    """Tell of the errors in words: kind, field, reason."""
    told = []
    for error in one.run.validation.errors:
        for kind, fault in error.items():
            where = f" {fault['field']}" if fault.get("field") else ""
            told.append(f"{kind}{where}: {fault.get('reason', '')}")
    return "; ".join(told)


def _failed(report: ReplayReport) -> Html:
    if not report.no_answer:
        return note("Every task that was asked got an answer.")
    rows = [
        row(join(breakable(one.task_id), el("span", f"{one.where}: {one.what}", class_="means")), (one.kind,))
        for one in report.no_answer[:MOST_ROWS]
    ]
    remark = note(
        "Nobody answered these. That says nothing of the answer: nothing was recorded, and the next run asks again. ",
        f"{count(report.not_asked, 'task')} after them not asked." if report.not_asked else None,
    )
    return join(remark, table("Without an answer", ("Task", "why"), rows))


def reading(report: ReplayReport) -> Html:
    """Say what the numbers mean and what they do not."""
    told = list(_READING)
    if any(one.run.provider == "extractive" for one in report.rows):
        told.append(_EXTRACTIVE)
    return el("ul", *(el("li", one) for one in told))


_READING: Final = (
    (
        "Each task was asked anew with passages of what the lake holds now, never with its own run or with a copy of the "
        "accepted answer: else the answer would stand in the question. Other runs of the same task may be among the "
        "passages, later ones too: the question is what the lake would answer now."
    ),
    (
        "A low similarity says that the new answer is another one, not that it is wrong: two good answers may share few "
        "words. Read the least alike; follow the mean from report to report, by one method and one model."
    ),
    (
        "Valid means: not empty, not cut off, without secrets, and where a run names a validator, accepted by it. Of free "
        "text it does not say that the answer is right."
    ),
)
_EXTRACTIVE: Final = (
    "The provider `extractive` runs no model: it quotes the best passages. Its similarity shows how much of an accepted "
    "answer stands elsewhere in the lake; it is a floor to hold a model against, no measure of one."
)


def _footer(report: ReplayReport) -> Html:
    name = f"{report.run_id}.json"
    return el("footer", el("p", "The same for machines, with every answer: ", el("a", name, href=name), "."))


def _cut(text: str) -> str:
    return text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]} …"
