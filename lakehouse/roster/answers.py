"""Demands with known answers, put to a search: how often the first result has the role and the city.

Here: the measurement and its page. Not here: drawing demands (`demand.py`), searching (`lakehouse.search`). A demand counts
where the roster holds such a worker; demands for workers that nobody holds are counted apart, for there no answer is right.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import ceil
from random import Random
from typing import TYPE_CHECKING, Any, Final

import msgspec

from lakehouse.errors import UsageError
from lakehouse.roster.demand import STYLES, Demand, DemandQuery, demands_of, places_of, queries
from lakehouse.roster.places import CLIENTS, STARTS
from lakehouse.roster.reading import find_roster, read_roster
from lakehouse.roster.resumes import one, some
from lakehouse.roster.roles import same_role
from lakehouse.roster.schema import PREFIXES

if TYPE_CHECKING:
    from lakehouse.lake import Lake
    from lakehouse.search.answers import Result
    from lakehouse.search.search import Retrieval

LEAST: Final = 0.95
_SHOWN: Final = 20
_FAMILY: Final = ("workers", "ethereal_workers", "fresh_workers")
_FIELDS: Final = ("role", "city", "state")


class Tally(msgspec.Struct):
    """How often the first result of a style's queries had what was asked for; `place` is city and state."""

    style: str
    queries: int = 0
    role: int = 0
    place: int = 0
    both: int = 0

    @property
    def share(self) -> float:
        """The share of the queries that had both; 0 where none was asked."""
        return self.both / self.queries if self.queries else 0.0


class Miss(msgspec.Struct, frozen=True):
    """A query whose first result is another role or place, and what that result is."""

    style: str
    query: str
    id: str
    role: str
    city: str
    state: str
    distance: float


class RosterReport(msgspec.Struct, frozen=True):
    """The first results of demands that the rosters hold, as users search (`worded`) and without rewording (`as_written`).

    `absent` are those of demands that no roster holds. `workers` were counted in the rosters of `corpora`.
    """

    seed: int
    corpora: list[str]
    embedder: str
    workers: int
    demands: int
    worded: list[Tally]
    as_written: list[Tally]
    absent: list[Tally]
    misses: list[Miss]


def roster_report(lake: Lake, retrieval: Retrieval, seed: int, count: int) -> RosterReport:
    """Put `count` demands in each style to every built corpus of workers; a fifth as many that no roster holds beside.

    The same rosters, embedder and seed give the same report. Raises `UsageError` where no roster was built or holds demands.
    """
    names = [name for name in _FAMILY if name in retrieval.corpora]
    rows = list(_rows(lake, names))
    demands = demands_of(places_of(rows), seed, clusters=ceil(count / 4))[:count]
    if not demands:
        raise UsageError(
            "no roster with workers of several roles in one city was built",
            where=str(lake.raw),
            mend="put workers.parquet there and run `lakehouse index build workers`",
        )
    held = {found for name in names for found in retrieval.corpora[name].view().distinct(_FIELDS)}
    missing = _absent(held, seed, ceil(count / 5))
    misses: list[Miss] = []
    return RosterReport(
        seed=seed,
        corpora=names,
        embedder=str(retrieval.embedder.identity),
        workers=len(rows),
        demands=len(demands),
        worded=_asked(retrieval, names, demands, misses),
        as_written=_asked(retrieval, names, demands, rewrite=False),
        absent=_asked(retrieval, names, missing),
        misses=misses,
    )


def below(report: RosterReport, least: float = LEAST) -> list[str]:
    """Name the styles in which too few first results have role and place."""
    return [tally.style for tally in report.worded if tally.share < least]


def _rows(lake: Lake, names: Sequence[str]) -> Iterable[Mapping[str, Any]]:
    for name in names:
        path = find_roster(lake.raw, name) if name in PREFIXES else None
        if path is not None:
            # What is refused is no worker; a build writes it down.
            for batch in read_roster(path, PREFIXES[name], lambda _: None):
                yield from batch.select(["role", "city", "state", "available"]).to_pylist()


def _absent(held: Iterable[tuple[object, ...]], seed: int, count: int) -> list[Demand]:
    """Draw demands for a role in a city where none lives; fewer where almost every city has every role."""
    chance = Random(f"{seed}/absent").random  # noqa: S311 - sample data, no secret
    there = {(str(role), str(city), str(state)) for role, city, state in held if role and city and state}
    roles = sorted({role for role, _, _ in there})
    places = sorted({(city, state) for _, city, state in there})
    lacking = [(role, *place) for place in places for role in roles if (role, *place) not in there]
    return [
        Demand(one(chance, CLIENTS), role, city, state, 1 + int(chance() * 4), one(chance, STARTS))
        for role, city, state in some(chance, lacking, count)
    ]


def _asked(
    retrieval: Retrieval,
    names: Sequence[str],
    demands: Sequence[Demand],
    misses: list[Miss] | None = None,
    *,
    rewrite: bool = True,
) -> list[Tally]:
    tallies = {style: Tally(style) for style in STYLES}
    for query in queries(demands):
        found = retrieval.search(query.text, names, 1, rewrite=rewrite).results
        tally = tallies[query.style]
        role, place = _right(query, found)
        tally.queries += 1
        tally.role += role
        tally.place += place
        tally.both += role and place
        if misses is not None and not (role and place):
            misses.append(_miss(query, found))
    return list(tallies.values())


def _right(query: DemandQuery, found: Sequence[Result]) -> tuple[bool, bool]:
    if not found:
        return False, False
    said, wanted = found[0].metadata, query.demand
    place = (said.get("city"), said.get("state")) == (wanted.city, wanted.state)
    return same_role(str(said.get("role", "")), wanted.role), place


def _miss(query: DemandQuery, found: Sequence[Result]) -> Miss:
    if not found:
        return Miss(query.style, query.text, "", "", "", "", 2.0)
    first = found[0]
    role, city, state = (str(first.metadata.get(field, "")) for field in _FIELDS)
    return Miss(query.style, query.text, first.id, role, city, state, round(first.distance, 4))


COLUMNS: Final = (
    "style",
    "queries",
    "role right",
    "city right",
    "both",
    "as written: role",
    "as written: city",
    "as written: both",
)


def table(report: RosterReport) -> list[list[Any]]:
    """Give a row per style, as `COLUMNS` names them."""
    return [
        [now.style, now.queries, *_shares(now), *_shares(written)]
        for now, written in zip(report.worded, report.as_written, strict=True)
    ]


ABSENT_COLUMNS: Final = ("style", "queries", "role kept, another city", "city kept, another role", "neither")


def absent_table(report: RosterReport) -> list[list[Any]]:
    """Give a row per style of the demands that nobody holds, as `ABSENT_COLUMNS` names them."""
    return [[x.style, x.queries, x.role, x.place, x.queries - x.role - x.place] for x in report.absent if x.queries]


def page(report: RosterReport, at: str, least: float = LEAST) -> str:
    """Write the report as Markdown."""
    low = below(report, least)
    reading = (
        f"Below {least:.0%}: {', '.join(low)}. The queries that missed are listed below."
        if low
        else f"Every style reaches {least:.0%}."
    )
    asked = (
        f"Asked {at}: {report.demands} demands in four styles (seed {report.seed}), drawn from {report.workers:,} workers;"
        f" every one is held by a roster. Searched: {', '.join(report.corpora)}. Embedder: {report.embedder}."
    )
    right = (
        "Right means that the first result has the role (case and plural aside) and the city with its state. *As written*"
        " is the same search without rewording the demand."
    )
    lines = [
        "# Roster queries with known answers",
        "",
        asked,
        "",
        right,
        "",
        *_markdown(COLUMNS, table(report)),
        "",
        reading,
        "",
        "## Where no roster holds such a worker",
        "",
    ]
    if absent := absent_table(report):
        lines += ["There is no right answer; the first result gives way in role or city.", ""]
        lines += [*_markdown(ABSENT_COLUMNS, absent), ""]
    else:
        lines += ["Every city has every role, so that there was nothing to ask.", ""]
    lines += ["## What missed", ""]
    shown = report.misses[:_SHOWN]
    rows = [[m.style, m.query, m.id, m.role, f"{m.city} {m.state}", f"{m.distance:.4f}"] for m in shown]
    lines += _markdown(("style", "query", "first", "role", "place", "distance"), rows) if rows else ["Nothing."]
    if len(report.misses) > _SHOWN:
        lines += ["", f"{len(report.misses) - _SHOWN} more are not listed."]
    return "\n".join(lines) + "\n"


def _shares(tally: Tally) -> list[str]:
    return [f"{part / tally.queries:.1%}" if tally.queries else "" for part in (tally.role, tally.place, tally.both)]


def _markdown(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = [list(columns), ["---"] * len(columns), *([_cell(cell) for cell in row] for row in rows)]
    return [f"| {' | '.join(cells)} |" for cells in lines]


def _cell(cell: Any) -> str:
    return str(cell).replace("|", "\\|").replace("\n", " ")
