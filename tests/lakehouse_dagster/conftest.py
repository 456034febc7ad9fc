"""For the tests of commands: `lakehouse` typed in this process, and a lake with an embedder that needs no model.

Here: what several of these tests type and look at. Not here: lakes, servers and chats that one of them alone needs.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lakehouse.lake import Lake
from lakehouse_dagster import cli
from lakehouse_dagster.commands import vectors
from resources.environment import VARIABLES


class Done(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def stand_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder, where no variable of the project is set."""
    monkeypatch.chdir(folder)
    for variable in VARIABLES:
        monkeypatch.delenv(variable.name, raising=False)


class Shell:
    """Types `lakehouse` in this process, through its real `main`. An exception that `main` lets through is the test's."""

    def __init__(self, capsys: pytest.CaptureFixture[str], *typed: str) -> None:
        self._capsys, self._typed = capsys, typed

    def of(self, *typed: str) -> "Shell":
        """Give a shell that types these words first."""
        return Shell(self._capsys, *self._typed, *typed)

    def __call__(self, *arguments: str, stdin: bytes | None = None) -> Done:
        """Run a command; without `stdin`, standard input is pytest's, which refuses to be read."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", ["lakehouse", *self._typed, *arguments])
            if stdin is not None:
                patch.setattr(sys, "stdin", TextIOWrapper(BytesIO(stdin), encoding="utf-8"))
            try:
                cli.main()
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else 1 if end.code else 0
        printed = self._capsys.readouterr()
        return Done(code, printed.out, printed.err)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """`lakehouse` in a folder of its own. Fixtures that set a variable ask for this one first."""
    stand_alone(tmp_path, monkeypatch)
    return Shell(capsys)


class Desk:
    """Who types the commands of retrieval. `room` is the lake in ./data and its fake embedder."""

    def __init__(self, folder: Path, shell: Shell) -> None:
        from tests.lakehouse.corpora.conftest import Room

        self.room = Room(folder / "data")
        self.run = shell

    @contextmanager
    def embedder(self, lake: Lake) -> Iterator[Any]:
        assert lake.root == self.room.lake.root.resolve()
        yield self.room.embedder


@pytest.fixture
def desk(tmp_path: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Desk:
    pytest.importorskip("lancedb", reason="the extra retrieval is not installed")
    made = Desk(tmp_path, shell)
    monkeypatch.setattr(vectors, "embedder", made.embedder)
    return made
