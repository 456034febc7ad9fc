"""What a replay gets to read: the nearest passages of the published chunks, without what the run itself wrote.

Here: the choice between the vectors of the corpus `rag` and full text over the export, and leaving one out. Not here:
searching either (`lakehouse.search`, `fulltext.py`), how passages stand in a prompt (`lakehouse.chat.passages`).

Left out are the chunks of the replayed run, and every passage that lies within the accepted answer or holds it whole: the
export keeps one of several equal texts, and may name another run for it. Else the answer would stand in its own question.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from lakehouse.chat.passages import Passage
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.lake import Lake
from lakehouse.publish.exports import RAG
from lakehouse.replay.fulltext import Found, open_fulltext
from lakehouse.similarity.words import words

if TYPE_CHECKING:
    from lakehouse.embedding import Embedder
    from lakehouse.search.search import Retrieval

VECTORS: Final = "rag"
"""The corpus with vectors; passages by full text name the export, so that nobody takes one for the other."""
TEXT: Final = RAG.asset
_OWN: Final = 8
"""Words of an accepted answer from which on a passage that holds it whole is left out: fewer say nothing of their origin."""

EmbedderOpener = Callable[[], AbstractContextManager["Embedder"]]


class LeftOut(NamedTuple):
    """What a replay must not read: chunks of these runs, and the text that was accepted."""

    runs: Collection[str] = ()
    answer: str = ""

    def has(self, run_id: str | None, text: str) -> bool:
        """Say whether a passage is among it."""
        if run_id is not None and run_id in self.runs:
            return True
        if not self.answer.strip():
            return False
        passage, answer = _plain(text), _plain(self.answer)
        return passage in answer or (len(words(self.answer)) >= _OWN and answer in passage)


NOTHING: Final = LeftOut()


class Retriever(Protocol):
    """Gives passages as `lakehouse.chat.passages.Retrieve` does, and can leave some out.

    `corpus` names what is searched: `rag` by vectors, `rag_export` by full text. `embedder` is that of the vectors. `note` says
    why it is not the vectors although they were built.
    """

    @property
    def note(self) -> str:
        """Why vectors are not searched, empty where there is nothing to say."""

    @property
    def corpus(self) -> str:
        """The corpus that there is."""

    @property
    def embedder(self) -> Embedder | None:
        """The embedder, `None` where full text is searched."""

    def __call__(self, query: str, corpus: str, k: int, left_out: LeftOut = NOTHING) -> list[Passage]:
        """Give the nearest passages, nearest first. Raises `UsageError` for a corpus that is not there."""
        ...


class Searched(Protocol):
    """What full text is searched in."""

    def search(self, query: str) -> Iterator[Found]:
        """Give what was found, the best first."""
        ...


class Unpublished:
    """In place of an export that is not there: whoever asks for a passage is told what to do."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def search(self, query: str) -> Iterator[Found]:  # noqa: ARG002 - nothing is found, whatever is asked
        """Raise `UsageError`."""
        raise UsageError(
            "the RAG export is not published, so there is nothing to retrieve from",
            where=str(self._path),
            mend="run `lakehouse distill` first",
        )


class ByText:
    """Passages by full text."""

    corpus: Final = TEXT
    embedder = None

    def __init__(self, index: Searched, note: str = "") -> None:
        self._index = index
        self.note = note

    def __call__(self, query: str, corpus: str, k: int, left_out: LeftOut = NOTHING) -> list[Passage]:
        """Give the passages that share most with the query."""
        if corpus != TEXT:
            raise UsageError(
                f"there are no vectors of {corpus!r} here",
                where="retrieval",
                mend=f"build them, or name {TEXT}, its full text",
            )
        found = (one for one in self._index.search(query) if not left_out.has(one.run_id, one.text))
        return [Passage(one.id, TEXT, one.distance, one.text) for one in islice(found, k)]


class ByVectors:
    """Passages by cosine distance: of the corpus `rag`, or of another that was built."""

    corpus: Final = VECTORS
    note = ""

    def __init__(self, searching: Retrieval) -> None:
        self._searching = searching

    @property
    def embedder(self) -> Embedder | None:
        """The embedder of the corpus."""
        return self._searching.embedder

    def __call__(self, query: str, corpus: str, k: int, left_out: LeftOut = NOTHING) -> list[Passage]:
        """Give the nearest passages. Copies of the answer are few, so that a few more are asked for, and then all."""
        from lakehouse.search.search import MOST

        where = [{"field": "source_run_id", "op": "ne", "value": one} for one in sorted(left_out.runs)]
        wanted = min(k + 4, MOST)
        while True:
            answer = self._searching.search(query, [corpus], wanted, where=where, rewrite=False)
            view = self._searching.corpora[corpus].view()
            # A row that was deleted in between has no text any more.
            texts = ((one, view.text_of(one.id)) for one in answer.results)
            kept = [Passage(one.id, corpus, one.distance, text) for one, text in texts if text]
            kept = [one for one in kept if not left_out.has(None, one.text)]
            if len(kept) >= k or len(answer.results) < wanted or wanted == MOST:
                return kept[:k]
            wanted = min(wanted * 4, MOST)


@contextmanager
def open_retrieve(lake: Lake, embedder: EmbedderOpener | None = None) -> Iterator[Retriever]:
    """Open what replays retrieve from: the corpus `rag` where it was built and can be opened, else the export's full text.

    Without an `embedder`, full text. Where the corpus is there and cannot be opened (its vectors are of another embedder, a
    server is down), full text too, and `note` says why. Where no RAG export is published, retrieving raises `UsageError`.
    """
    path, why_not = RAG.main(lake), ""
    with ExitStack() as stack:
        if embedder is not None and vectors_built(lake):
            try:
                found: Retriever = ByVectors(_opened(lake, stack.enter_context(embedder())))
            except LakehouseError as error:
                why_not = f"full text is searched, for the corpus {VECTORS} cannot be: {error}"
            else:
                yield found
                return
        yield ByText(stack.enter_context(open_fulltext(path)) if path.exists() else Unpublished(path), why_not)


def vectors_built(lake: Lake) -> bool:
    """Say whether the corpus `rag` was built and the extra to read it is installed; opens neither."""
    from lakehouse.corpora.store import committed
    from lakehouse.embedding.source import installed

    return installed("lancedb") and committed(lake, VECTORS) > 0


def _opened(lake: Lake, embedder: Embedder) -> Retrieval:
    from lakehouse.embedding.identity import require_same
    from lakehouse.search.opening import open_retrieval

    searching = open_retrieval(lake, embedder)
    require_same(searching.corpora[VECTORS].view().identity, embedder.identity, where=f"corpus {VECTORS}")
    return searching


def nothing_more(query: str, corpus: str, k: int) -> list[Passage]:  # noqa: ARG001 - it is a `Retrieve`
    """Retrieve nothing: what a chat that can retrieve by itself is given in a replay, which reads what replay left in alone."""
    return []


def _plain(text: str) -> str:
    """Fold white space: chunks begin and end where words do."""
    return " ".join(text.split())
