"""For the commands of retrieval: a small lake in ./data, an embedder that needs no model, and `lakehouse` in this process."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lakehouse.lake import Lake
from lakehouse_dagster.commands import vectors


class Done(NamedTuple):
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Desk:
    """Who types the commands. `room` is the lake in ./data and its fake embedder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        from tests.lakehouse.corpora.conftest import Room

        self.room = Room(folder / "data")
        self._patch = monkeypatch
        self._capsys = capsys

    @contextmanager
    def embedder(self, lake: Lake) -> Iterator[Any]:
        assert lake.root == self.room.lake.root.resolve()
        yield self.room.embedder

    def run(self, *arguments: str) -> Done:
        from lakehouse_dagster import cli

        self._patch.setattr(sys, "argv", ["lakehouse", *arguments])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1 if end.code else 0
        printed = self._capsys.readouterr()
        return Done(code, printed.out, printed.err)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Desk:
    pytest.importorskip("lancedb", reason="the extra retrieval is not installed")
    monkeypatch.chdir(tmp_path)
    for name in ("LAKEHOUSE_ROOT", "LAKEHOUSE_REPORTS", "LAKEHOUSE_EMBEDDER", "LAKEHOUSE_EMBEDDING_MODEL"):
        monkeypatch.delenv(name, raising=False)
    made = Desk(tmp_path, monkeypatch, capsys)
    monkeypatch.setattr(vectors, "embedder", made.embedder)
    return made
