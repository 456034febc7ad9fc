"""What the commands of retrieval share: the embedder, what was built, and what a query asks for.

Here: opening, and reading a demand by the places of a lake. Not here: any command. Tests put an embedder of their own in
place of `embedder`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from lakehouse.corpora.registry import corpus
from lakehouse.embedding import Embedder
from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.roster.asks import Ask, read_ask
from lakehouse.search.opening import open_retrieval, open_searcher
from lakehouse.search.search import Retrieval
from lakehouse.search.wording import PLACE_FIELDS
from lakehouse.timestamps import written
from resources.embedder import from_environment


@contextmanager
def embedder(lake: Lake) -> Iterator[Embedder]:
    """Open the embedder that the environment names. Raises `UsageError` that says what to install where it is missing."""
    with from_environment().open(lake) as opened:
        yield opened


@contextmanager
def retrieval(lake: Lake) -> Iterator[Retrieval]:
    """Open every built corpus of a lake for searching. Raises `UsageError` where there is none."""
    require_some(lake)
    with embedder(lake) as opened:
        yield open_retrieval(lake, opened)


def require_some(lake: Lake) -> None:
    """Raise `UsageError` where no corpus was built: before the embedder is opened, which takes a second."""
    from lakehouse.corpora.store import committed

    if not any(committed(lake, path.stem) for path in (lake.root / "lance").glob("*.lance")):
        raise UsageError(
            "no corpus was built yet", where=str(lake.root), mend=f"lakehouse index build --lake {lake.root}"
        )


def of_family(searching: Retrieval, *families: str) -> list[str]:
    """Name the built corpora of some families, in the order of the registry."""
    return [name for name in searching.corpora if corpus(name).family in families]


def ask_of(searching: Retrieval, query: str) -> Ask:
    """Read a query as a demand, by the places of all workers; role and place are empty where it is none."""
    found = [searching.corpora[name].view().distinct(PLACE_FIELDS) for name in of_family(searching, "workers")]
    places = {(str(city), str(state)) for view in found for city, state in view if city and state}
    return read_ask(query, places)


def serve(lake: Lake, *names: str) -> None:
    """Make what the next process searches from: a snapshot, and an index where a corpus is large."""
    for name in names:
        open_searcher(lake, name).prepare()


def now() -> str:
    """Give the time: the command line is where the clock is read."""
    return written(datetime.now(UTC))
