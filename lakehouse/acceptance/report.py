"""The report of the acceptance gate for people and for programs, below `reports/acceptance/`.

Here: writing it. Not here: what it says (`runner.py`).
"""

from __future__ import annotations

import re
from pathlib import Path

from lakehouse.acceptance.runner import AcceptanceReport, InvariantReport
from lakehouse.errors import UsageError
from lakehouse.files import write_whole
from lakehouse.jsonl import write_json

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
WORDS = {"holds": "holds", "failed": "**fails**", "not_applicable": "not applicable"}


def write_report(reports: Path, name: str, report: AcceptanceReport) -> Path:
    """Write `<name>.md` and `<name>.json` and give the path of the first. Raises `UsageError` where it is no file name."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a report", mend="use letters, digits, - _ and .")
    folder = reports / "acceptance"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / f"{name}.json", report)
    write_whole(folder / f"{name}.md", page(report).encode())
    return folder / f"{name}.md"


def told(report: AcceptanceReport) -> str:
    """Say in one sentence how it went."""
    holding, total = report.count("holds"), len(report.invariants)
    failed = [str(one.number) for one in report.invariants if one.status == "failed"]
    parts = [f"{holding} of {total} invariants hold"]
    if failed:
        parts.append(f"invariant{'s' if len(failed) > 1 else ''} {', '.join(failed)} failed")
    if report.count("not_applicable"):
        parts.append(f"{report.count('not_applicable')} had nothing to look at")
    return "; ".join(parts)


def page(report: AcceptanceReport) -> str:
    """Give the report as Markdown."""
    lines = [
        f"# Acceptance of {_cell(report.lake)}",
        "",
        f"{told(report)}. {_scope(report)}",
        "",
        "| number | invariant | verdict | rows looked at | what was found |",
        "| ---: | --- | --- | ---: | --- |",
    ]
    for one in report.invariants:
        lines.append(f"| {one.number} | {one.name} | {WORDS[one.status]} | {one.rows} | {_cell(first_failure(one))} |")
    failed = [one for one in report.invariants if one.failures]
    for one in failed:
        lines += ["", f"## {one.number}. {one.name}", ""]
        lines += [f"- `{where(failure.file, failure.line)}`: {_cell(failure.why)}" for failure in one.failures]
        if one.failed > len(one.failures):
            lines.append(f"- and {one.failed - len(one.failures)} more")
    if report.held_days:
        lines += ["", "## Days that were held back", ""]
        lines += [f"- {day}: {_cell(why)}" for day, why in sorted(report.held_days.items())]
    return "\n".join(lines) + "\n"


def first_failure(one: InvariantReport) -> str:
    """Say what failed first, or why there was nothing to look at; empty where it holds."""
    if one.failures:
        failure = one.failures[0]
        more = f" (and {one.failed - 1} more)" if one.failed > 1 else ""
        place = where(failure.file, failure.line)
        return f"{place}: {failure.why}{more}" if place else f"{failure.why}{more}"
    return one.why or ""


def where(file: str, line: int) -> str:
    """Name a place: the file, and the line where one is to blame."""
    return f"{file}:{line}" if line else file


def _scope(report: AcceptanceReport) -> str:
    days = f" from {min(report.days)} to {max(report.days)}" if report.days else ""
    return f"Looked at {report.stamp}, distilled as of {report.now}: {len(report.days)} days{days}."


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
