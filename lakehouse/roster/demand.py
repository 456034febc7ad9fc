"""Demands for workers, and the queries in which coordinators put them, with known answers.

Here: demands drawn from what a roster holds, or read from fill events, and the four styles of asking. Not here: the
search that answers them, and finding the role in a query again (`roles.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import msgspec
import pyarrow as pa

from lakehouse.errors import UsageError
from lakehouse.parquet import ParquetFile
from lakehouse.roster.cells import Column, Fault
from lakehouse.roster.places import CLIENTS, STARTS
from lakehouse.roster.reading import Refuse, usable_rows
from lakehouse.roster.resumes import one, some

Place = tuple[str, str]
Held = Mapping[Place, Mapping[str, int]]
"""How many available workers a roster holds, by (city, state) and role."""


class Demand(msgspec.Struct, frozen=True):
    """A client asks for `count` workers of a role in a city, from `at` (a time of day, or any text that says when)."""

    client: str
    role: str
    city: str
    state: str
    count: int
    at: str

    @property
    def cluster(self) -> tuple[str, str, str]:
        """What demands that are easily taken for each other share: client, city and state."""
        return self.client, self.city, self.state


class DemandQuery(msgspec.Struct, frozen=True):
    """A demand as a coordinator writes it: `demand` holds the known answer (role, city, state)."""

    style: str
    text: str
    demand: Demand


STYLES: Final[Mapping[str, Callable[[Demand], str]]] = {
    "need": lambda of: f"Need {of.count} {of.role}s in {of.city} {of.state} starting at {of.at} for {of.client}",
    "client_first": lambda of: f"{of.client} needs {of.count} {of.role}s in {of.city} {of.state} starting at {of.at}",
    "looking": lambda of: f"Looking for {of.count} {of.role}s at {of.client} in {of.city} {of.state}, {of.at} start",
    "shorthand": lambda of: f"{of.count} {of.role} {of.city} {of.state} {of.at} {of.client}",
}
"""The four ways of asking; in shorthand nothing stands between role and city."""


def queries(demands: Iterable[Demand], styles: Sequence[str] = tuple(STYLES)) -> Iterator[DemandQuery]:
    """Put each demand in each style. Raises `UsageError` for a style that is not known."""
    for style in styles:
        if style not in STYLES:
            raise UsageError(f"there is no style {style!r}", mend=f"the styles are {', '.join(STYLES)}")
    for demand in demands:
        for style in styles:
            yield DemandQuery(style, STYLES[style](demand), demand)


def places_of(rows: Iterable[Mapping[str, Any]]) -> Held:
    """Count the workers of a roster by place and role; those that are known to be unavailable or nowhere are left out.

    Memory: one number per place and role.
    """
    held: dict[Place, Counter[str]] = {}
    for row in rows:
        if row["available"] is not False and row["city"]:
            held.setdefault((row["city"], row["state"]), Counter())[row["role"]] += 1
    return held


def demands_of(held: Held, seed: int, *, clusters: int, roles: int = 4) -> list[Demand]:
    """Draw demands that a roster can answer: clusters of one client in one city that asks for several roles.

    A cluster has `roles` demands, fewer where the city has fewer roles, and no demand asks for more workers than are
    there. No client asks in the same city twice. The same roster and seed give the same demands.
    """
    chance = Random(f"{seed}/demands").random  # noqa: S311 - sample data, no secret
    pairs = [(place, client) for place in sorted(held) if len(held[place]) > 1 for client in CLIENTS]
    drawn: list[Demand] = []
    for (city, state), client in some(chance, pairs, clusters):
        found = held[city, state]
        at = one(chance, STARTS)
        for role in some(chance, sorted(found), roles):
            count = 1 + int(chance() * min(5, found[role]))
            drawn.append(Demand(client, role, city, state, count, at))
    return drawn


FILL_COLUMNS: Final = (
    Column("client", "text", required=True),
    Column("role", "text", required=True),
    Column("city", "text", required=True),
    Column("state", "text"),
    Column("count", "count", aliases=("workers_needed", "headcount")),
    Column("at", "text", aliases=("start", "start_time", "starts_at")),
)


def read_fill_events(path: Path, refuse: Refuse) -> Iterator[Demand]:
    """Read the demands of `fill_events.parquet` (or `.csv`), one per row; rows that ask for nobody go to `refuse`.

    A count that is not given is 1. Raises `UsageError` for a file that cannot be read as a whole.
    """
    place = [column.name for column in FILL_COLUMNS].index("count")

    def fault_of(cells: Sequence[Any]) -> tuple[str, Fault] | None:
        return ("count", Fault("no_count", "is 0", "ask for one worker at least")) if cells[place] == 0 else None

    for client, role, city, state, count, at in usable_rows(path, FILL_COLUMNS, refuse, path.stem, path.name, fault_of):
        yield Demand(client, role, city, state, 1 if count is None else count, at)


def write_fill_events(path: Path, demands: Iterable[Demand]) -> int:
    """Write demands as a Parquet file that `read_fill_events` reads; give their number."""
    text, number = pa.string(), pa.int32()
    schema = pa.schema([(name, number if name == "count" else text) for name in Demand.__struct_fields__])
    with ParquetFile(path, schema) as file:
        for demand in demands:
            file.add(*msgspec.structs.astuple(demand))
    return file.rows
