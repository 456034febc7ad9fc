"""The corpora: one entry each, with the prefix of its ids, its source, and from how many rows on it is indexed.

Here: the entries, and finding one by its name. Not here: reading a source (`sources.py`), building (`build.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from lakehouse.corpora import sources
from lakehouse.corpora.logs import MEMORY, PLAYBOOKS, namespaces
from lakehouse.corpora.rows import Item
from lakehouse.embedding.identity import Kind
from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.records import QuarantinedRow
from lakehouse.roster.schema import PREFIXES

NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_]{1,48}")
GRAPH_FROM: Final = 5_000
"""Rows from which on an index pays.

Processor time of a query at 384 dimensions, exact and by index: 0.13 and 0.12 ms at 3,000 rows, 0.23 and 0.17 at 5,000, 0.7 and
0.24 at 7,000, 1.5 and 0.5 at 10,000.
"""

Refuse = Callable[[QuarantinedRow], None]


@dataclass(frozen=True)
class Corpus:
    """One corpus. Without a `prefix` it takes any id. `source` is a path in the lake, `asset` what makes or observes it.

    `read` gives the rows that its source holds, `gone` the ids that the source says were taken out. `kind` is how its texts
    are embedded. It is searched exactly below `graph_from` rows. Merging stays within a `family`; only what comes from a log
    can be cleared by a merge, for a file would bring it back.
    """

    name: str
    prefix: str | None
    source: str
    asset: str
    description: str
    family: Literal["workers", "chunks", "playbooks"]
    read: Callable[[Lake, str, Refuse], Iterator[Item]]
    gone: Callable[[Lake, str], set[str]] = sources.nothing_gone
    kind: Kind = "document"
    from_log: bool = False
    graph_from: int = GRAPH_FROM


def _playbook(name: str, description: str) -> Corpus:
    # A recorded query is compared with other queries, so it is embedded as one.
    return Corpus(
        name,
        "pb-",
        "_kb/playbooks.jsonl",
        "kb/playbooks",
        description,
        "playbooks",
        sources.playbooks,
        sources.retired_playbooks,
        kind="query",
        from_log=True,
    )


_ALL = (
    Corpus(
        "workers",
        PREFIXES["workers"],
        "_kb/workers",
        "kb/workers",
        "The roster of workers.",
        family="workers",
        read=sources.roster,
    ),
    Corpus(
        "ethereal_workers",
        PREFIXES["ethereal_workers"],
        "_kb/ethereal_workers",
        "kb/ethereal_workers",
        "A second roster of workers, of the same columns.",
        family="workers",
        read=sources.roster,
    ),
    Corpus(
        "fresh_workers",
        None,
        "_kb/fresh_workers.jsonl",
        "kb/fresh_workers",
        "Workers recorded since, searched beside the rosters until they are merged.",
        family="workers",
        read=sources.fresh,
        gone=sources.moved_fresh,
        from_log=True,
    ),
    Corpus(
        "rag",
        "rag-",
        "distilled/rag/rag_export.jsonl",
        "rag_export",
        "The chunks of the published RAG export.",
        family="chunks",
        read=sources.rag,
    ),
    _playbook(MEMORY, "Good answers to queries, remembered for all."),
)
CORPORA: Final = {corpus.name: corpus for corpus in _ALL}
"""The corpora that every lake has; each namespace of playbooks is one more."""


def corpus(name: str) -> Corpus:
    """Give a corpus by its name. Raises `UsageError` that lists the known ones."""
    found = CORPORA.get(name)
    if found is not None:
        return found
    namespace = name.removeprefix(PLAYBOOKS)
    if name.startswith(PLAYBOOKS) and NAME.fullmatch(name) and _NAMESPACE.fullmatch(namespace):
        return _playbook(name, f"Good answers to queries, remembered for {namespace}.")
    raise UsageError(
        f"there is no corpus {name[:80]!r}", mend=f"the corpora are {', '.join(CORPORA)} and {PLAYBOOKS}<namespace>"
    )


def playbook_corpus(namespace: str | None = None) -> str:
    """Give the name of the corpus of a namespace; without one, of the common memory.

    Raises `UsageError` where the namespace is not made of letters, digits and `_`, at most 48.
    """
    if not namespace:
        return MEMORY
    if not _NAMESPACE.fullmatch(namespace):
        raise UsageError(
            f"{namespace[:80]!r} is no namespace", mend="write letters, digits and _ alone, at most 48 of them"
        )
    return PLAYBOOKS + namespace


def corpora(lake: Lake) -> list[Corpus]:
    """List the corpora of a lake, with one for each namespace that its playbooks name."""
    named = [found for namespace in sorted(namespaces(lake)) if (found := playbook_corpus(namespace)) not in CORPORA]
    return [*CORPORA.values(), *map(corpus, named)]
