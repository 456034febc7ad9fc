"""`lakehouse validate`: whether a proposal may leave, held against the roster of the lake."""

import codecs
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import orjson
import typer
from rich.markup import escape

from lakehouse.canonical import NotJson, duplicate_keys, read
from lakehouse.errors import UsageError
from lakehouse.records import QuarantinedRow, ValidationError
from lakehouse.validators.kinds import KINDS, validate
from lakehouse.validators.roster import Workers, workers_of
from lakehouse.validators.shape import shown
from lakehouse.validators.wire import all_tagged, said
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, JsonOption, LakeOption, Out, open_lake

STDIN = "-"
HOW = "give one JSON object with each key once, or one per line with --lines"


class Looked(NamedTuple):
    """What was found in one payload; `line` is from 1, 0 for the whole. `unreadable` says why it cannot be read."""

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
        list[str] | None,
        typer.Option("--exclude", metavar="ID", help="A worker of the roster who may not be sent; may be repeated."),
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
    roster = _excluding(workers_of(open_lake(lake), refused.append), exclude or [])
    looked = list(_looked(kind, data, roster, lines=lines))
    unreadable = [one for one in looked if one.unreadable is not None]
    invalid = [one for one in looked if one.errors]
    if unreadable and not lines:
        line, _, why = unreadable[0]
        raise UsageError(str(why), where=f"{where}:{line}" if line else where, mend=HOW)
    if not looked:
        raise UsageError("there is no payload", where=where, mend=HOW)
    _tell_roster(out, refused)
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
    try:
        # Editors on Windows begin a file with a mark that is no part of the JSON.
        return (sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()).removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise UsageError(
            f"it cannot be read ({error.strerror})", where=file, mend="name a file with JSON, or - for standard input"
        ) from None


def _excluding(roster: Workers, ids: list[str]) -> Workers:
    """Leave workers out. Raises `UsageError` for an id that nobody has: mistyped, it would exclude nobody."""
    strangers = [one for one in ids if one not in roster]
    if strangers:
        raise UsageError(
            f"the roster has no {', '.join(map(shown, strangers))}"
            + ("" if len(roster) else ", for there is no roster"),
            where="--exclude",
            mend="give ids of the roster, exactly as they stand there",
        )
    return roster.excluding(ids)


def _looked(kind: str, data: bytes, roster: Workers, *, lines: bool) -> Iterator[Looked]:
    """Look at one payload, or at each line that is not blank; at none where there is nothing."""
    if not lines:
        if data.strip():
            yield _one(kind, data, roster)
        return
    for number, line in enumerate(data.split(b"\n"), 1):
        if line.strip():
            yield _one(kind, line, roster)._replace(line=number)


def _one(kind: str, data: bytes, roster: Workers) -> Looked:
    try:
        payload: Any = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        return Looked(error.lineno, [], f"this is no JSON ({error.msg}, character {error.colno})")
    try:
        twice = duplicate_keys(data, read(data)[1]) and _twice(data)
    except NotJson as error:
        return Looked(0, [], f"this is no JSON ({error.what})")
    if twice:
        # Some readers take the first and some the last: what was looked at must be what is sent.
        return Looked(0, [], f"the key {shown(twice)} stands twice")
    return Looked(1, validate(kind, payload, roster))


class _Pairs(list[tuple[str, Any]]):
    """An object as it is written, with what stands twice."""


def _twice(data: bytes) -> str:
    """Give the path of the first key that stands twice in an object, `fills[0].worker_id`; empty where none does."""
    stack: list[tuple[str, Any]] = [("", json.loads(data, object_pairs_hook=_Pairs))]
    while stack:
        path, value = stack.pop()
        inner: list[tuple[str, Any]] = []
        if isinstance(value, _Pairs):
            seen: set[str] = set()
            for key, item in value:
                inner.append((f"{path}.{key}" if path else key, item))
                if key in seen:
                    return inner[-1][0]
                seen.add(key)
        elif isinstance(value, list):
            inner = [(f"{path}[{place}]", item) for place, item in enumerate(value)]
        stack += reversed(inner)
    return ""


def _tell_roster(out: Out, refused: list[QuarantinedRow]) -> None:
    if refused:
        first = refused[0]
        out.say(
            f"[yellow]rows of the roster that cannot be used: {len(refused):,}[/yellow], first {escape(first.source_file)}: "
            f"{escape(first.reason)}"
        )


def _tell(out: Out, where: str, looked: list[Looked], *, lines: bool) -> None:
    rows = [(one.line, *said(error)) for one in looked for error in one.errors]
    bad = sum(bool(one.errors) or one.unreadable is not None for one in looked)
    columns = ["line", "kind of error", "field", "reason"]
    start = 0 if lines else 1
    out.table(where, columns[start:], [row[start:] for row in rows])
    for one in looked:
        if one.unreadable is not None:
            out.say(f"[red]{escape(where)}:{one.line}[/red] {escape(one.unreadable)}")
    if lines:
        out.say(f"{len(looked) - bad:,} of {len(looked):,} payloads are valid.")
    elif not rows:
        out.say("Nothing is wrong with it.")
