"""`lakehouse gates list|waive|withdraw`: which gates are not green, and a person's word on the red ones of a day."""

import getpass
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from lakehouse.chain.manifests import manifest_days
from lakehouse.errors import RecordError, UsageError
from lakehouse.files import sha256_of
from lakehouse.gates import waivers
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
from lakehouse.publish.gating import EXPORT_GATES, file_of
from lakehouse.records import Verdict
from lakehouse.timestamps import written
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, JsonOption, LakeOption, Out, open_lake

app = typer.Typer(
    no_args_is_help=True, help="See which gates are not green, and say where data may go on nevertheless."
)
STATES = ("green", "warning", "waived", "red", "stale", "missing")

CheckArgument = Annotated[str, typer.Argument(help="The gate, as `lakehouse gates list` names it.")]
DayOption = Annotated[str, typer.Option(help="The day (YYYY-MM-DD).")]
ReasonOption = Annotated[str, typer.Option(help="Why, in words; it is kept for ever.")]
ByOption = Annotated[str | None, typer.Option(help="Who says so; default: the user's name.")]


@app.command("list")
def list_gates(
    lake: LakeOption = DEFAULT_LAKE,
    day: Annotated[str | None, typer.Option(help="Only this day.")] = None,
    every: Annotated[bool, typer.Option("--all", help="The green ones too.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List the gates that are red, waived, stale, missing or have a warning, with the first row that offends.

    Example: lakehouse gates list --day 2026-05-01
    """
    out = Out(as_json)
    opened = open_lake(lake)
    rows = [_row(opened, *one) for one in _verdicts(opened, None if day is None else _day(day))]
    shown = [row for row in rows if every or row["state"] != "green"]
    out.table("Gates", ["state", "day", "gate", "what", "first row"], [list(row.values())[:5] for row in shown])
    refused = waivers.read_waivers(opened)[1]
    for number in refused:
        out.say(f"[red]line {number} of {waivers.log_path(opened)} is no waiver[/red]; it lets nothing through")
    counts = {state: sum(row["state"] == state for row in rows) for state in STATES}
    out.say(", ".join(f"{number:,} {state}" for state, number in counts.items()) + ".")
    unseen = [row for row in rows if row["state"] in ("missing", "stale")]
    if any(row["day"] for row in unseen):
        out.say("The next `lakehouse distill` lets the gates look again that are missing or stale.")
    if any(not row["day"] for row in unseen):
        out.say("`lakehouse distill --day` of any day publishes anew, and lets the gates of the exports look again.")
    if any(row["state"] == "red" and row["day"] for row in shown):
        out.say("What to do: docs/gates.md, or read the verdict's file below gates/.")
    out.answer(gates=shown, counts=counts, waiver_lines_refused=refused)
    out.close()


@app.command("waive")
def waive(
    check: CheckArgument,
    day: DayOption,
    reason: ReasonOption,
    lake: LakeOption = DEFAULT_LAKE,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a day go on although a gate on it is red; it is kept on record, and named in every release.

    It holds for the data as it is now. The firewall and what else guards an export cannot be waived.

    Example: lakehouse gates waive quarantine_rate --day 2026-05-01 --reason "a test client, its rows are rubbish"
    """
    _say(waivers.waive, "waived", check, day, reason, lake, by, as_json, then=f" --day {day}")


@app.command("withdraw")
def withdraw(
    check: CheckArgument,
    day: DayOption,
    reason: ReasonOption,
    lake: LakeOption = DEFAULT_LAKE,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a waiver back: the day is held again until its gate is green.

    Example: lakehouse gates withdraw quarantine_rate --day 2026-05-01 --reason "the client was real"
    """
    _say(waivers.withdraw, "holds again", check, day, reason, lake, by, as_json)


def _say(
    write: Any,
    what: str,
    check: str,
    day: str,
    reason: str,
    lake: Any,
    by: str | None,
    as_json: bool,
    then: str = "",
) -> None:
    out = Out(as_json)
    opened = open_lake(lake)
    asset, found = _find(opened, check, _day(day))
    now = written(datetime.now(UTC))
    row = write(opened, asset, day, found, by=by or getpass.getuser(), reason=reason, at=now)
    out.say(f"{asset}/{check} of {day} {what}, says {escape(row.by)}: {escape(row.reason)}")
    out.say(f"Next: lakehouse distill --lake {lake}{then}")
    out.answer(waiver=row)
    out.close()


def _day(text: str) -> str:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise UsageError(f"{text!r} is no day", mend="write it as YYYY-MM-DD")


def _find(lake: Lake, check: str, day: str) -> tuple[str, Verdict]:
    """Give the verdict that is meant: the red one, where a gate of this name looks at several assets."""
    if not any(check in checks for checks in REQUIRED.values()):
        _refuse(lake, check)
    found = [(asset, verdicts[check]) for asset in REQUIRED if check in (verdicts := read_verdicts(lake, asset, day))]
    if not found:
        raise UsageError(
            f"no gate {check!r} has looked at {day}",
            where=str(lake.root / "gates"),
            mend=f"`lakehouse gates list --all --day {day}` names those that have",
        )
    return next(((asset, one) for asset, one in found if is_red(one)), found[0])


def _refuse(lake: Lake, check: str) -> None:
    """Raise `UsageError` for a gate that looks at no day: it is not a person's to waive. An unknown name passes."""
    where = str(lake.root / "gates")
    of_exports = [gate for gate in EXPORT_GATES if gate.name == check]
    if any(not gate.blocks for gate in of_exports):
        raise UsageError(f"{check} only warns, it holds nothing back", where=where, mend="there is nothing to waive")
    if of_exports or any(check in read_verdicts(lake, asset) for asset in OF_THE_LAKE):
        guards = "an export" if of_exports else "the lake as a whole"
        raise UsageError(
            f"{check} guards {guards} and no day: nobody can waive it",
            where=where,
            mend=f"mend its cause, see docs/gates.md; what a person may waive is {', '.join(sorted(waivers.WAIVABLE))}",
        )


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
                yield asset, None, check, verdicts.get(check), data
            if asset in OF_THE_LAKE and not verdicts and lake.gate(asset).exists():
                yield asset, None, "*", None, None


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
        }
    waiver = waivers.waiver_of(lake, asset, day, one) if is_red(one) else None
    stale = data is not None and one.input_sha256 != data
    state = "green" if one.passed else "waived" if waiver else "red" if is_red(one) else "warning"
    if stale and state != "red":
        state = "stale"
    first = one.offenders[0] if one.offenders else {}
    return {
        "state": state,
        "day": day or "",
        "gate": f"{asset}/{one.check}",
        "what": (f"{STALE}; it said: " if state == "stale" else "")
        + one.summary
        + (f" (waived by {waiver.by}: {waiver.reason})" if waiver else ""),
        "first_row": f"{first.get('file')}:{first.get('line')} {first.get('why')}" if first else "",
        "offenders": one.offenders,
        "waiver": waiver,
    }
