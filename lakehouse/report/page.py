"""The page of a run as bytes.

Here: the headline, the order of the sections. Pure: the same report, the same bytes. Not here: the frame (`frame.py`),
what stands in a section (`sections.py`), where the numbers come from (`funnel.py`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from lakehouse.records import RunSummary
from lakehouse.report import sections
from lakehouse.report.charts import MOST_ROWS, anchor, chip, count, number, some
from lakehouse.report.frame import document
from lakehouse.report.funnel import RunReport
from lakehouse.report.markup import Html, el

_MOST_DAYS = 10


def render(report: RunReport) -> bytes:
    """Give the page: UTF-8, self-contained HTML."""
    summary = report.summary
    parts = [
        ("funnel", "From rows to training data", sections.funnel(report)),
        ("verdicts", "Verdicts by stream", sections.verdicts(report)),
        ("lengths", "How long the samples are", sections.lengths(report)),
        ("splits", "Train, validation, test", sections.splits(report)),
        ("files", "Published files", sections.published(report)),
        ("quarantine", "Quarantine", sections.quarantine(report)),
        ("gates", "Gates", sections.gates(report)),
    ]
    title = f"Run {summary.run_id}: {_status(summary)[0]}"
    return document(title, _headline(report), parts, _footer(report))


def _status(summary: RunSummary) -> tuple[str, str]:
    if summary.status == "stopped":
        return "stopped", "bad"
    if summary.checks.failed:
        return "finished, with red gates", "warn"
    if summary.held_days:
        return "finished, with days held back", "warn"
    return "finished", "good"


def _headline(report: RunReport) -> Html:
    summary = report.summary
    words, style = _status(summary)
    checks = summary.checks
    gates = f"{number(checks.passed)} green, {number(checks.failed)} red"
    if checks.warned:
        gates += f", {number(checks.warned)} with a warning"
    facts = [
        ("Days", _days(summary.partition, report.days)),
        ("Started", summary.started_at),
        ("Finished", summary.finished_at),
        ("Gates", gates),
        ("Run hash", el("code", summary.run_hash)),
        ("Commit", el("code", summary.git_commit) if summary.git_commit.strip("0") else "not in a checkout"),
    ]
    waiting = summary.counts.get("waiting_future", 0)
    if waiting:
        facts.append(("Waiting", f"{count(waiting, 'row')} dated after today, taken when their day comes"))
    return el(
        "header",
        el("p", "Distillation run", class_="kind"),
        el("h1", el("code", summary.run_id), chip(words, style)),
        el("div", el("h2", "Why it stopped"), el("pre", summary.error), class_="box bad") if summary.error else None,
        _held(summary.held_days),
        _notes(report.notes),
        el("dl", *(el("div", el("dt", name), el("dd", value)) for name, value in facts), class_="facts"),
        _figures(report),
    )


def _days(partition: str, days: int) -> str:
    if not partition:
        return "none of its own"
    first, _, last = partition.partition("...")
    return f"{first} to {last}, {count(days, 'day')}" if last else first


def _held(held: Mapping[str, str]) -> Html | None:
    """List the days that are held back, by reason: many days mostly share one."""
    if not held:
        return None
    by_reason: dict[str, list[str]] = defaultdict(list)
    for day, why in sorted(held.items()):
        by_reason[why].append(day)
    reasons = sorted(by_reason.items(), key=lambda item: (-len(item[1]), item[0]))
    items = [el("li", el("strong", some(days, _MOST_DAYS, "day")), ": ", why) for why, days in reasons[:MOST_ROWS]]
    rest = sum(len(days) for _, days in reasons[MOST_ROWS:])
    if rest:
        items.append(el("li", f"and {count(rest, 'more day')} for other reasons; summary.json names them all"))
    title = el("h2", f"{count(len(held), 'day')} held back from publishing")
    return el("div", title, el("ul", *items), class_="box warn")


def _notes(notes: Sequence[str]) -> Html | None:
    if not notes:
        return None
    items = [el("li", one) for one in notes[:MOST_ROWS]]
    if len(notes) > MOST_ROWS:
        items.append(el("li", f"and {count(len(notes) - MOST_ROWS, 'more remark')} of this kind"))
    return el("div", el("h2", "What this page could not tell"), el("ul", *items), class_="box warn")


def _figures(report: RunReport) -> Html:
    """Show the few numbers that are looked for first."""
    cards = []
    for step in report.steps:
        receipt = step.receipt
        if receipt is None or receipt.status != "ok":
            continue
        if step.stage == "collect":
            cards.append((receipt.records_in, "rows read", "on the days of this run"))
        elif step.whole_lake:
            cards.append((sections.items_of(receipt), f"{sections.item_name(step)} published", "from the whole lake"))
    if any(step.stage == "export-sft" and step.receipt for step in report.steps):
        cards.append((report.summary.firewall.blocked, "runs kept out of training", "by the firewall, whole lake"))
    figures = (
        el("li", el("strong", number(value)), el("span", name), el("small", scope)) for value, name, scope in cards
    )
    return el("ul", *figures, class_="figures") if cards else Html()


def _footer(report: RunReport) -> Html:
    receipts = [step.file for step in report.steps if step.receipt is not None]
    links: list[str] = []
    for link in (report.summary_file, *receipts):
        links += [", " if links else "", anchor(link)]
    return el(
        "footer",
        el("p", "The same for machines: ", *links, "."),
        el("p", "Links lead from this folder into the lake, where both lie as they did when this page was written."),
    )
