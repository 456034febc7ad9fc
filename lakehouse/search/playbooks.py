"""What remembered answers do to the results of a search: boost and inject, behind the role gate and the judge gate.

Here: the arithmetic and the order of the gates. Not here: recording and retiring (`lakehouse.corpora`), where hits come from
(`search.py`).

Decided where edges meet: both thresholds are inclusive; of several entries for one answer the highest score boosts, and the
one that gives the smallest distance injects; scores do not add up. An answer is boosted or injected, never both.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from lakehouse.errors import LakehouseError
from lakehouse.roster.roles import role_key
from lakehouse.search.views import Hit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_Number = TypeVar("_Number", float, "NDArray[np.float64]")

BOOST_THRESHOLD: Final = 0.50
INJECT_THRESHOLD: Final = 0.20
_WEIGHT: Final = 0.5
_FIT: Final = 3

Judge = Callable[[str, str], int | None]
"""Rates how well an answer's text fits a query, 1 (not) to 5 (exactly); `None` where it cannot say."""


class Recorded(msgspec.Struct, frozen=True):
    """What the metadata of a playbook row says: the answer, how good it was (0..1), and for which role (may be empty)."""

    answer_id: str
    answer_corpus: str
    score: float
    role: str | None = None
    retired_at: str | None = None


_decoder = msgspec.json.Decoder(Recorded)


@lru_cache(maxsize=20_000)
def entry_of(raw: str) -> Recorded:
    """Read the metadata of a playbook row; the same entries are near to many queries."""
    return _decoder.decode(raw)


@dataclass(slots=True)
class Candidate:
    """A row on its way into an answer. `cosine` is its own distance to the query, `distance` what it is sorted by."""

    id: str
    corpus: str
    cosine: float
    distance: float
    raw: str = ""
    boosted: bool = False
    injected: bool = False
    playbook_id: str | None = None
    rating: int | None = None


@dataclass(frozen=True, slots=True)
class Play:
    """A recorded query near the one that is asked: its id, its distance, and what was recorded."""

    id: str
    distance: float
    entry: Recorded


@dataclass(frozen=True, slots=True)
class Asked:
    """What decides which entries can act: the query's role (`None` and blank open the gate), the ids found, those excluded."""

    role: str | None
    found: Collection[str]
    excluded: Collection[str]


@dataclass(frozen=True, slots=True)
class Near:
    """The plays that are enough for `apply`, and how many entries were near enough to act; `refused` of them by their role."""

    plays: list[Play]
    count: int
    refused: int


@dataclass(slots=True)
class Refused:
    """How many injections the judge kept out, rating the answer below 3.

    `unjudged` counts those that it could say nothing about; they are let in, with no rating.
    """

    judge: int = 0
    unjudged: int = 0


def plays_of(hits: Iterable[Hit]) -> list[Play]:
    """Read the entries of playbook rows; retired ones are left out."""
    plays = (Play(hit.id, hit.distance, entry_of(hit.raw)) for hit in hits)
    return [play for play in plays if play.entry.retired_at is None]


@lru_cache(maxsize=2_000)
def gate_of(role: str | None) -> str | None:
    """Give what the role gate compares; `None` where there is no role, which opens it."""
    return role_key(role) if role and role.strip() else None


def same_role_or_open(one: str | None, other: str | None) -> bool:
    """Say whether the role gate lets an entry through: also where either side has no role."""
    here, there = gate_of(one), gate_of(other)
    return here is None or there is None or here == there


def near(plays: Iterable[Play], asked: Asked) -> Near:
    """Sort out what can act, entry by entry (`remembered.py` does the same over columns)."""
    left, count = [], 0
    for play in plays:
        answer = play.entry.answer_id
        reach = BOOST_THRESHOLD if answer in asked.found else INJECT_THRESHOLD
        if play.distance <= reach and answer not in asked.excluded:
            count += 1
            if same_role_or_open(asked.role, play.entry.role):
                left.append(play)
    return Near(left, count, count - len(left))


def boosted(distance: _Number, score: _Number) -> _Number:
    """Give the distance that an answer of this score gets: score 1 halves it, score 0 leaves it."""
    return distance * (1 - _WEIGHT * score)


def apply(
    candidates: dict[str, Candidate],
    plays: Iterable[Play],
    *,
    find: Callable[[str, str], Candidate | None],
    judge: Callable[[Candidate], int | None] | None = None,
) -> Refused:
    """Boost and add to `candidates` (by id) in place, by the plays that `near` left; give what the judge refused.

    `find(corpus, id)` gives an answer that retrieval missed, `None` where it is gone or does not pass the filters.
    """
    refused = Refused()
    boosts: dict[str, Play] = {}
    injections: dict[str, Play] = {}
    for play in plays:
        answer = play.entry.answer_id
        if answer in candidates:
            _keep(boosts, answer, play, _boost_rank)
        else:
            _keep(injections, answer, play, _injection_rank)
    for answer, play in boosts.items():
        candidate = candidates[answer]
        if play.entry.score > 0:
            candidate.distance = boosted(candidate.cosine, play.entry.score)
            candidate.boosted, candidate.playbook_id = True, play.id
    for answer, play in sorted(injections.items(), key=lambda one: _injection_rank(one[1])):
        missed = find(play.entry.answer_corpus, answer)
        if missed is None:
            continue
        if judge is not None:
            missed.rating = judge(missed)
            if missed.rating is None:
                refused.unjudged += 1
            elif missed.rating < _FIT:
                refused.judge += 1
                continue
        missed.distance = boosted(play.distance, play.entry.score)
        missed.injected, missed.playbook_id = True, play.id
        candidates[answer] = missed
    return refused


def rating(judge: Judge, query: str, text: str) -> int | None:
    """Ask a judge; `None`, never 0, where it fails or gives what is no rating from 1 to 5."""
    try:
        given = judge(query, text)
    except (LakehouseError, OSError, ValueError):
        return None
    return given if isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= 5 else None


def _keep(kept: dict[str, Play], answer: str, play: Play, rank: Callable[[Play], tuple[float, float, str]]) -> None:
    if answer not in kept or rank(play) < rank(kept[answer]):
        kept[answer] = play


def _boost_rank(play: Play) -> tuple[float, float, str]:
    return -play.entry.score, play.distance, play.id


def _injection_rank(play: Play) -> tuple[float, float, str]:
    return boosted(play.distance, play.entry.score), play.distance, play.id
