"""Making rosters from a seed: the same seed, prefix and count give the same bytes, on every machine.

Here: drawing a worker, and writing rosters and fill events into a lake. Not here: the words (`trades.py`, `places.py`,
`people.py`, `resumes.py`), demand queries (`demand.py`). A longer roster begins with the rows of a shorter one. All
chance comes from `Random.random()`, whose values Python keeps the same from release to release for one seed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

from lakehouse.errors import UsageError
from lakehouse.files import Staged
from lakehouse.parquet import ParquetFile
from lakehouse.roster.demand import demands_of, places_of, write_fill_events
from lakehouse.roster.people import FIRST, LAST
from lakehouse.roster.places import CITIES, CLIENTS, SHIFTS
from lakehouse.roster.resumes import Chance, one, resume, some
from lakehouse.roster.schema import PREFIXES, SCHEMA
from lakehouse.roster.trades import TRADES

WORKERS: Final = 2_000
ETHEREAL: Final = 500
CLUSTERS: Final = 12
"""How many workers and fill events a sample lake gets."""

_DECK: Final = tuple(trade for trade in TRADES for _ in range(trade.share))
# Big cities hold more workers.
_BIG: Final = ("Milwaukee", "Chicago", "Indianapolis", "Detroit", "Cleveland", "Columbus", "Minneapolis", "St. Louis")
_TOWNS: Final = tuple(town for town in CITIES for _ in range(2 if town[0] in _BIG else 1))
_FLUSH: Final = 2_000


def workers(seed: int, count: int, prefix: str = "w-") -> Iterator[dict[str, Any]]:
    """Draw `count` workers as rows of `SCHEMA`, with ids from `<prefix>1`. Memory: one row."""
    chance = Random(f"{seed}/{prefix}").random  # noqa: S311 - sample data, no secret
    private = Random(f"{seed}/{prefix}/private").random  # noqa: S311 - as above
    for number in range(1, count + 1):
        worker = _worker(chance, f"{prefix}{number}")
        yield worker | _private(private, worker["name"], f"{prefix}{number}")


def _private(chance: Chance, name: str, worker_id: str) -> dict[str, Any]:
    """Draw how a worker is reached, from what is reserved for fiction (RFC 2606, 555-01xx), and whether they are barred.

    Numbers below 555-0150 are left for offices and examples.
    """
    local = ".".join([*name.lower().split(), re.sub("[^a-z0-9]", "", worker_id.lower())])
    return {
        "email": f"{local}@staff.example",
        "phone": f"{200 + int(chance() * 800)}-555-{150 + int(chance() * 50):04d}",
        "blacklisted": chance() < 0.02,
    }


def _worker(chance: Chance, worker_id: str) -> dict[str, Any]:
    trade = one(chance, _DECK)
    city, state, parts = one(chance, _TOWNS)
    first = one(chance, FIRST)
    # Many are new, few are old hands.
    years = int(chance() * chance() * 32)
    shift = one(chance, SHIFTS)
    skills = some(chance, trade.skills, 3 + int(chance() * 3))
    certs = some(chance, trade.certs, (0, 1, 1, 2, 2, 3)[int(chance() * 6)])
    told = {
        "first": first,
        "city": city,
        "state": state,
        "part": one(chance, parts),
        "years": years,
        "shift": shift,
        "employer": one(chance, CLIENTS),
    }
    return {
        "id": worker_id,
        "name": f"{first} {one(chance, LAST)}",
        "role": trade.role,
        "city": city,
        "state": state,
        "certs": certs,
        "skills": skills,
        "resume_text": resume(chance, trade, told, skills, certs),
        "available": chance() < 0.8,
        "shift": shift,
        "years": years,
    }


def write_roster(path: Path, seed: int, count: int, prefix: str = "w-") -> int:
    """Write a roster as Parquet or CSV, by the file's suffix; give the number of rows. Memory: one block of rows."""
    writer = {".parquet": _write_parquet, ".csv": _write_csv}.get(path.suffix.lower())
    if writer is None:
        raise UsageError("a roster is a .parquet or a .csv file", where=str(path), mend="name it so")
    if count < 0 or not prefix:
        raise UsageError("a roster needs a count of 0 or more and a prefix", where=str(path), mend="give both")
    writer(path, workers(seed, count, prefix))
    return count


def _write_parquet(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    with ParquetFile(path, SCHEMA) as file:
        for row in rows:
            file.add(*row.values())


def _write_csv(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(SCHEMA.names)
    with Staged(path) as file:
        for number, row in enumerate(rows, 1):
            cells = row | {"certs": ";".join(row["certs"]), "skills": ";".join(row["skills"])}
            cells |= {name: "true" if row[name] else "false" for name in ("available", "blacklisted")}
            writer.writerow(cells.values())
            if number % _FLUSH == 0:
                file.write(text.getvalue().encode())
                text.seek(0)
                text.truncate()
        file.write(text.getvalue().encode())


def write_rosters(root: Path, seed: int, *, count: int = WORKERS, ethereal: int = ETHEREAL) -> dict[str, int]:
    """Write the rosters of a sample lake and the fill events that ask for them; give rows by file, relative to the lake.

    The fill events hold clusters: one client in one city asks for several roles that the workers' roster has there.
    """
    made: dict[str, int] = {}
    for name, rows in (("workers", count), ("ethereal_workers", ethereal)):
        made[f"_kb/{name}.parquet"] = write_roster(root / "_kb" / f"{name}.parquet", seed, rows, PREFIXES[name])
    demands = demands_of(places_of(workers(seed, count)), seed, clusters=CLUSTERS)
    made["_kb/fill_events.parquet"] = write_fill_events(root / "_kb" / "fill_events.parquet", demands)
    return made
