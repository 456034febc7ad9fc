"""The searchers of a lake, each made when it is first asked for.

Here: which corpora are searched how. Not here: searching (`search.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.search.engine import Searcher
from lakehouse.search.search import Retrieval
from lakehouse.search.sources import CorpusSource
from lakehouse.search.wording import DemandWording, Wording

if TYPE_CHECKING:
    from lakehouse.embedding import Embedder


def search_folder(lake: Lake, name: str) -> Path:
    """Give the folder of a corpus's saved snapshot. The name is one that `lakehouse.corpora` knows."""
    from lakehouse.corpora.registry import corpus

    return lake.root / "index" / "search" / corpus(name).name


def open_searcher(lake: Lake, name: str, *, wait: bool = True) -> Searcher:
    """Open a corpus for searching. Raises `UsageError` for a name that is no corpus."""
    from lakehouse.corpora.registry import corpus

    known = corpus(name)
    folder = search_folder(lake, known.name)
    return Searcher(CorpusSource(lake, known.name), folder=folder, wait=wait, index_from=known.graph_from)


class Searchers(Mapping[str, Searcher]):
    """The corpora of a lake that were built, by name; one searcher each, however many threads ask."""

    def __init__(self, lake: Lake, *, wait: bool = True) -> None:
        self._lake = lake
        self._wait = wait
        self._open: dict[str, Searcher] = {}
        self._opening = threading.Lock()

    def __getitem__(self, name: str) -> Searcher:
        found = self._open.get(name)
        if found is not None:
            return found
        with self._opening:
            if name not in self._open:
                if not _built(self._lake, name):
                    raise KeyError(name)
                self._open[name] = open_searcher(self._lake, name, wait=self._wait)
            return self._open[name]

    def __iter__(self) -> Iterator[str]:
        from lakehouse.corpora.registry import corpora

        return (corpus.name for corpus in corpora(self._lake) if _built(self._lake, corpus.name))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _built(lake: Lake, name: str) -> bool:
    from lakehouse.corpora import reading
    from lakehouse.corpora.registry import corpus

    try:
        return reading.version(lake, corpus(name).name) > 0
    except UsageError:
        return False


def open_retrieval(
    lake: Lake, embedder: Embedder, *, wait: bool = True, role_fallback: Callable[[str], str] | None = None
) -> Retrieval:
    """Open all corpora of a lake for searching; demands are worded for those of workers. `wait`: see `Searcher`."""
    from lakehouse.corpora.registry import CORPORA, playbook_corpus

    searchers = Searchers(lake, wait=wait)
    wording = DemandWording(role_fallback)
    wordings: dict[str, Wording] = {name: wording for name, one in CORPORA.items() if one.family == "workers"}
    return Retrieval(embedder, searchers, lambda namespace: searchers.get(playbook_corpus(namespace)), wordings)
