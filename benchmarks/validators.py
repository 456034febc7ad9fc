"""What validating costs: payloads a second of each kind and of a mix, on a roster of 100,000 workers, one process.

    python benchmarks/validators.py                    # 100,000 workers, 20,000 payloads, best of 3 rounds
    python benchmarks/validators.py --workers 1000 --payloads 5000 --json

The payloads are made from a seed and decoded beforehand: half of them are valid, the others have one thing wrong, each
thing as often. Reading the roster from Parquet is timed apart. The mix takes the three kinds in turns. Reach for 10,000 a
second over the mix.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import cycle, islice
from pathlib import Path
from typing import Any

Payload = dict[str, Any]
GOAL = 10_000
NUMBER = "(312) 555-0143"
WRONG: dict[str, tuple[Callable[[Payload], Payload], ...]] = {
    "fill": (
        lambda one: one | {"count": one["count"] + 1},
        lambda one: one | {"fills": [{"worker_id": "w-999999999"}, *one["fills"][1:]]},
        lambda one: one | {"city": "Nowhere"},
        lambda one: one | {"shift": "night"},
    ),
    "email": (
        lambda one: one | {"body": f"{one['body']} SSN 123-45-6789."},
        lambda one: one | {"body": f"Hi [NAME], {one['body']}"},
        lambda one: one | {"to": "nobody@staff.example"},
        lambda one: one | {"subject": ""},
    ),
    "sms": (
        lambda one: one | {"body": one["body"] * 3},
        lambda one: one | {"body": "Your SSN 123-45-6789 is on file."},
        lambda one: one | {"body": one["body"] + " 😀" * 30},
        lambda one: {"to": NUMBER},
    ),
}


def fill_of(draw: random.Random, rows: list[Payload]) -> Payload:
    """Give a proposal of one to six workers of one role and place."""
    group = draw.choice(rows)["group"]
    sent = draw.sample(group, min(len(group), draw.randint(1, 6)))
    one = sent[0]
    return {
        "contract_id": f"c-{draw.randint(1, 9999)}",
        **{name: one[name] for name in ("role", "city", "state")},
        "start": "2026-05-11",
        "count": len(sent),
        "fills": [{"worker_id": row["id"], "name": row["name"]} for row in sent],
    }


def email_of(draw: random.Random, rows: list[Payload]) -> Payload:
    """Give an email of some 600 characters with a phone number, a date and an order number."""
    row = draw.choice(rows)
    body = (
        f"Hi {row['name'].split()[0]},\n\nwe have a shift for a {row['role']} in {row['city']}, {row['state']} starting on"
        f" 2026-05-11 at 6:00. Order {draw.randint(10**8, 10**9 - 1)}, dock 4, gate code 4471.\n\n"
        + "Bring steel toes, a photo card and your certificate. Parking is behind the plant. " * 4
        + f"\n\nCall {NUMBER} or write to dispatch@agency.example with questions. See [the map](https://x.example/map)."
    )
    return {"to": row["email"], "subject": f"Shift in {row['city']} [URGENT]", "body": body, "worker_id": row["id"]}


def sms_of(draw: random.Random, rows: list[Payload]) -> Payload:
    """Give a text message with a phone number."""
    row = draw.choice(rows)
    body = f"{row['name'].split()[0]}: {row['role']} in {row['city']} Mon 6:00. Reply Y or call {NUMBER}."
    return {"to": row["phone"], "body": body, "worker_id": row["id"]}


MAKE: dict[str, Callable[[random.Random, list[Payload]], Payload]] = {"fill": fill_of, "email": email_of, "sms": sms_of}


def payloads(kind: str, count: int, rows: list[Payload], seed: int) -> list[tuple[str, Payload]]:
    """Make payloads of a kind, every other one wrong, the wrongs in turns."""
    draw, wrongs = random.Random(seed), cycle(WRONG[kind])
    made = [MAKE[kind](draw, rows) for _ in range(count)]
    return [(kind, next(wrongs)(one) if place % 2 else one) for place, one in enumerate(made)]


def fit(rows: list[Payload]) -> list[Payload]:
    """Give the workers who may be sent, each with those of the same role and place."""
    groups: dict[tuple[str, str, str], list[Payload]] = {}
    kept = [row for row in rows if row["available"] and not row["blacklisted"]]
    for row in kept:
        row["group"] = groups.setdefault((row["role"], row["city"], row["state"]), [])
        row["group"].append(row)
    return kept


def measure(count: int, number: int, rounds: int) -> dict[str, Any]:
    """Read a made roster, then validate each kind and the mix; the best round of each counts."""
    from lakehouse.lake import Lake
    from lakehouse.roster.generate import workers, write_roster
    from lakehouse.validators.kinds import validate
    from lakehouse.validators.roster import workers_of

    with tempfile.TemporaryDirectory(prefix="lakehouse-validators-") as folder:
        lake = Lake(Path(folder))
        lake.raw.mkdir(parents=True)
        write_roster(lake.raw / "workers.parquet", 7, count)
        began = time.perf_counter()
        roster = workers_of(lake)
        load = time.perf_counter() - began
    rows = fit(list(workers(7, count)))
    made = {kind: payloads(kind, number, rows, seed) for seed, kind in enumerate(MAKE)}
    made["mix"] = list(islice((one for three in zip(*made.values(), strict=True) for one in three), number))
    found: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for name, asked in made.items():
            began = time.perf_counter()
            valid = sum(not validate(kind, payload, roster) for kind, payload in asked)
            speed = len(asked) / (time.perf_counter() - began)
            share = valid / len(asked)
            if not 0.4 < share < 0.6:
                sys.exit(f"{share:.0%} of {name} are valid: the benchmark does not measure what it says")
            found[name] = {"payloads_per_s": max(speed, found.get(name, {}).get("payloads_per_s", 0)), "valid": share}
    return {"workers": len(roster), "load_s": load, "payloads": number, "goal_per_s": GOAL, "kinds": found}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=100_000)
    parser.add_argument("--payloads", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    given = parser.parse_args()
    found = measure(given.workers, given.payloads, given.rounds)
    if given.json:
        print(json.dumps(found, indent=2))
        return
    print(f"{found['workers']:,} workers read from Parquet in {found['load_s']:.2f} s")
    print(f"{found['payloads']:,} payloads of each kind, best of {given.rounds} rounds\n")
    print(f"{'':<8} {'payloads/s':>11} {'µs each':>9} {'valid':>7}")
    for name, one in found["kinds"].items():
        speed = one["payloads_per_s"]
        print(f"{name:<8} {speed:>11,.0f} {1e6 / speed:>9.1f} {one['valid']:>7.0%}")
    print(f"\nto reach in the mix: {GOAL:,}")


if __name__ == "__main__":
    main()
