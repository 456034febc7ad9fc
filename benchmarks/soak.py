"""Kill the chain and its writers again and again, and check what they leave.

    python benchmarks/soak.py              # 60 kills
    python benchmarks/soak.py --rounds 200

Each round starts a process that appends rows, or one that runs the nightly job over all days, and ends it with SIGKILL at
a random moment. After every kill the published files must be whole: each line a sample, each sample of an accepted run.
Every fifth round the job may finish; the lake must then equal one that was never disturbed, stamps aside, with no row lost
or doubled and no leftover file.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from pathlib import Path

from lakehouse.files import append
from lakehouse.gates.contamination import contamination_firewall
from lakehouse.lake import Lake
from lakehouse.sample import make_sample
from lakehouse.sql import connect
from lakehouse.stamps import cut_evidence, cut_pair, cut_sample, cut_scored

LAST_DAY = date(2026, 5, 3)
DAYS = ["2026-05-01", "2026-05-02", "2026-05-03"]
NOW = "2026-05-04T02:00:00.000Z"
CUTS = {
    "evidence/": cut_evidence,
    "scored-runs/": cut_scored,
    "distilled/sft/parts/": cut_sample,
    "distilled/sft/sft_export.jsonl": cut_sample,
    "distilled/rag/": cut_sample,
    "distilled/preference/preference_export.jsonl": cut_pair,
}
"""How the stamps are cut out of the files whose names begin so; the others have none."""


def job(root: Path) -> None:
    """Run the nightly job over all days, as a child that is killed somewhere inside of it."""
    from lakehouse.gates.code_gates import ASSET, CODE_GATES
    from lakehouse.gates.verdicts import record, verdict
    from lakehouse_dagster.running import run_days

    # The gates on the code look at no lake and take seconds: what is killed here is the chain.
    for name, gate in CODE_GATES.items():
        said = {"passed": True, "rows_checked": 1, "summary": "taken for green", "offenders": []}
        now = "2026-05-10T02:00:00.000Z"
        green = verdict(name, input_sha256=gate.current(), code_version="soak", checked_at=now, **said)
        record(Lake(root), ASSET, None, green)
    print("go", flush=True)
    result = run_days(root, root.parent / "reports", DAYS)
    sys.exit(result.exit_code)


def writer(root: Path, rows: Path, done: int) -> None:
    """Append the rows that are still missing, as a child that is killed somewhere inside of it."""
    lines = rows.read_bytes().splitlines()
    print("go", flush=True)
    for line in lines[done:]:
        append(root / "_kb" / "audits.jsonl", [line])
        time.sleep(0.0005)


def killed(command: list[str], delay: float) -> bool:
    """Start a child, wait until it works, kill it after `delay` seconds; give whether it was still running."""
    child = subprocess.Popen([sys.executable, __file__, *command], stdout=subprocess.PIPE, start_new_session=True)
    assert child.stdout is not None
    child.stdout.readline()
    try:
        child.wait(delay)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()
        return True
    finally:
        child.stdout.close()
    return False


def tree(lake: Lake) -> dict[str, str]:
    """Hash every data file of a lake without its stamps, and every verdict-free file of the index as it is."""
    found: dict[str, str] = {}
    for path in data_files(lake.root):
        name = lake.relative(path)
        cut = next((cut for start, cut in CUTS.items() if name.startswith(start)), None)
        digest = sha256()
        for line in path.read_bytes().splitlines():
            digest.update((cut(line) if cut else line) + b"\n")
        found[name] = digest.hexdigest()
    return found


def data_files(root: Path) -> Iterator[Path]:
    """Give the data files that a finished lake holds."""
    for folder in ("evidence", "scored-runs", "quarantine", "distilled"):
        yield from (path for path in sorted((root / folder).rglob("*.jsonl")) if path.is_file())


def leftovers(root: Path) -> list[str]:
    """List the temporary files that lie about."""
    return [str(path) for path in root.rglob("*.tmp")]


def check_published(lake: Lake) -> None:
    """The published file, if there is one, is whole, and every sample in it is of an accepted run."""
    path = lake.sft / "sft_export.jsonl"
    if not path.exists():
        return
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        raise SystemExit(f"{path} ends in the middle of a line")
    connection = connect(lake)
    verdict = contamination_firewall(lake, path, connection, NOW, include_partial=False)
    connection.close()
    # A verdict may be gone while its day is being made again; what must never be is a sample of a run with another one.
    wrong = [offender for offender in verdict.offenders if offender["why"] != "its run has no verdict"]
    if wrong:
        raise SystemExit(f"{path} holds what it must not: {wrong[:3]}")


def finish(root: Path) -> None:
    """Let the job run to its end; it must succeed."""
    command = [sys.executable, __file__, "--job", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"the run after a kill failed:\n{done.stdout[-2000:]}{done.stderr[-4000:]}")


def soak(folder: Path, rounds: int, seed: int) -> None:
    """Do all rounds; raises `SystemExit` with what was found wrong."""
    chance = random.Random(seed)
    quiet, noisy = folder / "quiet", folder / "noisy"
    make_sample(quiet, seed=seed, days=len(DAYS), rows_per_day=300, last_day=LAST_DAY)
    shutil.copytree(quiet, noisy)
    # The audits of the disturbed lake arrive late, appended by a writer that is killed too.
    rows = folder / "audits.rows"
    whole = (quiet / "_kb" / "audits.jsonl").read_bytes()
    rows.write_bytes(whole)
    (noisy / "_kb" / "audits.jsonl").write_bytes(b"")
    started = time.perf_counter()
    finish(quiet)
    seconds = time.perf_counter() - started
    expected = tree(Lake(quiet))
    kills = 0
    for number in range(1, rounds + 1):
        have = (noisy / "_kb" / "audits.jsonl").read_bytes().count(b"\n")
        if have < whole.count(b"\n") and chance.random() < 0.5:
            kills += killed(["--writer", str(noisy), str(rows), str(have)], chance.uniform(0, 0.15))
            mend_torn(noisy / "_kb" / "audits.jsonl", whole)
        else:
            kills += killed(["--job", str(noisy)], chance.uniform(0, seconds * 0.6))
        check_published(Lake(noisy))
        if number % 5 == 0 or number == rounds:
            have = (noisy / "_kb" / "audits.jsonl").read_bytes().count(b"\n")
            if number == rounds and have < whole.count(b"\n"):
                append(noisy / "_kb" / "audits.jsonl", whole.splitlines()[have:])
            finish(noisy)
            if leftovers(noisy):
                raise SystemExit(f"left over: {leftovers(noisy)[:5]}")
            check_published(Lake(noisy))
        print(f"\rround {number} of {rounds}, {kills} kills", end="" if sys.stdout.isatty() else "\n", flush=True)
    found = tree(Lake(noisy))
    if found != expected:
        differ = sorted(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise SystemExit(f"differs from the lake that was never disturbed: {differ[:10]}")
    print(f"\n{kills} kills in {rounds} rounds: published files whole, next run right, same bytes as undisturbed")


def mend_torn(path: Path, whole: bytes) -> None:
    """Take back the half line that a killed writer may leave.

    Its own next append would end it; taken back, the disturbed lake can be compared with the quiet one line by line.
    """
    data = path.read_bytes()
    if not whole.startswith(data):
        raise SystemExit(f"{path} holds what nobody wrote")
    path.write_bytes(data[: data.rfind(b"\n") + 1])


def main() -> None:
    """Read the options, soak, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--job", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--writer", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.job:
        job(arguments.job)
    elif arguments.writer:
        root, rows, done = arguments.writer
        writer(Path(root), Path(rows), int(done))
    else:
        with tempfile.TemporaryDirectory(prefix="lakehouse-soak-") as folder:
            soak(Path(folder), arguments.rounds, arguments.seed)


if __name__ == "__main__":
    main()
