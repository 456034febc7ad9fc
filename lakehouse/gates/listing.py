"""Every verdict of a lake with its state: green, a warning, waived, red, stale, missing.

Here: gathering the verdicts, and whether each is on what is there now. Not here: reading one (`verdicts.py`), what publishing
and releases conclude, showing them (`lakehouse gates list`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lakehouse.chain.manifests import manifest_days
from lakehouse.errors import RecordError
from lakehouse.files import sha256_of
from lakehouse.gates import sessions, waivers
from lakehouse.gates.replays import ASSET as REPLAYS
from lakehouse.gates.session_claims import ASSET as SESSIONS
from lakehouse.gates.subject_ends import moved
from lakehouse.gates.verdicts import (
    MISSING,
    OF_THE_LAKE,
    REQUIRED,
    REQUIRED_OF_EXPORTS,
    STALE,
    day_input,
    is_red,
    read_verdicts,
)
from lakehouse.lake import Lake
from lakehouse.publish.exports import EXPORTS
from lakehouse.publish.gating import file_of
from lakehouse.records import Verdict
from lakehouse.replay.memory import state_path

SUBJECTS: Final = "subject_audit"
STATES: Final = ("green", "warning", "waived", "red", "stale", "missing")


def listed(lake: Lake, day: str | None = None) -> Iterator[dict[str, Any]]:
    """Give `{state, day, gate, what, first_row, offenders, waiver, waived_lines}` for each verdict, and for each that should be there.

    With `day` only those of that day. Files are hashed where a verdict names one as it was.
    """
    for one in _verdicts(lake, day):
        yield _row(lake, *one)


def place_of(offender: dict[str, Any]) -> str:
    """Write an offending row for a person."""
    return f"{offender.get('file')}:{offender.get('line')} {offender.get('why')}"


def _verdicts(lake: Lake, day: str | None) -> Iterator[tuple[str, str | None, str, Verdict | None, str | None]]:
    """Give every verdict with its place and the data that it must be on, and what must be there and is not."""
    for one in manifest_days(lake, "collect"):
        if day in (None, one):
            for asset, required in REQUIRED.items():
                data, verdicts = _input(lake, asset, one), read_verdicts(lake, asset, one)
                for check in dict.fromkeys([*verdicts, *(required if data is not None else ())]):
                    yield asset, one, check, verdicts.get(check), data if check in required else None
    if day is None:
        for asset in (*EXPORTS, *OF_THE_LAKE):
            verdicts = read_verdicts(lake, asset)
            there = asset in EXPORTS and EXPORTS[asset].main(lake).exists()
            required = REQUIRED_OF_EXPORTS[asset] if there else ()
            for check in dict.fromkeys([*verdicts, *required]):
                path = file_of(lake, EXPORTS[asset], check) if check in required else None
                data = sha256_of(path) if path is not None and path.is_file() else None
                if asset in OF_THE_LAKE:
                    data = _input_of_lake(lake, asset, verdicts[check])
                yield asset, None, check, verdicts.get(check), data
            if asset in OF_THE_LAKE and not verdicts and lake.gate(asset).exists():
                yield asset, None, "*", None, None


def _input_of_lake(lake: Lake, asset: str, one: Verdict) -> str | None:
    """Name what a gate on the lake as a whole would look at now, nothing where that is something else than it looked at.

    `None` where only looking would tell.
    """
    try:
        if asset == SESSIONS:
            return sessions.input_of(lake, one.check)
        if asset == REPLAYS:
            return sha256_of(state_path(lake)) if state_path(lake).exists() else ""
        if asset == SUBJECTS:
            return "" if moved(lake, one) else None
    except OSError:
        # It cannot be read, so it is not what the gate read.
        return ""
    return None


def _input(lake: Lake, asset: str, day: str) -> str | None:
    """Name the data of a day; `None` where nothing was made, or where its manifest cannot be read: the day is due then."""
    try:
        return day_input(lake, asset, day)
    except RecordError:
        return None


def _row(lake: Lake, asset: str, day: str | None, check: str, one: Verdict | None, data: str | None) -> dict[str, Any]:
    if one is None:
        return {
            "state": "missing",
            "day": day or "",
            "gate": f"{asset}/{check}",
            "what": MISSING,
            "first_row": f"{lake.relative(lake.gate(asset, day))}:0 there is no such verdict",
            "offenders": [],
            "waiver": None,
            "waived_lines": [],
        }
    waiver = waivers.waiver_of(lake, asset, day, one) if is_red(one) else None
    stale = data is not None and one.input_sha256 != data
    lines = (one.tables or {}).get("waived", []) if check in waivers.LINE_WAIVABLE else []
    state = (
        ("waived" if lines else "green") if one.passed else "waived" if waiver else "red" if is_red(one) else "warning"
    )
    if stale and state != "red":
        state = "stale"
    return {
        "state": state,
        "day": day or "",
        "gate": f"{asset}/{one.check}",
        "what": (f"{STALE}; it said: " if state == "stale" else "")
        + one.summary
        + (f" (waived by {waiver.by}: {waiver.reason})" if waiver else "")
        + (f"; {STALE}" if stale and state == "red" else ""),
        "first_row": place_of(one.offenders[0]) if one.offenders else "",
        "offenders": one.offenders,
        "waiver": waiver,
        "waived_lines": lines,
    }
