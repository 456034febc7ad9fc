"""The gate on how the scores of a day are spread: categories and sub-scores against the reference window.

Here: from a comparison to a verdict, and the tables that show it. Not here: the index, the window and the profiles
(`lakehouse.drift`).
"""

from __future__ import annotations

from typing import Any

from lakehouse.chain.manifests import data_hash, read_manifest
from lakehouse.drift.chance import ENOUGH, enough
from lakehouse.drift.comparing import CATEGORY, Comparison, compare
from lakehouse.drift.psi import Psi
from lakehouse.errors import RecordError
from lakehouse.gates.verdicts import verdict
from lakehouse.lake import Lake
from lakehouse.records import Verdict

CHECK = "score_distribution_psi"
VERSION = "score-distribution-1"
Row = dict[str, Any]


def score_distribution_psi(lake: Lake, day: str, checked_at: str) -> Verdict:
    """Hold the categories and sub-scores of a scored day against its window, by PSI.

    Minor drift warns. Major drift is an error where day and window both have 500 rows of the thing that moved, else it
    warns; with fewer rows, what chance alone moves as far is no drift, and the summary counts it. Where there is nothing to compare with, or nothing to compare, no row is checked and the summary says so.
    Raises `RecordError` where the day was never scored, or where its runs or the log of baselines are damaged.
    """
    manifest = read_manifest(lake, "score", day)
    if manifest is None:
        raise RecordError(
            f"scored_runs of {day} was never made", where=str(lake.root), mend=f"run `lakehouse distill --day {day}`"
        )
    found = compare(lake, day)
    compared = bool(found.rows and found.reference_rows)
    return verdict(
        CHECK,
        passed=not found.drifted,
        severity="ERROR" if found.blocks else "WARN",
        rows_checked=found.rows if compared else 0,
        summary=summary(found),
        offenders=[_offender(lake, day, name, psi) for name, psi in found.drifted.items()],
        tables=tables(found) if compared else None,
        input_sha256=data_hash(manifest.outputs),
        code_version=VERSION,
        checked_at=checked_at,
    )


def summary(found: Comparison) -> str:
    """Say in a sentence how a day compares."""
    if not found.rows:
        return f"nothing to compare on {found.day}: the day has no scored runs"
    if not found.reference_rows:
        return f"nothing to compare with yet: {found.day} has {found.window}, or none with rows"
    against = f"on {found.day} against {found.window}"
    measured = {name: psi for name, psi in found.things.items() if psi.psi is not None}
    few = len(found.by_chance)
    chance = f"; {few} more moved, no further than chance moves so few rows" if few else ""
    if not found.drifted:
        still = [(psi.worst, name) for name, psi in measured.items() if name not in found.by_chance]
        most = "{1} moved most, PSI {0:.3f}".format(*max(still)) if still else "none moved beyond chance"
        return f"stable {against}: of {_distributions(len(measured))} {most}{chance}"
    moved = [f"{name} {psi.worst:.3f} ({psi.verdict})" for name, psi in found.drifted.items()]
    more = f" and {len(moved) - 3} more" if len(moved) > 3 else ""
    said = f"{found.verdict} drift {against}: {len(moved)} of {_distributions(len(measured))} moved, PSI of "
    said += ", ".join(moved[:3]) + more
    if found.verdict == "major" and not found.blocks:
        said += f"; it does not block, for where it is major day or window has fewer than {ENOUGH} rows"
    return said + chance


def tables(found: Comparison) -> dict[str, list[Row]]:
    """Give the indexes (`chance`: how far few rows move by themselves), and the histograms (shares in percent) of the categories and of what moved."""
    listed: list[Row] = [
        {
            "what": name,
            "psi": _rounded(psi.psi),
            "decile_psi": _rounded(psi.decile_psi),
            "verdict": psi.verdict,
            "chance": found.chance[name],
            "reference_rows": psi.reference_rows,
            "current_rows": psi.current_rows,
        }
        for name, psi in found.things.items()
    ]
    shown = {CATEGORY: found.things[CATEGORY], **found.drifted}
    return {"psi": listed, **{f"histogram {name}": _histogram(psi) for name, psi in shown.items()}}


def _histogram(psi: Psi) -> list[Row]:
    return [
        {
            "bucket": one.bucket,
            "reference": round(100 * one.reference_share, 2),
            "current": round(100 * one.current_share, 2),
        }
        for one in psi.telling
    ]


def _offender(lake: Lake, day: str, name: str, psi: Psi) -> Row:
    most = max(psi.telling, key=lambda one: one.contribution)
    why = f"{name}: PSI {psi.worst:.3f} ({psi.verdict}): {most.current_share:.1%} of {psi.current_rows:,} in bucket "
    why += f"{most.bucket}, {most.reference_share:.1%} of {psi.reference_rows:,} in the reference"
    if psi.verdict == "major" and not enough(psi):
        why += f"; fewer than {ENOUGH} rows, so it does not block"
    return {"file": lake.relative(lake.scored(day)), "line": 0, "why": why}


def _distributions(number: int) -> str:
    return f"{number} distribution{'' if number == 1 else 's'}"


def _rounded(psi: float | None) -> float | None:
    return None if psi is None else round(psi, 6)
