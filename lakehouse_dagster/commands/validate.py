"""`lakehouse validate`: whether a proposal may leave, held against the roster of the lake."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import orjson
import typer
from rich.markup import escape

from lakehouse.errors import UsageError
from lakehouse.records import QuarantinedRow, ValidationError
from lakehouse.validators.kinds import KINDS, validate
from lakehouse.validators.roster import Workers, workers_of
from lakehouse.validators.wire import all_tagged, said
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, JsonOption, LakeOption, Out, open_lake

STDIN = "-"


class Looked(NamedTuple):
    """What was found in one payload; `line` is from 1. `unreadable` says why it is no JSON."""

    line: int
    errors: list[ValidationError]
    unreadable: str | None = None


def validate_payload(
    kind: Annotated[str, typer.Argument(help=f"What the payload is: {', '.join(KINDS)}.")],
    file: Annotated[
        str, typer.Argument(metavar="[FILE|-]", help="A file with the JSON, or - for standard input.")
    ] = STDIN,
    lake: LakeOption = DEFAULT_LAKE,
    exclude: Annotated[
        list[str] | None, typer.Option("--exclude", metavar="ID", help="A worker who may not be sent; may be repeated.")
    ] = None,
    lines: Annotated[bool, typer.Option("--lines", help="The file holds one payload per line (JSONL).")] = False,
    as_json: JsonOption = False,
) -> None:
    """Say what is wrong with a proposal. Ends with 0 where nothing is, with 1 where something is.

    Example: lakehouse validate fill proposal.json --exclude w-17
    """
    if kind not in KINDS:
        raise UsageError(f"{kind[:40]!r} is no kind of payload", where="KIND", mend=f"name one of {', '.join(KINDS)}")
    out = Out(as_json)
    where = "standard input" if file == STDIN else file
    data = _read(file)
    refused: list[QuarantinedRow] = []
    everybody = workers_of(open_lake(lake), refused.append)
    roster = everybody.excluding(exclude or ())
    looked = list(_looked(kind, data, roster, lines=lines))
    unreadable = [one for one in looked if one.unreadable is not None]
    invalid = [one for one in looked if one.errors]
    if unreadable and not lines:
        raise UsageError(
            f"this is no JSON ({unreadable[0].unreadable})",
            where=f"{where}:{unreadable[0].line}",
            mend="give one JSON object, or one per line with --lines",
        )
    _tell_roster(out, roster, refused, exclude or [])
    _tell(out, where, looked, lines=lines)
    out.answer(ok=not invalid and not unreadable, roster={"workers": len(roster), "refused": len(refused)})
    if lines:
        out.answer(
            payloads=len(looked),
            invalid=[{"line": one.line, "errors": all_tagged(one.errors)} for one in invalid],
            unreadable=[{"line": one.line, "why": one.unreadable} for one in unreadable],
        )
    else:
        out.answer(errors=[error for one in looked for error in all_tagged(one.errors)])
    out.close()
    if unreadable or invalid:
        raise typer.Exit(2 if unreadable else 1)


def _read(file: str) -> bytes:
    if file == STDIN:
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise UsageError(
            f"it cannot be read ({error.strerror})", where=file, mend="name a file with JSON, or - for standard input"
        ) from None


def _looked(kind: str, data: bytes, roster: Workers, *, lines: bool) -> Iterator[Looked]:
    """Look at one payload, or at each line that is not blank."""
    if not lines:
        yield _one(kind, data, roster)
        return
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            yield _one(kind, line, roster)._replace(line=number)


def _one(kind: str, data: bytes, roster: Workers) -> Looked:
    try:
        payload: Any = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return Looked(error.lineno, [], f"{error.msg}, character {error.colno}")
    return Looked(1, validate(kind, payload, roster))


def _tell_roster(out: Out, roster: Workers, refused: list[QuarantinedRow], exclude: list[str]) -> None:
    if refused:
        first = refused[0]
        out.say(
            f"[yellow]rows of the roster that cannot be used: {len(refused):,}[/yellow], first {escape(first.source_file)}: "
            f"{escape(first.reason)}"
        )
    strangers = [one for one in exclude if one not in roster]
    if strangers:
        out.say(f"[yellow]excluded, but not in the roster:[/yellow] {escape(', '.join(strangers))}")


def _tell(out: Out, where: str, looked: list[Looked], *, lines: bool) -> None:
    rows = [(one.line, *said(error)) for one in looked for error in one.errors]
    bad = sum(bool(one.errors) or one.unreadable is not None for one in looked)
    columns = ["line", "kind of error", "field", "reason"]
    start = 0 if lines else 1
    out.table(where, columns[start:], [row[start:] for row in rows])
    for one in looked:
        if one.unreadable is not None:
            out.say(f"[red]{escape(where)}:{one.line}[/red] this is no JSON ({escape(one.unreadable)})")
    if lines:
        out.say(f"{len(looked) - bad:,} of {len(looked):,} payloads are valid.")
    elif not rows:
        out.say("Nothing is wrong with it.")
