"""What `retrieval.py` measures of the whole search: playbooks, role gate, exclusions, single writes, cold start.

Here: a lake with recorded playbooks and a corpus of made vectors. Not here: the peers, the tables.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from lakehouse.embedding.identity import EmbedderIdentity
from lakehouse.search.layered import Held

NOW = "2026-05-02T02:00:00.000Z"
ROLES = ("Forklift Operator", "CNC Machinist", "Warehouse Picker", "Loader", "Welder")
Timed = Callable[[Callable[[Any], Any], Any], dict[str, float]]


@dataclass(frozen=True)
class Setting:
    """The vectors, a folder to write in, how many single writes, and what takes the time of a search."""

    rows: Any
    queries: Any
    folder: Path
    writes: int
    timed: Timed


class MadeSource:
    """A corpus of made vectors that never changes."""

    def __init__(self, rows: Any) -> None:
        self._rows = rows
        self.identity = EmbedderIdentity("made", "made", "1", rows.shape[1])

    def version(self) -> int:
        """Give the one version."""
        return 1

    def changes(self, _: int) -> None:
        """Give nothing: it is never asked."""
        return

    def rows(self) -> Held:
        """Give the vectors with made ids and metadata."""
        count = range(len(self._rows))
        metadata = [f'{{"role": "{ROLES[place % 5]}", "city": "City {place % 50}"}}' for place in count]
        texts = [f"worker {place}" for place in count]
        return Held(1, self.identity, [f"w-{place:07}" for place in count], self._rows, metadata, texts)


class MadeEmbedder:
    """Gives a text one of the made queries, or near it: no model, so that search alone is measured."""

    embedded = cached = cut = 0

    def __init__(self, queries: Any, identity: EmbedderIdentity) -> None:
        self._queries = queries
        self.identity = identity

    def embed(self, texts: Any, _: str = "document") -> Any:
        """Give one vector per text."""
        import numpy as np

        found = []
        for text in texts:
            place, _, variant = text.partition("/")
            vector = self._queries[int(place)]
            if variant:
                seed = int.from_bytes(sha256(text.encode()).digest()[:4], "big")
                vector = vector + 0.03 * np.random.default_rng(seed).standard_normal(len(vector))
                vector = vector / np.linalg.norm(vector)
            found.append(vector)
        return np.array(found, np.float32)


def _opened(given: Setting) -> tuple[Any, Any, Any, Any]:
    from lakehouse.lake import Lake
    from lakehouse.search.engine import Searcher
    from lakehouse.search.opening import open_searcher
    from lakehouse.search.search import Retrieval

    source = MadeSource(given.rows)
    workers = Searcher(source)
    workers.prepare()
    lake = Lake(given.folder / "lake")
    embedder = MadeEmbedder(given.queries, source.identity)
    memory = open_searcher(lake, "playbook_memory")
    return lake, embedder, memory, Retrieval(embedder, {"workers": workers}, lambda _: memory)


def _record(lake: Any, embedder: Any, start: int, count: int, *, bulk: bool) -> list[float]:
    """Record playbooks for paraphrases of the made queries; give what each write took, in seconds."""
    from lakehouse.corpora.playbooks import Recording, record_many

    made = [
        Recording(f"{place % 1000}/{place}", f"w-{place * 7 % 1000:07}", "workers", 0.8, ROLES[place % 5])
        for place in range(start, start + count)
    ]
    took = []
    for part in [made] if bulk else [[one] for one in made]:
        began = time.perf_counter()
        record_many(lake, embedder, part, NOW)
        took.append(time.perf_counter() - began)
    return took


def search(given: Setting) -> dict[str, Any]:
    """Measure the bare engine and `search()` around it, with and without playbooks, role gate and exclusions."""
    lake, embedder, _, retrieval = _opened(given)
    queries, timed = given.queries, given.timed
    _record(lake, embedder, 0, 2_000, bulk=True)
    excluded = [f"w-{place:07}" for place in range(0, 200, 7)]
    where = [{"field": "city", "op": "in", "value": ["City 1", "City 2"]}]
    names = [str(place) for place in range(len(queries))]
    vectors = dict(zip(names, queries, strict=True))
    engine = retrieval.corpora["workers"]
    whole = {"role": "forklift operators", "exclude_ids": excluded, "use_playbook": True}
    ways: list[tuple[str, Callable[[Any], Any]]] = [
        ("bare engine", lambda name: engine.view().nearest(vectors[name], 10)),
        ("search()", lambda name: retrieval.search(name, ["workers"])),
        ("+ exclusions", lambda name: retrieval.search(name, ["workers"], exclude_ids=excluded)),
        ("+ role, 2,000 playbooks", lambda name: retrieval.search(name, ["workers"], **whole)),
        ("+ filter on 4 %", lambda name: retrieval.search(name, ["workers"], where=where, **whole)),
    ]
    lines, bare = [], 0.0
    for label, way in ways:
        found = timed(way, names)
        bare = bare or found["p50"]
        above = f"{found['p50'] - bare:+.3f} above the bare engine" if label != "bare engine" else ""
        lines.append(f"{label:<24} p50 {found['p50']:.3f} ms  p99 {found['p99']:.3f} ms  {above}")
    return {"lines": lines}


def playbooks(given: Setting) -> dict[str, Any]:
    """Measure single writes of playbooks, and a search with them before and after."""
    import numpy as np

    lake, embedder, memory, retrieval = _opened(given)
    writes, timed = given.writes, given.timed
    names = [str(place) for place in range(len(given.queries))]

    def ask(name: str) -> Any:
        return retrieval.search(name, ["workers"], role="welders", use_playbook=True)

    _record(lake, embedder, 0, 100, bulk=False)
    before = timed(ask, names)["p50"]
    first = time.perf_counter()
    took = _record(lake, embedder, 100, 1, bulk=False)
    ask(names[0])
    first = time.perf_counter() - first - took[0]
    took = _record(lake, embedder, 101, writes, bulk=False)
    caught_up = time.perf_counter()
    ask(names[0])
    caught_up = time.perf_counter() - caught_up
    memory.settle()
    after = timed(ask, names)["p50"]
    p50, p99 = np.percentile(took, [50, 99]) * 1000
    return {
        "lines": [
            f"{writes:,} single writes: p50 {p50:.2f} ms, p99 {p99:.2f} ms, {writes / sum(took):,.0f} writes/s",
            f"search with playbooks: {before:.3f} ms before, {after:.3f} ms after: {after / before:.2f} x (asked: at most 1.5)",
            f"first search after one write {first * 1000:.2f} ms, after all of them {caught_up * 1000:.0f} ms",
        ]
    }


def lancedb_writes(given: Setting) -> dict[str, Any]:
    """Measure single adds to a LanceDB table that is left alone, and its search before and after."""
    import lancedb
    import numpy as np

    rows, queries, timed = given.rows, given.queries, given.timed
    count = min(given.writes, 1_000)
    data = [{"id": f"pb-{place}", "vector": rows[place]} for place in range(100 + count)]
    table = lancedb.connect(given.folder).create_table("memory", data[:100])

    def ask(query: Any) -> Any:
        return table.search(query).distance_type("cosine").limit(10).select(["id", "_distance"]).to_arrow()

    before = timed(ask, queries[:100])["p50"]
    took = []
    for one in data[100:]:
        began = time.perf_counter()
        table.add([one])
        took.append(time.perf_counter() - began)
    after = timed(ask, queries[:100])["p50"]
    times = f"{before:.2f} ms before, {after:.2f} ms after: {after / before:.1f} x"
    return {"lines": [f"{count:,} single adds, left alone: write p50 {np.median(took) * 1000:.2f} ms; search {times}"]}


_COLD = """
import sys
from pathlib import Path
from lakehouse.corpora import reading
from lakehouse.search.opening import open_retrieval
from lakehouse.search.engine import Searcher
import numpy as np
class Source:
    def version(self): return 1
searcher = Searcher(Source(), folder=Path(sys.argv[1]))
query = np.load(sys.argv[2], mmap_mode="r")[0]
found = searcher.view().nearest(query, 10)
assert len(found) == 10
assert "lancedb" not in sys.modules
print(searcher.status().how)
"""


def cold_start(given: Setting) -> dict[str, Any]:
    """Measure from the start of a process to the answer of its first search, from the saved snapshot."""
    from lakehouse.search.engine import Searcher

    folder = given.folder
    Searcher(MadeSource(given.rows), folder=folder / "search").prepare()
    took = []
    for _ in range(5):
        began = time.perf_counter()
        command = [sys.executable, "-c", _COLD, str(folder / "search"), str(folder.parent / "queries.npy")]
        subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parents[1])
        took.append(time.perf_counter() - began)
    megabytes = sum(path.stat().st_size for path in (folder / "search").iterdir()) / 1e6
    best, median = min(took), sorted(took)[2]
    return {
        "lines": [f"process start to first search: {median:.2f} s (best of 5: {best:.2f}), {megabytes:.0f} MB on disk"]
    }


MEASURED = {"search()": search, "cold start": cold_start, "playbooks": playbooks, "lancedb writes": lancedb_writes}
