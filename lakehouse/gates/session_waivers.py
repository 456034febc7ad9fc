"""A person's word on a line of the log of sessions, over which the alarm goes off.

Here: giving it, taking it back, and letting the gate look again at once. Not here: the log of waivers (`waivers.py`), what
the gate makes of them (`sessions.py`).
"""

from __future__ import annotations

from lakehouse.errors import UsageError
from lakehouse.gates.session_claims import ASSET, Claim, accepted_fills
from lakehouse.gates.sessions import GROUNDED, accepted_fills_grounded, ungrounded
from lakehouse.gates.verdicts import record
from lakehouse.gates.waivers import append_line, line_hash, line_waivers, log_path
from lakehouse.lake import Lake
from lakehouse.records import GateWaiver, Verdict


def waive_line(lake: Lake, number: int, *, by: str, reason: str, at: str) -> tuple[GateWaiver, Verdict]:
    """Let a line (from 1) pass, and give the waiver with what the gate says then.

    Raises `UsageError` where the line is not there, or is no accepted fill that is not grounded.
    """
    where = f"{lake.relative(lake.sessions)}:{number}"
    for line, raw, claim in accepted_fills(lake, Claim):
        if line < number:
            continue
        if line == number and claim is not None and ungrounded(claim) is not None:
            row = append_line(lake, GROUNDED, number, line_hash(raw), by=by, reason=reason, at=at)
            return row, _again(lake, at)
        break
    raise UsageError(
        f"the alarm {GROUNDED} does not go off over this line",
        where=where,
        mend="there is nothing to waive; `lakehouse gates list` names the lines that it goes off over",
    )


def withdraw_line(lake: Lake, number: int, *, by: str, reason: str, at: str) -> tuple[GateWaiver, Verdict]:
    """Take a waiver of a line back, and give what the gate says then. Raises `UsageError` where none stands."""
    held = line_waivers(lake, ASSET, GROUNDED).get(number)
    if held is None:
        raise UsageError(
            f"no waiver of {GROUNDED} of line {number} stands",
            where=lake.relative(log_path(lake)),
            mend="`lakehouse gates list --all` tells of those that do",
        )
    row = append_line(lake, GROUNDED, number, held.input_sha256, by=by, reason=reason, at=at, withdrawn=True)
    return row, _again(lake, at)


def _again(lake: Lake, now: str) -> Verdict:
    return record(lake, ASSET, None, accepted_fills_grounded(lake, now))
