"""What the gates cost beside the chain that they guard, over the same rows.

    python benchmarks/gates.py                    # 1,000,000 rows of 1.4 KB on one day
    python benchmarks/gates.py --rows 100000

Each step is a process of its own, with two workers where a step has processes, so that its peak memory is its own.
`chain` is every step from rows to published exports; `gates` every gate on the day, and every gate on the exports as
often as a run lets it look: at the candidate, and at the published file where its verdict does not stand. Publishing is
given without its candidate's gates. Seconds drift on a shared machine; the ratio is what counts.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from rows import DAY, write_lake

NOW = "2026-05-02T02:00:00.000Z"
CHAIN = ("index", "collect", "score", "samples", "chunks")
PUBLISH = ("sft", "rag", "preference")


def subjects() -> tuple[list[str], list[str]]:
    """Give the names of all daily gates and of all gates on exports."""
    from lakehouse.gates.registry import DAILY_GATES
    from lakehouse.publish.gating import EXPORT_GATES

    return [f"{gate.asset}/{gate.name}" for gate in DAILY_GATES], [f"{g.export.asset}/{g.name}" for g in EXPORT_GATES]


def step(name: str, root: Path) -> Callable[[], object]:
    """Give what a step does, with everything imported that it needs at once."""
    from importlib import import_module

    from lakehouse import index
    from lakehouse.chain import day
    from lakehouse.gates import registry
    from lakehouse.gates.verdicts import record
    from lakehouse.lake import Lake
    from lakehouse.publish import gating
    from lakehouse.sql import connect

    lake = Lake(root)
    stages = {"collect": day.collect, "score": day.score_days, "samples": day.make_samples, "chunks": day.make_chunks}
    if name == "index":
        return lambda: index.update_all(lake)
    if name in stages:
        return lambda: stages[name](lake, [DAY], NOW)
    if name in PUBLISH:
        publish = import_module(f"lakehouse.publish.{name}").publish

        def publishing() -> None:
            with closing(connect(lake)) as connection:
                publish(lake, connection, NOW)

        return publishing
    for daily in registry.DAILY_GATES:
        if name == f"{daily.asset}/{daily.name}":
            return lambda: record(lake, daily.asset, DAY, registry.look(daily, lake, DAY, NOW))
    gate = next(one for one in gating.EXPORT_GATES if name == f"{one.export.asset}/{one.name}")

    def looking() -> None:
        with closing(connect(lake)) as connection:
            record(lake, gate.export.asset, None, gate.look(lake, connection, NOW))

    return looking


def measure(name: str, root: Path) -> dict[str, Any]:
    """Run one step here; give its seconds and the peak memory of this process and of its workers, in MB."""
    work = step(name, root)
    began = time.perf_counter()
    found = work()
    seconds = time.perf_counter() - began
    peaks = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    passed = getattr(found, "passed", None)
    return {"seconds": seconds, "memory": max(peaks), "passed": passed, "summary": getattr(found, "summary", "")}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--subject", help=argparse.SUPPRESS)
    parser.add_argument("--root", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.subject:
        print(json.dumps(measure(given.subject, given.root)))
        return
    with tempfile.TemporaryDirectory(prefix="lakehouse-gates-") as folder:
        root = Path(folder) / "lake"
        write_lake(root, given.rows)
        (root / "lakehouse.toml").write_text("workers = 2\n")
        table(root, given.rows)


def table(root: Path, rows: int) -> None:
    """Measure every step in order and print what it took."""
    from lakehouse.publish.gating import EXPORT_GATES

    daily, exports = subjects()
    pure = {f"{gate.export.asset}/{gate.name}" for gate in EXPORT_GATES if gate.pure}
    found: dict[str, dict[str, Any]] = {}
    print(f"{rows:,} rows\n\n{'step':<40} {'seconds':>9} {'rows/s':>9} {'peak MB':>8}  verdict")
    for name in (*CHAIN, *daily, *PUBLISH, *exports):
        command = [sys.executable, __file__, "--subject", name, "--root", str(root)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name} failed:\n{done.stderr}")
        found[name] = one = json.loads(done.stdout.splitlines()[-1])
        verdict = {None: "", True: "green", False: f"not green: {one['summary'][:60]}"}[one["passed"]]
        speed = rows / one["seconds"]
        print(f"{name:<40} {one['seconds']:>9.2f} {speed:>9,.0f} {one['memory']:>8.0f}  {verdict}", flush=True)
    at_candidate = sum(found[name]["seconds"] for name in exports)
    at_published = sum(found[name]["seconds"] for name in exports if name not in pure)
    chain = sum(found[name]["seconds"] for name in (*CHAIN, *PUBLISH)) - at_candidate
    gates = sum(found[name]["seconds"] for name in daily) + at_candidate + at_published
    print(f"\nchain {chain:.1f} s, gates {gates:.1f} s: gates / chain = {gates / chain:.2f} (asked: at most 1)")


if __name__ == "__main__":
    main()
