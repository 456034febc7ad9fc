"""`lakehouse gates list|waive|withdraw`: which gates are not green, and a person's word on the red ones of a day."""

import getpass
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.markup import escape

from lakehouse.chain.manifests import manifest_days
from lakehouse.errors import UsageError
from lakehouse.gates import waivers
from lakehouse.gates.verdicts import REQUIRED, is_red, read_verdicts
from lakehouse.lake import Lake
from lakehouse.publish.exports import EXPORTS
from lakehouse.records import Verdict
from lakehouse.timestamps import written
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, JsonOption, LakeOption, Out, open_lake

app = typer.Typer(
    no_args_is_help=True, help="See which gates are not green, and say where data may go on nevertheless."
)
ALONE = ("audit_baseline",)
"""Assets without days that are no export and have gates."""

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
    """List the gates that are red, waived or have a warning, with the first row that offends.

    Example: lakehouse gates list --day 2026-05-01
    """
    out = Out(as_json)
    opened = open_lake(lake)
    known = list(_verdicts(opened, day))
    rows = [_row(opened, asset, of_day, one) for asset, of_day, one in known]
    shown = [row for row in rows if every or row["state"] != "green"]
    out.table("Gates", ["state", "day", "gate", "what", "first row"], [list(row.values())[:5] for row in shown])
    refused = waivers.read_waivers(opened)[1]
    for number in refused:
        out.say(f"[red]line {number} of {waivers.log_path(opened)} is no waiver[/red]; it lets nothing through")
    counts = {state: sum(row["state"] == state for row in rows) for state in ("green", "warning", "waived", "red")}
    out.say(", ".join(f"{number:,} {state}" for state, number in counts.items()) + ".")
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
    _say(waivers.waive, "waived", check, day, reason, lake, by, as_json)


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


def _say(write: Any, what: str, check: str, day: str, reason: str, lake: Any, by: str | None, as_json: bool) -> None:
    out = Out(as_json)
    opened = open_lake(lake)
    asset, found = _find(opened, check, day)
    now = written(datetime.now(UTC))
    row = write(opened, asset, day, found, by=by or getpass.getuser(), reason=reason, at=now)
    out.say(f"{asset}/{check} of {day} {what}, says {escape(row.by)}: {escape(row.reason)}")
    out.say(f"Next: lakehouse distill --lake {lake}")
    out.answer(waiver=row)
    out.close()


def _find(lake: Lake, check: str, day: str) -> tuple[str, Verdict]:
    """Give the verdict that is meant: the red one, where a gate of this name looks at several assets."""
    found = [(asset, verdicts[check]) for asset in REQUIRED if check in (verdicts := read_verdicts(lake, asset, day))]
    if not found:
        raise UsageError(
            f"no gate {check!r} has looked at {day}",
            where=str(lake.root / "gates"),
            mend=f"`lakehouse gates list --all --day {day}` names those that have",
        )
    return next(((asset, one) for asset, one in found if is_red(one)), found[0])


def _verdicts(lake: Lake, day: str | None) -> Iterator[tuple[str, str | None, Verdict]]:
    for one in manifest_days(lake, "collect"):
        if day in (None, one):
            for asset in REQUIRED:
                yield from ((asset, one, verdict) for verdict in read_verdicts(lake, asset, one).values())
    if day is None:
        for asset in (*EXPORTS, *ALONE):
            yield from ((asset, None, verdict) for verdict in read_verdicts(lake, asset).values())


def _row(lake: Lake, asset: str, day: str | None, one: Verdict) -> dict[str, Any]:
    waiver = waivers.waiver_of(lake, asset, day, one) if is_red(one) else None
    state = "green" if one.passed else "waived" if waiver else "red" if is_red(one) else "warning"
    first = one.offenders[0] if one.offenders else {}
    return {
        "state": state,
        "day": day or "",
        "gate": f"{asset}/{one.check}",
        "what": one.summary + (f" (waived by {waiver.by}: {waiver.reason})" if waiver else ""),
        "first_row": f"{first.get('file')}:{first.get('line')} {first.get('why')}" if first else "",
        "offenders": one.offenders,
        "waiver": waiver,
    }
