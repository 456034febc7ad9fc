"""Serving a corpus from memory, beside LanceDB alone and the libraries that people take instead.

    python benchmarks/retrieval.py                       # 100,000 x 384, 1,000 queries, 10,000 playbook writes
    python benchmarks/retrieval.py --rows 20000 --writes 1000 --only ours hnswlib

Each measurement is a process of its own with one thread per query; `build` may use all cores. Vectors are made, see
`vectors.py`. `cpu ms` is processor time per query, which a busy machine changes least. `peak MB` is that of the process,
with the library and the vectors that it was given (150 MB at 100,000).
Nothing here embeds text: that is in `embedding.py`. A peer that is not installed is skipped with the reason. Needs the
extras `retrieval` and `bench`.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

K = 10
NEEDS = {"lancedb": "lancedb", "faiss": "faiss", "hnswlib": "hnswlib", "chroma": "chromadb", "ours": "faiss"}
PEERS = (
    "ours",
    "numpy exact",
    "faiss ivf",
    "faiss hnsw",
    "hnswlib",
    "chroma",
    "lancedb flat",
    "lancedb ivf_flat",
    "lancedb ivf_hnsw_sq",
)
OTHERS = ("search()", "cold start", "playbooks", "lancedb writes")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "LANCE_CPU_THREADS"), "1")


def peer(name: str, rows: Any, folder: Path) -> Callable[[Any], list[int]]:
    """Build the index of a peer; give what answers a query with the places of the nearest rows."""
    kind, _, how = name.partition(" ")
    return {
        "ours": _ours,
        "numpy": _numpy,
        "faiss": _faiss,
        "hnswlib": _hnswlib,
        "chroma": _chroma,
        "lancedb": _lancedb,
    }[kind](rows, folder, how)


def _ours(rows: Any, folder: Path, _: str) -> Callable[[Any], list[int]]:
    from retrieval_lake import MadeSource

    from lakehouse.search.engine import Searcher

    searcher = Searcher(MadeSource(rows), folder=folder / "search")
    searcher.prepare()
    return lambda query: [int(hit.id[2:]) for hit in searcher.view().nearest(query, K)]


def _numpy(rows: Any, _: Path, __: str) -> Callable[[Any], list[int]]:
    import numpy as np

    def search(query: Any) -> list[int]:
        scores = rows @ query
        best = np.argpartition(scores, len(scores) - K)[-K:]
        return best[np.argsort(-scores[best])].tolist()

    return search


def _faiss(rows: Any, _: Path, how: str) -> Callable[[Any], list[int]]:
    import faiss

    faiss.omp_set_num_threads(os.cpu_count() or 1)
    if how == "ivf":
        lists = max(1, int(len(rows) ** 0.5))
        index = faiss.IndexIVFFlat(faiss.IndexFlatIP(rows.shape[1]), rows.shape[1], lists, faiss.METRIC_INNER_PRODUCT)
        index.train(rows)
        index.nprobe = 16
    else:
        index = faiss.IndexHNSWFlat(rows.shape[1], 16, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction, index.hnsw.efSearch = 100, 64
    index.add(rows)
    faiss.omp_set_num_threads(1)
    return lambda query: index.search(query[None], K)[1][0].tolist()


def _hnswlib(rows: Any, _: Path, __: str) -> Callable[[Any], list[int]]:
    import hnswlib

    index = hnswlib.Index("cosine", rows.shape[1])
    index.init_index(len(rows), M=16, ef_construction=100, random_seed=1)
    index.add_items(rows)
    index.set_ef(64)
    index.set_num_threads(1)
    return lambda query: index.knn_query(query, K)[0][0].tolist()


def _chroma(rows: Any, folder: Path, _: str) -> Callable[[Any], list[int]]:
    import chromadb

    client = chromadb.PersistentClient(str(folder / "chroma"), chromadb.Settings(anonymized_telemetry=False))
    made = client.create_collection("rows", configuration={"hnsw": {"space": "cosine", "ef_search": 64}})
    for start in range(0, len(rows), 5_000):
        part = rows[start : start + 5_000]
        made.add(ids=[str(place) for place in range(start, start + len(part))], embeddings=part)
    return lambda query: [int(one) for one in made.query(query_embeddings=[query], n_results=K, include=[])["ids"][0]]


def _lancedb(rows: Any, folder: Path, how: str) -> Callable[[Any], list[int]]:
    import lancedb
    import pyarrow as pa
    from lancedb.index import HnswSq, IvfFlat

    flat = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), rows.shape[1])
    table = lancedb.connect(folder / "lance").create_table("rows", pa.table({"id": range(len(rows)), "vector": flat}))
    if how == "ivf_flat":
        table.create_index("vector", config=IvfFlat(distance_type="cosine"))
    elif how == "ivf_hnsw_sq":
        table.create_index("vector", config=HnswSq(distance_type="cosine", num_partitions=1))

    def search(query: Any) -> list[int]:
        asked = table.search(query).distance_type("cosine").limit(K).select(["id", "_distance"])
        if how == "ivf_hnsw_sq":
            asked = asked.ef(128).refine_factor(3)
        return asked.to_arrow().column("id").to_pylist()

    return search


def timed(search: Callable[[Any], Any], queries: Any, rounds: int = 3) -> dict[str, float]:
    """Ask every query `rounds` times, at most for ten seconds; give p50, p99 and processor time in ms, and queries/s."""
    import numpy as np

    for query in queries[:20]:
        search(query)
    took: list[float] = []
    began, worked = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        for query in queries:
            start = time.perf_counter()
            search(query)
            took.append(time.perf_counter() - start)
            if start - began > 10:
                break
    p50, p99 = np.percentile(took, [50, 99]) * 1000
    worked = (time.process_time() - worked) * 1000 / len(took)
    return {"p50": p50, "p99": p99, "rate": len(took) / sum(took), "cpu": worked}


def measure(name: str, folder: Path, writes: int) -> dict[str, Any]:
    """Make one measurement in this process."""
    import numpy as np

    rows, queries, truth = (np.load(folder / f"{one}.npy") for one in ("rows", "queries", "truth"))
    scratch = folder / name.replace(" ", "-").replace("()", "")
    scratch.mkdir()
    if name in OTHERS:
        import retrieval_lake

        found: dict[str, Any] = retrieval_lake.MEASURED[name](
            retrieval_lake.Setting(rows, queries, scratch, writes, timed)
        )
    else:
        began = time.perf_counter()
        search = peer(name, rows, scratch)
        found = {"build": time.perf_counter() - began, **timed(search, queries)}
        right = [
            len(set(search(query)) & set(best)) for query, best in zip(queries[:300], truth.tolist(), strict=False)
        ]
        found["recall"] = sum(right) / (K * len(right))
    return {**found, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def missing(name: str) -> str:
    """Say which module a measurement lacks, `""` where it has all."""
    module = NEEDS.get(name.split()[0])
    return module if module and importlib.util.find_spec(module) is None else ""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--writes", type=int, default=10_000)
    parser.add_argument("--only", nargs="+", choices=(*PEERS, *OTHERS))
    parser.add_argument("--subject", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.subject == "vectors":
        from vectors import write_vectors

        print(json.dumps(write_vectors(given.folder, given.rows)))
        return
    if given.subject:
        print(json.dumps(measure(given.subject, given.folder, given.writes)))
        return
    with tempfile.TemporaryDirectory(prefix="lakehouse-retrieval-") as folder:
        # In a process of its own, for the peak memory of this one would count as that of its children.
        far = run("vectors", Path(folder), "--rows", str(given.rows))
        about = f"neighbours at a median distance of {far['first']:.2f} (first) to {far['tenth']:.2f} (tenth)"
        print(f"{given.rows:,} x 384, k = {K}, {about}\n")
        table(Path(folder), given.writes, given.only or (*PEERS, *OTHERS))


class SubjectFailed(Exception):
    """A measurement that ended with an error, and what it said."""


def run(name: str, folder: Path, *more: str) -> dict[str, Any]:
    """Run one subject in a process of its own and give what it found."""
    command = [sys.executable, __file__, "--subject", name, "--folder", str(folder), *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **ONE_THREAD})
    if done.returncode:
        raise SubjectFailed(f"{name} failed:\n{done.stderr}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def table(folder: Path, writes: int, names: tuple[str, ...] | list[str]) -> None:
    """Measure and print."""
    failures: list[str] = []
    print(
        f"{'peer':<22} {'build s':>8} {'recall':>7} {'p50 ms':>7} {'p99 ms':>7} {'cpu ms':>7} {'queries/s':>10} {'peak MB':>8}"
    )
    for name in names:
        if lacks := missing(name):
            print(f"{name:<22} skipped: {lacks} is not installed (pip install 'lakehouse-dagster[retrieval,bench]')")
            continue
        try:
            one = run(name, folder, "--writes", str(writes))
        except SubjectFailed as failed:
            # The others are still worth their time.
            failures.append(str(failed))
            print(f"{name:<22} failed, see below", flush=True)
            continue
        if "lines" in one:
            print(*(f"{name:<22} {line}" for line in one["lines"]), sep="\n", flush=True)
            continue
        speed = f"{one['p50']:>7.3f} {one['p99']:>7.3f} {one['cpu']:>7.3f} {one['rate']:>10,.0f} {one['memory']:>8.0f}"
        print(f"{name:<22} {one['build']:>8.1f} {one['recall']:>7.3f} {speed}", flush=True)
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
