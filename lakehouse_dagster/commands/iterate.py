"""`lakehouse iterate`: let a model propose until it is valid, and keep what happened."""

import json
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape

from lakehouse.chat.registry import Chatter
from lakehouse.errors import UsageError
from lakehouse.iterate import AttemptSeen, IterateOutcome, IterateRequest, session_id
from lakehouse.iterate import iterate as run
from lakehouse.iterate.session import MOST_ITERATIONS, check
from lakehouse.lake import Lake
from lakehouse.records import QuarantinedRow
from lakehouse.sessions import SessionLog
from lakehouse.validators.fill import is_grounded
from lakehouse.validators.kinds import KINDS, validate
from lakehouse.validators.roster import Workers, workers_of
from lakehouse.validators.wire import all_tagged
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, JsonOption, LakeOption, Out, open_lake
from resources import chat
from resources.lake import utc_now

STDIN = "-"
_MOST_BITS = 63
_ENDS = {
    "accepted": "[green]accepted[/green]",
    "no_json": "no JSON in the answer",
    "validation_failed": "not valid",
    "infra_error": "[red]no answer[/red]",
}


def iterate(
    kind: Annotated[str, typer.Argument(help=f"What is to be made: {', '.join(KINDS)}.")],
    prompt: Annotated[str | None, typer.Option(help="What the model is asked for.")] = None,
    prompt_file: Annotated[
        str | None,
        typer.Option("--prompt-file", metavar="FILE|-", help="The same from a file, or from standard input."),
    ] = None,
    model: Annotated[str | None, typer.Option(help="A model, or a tier; default: the tier `default`.")] = None,
    max_iterations: Annotated[
        int, typer.Option(help=f"How often the model is asked at most, 1 to {MOST_ITERATIONS}.")
    ] = 3,
    trace_id: Annotated[str, typer.Option(help="The session's id, such as a caller's; default: a new one.")] = "",
    no_log: Annotated[bool, typer.Option("--no-log", help="Leave no line in the lake's _kb/sessions.jsonl.")] = False,
    lake: LakeOption = DEFAULT_LAKE,
    as_json: JsonOption = False,
) -> None:
    """Ask a model for a proposal, tell it what is wrong, and ask again: 0 accepted, 1 out of attempts, 3 nobody answers.

    Example: lakehouse iterate fill --prompt "Fill C-12: 2 Welders in Flint MI from 06:00" --model qwen2.5
    """
    if kind not in KINDS:
        raise UsageError(f"{kind[:40]!r} is no kind of payload", where="KIND", mend=f"name one of {', '.join(KINDS)}")
    text = _prompt(prompt, prompt_file)
    out = Out(as_json)
    opened = open_lake(lake)
    log = SessionLog(None if no_log else opened.sessions)
    with chatter(opened) as asking:
        named = asking.resolve(model)
        request = IterateRequest(
            kind=kind, prompt=text, model=named.model, max_iterations=max_iterations, trace_id=trace_id
        )
        check(request)
        roster = _roster(opened, out)
        out.say(f"Asking {escape(named.model)} ({escape(named.source)}), with a roster of {len(roster):,} workers.")
        outcome = run(
            request,
            asking,
            lambda of, payload: validate(of, payload, roster),
            log=log,
            clock=utc_now,
            monotonic=time.monotonic,
            new_id=lambda: session_id(time.time_ns(), secrets.randbits(32)),
            grounded=lambda payload: is_grounded(payload, roster),
            watch=lambda seen: _tell_attempt(out, seen),
        )
    _tell(out, outcome, log)
    _answer(out, outcome)
    if outcome.failure is not None and not as_json:
        raise outcome.failure
    if outcome.failure is not None:
        raise typer.Exit(outcome.failure.exit_code)
    if not outcome.usable:
        raise typer.Exit(1)


@contextmanager
def chatter(lake: Lake) -> Iterator[Chatter]:
    """Open the chat that the environment and the lake describe: the one place where these commands do."""
    with chat.from_environment().open(lake) as opened:
        yield opened


def _roster(lake: Lake, out: Out) -> Workers:
    refused: list[QuarantinedRow] = []
    found = workers_of(lake, refused.append)
    if refused:
        out.say(f"[yellow]{len(refused):,} rows of the roster cannot be used[/yellow]: {escape(refused[0].reason)}")
    return found


def _prompt(prompt: str | None, file: str | None) -> str:
    if (prompt is None) == (file is None):
        raise UsageError(
            "there are both --prompt and --prompt-file" if file else "there is no prompt",
            where="--prompt",
            mend="give one of --prompt and --prompt-file",
        )
    if file is None:
        assert prompt is not None
        return prompt
    try:
        data = sys.stdin.buffer.read() if file == STDIN else Path(file).read_bytes()
        return data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UsageError(
            f"it cannot be read ({why})", where=file, mend="name a text file in UTF-8, or - for standard input"
        ) from None


def _tell_attempt(out: Out, seen: AttemptSeen) -> None:
    one = seen.attempt
    why = f": {escape(one.error)}" if one.error else ""
    out.say(f"Attempt {one.iteration + 1}: {_ENDS[one.verdict]} after {one.latency_ms:,} ms{why}")


def _tell(out: Out, outcome: IterateOutcome, log: SessionLog) -> None:
    record = outcome.record
    if outcome.artifact is not None:
        out.say(escape(json.dumps(outcome.artifact, ensure_ascii=False, indent=2)))
    if record.grounded_in_roster is False:
        out.say("[red]Do not use it:[/red] the validator took it, and the roster does not hold every worker in it.")
    elif outcome.verdict == "max_iter_exhausted":
        out.say(f"No valid proposal in {record.iterations} attempts.")
    where = {True: f"in {log.path}", False: "[red]not in the log[/red]", None: "not logged, as asked"}[outcome.logged]
    out.say(f"Session {escape(outcome.session_id)} of {escape(record.model)} at {record.provider}, {where}.")


def _answer(out: Out, outcome: IterateOutcome) -> None:
    record = outcome.record
    said: dict[str, Any] = {
        "session_id": outcome.session_id,
        "trace_id": outcome.trace_id,
        "verdict": outcome.verdict,
        "artifact": _printable(outcome.artifact),
        "grounded_in_roster": record.grounded_in_roster,
        "errors": all_tagged(outcome.errors),
        "attempts": outcome.attempts,
        "provider": record.provider,
        "model": record.model,
        "logged": outcome.logged,
    }
    if (failure := outcome.failure) is not None:
        said["error"] = {
            "kind": failure.kind,
            "message": failure.what,
            "where": failure.where,
            "mend": failure.mend,
            "exit_code": failure.exit_code,
        }
    out.answer(**said)
    out.close()


def _printable(value: Any) -> Any:
    """Give a value with its integers beyond 64 bits as texts of their digits: the printer of JSON takes no others."""
    if isinstance(value, dict):
        return {key: _printable(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_printable(held) for held in value]
    return str(value) if isinstance(value, int) and value.bit_length() > _MOST_BITS else value
