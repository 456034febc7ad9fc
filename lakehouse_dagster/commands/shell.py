"""What every command shares: the options for lake and reports, output for people and for machines, exit codes.

Here: the shell around a command. Not here: any command.
"""

import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import msgspec
import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from lakehouse.errors import UsageError
from lakehouse.lake import Lake

LakeOption = Annotated[
    Path, typer.Option("--lake", envvar="LAKEHOUSE_ROOT", help="The lake's folder.", show_default="./data")
]
ReportsOption = Annotated[
    Path, typer.Option("--reports", envvar="LAKEHOUSE_REPORTS", help="Where reports go.", show_default="./reports")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
DEFAULT_LAKE = Path("data")
DEFAULT_REPORTS = Path("reports")

WIDTH = 160
SHORT = 24


def today() -> str:
    """Give today's day in UTC: the command line is where the clock is read."""
    return datetime.now(UTC).strftime("%Y-%m-%d")


def open_lake(root: Path) -> Lake:
    """Open an existing lake. Raises `UsageError` where the folder holds none."""
    lake = Lake(root.resolve())
    if not lake.raw.is_dir() and not lake.toml.exists():
        raise UsageError(
            "there is no lake here",
            where=str(lake.root),
            mend="make one with `lakehouse init` or `lakehouse demo`, or name one with --lake",
        )
    return lake


class Out:
    """Where a command puts its answer: text and tables for a person, or one JSON object for a machine."""

    def __init__(self, as_json: bool) -> None:
        self._json = as_json
        self._console = Console(stderr=as_json, highlight=False)
        if not self._console.is_terminal:
            # A pipe has no width: lines are for whoever reads them later.
            self._console = Console(stderr=as_json, highlight=False, width=WIDTH)
        self._answer: dict[str, Any] = {}

    def say(self, text: str) -> None:
        """Say something to a person."""
        if not self._json:
            self._console.print(text, soft_wrap=True)

    def table(self, title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Show a table to a person; numbers stand right."""
        if self._json:
            return
        held = [list(row) for row in rows]
        if not held:
            return
        table = Table(
            title=title, title_justify="left", title_style="bold", header_style="bold", box=None, pad_edge=False
        )
        for place, column in enumerate(columns):
            numeric = bool(held) and all(isinstance(row[place], int | float) for row in held)
            short = numeric or all(len(str(row[place])) <= SHORT for row in held)
            table.add_column(column, justify="right" if numeric else "left", overflow="fold", no_wrap=short)
        for row in held:
            # A `Text` may have a style; anything else stands as it is, brackets too.
            table.add_row(*(cell if isinstance(cell, Text) else Text(_written(cell)) for cell in row))
        self._console.print(table)
        self._console.print()

    def answer(self, **fields: Any) -> None:
        """Add to what a machine reads."""
        self._answer.update(fields)

    def close(self) -> None:
        """Print what a machine reads."""
        if self._json:
            data = orjson.dumps(msgspec.to_builtins(self._answer), option=orjson.OPT_INDENT_2)
            sys.stdout.write(data.decode() + "\n")

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator["Bar"]:
        """Show a progress bar while the block runs, on a terminal only."""
        if self._json or not self._console.is_terminal:
            yield Bar(None, None)
            return
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=self._console, transient=True) as progress:
            yield Bar(progress, progress.add_task(what, total=total))


def _written(cell: Any) -> str:
    return f"{cell:,}" if isinstance(cell, int) else str(cell)


class Bar:
    """A progress bar, or nothing where there is no terminal."""

    def __init__(self, progress: Progress | None, task: Any) -> None:
        self._progress = progress
        self._task = task

    def step(self, *_: object) -> None:
        """Go on by one."""
        if self._progress is not None:
            self._progress.advance(self._task)

    def describe(self, what: str) -> None:
        """Say what is being done now."""
        if self._progress is not None:
            self._progress.update(self._task, description=what)
