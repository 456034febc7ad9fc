"""`lakehouse playbook record|retire|list`: good answers to queries, remembered for the next search."""

import getpass
from typing import Annotated

import typer
from rich.markup import escape

from lakehouse.corpora import playbooks
from lakehouse.corpora.registry import corpus, playbook_corpus
from lakehouse.errors import UsageError
from lakehouse.search.search import Retrieval
from lakehouse_dagster.commands import vectors
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, JsonOption, LakeOption, Out, open_lake

app = typer.Typer(
    no_args_is_help=True, help="Remember which answer to a query was good, so that the next search knows."
)

NamespaceOption = Annotated[str | None, typer.Option(help="Whose playbooks; default: the common ones.")]
ByOption = Annotated[str | None, typer.Option(help="Who says so; default: the user's name.")]


@app.command("record")
def record(
    query: Annotated[str, typer.Argument(help="The query, as it was asked.")],
    answer_id: Annotated[str, typer.Argument(metavar="ANSWER_ID", help="The id of the result that answered it.")],
    lake: LakeOption = DEFAULT_LAKE,
    in_corpus: Annotated[
        str | None, typer.Option("--corpus", help="Where the answer lies; default: the corpus that holds the id.")
    ] = None,
    score: Annotated[float, typer.Option(help="How good it was, 0 to 1: 1 halves its distance.")] = 1.0,
    role: Annotated[
        str | None, typer.Option(help="The role that it is for; default: as read from the query; '' for any.")
    ] = None,
    namespace: NamespaceOption = None,
    by: ByOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remember an answer: near queries of the same role find it nearer. Recording it again replaces its score.

    Example: lakehouse playbook record "Need 2 Welders in Flint MI" w-17 --score 0.9
    """
    out = Out(as_json)
    opened = open_lake(lake)
    with vectors.retrieval(opened) as searching:
        held = _holders(searching, answer_id)
        lies_in = in_corpus or _only(held, answer_id)
        corpus(lies_in)
        found_role = vectors.ask_of(searching, query).role if role is None else role.strip()
        entry = playbooks.record(
            opened,
            searching.embedder,
            query,
            answer_id,
            lies_in,
            score,
            vectors.now(),
            role=found_role or None,
            namespace=namespace,
            recorded_by=by or getpass.getuser(),
        )
    name = playbook_corpus(namespace)
    whose = f"for {escape(entry.role)}" if entry.role else "for any role"
    out.say(f"{name} remembers {entry.id}: {escape(answer_id)} of {lies_in}, score {entry.score:g}, {whose}.")
    if lies_in not in held:
        out.say(f"[yellow]{lies_in} holds no {escape(answer_id)} now[/yellow]; it has an effect once it does")
    out.answer(playbook=entry, corpus=name, answer_is_there=lies_in in held)
    out.close()


@app.command("retire")
def retire(
    playbook_id: Annotated[str, typer.Argument(metavar="ID", help="As `lakehouse playbook list` names it.")],
    lake: LakeOption = DEFAULT_LAKE,
    namespace: NamespaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a playbook out of use; the log keeps it. Recording it again brings it back.

    Example: lakehouse playbook retire pb-3fa94c1be2200617
    """
    out = Out(as_json)
    entry = playbooks.retire(open_lake(lake), playbook_id, vectors.now(), namespace=namespace)
    out.say(f"{entry.id} is out of use: {escape(entry.answer_id)} for {escape(repr(entry.query_text))}.")
    out.answer(playbook=entry)
    out.close()


@app.command("list")
def list_playbooks(
    lake: LakeOption = DEFAULT_LAKE,
    namespace: NamespaceOption = None,
    retired: Annotated[bool, typer.Option("--retired", help="Those out of use too.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many, the newest.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List the recorded answers of a namespace, the newest last.

    Example: lakehouse playbook list --namespace ann
    """
    out = Out(as_json)
    found = playbooks.listed(open_lake(lake), namespace, retired=retired)
    shown = found[-limit:]
    rows = [
        (
            one.id,
            one.query_text,
            one.answer_id,
            one.answer_corpus,
            f"{one.score:g}",
            one.role or "",
            one.recorded_by,
            one.retired_at or "",
        )
        for one in shown
    ]
    columns = ["id", "query", "answer", "corpus", "score", "role", "by", "retired"]
    out.table(playbook_corpus(namespace), columns, rows)
    if not found:
        out.say("Nothing is recorded. Record an answer with: lakehouse playbook record QUERY ANSWER_ID")
    elif len(found) > limit:
        out.say(f"{len(found) - limit:,} older ones: --limit shows more.")
    out.answer(playbooks=shown, all=len(found))
    out.close()


def _holders(searching: Retrieval, answer_id: str) -> list[str]:
    """Name the corpora that hold an id."""
    names = vectors.of_family(searching, "workers", "chunks")
    return [name for name in names if searching.corpora[name].view().text_of(answer_id)]


def _only(held: list[str], answer_id: str) -> str:
    if len(held) == 1:
        return held[0]
    what = f"is in {' and '.join(held)}" if held else "is in no corpus that was built"
    raise UsageError(f"{answer_id[:80]!r} {what}", where="ANSWER_ID", mend="name its corpus with --corpus")
