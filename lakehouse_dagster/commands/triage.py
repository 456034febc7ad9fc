"""`lakehouse triage list|decide`: the runs that need a person, and what the person says."""

import getpass
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, get_args

import typer

from lakehouse.errors import UsageError
from lakehouse.overrides import as_newest
from lakehouse.overrides import decide as record_decision
from lakehouse.records import Category, OverrideRow
from lakehouse.timestamps import written
from lakehouse.triage import find, queue
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, JsonOption, LakeOption, Out, open_lake

app = typer.Typer(no_args_is_help=True, help="Decide on runs that need a person.")


@app.command("list")
def list_waiting(
    lake: LakeOption = DEFAULT_LAKE,
    day: Annotated[str | None, typer.Option(help="Only this day.")] = None,
    stream: Annotated[str | None, typer.Option(help="Only this stream.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at the most.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List runs in needs_human_review on which nobody decided yet, newest first.

    Example: lakehouse triage list --stream observer_reviews
    """
    out = Out(as_json)
    opened = open_lake(lake)
    if stream is not None:
        opened.stream(stream)
    waiting = list(islice(queue(opened, day=day, stream=stream), limit))
    out.table(
        "Waiting for a person",
        ["signature", "day", "task", "why", "text"],
        [(one.sig_hash[:12], one.day, one.task_id, "; ".join(one.reasons), _short(one.text)) for one in waiting],
    )
    out.say(
        "Decide with: lakehouse triage decide SIGNATURE accepted --reason '…'" if waiting else "Nothing is waiting."
    )
    out.answer(waiting=waiting)
    out.close()


@app.command("decide")
def decide(
    signature: Annotated[str, typer.Argument(help="The first digits of the row's signature.")],
    category: Annotated[str, typer.Argument(help=f"One of: {', '.join(get_args(Category))}.")],
    reason: Annotated[str, typer.Option(help="Why, in words; it is kept for ever.")],
    lake: LakeOption = DEFAULT_LAKE,
    by: Annotated[str | None, typer.Option(help="Who decides; default: the user's name.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a run is worth; it wins over every rule, and makes the run's day stale.

    Example: lakehouse triage decide 3fa94c1be220 accepted --reason "read it, it is right"
    """
    out = Out(as_json)
    if category not in get_args(Category):
        raise UsageError(f"{category!r} is no category", mend=f"use one of {', '.join(get_args(Category))}")
    if not reason.strip():
        raise UsageError("a decision needs a reason", where="--reason", mend="say why in a few words")
    opened = open_lake(lake)
    scored = find(opened, signature)
    row = OverrideRow(
        sig_hash=scored.provenance.sig_hash,
        category=category,  # type: ignore[arg-type]  # checked against the same literal above
        by=by or getpass.getuser(),
        reason=reason,
        at=written(datetime.now(UTC)),
    )
    row = as_newest(opened, row)
    record_decision(opened, row)
    out.say(f"{scored.evidence_task_id} was {scored.category} and is now {category}, says {row.by}.")
    out.say(f"Next: lakehouse distill --lake {lake}")
    out.answer(decision=row, was=scored.category)
    out.close()


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:79] + "…"
