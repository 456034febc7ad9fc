"""`lakehouse gates list|waive|withdraw`: which gates are not green, and a person's word on the red ones of a day or a line."""

import getpass
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from lakehouse.errors import UsageError
from lakehouse.gates import session_waivers, waivers
from lakehouse.gates.listing import STATES, listed, place_of
from lakehouse.gates.replays import ASSET as REPLAYS
from lakehouse.gates.verdicts import MOST_OFFENDERS, OF_THE_LAKE, REQUIRED, is_red, read_verdicts
from lakehouse.lake import Lake
from lakehouse.publish.exports import EXPORTS
from lakehouse.publish.gating import EXPORT_GATES
from lakehouse.records import GateWaiver, Verdict
from lakehouse.timestamps import written
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, JsonOption, LakeOption, Out, open_lake

app = typer.Typer(
    no_args_is_help=True, help="See which gates are not green, and say where data may go on nevertheless."
)
MOST_PLACES = 5
"""Offending rows that a table names; `--json` gives all that the verdict keeps."""

CheckArgument = Annotated[str, typer.Argument(help="The gate, as `lakehouse gates list` names it.")]
DayOption = Annotated[str | None, typer.Option(help="The day (YYYY-MM-DD).")]
LineOption = Annotated[
    int | None,
    typer.Option(help=f"The line of the log, from 1, instead of a day: only of {', '.join(waivers.LINE_WAIVABLE)}."),
]
ReasonOption = Annotated[str, typer.Option(help="Why, in words; it is kept for ever.")]
ByOption = Annotated[str | None, typer.Option(help="Who says so; default: the user's name.")]


@app.command("list")
def list_gates(
    lake: LakeOption = DEFAULT_LAKE,
    day: Annotated[str | None, typer.Option(help="Only this day.")] = None,
    every: Annotated[bool, typer.Option("--all", help="The green ones too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the gates that are red, waived, stale, missing or have a warning, with the first rows that offend.

    Example: lakehouse gates list --day 2026-05-01
    """
    out = Out(as_json)
    opened = open_lake(lake)
    rows = list(listed(opened, None if day is None else _day(day)))
    shown = [row for row in rows if every or row["state"] != "green"]
    out.table(
        "Gates",
        ["state", "day", "gate", "what", "rows"],
        [(row["state"], row["day"], row["gate"], row["what"], _places(row)) for row in shown],
    )
    refused = waivers.read_waivers(opened)[1]
    for number in refused:
        out.say(f"[red]line {number} of {waivers.log_path(opened)} is no waiver[/red]; it lets nothing through")
    counts = {state: sum(row["state"] == state for row in rows) for state in STATES}
    out.say(", ".join(f"{number:,} {state}" for state, number in counts.items()) + ".")
    unseen = [row for row in rows if row["state"] in ("missing", "stale")]
    if any(row["day"] for row in unseen):
        out.say("The next `lakehouse distill` lets the gates look again that are missing or stale.")
    whole = {row["gate"].partition("/")[0] for row in unseen if not row["day"]}
    if whole & EXPORTS.keys():
        out.say("`lakehouse distill --day` of any day publishes anew, and lets the gates of the exports look again.")
    if whole & {*OF_THE_LAKE} - {REPLAYS}:
        out.say("`lakehouse audit` looks again at sessions, subjects and the lake as a whole.")
    if REPLAYS in whole:
        out.say("`lakehouse replay` looks again at the replays.")
    if any(row["state"] == "red" for row in shown):
        out.say("What to do: docs/gates.md, or read the verdict's file below gates/.")
    out.answer(gates=shown, counts=counts, waiver_lines_refused=refused)
    out.close()


@app.command("waive")
def waive(
    check: CheckArgument,
    reason: ReasonOption,
    day: DayOption = None,
    line: LineOption = None,
    lake: LakeOption = DEFAULT_LAKE,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a day go on although a gate on it is red, or let a line of the log of sessions pass; it is kept on record.

    It holds for the data as it is now, and is named in every release. The firewall and what else guards an export cannot be
    waived.

    Example: lakehouse gates waive quarantine_rate --day 2026-05-01 --reason "a test client, its rows are rubbish"
    """
    if check in waivers.LINE_WAIVABLE:
        _say_line(session_waivers.waive_line, "waived", check, day, line, reason, lake, by, as_json)
    else:
        _say(waivers.waive, "waived", check, day, line, reason, lake, by, as_json, then=f" --day {day}")


@app.command("withdraw")
def withdraw(
    check: CheckArgument,
    reason: ReasonOption,
    day: DayOption = None,
    line: LineOption = None,
    lake: LakeOption = DEFAULT_LAKE,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a waiver back: the day is held again until its gate is green, the line is an alarm again.

    Example: lakehouse gates withdraw quarantine_rate --day 2026-05-01 --reason "the client was real"
    """
    if check in waivers.LINE_WAIVABLE:
        _say_line(session_waivers.withdraw_line, "counts again", check, day, line, reason, lake, by, as_json)
    else:
        _say(waivers.withdraw, "holds again", check, day, line, reason, lake, by, as_json)


def _say(
    write: Callable[..., GateWaiver],
    what: str,
    check: str,
    day: str | None,
    line: int | None,
    reason: str,
    lake: Path,
    by: str | None,
    as_json: bool,
    then: str = "",
) -> None:
    out = Out(as_json)
    opened = open_lake(lake)
    asset, found, of_day = _find(opened, check, day, line)
    row = write(opened, asset, of_day, found, by=by or getpass.getuser(), reason=reason, at=_now())
    out.say(f"{asset}/{check} of {of_day} {what}, says {escape(row.by)}: {escape(row.reason)}")
    out.say(f"Next: lakehouse distill --lake {lake}{then}")
    out.answer(waiver=row)
    out.close()


def _say_line(
    write: Callable[..., tuple[GateWaiver, Verdict]],
    what: str,
    check: str,
    day: str | None,
    line: int | None,
    reason: str,
    lake: Path,
    by: str | None,
    as_json: bool,
) -> None:
    """Write a person's word on a line, and show what the gate says that looked again."""
    if line is None or day is not None:
        raise UsageError(
            f"{check} looks at the lines of a log, and at no day",
            where="--line",
            mend=f"name a line, `lakehouse gates waive {check} --line 78`; `lakehouse gates list` names those that offend",
        )
    out = Out(as_json)
    row, found = write(open_lake(lake), line, by=by or getpass.getuser(), reason=reason, at=_now())
    out.say(f"{row.asset}/{check} of line {line} {what}, says {escape(row.by)}: {escape(row.reason)}")
    state = "[green]green[/green]" if found.passed else "[red]red[/red]"
    out.say(f"The gate looked again and is {state}: {escape(found.summary)}.")
    out.answer(waiver=row, verdict=found)
    out.close()


def _now() -> str:
    return written(datetime.now(UTC))


def _day(text: str) -> str:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise UsageError(f"{text!r} is no day", mend="write it as YYYY-MM-DD")


def _find(lake: Lake, check: str, given: str | None, line: int | None) -> tuple[str, Verdict, str]:
    """Give the verdict that is meant, and its day: the red one, where a gate of this name looks at several assets."""
    if not any(check in checks for checks in REQUIRED.values()):
        _refuse(lake, check)
    if given is None or line is not None:
        raise UsageError(
            f"{check} looks at days, and at no line" if line is not None else "there is no day",
            where="--day",
            mend=f"name a day, `lakehouse gates waive {check} --day 2026-05-01`",
        )
    day = _day(given)
    found = [(asset, verdicts[check]) for asset in REQUIRED if check in (verdicts := read_verdicts(lake, asset, day))]
    if not found:
        raise UsageError(
            f"no gate {check!r} has looked at {day}",
            where=str(lake.root / "gates"),
            mend=f"`lakehouse gates list --all --day {day}` names those that have",
        )
    return *next(((asset, one) for asset, one in found if is_red(one)), found[0]), day


def _refuse(lake: Lake, check: str) -> None:
    """Raise `UsageError` for a gate that looks at no day: it is not a person's to waive. An unknown name passes."""
    where = str(lake.root / "gates")
    of_exports = [gate for gate in EXPORT_GATES if gate.name == check]
    of_the_lake = [held[check] for asset in OF_THE_LAKE if check in (held := read_verdicts(lake, asset))]
    if any(not gate.blocks for gate in of_exports) or any(one.severity == "WARN" for one in of_the_lake):
        raise UsageError(f"{check} only warns, it holds nothing back", where=where, mend="there is nothing to waive")
    if of_exports or of_the_lake:
        guards = "an export" if of_exports else "the lake as a whole"
        raise UsageError(
            f"{check} guards {guards} and no day: nobody can waive it",
            where=where,
            mend=f"mend its cause, see docs/gates.md; what a person may waive is {', '.join(sorted(waivers.WAIVABLE))}",
        )


def _places(row: dict[str, Any]) -> str:
    """Give the first offending rows for a table, a line each, and how many more there are."""
    offenders = row["offenders"]
    waived = [f"line {one['line']} by {one['by']}: {one['reason']}" for one in row["waived_lines"]]
    told = [place_of(one) for one in offenders] or ([row["first_row"]] if row["first_row"] else waived)
    places, left = told[:MOST_PLACES], len(told) - MOST_PLACES
    if left > 0:
        places.append(f"and {'at least ' if len(told) >= MOST_OFFENDERS else ''}{left} more")
    return "\n".join(places)
