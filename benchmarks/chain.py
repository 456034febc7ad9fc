"""The speed and memory of the distillation chain beside its peers, over the same rows on the same machine.

    python benchmarks/chain.py                 # 100,000 and 1,000,000 rows
    python benchmarks/chain.py --rows 100000   # a quick look
    python benchmarks/chain.py --only fused-1 job

Each measurement is a process of its own, so that none warms another and peak memory is its own. Seconds drift on a shared
machine; the ratios within one run are what counts. Subjects:

    fused-1, fused-2   rows to evidence, verdicts and samples in one pass, with one and two processes
    staged-1           the same through the three stages one after the other
    job                the nightly Dagster job over the same rows: index, stages, every check, publishing, receipts
    index              the line index alone
    pydantic           the same chain with plain pydantic models, one process
    datatrove          the same functions as blocks of a datatrove pipeline, one task (when installed)
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

SUBJECTS = ("fused-1", "fused-2", "staged-1", "job", "index", "pydantic", "datatrove")
NOW = "2026-05-02T02:00:00.000Z"
MADE = ("index", "evidence", "scored-runs", "quarantine", "distilled", "gates", "reports", "_kb/audit_baselines.jsonl")


def megabytes(usage: int) -> float:
    """Give the peak memory of this process or of its largest child, in MB (Linux reports KiB)."""
    return resource.getrusage(usage).ru_maxrss / 1024


def measure(subject: str, root: Path) -> dict[str, float]:
    """Run one subject over a lake in this process; give its seconds and its memory above its imports."""
    for name in MADE:
        shutil.rmtree(root / name, ignore_errors=True)
        if (root / name).is_file():
            (root / name).unlink()
    workers = 2 if subject.endswith("-2") or subject == "job" else 1
    (root / "lakehouse.toml").write_text(f"first_day = 2026-05-01\nworkers = {workers}\n")
    run = prepared(subject, root)
    before = megabytes(resource.RUSAGE_SELF)
    start = time.perf_counter()
    run()
    seconds = time.perf_counter() - start
    above = megabytes(resource.RUSAGE_SELF) - before
    if subject == "fused-2":
        above = megabytes(resource.RUSAGE_CHILDREN) - before
    return {"seconds": seconds, "memory": max(above, 0.0)}


def prepared(subject: str, root: Path) -> Callable[[], object]:
    """Import what a subject needs and index the rows, which is measured on its own; give what is to be timed."""
    import rows

    from lakehouse import index
    from lakehouse.chain import day
    from lakehouse.lake import Lake

    lake = Lake(root)
    if subject == "index":
        return lambda: index.update_all(lake)
    if subject == "job":
        from lakehouse_dagster.running import run_days

        return lambda: expect_success(run_days(root, root / "reports", [rows.DAY]))
    index.update_all(lake)
    warm_up()
    if subject.startswith("fused"):
        return lambda: day.distill(lake, [rows.DAY], NOW)
    if subject == "staged-1":
        return lambda: [stage(lake, [rows.DAY], NOW) for stage in (day.collect, day.score_days, day.make_samples)]
    import peers

    peer = {"pydantic": peers.pydantic_chain, "datatrove": peers.datatrove_chain}[subject]
    return lambda: peer(root)


def warm_up() -> None:
    """Load what the first row would load (NumPy, Parquet), so that it counts as an import."""
    import numpy  # noqa: F401
    import pyarrow.parquet  # noqa: F401


def touch_memory(folder: Path, size: int) -> None:
    """Write and remove a file of `size` bytes, so that the page cache has memory to reuse.

    On a virtual machine the first touch of memory costs ten times the second, and would count against whoever comes
    first.
    """
    path = folder / "touched"
    block = bytes(1 << 20)
    with path.open("wb", buffering=0) as file:
        for _ in range(size >> 20):
            file.write(block)
    path.unlink()


def expect_success(result: Any) -> None:
    """A job that failed has no speed."""
    if not result.success:
        raise SystemExit(f"the job failed: {result}")


def in_process(subject: str, root: Path) -> dict[str, float] | None:
    """Measure a subject in a fresh process; `None` where it cannot run here, which is said."""
    command = [sys.executable, __file__, "--measure", subject, "--lake", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        print(f"{subject}: failed\n{done.stderr[-2000:]}", file=sys.stderr)
        return None
    answer: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return answer


def main() -> None:
    """Print a table per number of rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--only", nargs="*", choices=SUBJECTS, default=list(SUBJECTS))
    parser.add_argument("--folder", type=Path, help="where lakes are made (default: a temporary folder)")
    parser.add_argument("--measure", choices=SUBJECTS, help=argparse.SUPPRESS)
    parser.add_argument("--lake", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        print(json.dumps(measure(arguments.measure, arguments.lake)))
        return
    import rows

    with tempfile.TemporaryDirectory(prefix="lakehouse-bench-", dir=arguments.folder) as folder:
        for count in arguments.rows:
            root = Path(folder) / str(count)
            size = rows.write_lake(root, count)
            touch_memory(Path(folder), 6 * size)
            print(f"\n{count:,} rows, {size / count / 1000:.2f} KB each, one day, eight streams\n")
            print(f"{'subject':12}{'rows/s':>10}{'seconds':>10}{'MB above imports':>18}{'time / fused-1':>16}")
            base: float | None = None
            for subject in arguments.only:
                if subject == "datatrove" and importlib.util.find_spec("datatrove") is None:
                    print(f"{subject:12}  skipped: not installed (pip install datatrove)")
                    continue
                found = in_process(subject, root)
                if found is None:
                    continue
                base = found["seconds"] if subject == "fused-1" else base
                ratio = f"{found['seconds'] / base:15.2f}x" if base else f"{'':>16}"
                print(
                    f"{subject:12}{count / found['seconds']:10,.0f}{found['seconds']:10.2f}"
                    f"{found['memory']:18.1f}{ratio}",
                    flush=True,
                )
            shutil.rmtree(root)


if __name__ == "__main__":
    main()
