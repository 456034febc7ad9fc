"""A lake in a temporary folder in which days can be made again and exports published again, without touching the real one.

Here: the folders, with a link for every file. Every file of ours is replaced by renaming, so that a write there replaces
a link and never what it points to. Not here: making anything again (`rebuild.py`), counting without writing
(`lakehouse.dry_run`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lakehouse.lake import Lake

_OUTPUTS = ("evidence", "scored-runs", "quarantine", "distilled", "gates")
_NO_LINKS = shutil.ignore_patterns("locks", "duckdb", "releases", ".*")
"""Locks and spilled tables belong to who holds them, releases are of no day; hidden files are unfinished ones."""


@contextmanager
def shadow(lake: Lake, days: Iterable[str] | None) -> Iterator[Lake]:
    """Give a lake that holds links to the rows, the index and the files of `days`; `None` stands for all files."""
    with tempfile.TemporaryDirectory(prefix="lakehouse-audit-") as folder:
        root = Path(folder)
        if lake.raw.is_dir():
            (root / "_kb").symlink_to(lake.raw.resolve(), target_is_directory=True)
        if lake.toml.exists():
            shutil.copy(lake.toml, root / lake.toml.name)
        for name in ("index", *(_OUTPUTS if days is None else ())):
            _link_tree(lake.root / name, root / name)
        for day in days or ():
            other = Lake(root)
            for here, there in zip(_of_day(lake, day), _of_day(other, day), strict=True):
                _link_tree(here, there)
        yield Lake(root)


def _of_day(lake: Lake, day: str) -> list[Path]:
    """List where a day's files lie."""
    folders = [lake.evidence(day), lake.scored(day), lake.quarantine(day, "collect").parent]
    return [*folders, lake.keys(day), lake.rag_keys(day), lake.part(day), lake.rag_part(day)]


def _link_tree(source: Path, target: Path) -> None:
    if source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source.resolve())
    elif source.is_dir():
        shutil.copytree(source.resolve(), target, copy_function=os.symlink, ignore=_NO_LINKS)
