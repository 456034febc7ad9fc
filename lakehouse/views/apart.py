"""Asking in a process of its own, for a server that many people ask: what a query does to memory ends with it.

Here: the process and what is said to it and by it. Not here: asking (`asking.py`). DuckDB's own limit leaves out the texts that
a query makes (`repeat('x', 1000000000)`); the limit of a process leaves out nothing. It starts without an environment, so
that there is no key in it to be found.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import Any, Final

import msgspec

from lakehouse.errors import LakehouseError, OutsideFailure, UsageError
from lakehouse.lake import Lake
from lakehouse.views.asking import ROWS, SECONDS, SqlTimeout, ask
from lakehouse.views.types import is_unicode

MOST_BYTES: Final = 2 << 30
"""Of address space: DuckDB's 640 MB, its readers' buffers, Python, and the answer twice."""

MOST_ANSWER: Final = 64 << 20
MAIN: Final = __name__
_TO_START: Final = 20.0
_TOO_MUCH: Final = "the query needs more memory than there is for one"
_FEWER: Final = "ask for fewer days, rows or columns"


class Question(msgspec.Struct, frozen=True):
    """What the process is asked."""

    root: str
    sql: str
    limit: int
    seconds: float


class Plain(msgspec.Struct, frozen=True, tag="answer"):
    """What a query gave, as JSON holds it."""

    columns: list[str]
    types: list[str]
    rows: list[list[Any]]
    more: bool


class Fault(msgspec.Struct, frozen=True, tag="fault"):
    """Why there is no answer."""

    timeout: bool
    exit_code: int
    what: str
    where: str
    mend: str


def ask_apart(lake: Lake, sql: str, *, limit: int = ROWS, seconds: float = SECONDS) -> Plain:
    """Ask the views of a lake in a process of its own. It takes about a third of a second more than `ask`.

    Raises what `ask` raises, and `UsageError` for an answer above 64 MiB; `OutsideFailure` where no process can be started.
    """
    root = lake.root.resolve()
    if not (is_unicode(sql) and is_unicode(str(root))):
        raise UsageError("the query, or the lake's path, is no valid Unicode", where="SQL", mend="give it in UTF-8")
    question = msgspec.json.encode(Question(str(root), sql, limit, seconds))
    command = [sys.executable, "-m", MAIN]
    try:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            cwd="/",
        )
    except OSError as error:
        raise OutsideFailure(f"no process can be started for a query ({error.strerror})", mend="try again") from error
    with child:
        try:
            said, told = child.communicate(question, timeout=max(seconds, 0.0) + _TO_START)
        except subprocess.TimeoutExpired:
            raise SqlTimeout(f"the query did not end in {seconds:g} seconds", where="SQL", mend=_FEWER) from None
        finally:
            child.kill()
    if child.returncode < 0:
        # It ended without a word: so it goes where memory is short outside of Python.
        raise UsageError(f"{_TOO_MUCH} (signal {-child.returncode})", where="SQL", mend=_FEWER)
    if child.returncode:
        why = (told.decode(errors="replace").strip().splitlines() or ["it said nothing"])[-1]
        raise OutsideFailure(f"the process of a query failed: {why[:400]}", mend="see whether `lakehouse sql` answers")
    answer = msgspec.json.decode(said, type=Plain | Fault)
    if isinstance(answer, Fault):
        raise _error(answer)
    return answer


def _error(fault: Fault) -> LakehouseError:
    kind = SqlTimeout if fault.timeout else UsageError if fault.exit_code == UsageError.exit_code else OutsideFailure
    return kind(fault.what, where=fault.where, mend=fault.mend)


def answered(question: Question) -> bytes:
    """Answer a question, in the process that was started for it."""
    from pathlib import Path

    try:
        found = ask(Lake(Path(question.root)), question.sql, limit=question.limit, seconds=question.seconds)
        said = msgspec.json.encode(Plain(found.columns, found.types, found.plain(), found.more))
        if len(said) > MOST_ANSWER:
            raise UsageError(f"the answer is larger than {MOST_ANSWER >> 20} MiB", where="SQL", mend=_FEWER)
    except MemoryError:
        return msgspec.json.encode(Fault(False, UsageError.exit_code, _TOO_MUCH, "SQL", _FEWER))
    except LakehouseError as error:
        timeout = isinstance(error, SqlTimeout)
        return msgspec.json.encode(Fault(timeout, error.exit_code, error.what, error.where, error.mend))
    return said


def main() -> None:
    """Answer the question on standard input within a limit of memory."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.stdout.buffer.write(answered(msgspec.json.decode(sys.stdin.buffer.read(), type=Question)))


if __name__ == "__main__":
    main()
