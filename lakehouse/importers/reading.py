"""Steps that two or more importers share: opening a log, its JSON lines, tool calls.

Here: pure helpers that know no format. Not here: a format's fields (a module each).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from lakehouse.canonical import NotJson, parse
from lakehouse.errors import UsageError
from lakehouse.importers.spec import Refused
from lakehouse.streams.shaping import as_text

LONGEST_LINE = 16 << 20
"""Bytes of the longest line that the chain reads, its newline included."""

_BOM = b"\xef\xbb\xbf"


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Open a log for reading; raises `UsageError` where it cannot be opened."""
    try:
        file = path.open("rb", buffering=1 << 18)
    except OSError as error:
        raise UsageError(
            f"it cannot be read ({error.strerror})", where=str(path), mend="look at the file's name and rights"
        ) from None
    with file:
        yield file


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]] | Refused]:
    """Give `(file:line, object)` for each line of a JSONL log; blank lines are left out, bad ones are `Refused`.

    Memory: one line, of `LONGEST_LINE` bytes at most.
    """
    with opened(path) as file:
        number = 0
        while line := file.readline(LONGEST_LINE):
            number += 1
            where = f"{path}:{number}"
            if len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                while line and not line.endswith(b"\n"):
                    line = file.readline(LONGEST_LINE)
                yield Refused(where, "the line is longer than 16 MiB")
                continue
            if number == 1:
                line = line.removeprefix(_BOM)
            if not line.isspace():
                yield _object(where, line)


def _object(where: str, line: bytes) -> tuple[str, dict[str, Any]] | Refused:
    try:
        value = parse(line)
    except NotJson as error:
        return Refused(where, f"it is no JSON ({error})")
    return (where, value) if isinstance(value, dict) else Refused(where, "it is no JSON object")


def as_object(value: Any) -> dict[str, Any]:
    """Give a JSON object as it is and an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def with_text_arguments(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the messages with the arguments of every tool call as a JSON string; those that are strings stay untouched.

    Trainers read arguments of mixed types as an error, so that one string form is kept throughout.
    """
    return [_message(message) for message in messages]


def _message(message: dict[str, Any]) -> dict[str, Any]:
    calls, legacy = message.get("tool_calls"), message.get("function_call")
    changed = dict(message)
    if isinstance(calls, list):
        changed["tool_calls"] = [
            {**call, "function": _function(call["function"])}
            if isinstance(call, dict) and isinstance(call.get("function"), dict)
            else call
            for call in calls
        ]
    if isinstance(legacy, dict):
        changed["function_call"] = _function(legacy)
    return changed


def _function(function: dict[str, Any]) -> dict[str, Any]:
    arguments = function.get("arguments")
    return function if arguments is None else {**function, "arguments": as_text(arguments)}
