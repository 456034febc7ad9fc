"""`lakehouse search`: what lies nearest to a query, with its distance and why it stands where it does."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, Final

import typer
from rich.markup import escape

from lakehouse.corpora import playbooks
from lakehouse.corpora.reading import version
from lakehouse.corpora.registry import corpus, playbook_corpus
from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.records import PlaybookEntry
from lakehouse.roster.asks import Ask
from lakehouse.search.answers import Answer, Result
from lakehouse.search.filters import Condition, Op, Scalar, conditions
from lakehouse.search.search import MOST, Retrieval
from lakehouse_dagster.commands import vectors
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, JsonOption, LakeOption, Out, open_lake

_CONDITION: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(!=|>=|<=|==|=|>|<|~)\s*(.*?)\s*", re.DOTALL)
_OPS: Final[dict[str, Op]] = {
    "=": "eq",
    "==": "eq",
    "!=": "ne",
    ">": "gt",
    ">=": "ge",
    "<": "lt",
    "<=": "le",
    "~": "contains",
}
_NUMBER: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_WIDEST: Final = 72
_NEAR: Final = 200
_SHOWN_FIRST: Final = ("name", "role", "city", "state", "certs", "title", "answer_id")
"""The fields that a row of the table shows, of those that its metadata has."""

WHERE = "A condition on metadata, as city=Flint, 'years>=5', certs~OSHA-10, shift=first|any (one of); again for more."


def search(
    query: Annotated[str, typer.Argument(help="What to look for, in words.")],
    lake: LakeOption = DEFAULT_LAKE,
    corpora: Annotated[
        list[str] | None, typer.Option("--corpus", help="Where to look; again for more. Default: by the query.")
    ] = None,
    k: Annotated[int, typer.Option("-k", min=1, max=MOST, help="How many results.")] = 10,
    where: Annotated[list[str] | None, typer.Option("--where", help=WHERE)] = None,
    exclude: Annotated[list[str] | None, typer.Option("--exclude", help="An id to leave out; again for more.")] = None,
    role: Annotated[
        str | None, typer.Option(help="The query's role, for the role gate; default: as read from the query.")
    ] = None,
    use_playbooks: Annotated[bool, typer.Option("--playbooks/--no-playbooks", help="Let recorded answers act.")] = True,
    namespace: Annotated[str | None, typer.Option(help="Whose playbooks; default: the common ones.")] = None,
    hybrid: Annotated[bool, typer.Option("--hybrid", help="Rank by full text too, not by distance alone.")] = False,
    as_written: Annotated[
        bool, typer.Option("--as-written", help="Search for the query itself, also where it reads as a demand.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Search the corpora: nearest first, with distances, and what recorded answers did.

    Example: lakehouse search "Need 3 Forklift Operators in Detroit MI" --where available=true -k 5
    """
    out = Out(as_json)
    opened = open_lake(lake)
    wanted = [condition(text) for text in where or ()]
    memory = playbook_corpus(namespace)
    with vectors.retrieval(opened) as searching:
        ask = vectors.ask_of(searching, query)
        names, why = choose(opened, searching, corpora or [], ask, role)
        asked_role = ask.role if role is None else role
        answer = searching.search(
            query,
            names,
            k,
            where=wanted,
            exclude_ids=exclude or (),
            role=asked_role or None,
            use_playbook=use_playbooks,
            namespace=namespace,
            hybrid=hybrid,
            rewrite=not as_written,
        )
        texts = {one.id: searching.corpora[one.corpus].view().text_of(one.id) for one in answer.results}
        unknown = _unknown_fields(searching, answer, wanted)
    acted = {one.playbook_id for one in answer.results if one.playbook_id}
    entries = {one.id: one for one in playbooks.listed(opened, namespace) if one.id in acted} if acted else {}
    out.say(f"Searched {', '.join(names)}: {why}.")
    _tell_wording(out, answer, asked_role, read=role is None)
    rows = [_row(one, entries, texts[one.id]) for one in answer.results]
    columns = ["rank", "id", "corpus", "distance", "cosine", "why", "what it is"]
    out.table(f"Nearest to {escape(repr(query))}", columns, rows)
    _tell_counts(out, answer, hybrid=hybrid)
    for field in unknown:
        out.say(f"[yellow]none of the {_NEAR} nearest rows has a field {escape(field)}[/yellow]; is it spelt so?")
    if namespace and use_playbooks and not version(opened, memory):
        out.say(f"[yellow]nothing was ever recorded in {escape(memory)}[/yellow]")
    out.answer(answer=answer, corpora=names, why=why, ask=ask, role=asked_role, unknown_fields=unknown)
    out.close()


def condition(text: str) -> Condition:
    """Read a condition: `true`, `false` and numbers are such, `"…"` is text, `a|b` after `=` is one of several.

    Raises `UsageError` that shows how to write one.
    """
    match = _CONDITION.fullmatch(text)
    if match is None or not match[3]:
        raise UsageError(
            f"{text[:80]!r} is no condition",
            where="--where",
            mend="write it as city=Flint, 'years>=5' or certs~OSHA-10",
        )
    field, sign, value = match.groups()
    op = _OPS[sign]
    if op == "eq" and "|" in value and not value.startswith('"'):
        read: Scalar | tuple[Scalar, ...] = tuple(_value(part.strip()) for part in value.split("|"))
        op = "in"
    else:
        read = _unquoted(value) if op == "contains" else _value(value)
    return conditions([{"field": field, "op": op, "value": read}])[0]


def _value(text: str) -> Scalar:
    if text in ("true", "false"):
        return text == "true"
    if _NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return _unquoted(text)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def choose(
    lake: Lake, searching: Retrieval, named: Sequence[str], ask: Ask, role: str | None = None
) -> tuple[list[str], str]:
    """Choose the corpora to search and say why: those named; for a demand, those of workers; else all but playbooks.

    Raises `UsageError` for a name that is no corpus, and for one that was never built.
    """
    for name in named:
        if not version(lake, corpus(name).name):
            raise UsageError(f"the corpus {name} was never built", mend=f"lakehouse index build {name}")
    if named:
        return list(dict.fromkeys(named)), "as --corpus says"
    workers = vectors.of_family(searching, "workers")
    if workers and (ask.role or role):
        return workers, "the query asks for workers (--corpus looks elsewhere)"
    everything = vectors.of_family(searching, "workers", "chunks")
    if not everything:
        raise UsageError("only playbooks were built", mend="build what they answer with: lakehouse index build")
    return everything, "every corpus that was built, for the query does not read as a demand for workers"


def _unknown_fields(searching: Retrieval, answer: Answer, wanted: Sequence[Condition]) -> list[str]:
    """Name the fields of conditions that none of the rows near the query has: a typing error is the likeliest reason."""
    if answer.results or not wanted:
        return []
    near = searching.search(answer.query, list(answer.given), _NEAR, rewrite=False).results
    return [field for field in dict.fromkeys(one.field for one in wanted) if not any(field in x.metadata for x in near)]


def _tell_wording(out: Out, answer: Answer, role: str, *, read: bool) -> None:
    reworded: dict[str, list[str]] = {}
    for name, text in answer.searched_for.items():
        if text != answer.query:
            reworded.setdefault(text, []).append(name)
    for text, names in reworded.items():
        out.say(f"Searched for {escape(repr(text))} in {', '.join(names)} (--as-written leaves the query as it is).")
    if role and read:
        out.say(f"Its role, as read from the query: {escape(role)}.")


def _row(one: Result, entries: dict[str, PlaybookEntry], text: str) -> list[Any]:
    far = f"{one.distance:.4f}", f"{one.cosine:.4f}"
    return [one.rank, one.id, one.corpus, *far, _why(one, entries), _what(one, text)]


def _why(one: Result, entries: dict[str, PlaybookEntry]) -> str:
    if one.playbook_id is None:
        return ""
    did = "injected" if one.injected else "boosted"
    entry = entries.get(one.playbook_id)
    about = f", score {entry.score:g}{f', {entry.role}' if entry.role else ''}" if entry else ""
    rated = f", rated {one.rating}" if one.rating is not None else ""
    return f"{did} by {one.playbook_id}{about}{rated}"


def _what(one: Result, whole: str) -> str:
    """Say in a line what a row is, by the fields that people know it by; of what has no name, the first words too."""
    said = [one.metadata[field] for field in _SHOWN_FIRST if one.metadata.get(field) not in (None, "", [])]
    if "name" not in one.metadata:
        said.append(whole)
    text = " · ".join(", ".join(map(str, each)) if isinstance(each, list) else str(each) for each in said)
    line = " ".join(text.split())
    return line if len(line) <= _WIDEST else line[: _WIDEST - 1] + "…"


def _tell_counts(out: Out, answer: Answer, *, hybrid: bool) -> None:
    if not answer.results:
        out.say("Nothing was found.")
    said = [", ".join(f"{number:,} from {name}" for name, number in answer.given.items())]
    if answer.plays:
        said.append(
            f"{answer.plays:,} recorded queries are near: {answer.boosted:,} boosted, {answer.injected:,} injected"
        )
        if answer.refused_by_role:
            said[-1] += f", {answer.refused_by_role:,} refused for another role"
    if hybrid:
        said.append("ranked by distance and by words together, so that distances need not rise")
    out.say("; ".join(said) + ".")
