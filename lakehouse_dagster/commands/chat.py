"""`lakehouse chat` and `lakehouse models`: ask a model, and see which can be asked.

Here: both commands. Not here: which model a name means, keys, retries (`lakehouse/chat/`).
"""

import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.text import Text

from lakehouse.chat.passages import Passage
from lakehouse.chat.registry import Chatter, ProviderState, Reach
from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.replay.retrieval import TEXT, VECTORS, Retriever, open_retrieve
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, JsonOption, LakeOption, Out, open_lake
from resources.chat import from_environment

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""What could steer a terminal; a model's words are somebody else's."""


def chat(
    prompt: Annotated[str, typer.Argument(help="What to ask; - reads it from standard input.")],
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="A model or a tier; default: the tier `default`.")
    ] = None,
    system: Annotated[str | None, typer.Option(help="What the model is told first.")] = None,
    form: Annotated[str | None, typer.Option("--format", help="`json`: the answer is a JSON object.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="The longest answer.")] = None,
    think: Annotated[bool, typer.Option("--think", help="Let a model reason that can.")] = False,
    lake: LakeOption = DEFAULT_LAKE,
    as_json: JsonOption = False,
) -> None:
    """Ask a model. The answer goes to standard output, who gave it to standard error.

    Example: lakehouse chat "Which certificates does a welder need?" --model local_judge
    """
    out = Out(as_json)
    text = sys.stdin.read() if prompt == "-" else prompt
    if not text.strip():
        raise UsageError("there is nothing to ask", where="PROMPT", mend='lakehouse chat "Which day is it?"')
    if form not in {None, "json"}:
        # From Python a schema can be given too; no flag takes one.
        raise UsageError(f"is {form!r}", where="--format", mend="`--format json` is the only one; without it, text")
    messages = [{"role": "system", "content": system}] if system else []
    with opened(_lake(lake)) as asking:
        asked = asking.resolve(model)
        provider = asking.require(asked.model)
        _warn(one for one in asking.providers() if one.name == provider)
        answer = asking(
            [*messages, {"role": "user", "content": text}], asked.model, format=form, max_tokens=max_tokens, think=think
        )
    if not as_json:
        sys.stdout.write(_CONTROL.sub("\N{REPLACEMENT CHARACTER}", answer.content) + "\n")
        counted = [answer.prompt_tokens, answer.completion_tokens]
        tokens = f", {counted[0]} + {counted[1]} tokens" if None not in counted else ""
        cut = ": it was cut off, --max-tokens allows more" if answer.finish_reason == "length" else ""
        said = f"{answer.model} of {answer.provider} ({asked.source}), {answer.latency_ms} ms{tokens}"
        typer.echo(f"{said}, {answer.finish_reason}{cut}", err=True)
    out.answer(answer=answer, asked=asked._asdict())
    out.close()


def models(
    probe: Annotated[
        bool, typer.Option("--probe", help="Ask each provider that can be asked, at most 5 s each.")
    ] = False,
    lake: LakeOption = DEFAULT_LAKE,
    as_json: JsonOption = False,
) -> None:
    """Show the tiers with their models, and the providers: which can be asked, and what the others lack.

    With --probe the exit code is 3 where no server answers.

    Example: lakehouse models --probe
    """
    out = Out(as_json)
    with opened(_lake(lake)) as asking:
        tiers = asking.tiers()
        states = asking.providers()
        reached = {one.name: asking.probe(one.name) for one in states if one.configured} if probe else {}
    out.table("Tiers", ["tier", "model", "from"], [(name, found.model, found.source) for name, found in tiers.items()])
    out.table(
        "Providers",
        ["", "provider", "what", "where", "found", "to mend it"],
        [
            (
                "ok" if _fine(one.configured, reached.get(one.name)) else Text("no", style="red"),
                one.name,
                one.title,
                one.where,
                reached[one.name].found if one.name in reached else one.why_not or "configured; not asked",
                reached[one.name].mend if one.name in reached else one.mend,
            )
            for one in states
        ],
    )
    _warn(states)
    if not probe:
        out.say(
            escape("--probe asks them. A model is named as in `qwen2.5`, `openrouter/vendor/model`, `extractive/rag`.")
        )
    out.answer(
        tiers={name: found._asdict() for name, found in tiers.items()},
        providers=[
            {**one._asdict(), **({"reached": reached[one.name]._asdict()} if one.name in reached else {})}
            for one in states
        ],
    )
    out.close()
    servers = [found for name, found in reached.items() if name != "extractive"]
    if probe and not any(found.ok for found in servers):
        raise typer.Exit(3)


@contextmanager
def opened(lake: Lake) -> Iterator[Chatter]:
    """Open the registry as the environment and the lake say; passages come from the lake, opened when they are asked for."""
    with ExitStack() as stack, from_environment().open(lake, _Passages(lake, stack)) as asking:
        yield asking


class _Passages:
    """A `Retrieve` over a lake. What it opens is closed by the stack."""

    def __init__(self, lake: Lake, stack: ExitStack) -> None:
        self._lake, self._stack = lake, stack
        self._retriever: Retriever | None = None

    def __call__(self, query: str, corpus: str, k: int) -> list[Passage]:
        """Give the nearest passages. Without vectors `rag` means the full text of its export, and the passages say so."""
        from lakehouse_dagster.commands import vectors

        if self._retriever is None:
            self._retriever = self._stack.enter_context(open_retrieve(self._lake, lambda: vectors.embedder(self._lake)))
        there = self._retriever.corpus
        return self._retriever(query, TEXT if (corpus, there) == (VECTORS, TEXT) else corpus, k)


def _lake(root: Path) -> Lake:
    """Give the lake whose settings count; asking a model needs none, but one that is named must be there."""
    return Lake(root.resolve()) if root == DEFAULT_LAKE else open_lake(root)


def _warn(states: Iterable[ProviderState]) -> None:
    for one in states:
        if one.warning:
            typer.echo(f"warning: {one.warning}", err=True)


def _fine(configured: bool, reached: Reach | None) -> bool:
    return configured and (reached is None or reached.ok)
