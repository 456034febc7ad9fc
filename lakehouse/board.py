"""Tables and plots in markdown, for people: in the metadata of runs and in reports.

Here: pure functions from numbers to text. Not here: what is shown (assets, sensors), pages with pictures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from lakehouse.chain.manifests import read_manifest
from lakehouse.gates.quarantine_rate import share_of
from lakehouse.lake import Lake
from lakehouse.records import RunSummary

BAR = 24
"""Characters of the longest bar."""


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Draw a table; numbers stand right, bars and line breaks inside a cell do no harm."""
    held = [[_cell(value) for value in row] for row in rows]
    numeric = [bool(held) and all(_is_number(row[place]) for row in held) for place in range(len(columns))]
    lines = [
        "| " + " | ".join(columns) + " |",
        "| " + " | ".join("---:" if right else "---" for right in numeric) + " |",
        *("| " + " | ".join(row) + " |" for row in held),
    ]
    return "\n".join(lines) + "\n"


def bars(title: str, counts: Mapping[str, int]) -> str:
    """Draw counts as a table with a bar and a share each, in the order given."""
    total, most = sum(counts.values()), max(counts.values(), default=0)
    rows = [
        (name, number, f"{number / total:.1%}" if total else "", "█" * round(BAR * number / most) if most else "")
        for name, number in counts.items()
    ]
    return table((title, "count", "share", " "), rows)


def stopped(summary: RunSummary, error: str) -> str:
    """Write the report of a run that was stopped: why, which gates are red, which days are held back."""
    parts = [
        f"# Run {summary.run_id} was stopped\n",
        f"Days: {summary.partition or 'none'}. Commit: {summary.git_commit}.\n",
        f"```\n{error.replace('```', chr(39) * 3)}\n```\n",
    ]
    if summary.failed_gates:
        parts.append("## Red gates\n\n" + "".join(f"- `{gate}`\n" for gate in summary.failed_gates))
    if summary.held_days:
        parts.append("## Days held back from publishing\n\n" + table(("day", "why"), summary.held_days.items()))
    parts.append("What was published before still stands.\n")
    return "\n".join(parts)


def crowded(lake: Lake, days: Iterable[str], limit: float) -> dict[str, float]:
    """Give the days on which more than the share `limit` of the rows was quarantined, with that share."""
    found = {}
    for day in days:
        manifest = read_manifest(lake, "collect", day)
        if manifest is not None:
            share = share_of(manifest)
            if share > limit:
                found[day] = share
    return found


def crowded_report(shares: Mapping[str, float]) -> str:
    """Write the report of days whose quarantine is crowded."""
    rows = ((day, f"{share:.1%}", f"quarantine/{day.replace('-', '/')}/collect.jsonl") for day, share in shares.items())
    return "# Much was quarantined\n\n" + table(("day", "share of rows", "where they are"), rows)


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value).replace("|", "\\|").replace("\n", " ")


def _is_number(cell: str) -> bool:
    return cell.replace(",", "").replace(".", "", 1).replace("%", "", 1).isdigit()
