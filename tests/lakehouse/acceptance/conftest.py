"""Distilled copies of the fixture lake, made once, and spoiled copies of them.

Here: the fixtures that the tests of the acceptance gate share. Not here: what is spoiled, which stands beside the test.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lakehouse.acceptance.copies import Copies, make_copies
from lakehouse.acceptance.fixture import NOW, fixture_path, read_expected
from lakehouse.acceptance.night import Night
from lakehouse.acceptance.registry import INVARIANTS
from lakehouse.acceptance.rows import Context
from lakehouse.acceptance.runner import InvariantReport, hold, workspace
from lakehouse.lake import Lake

Row = dict[str, Any]


@pytest.fixture(scope="session")
def copies() -> Iterator[Copies]:
    """The five copies of the fixture lake. Nobody may change them."""
    with workspace() as folder:
        yield make_copies(fixture_path(), folder, NOW)


class Spoiled:
    """The copies, of which one lake may be spoiled: `change` and `append` edit its files, `hold` asks an invariant."""

    def __init__(self, copies: Copies, folder: Path) -> None:
        self.folder = folder
        self.copies = replace(copies, workdir=folder)
        self.lake = copies.first.lake

    def take(self, which: str = "first") -> Lake:
        """Copy one of the lakes and put the copy in its place."""
        held = getattr(self.copies, which)
        old = held.lake if isinstance(held, Night) else held
        self.lake = Lake(self.folder / which)
        shutil.copytree(old.root, self.lake.root)
        if isinstance(held, Night):
            run = replace(held.run, reports=self.lake.root / "reports")
            held = replace(held, lake=self.lake, run=run)
        self.copies = replace(self.copies, **{which: held if isinstance(held, Night) else self.lake})
        return self.lake

    def lines(self, file: str) -> list[Row]:
        return [json.loads(line) for line in (self.lake.root / file).read_bytes().splitlines()]

    def write(self, file: str, rows: list[Row]) -> None:
        encoded = [json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in rows]
        (self.lake.root / file).write_text("".join(encoded), encoding="utf-8")

    def change(self, file: str, line: int, edit: Callable[[Row], object]) -> tuple[str, int]:
        """Let `edit` change the record of a line (from 1); give the place."""
        rows = self.lines(file)
        edit(rows[line - 1])
        self.write(file, rows)
        return file, line

    def drop(self, file: str, line: int) -> Row:
        rows = self.lines(file)
        gone = rows.pop(line - 1)
        self.write(file, rows)
        return gone

    def append(self, file: str, row: Row) -> tuple[str, int]:
        rows = [*self.lines(file), row]
        self.write(file, rows)
        return file, len(rows)

    def find(self, pattern: str, source: str, line: int) -> tuple[str, int, Row]:
        """Find the record of a raw line (from 1) in the files of a pattern."""
        for path in sorted(self.lake.root.glob(pattern)):
            file = self.lake.relative(path)
            for number, row in enumerate(self.lines(file), start=1):
                place = row.get("provenance", row)
                if (place.get("source_file"), place.get("line_offset")) == (source, line - 1):
                    return file, number, row
        raise AssertionError(f"no record of {source}:{line} in {pattern}")

    def hold(self, number: int) -> InvariantReport:
        """Ask one invariant about the copies as they are now."""
        return hold(INVARIANTS[number - 1], Context(self.copies, read_expected(fixture_path())), every=True)

    def failing(self, number: int) -> set[tuple[str, int]]:
        """Give the places that an invariant blames."""
        return {(one.file, one.line) for one in self.hold(number).failures}


@pytest.fixture
def spoiled(copies: Copies) -> Iterator[Spoiled]:
    with workspace() as folder:
        yield Spoiled(copies, folder)
