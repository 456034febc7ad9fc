"""`lakehouse sql`: a question to the lake in SQL, within limits, and the views that there are."""

from typing import Annotated, Any

import orjson
import typer
from rich.markup import escape
from rich.text import Text

from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.views.asking import SECONDS, Answer, ask, shown
from lakehouse.views.database import write_database
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, JsonOption, LakeOption, Out, open_lake

LIMIT = 100
WIDEST = 200


def sql(
    query: Annotated[str | None, typer.Argument(help="One SELECT. Quote it: the shell reads * and > itself.")] = None,
    lake: LakeOption = DEFAULT_LAKE,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = LIMIT,
    timeout: Annotated[float, typer.Option(min=0.001, help="At most so many seconds, an hour at the most.")] = SECONDS,
    views: Annotated[bool, typer.Option("--views", help="List the views and their columns.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Write the views to lakehouse.duckdb, for other programs.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Ask the lake a question in SQL. Nothing can be changed by it; what may be read is the views' files.

    Example: lakehouse sql "SELECT * FROM first_shot_rate ORDER BY rate DESC"
    """
    if (query is not None) + views + write != 1:
        raise UsageError("give one query, or --views, or --write", mend='lakehouse sql "SELECT * FROM sessions_by_day"')
    out = Out(as_json)
    opened = open_lake(lake)
    if views:
        _list(out, opened)
    elif write:
        path = write_database(opened)
        out.say(f"{escape(str(path))} holds the views. They name files by absolute paths: write it again after a move.")
        out.answer(database=str(path))
    else:
        _show(out, ask(opened, query or "", limit=limit, seconds=timeout), limit)
    out.close()


def _list(out: Out, lake: Lake) -> None:
    found = shown(lake)
    out.table(
        "views", ["view", "what it shows", "columns"], [(one.name, one.says, ", ".join(one.columns)) for one in found]
    )
    out.say('Their types: lakehouse sql "DESCRIBE sessions"')
    out.answer(views=found)


def _show(out: Out, answer: Answer, limit: int) -> None:
    rows = answer.plain()
    out.table("", answer.columns, [[_cell(one) for one in row] for row in rows])
    if not rows:
        out.say("No rows.")
    elif answer.more:
        out.say(f"There are more than {limit:,} rows: --limit shows more.")
    out.answer(columns=answer.columns, types=answer.types, rows=rows, more=answer.more)


def _cell(value: Any) -> Text:
    """Write a value for a person: numbers to the right and as they are, nothing for null, long ones cut."""
    if value is None:
        return Text("")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Text(str(value), justify="right")
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    return Text(text if len(text) <= WIDEST else f"{text[:WIDEST]}…")
