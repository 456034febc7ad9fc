"""How a demand is worded before it is embedded.

Here: the wording for corpora of workers, by the places that they hold. Not here: reading demands (`lakehouse.roster.asks`).
A demand as it is written lies near to much that it does not ask for; worded like a worker's text it finds workers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import msgspec

from lakehouse.roster.asks import query_text, read_ask
from lakehouse.search.views import View

Wording = Callable[[str, str | None, View], str]
"""Gives the text to embed for a query (with its role, where one was given); the query itself where it is not understood."""

PLACE_FIELDS = ("city", "state")


class DemandWording:
    """The wording of demands. `fallback` is asked for the role where no pattern matches, see `extract_role`."""

    def __init__(self, fallback: Callable[[str], str] | None = None) -> None:
        self._fallback = fallback

    def __call__(self, query: str, role: str | None, view: View) -> str:
        """Give role and place as the head of a worker's text, the query itself where it names no role."""
        found = view.distinct(PLACE_FIELDS)
        ask = read_ask(query, _places(found), self._fallback)
        if not ask.role and ask.city and role:
            ask = msgspec.structs.replace(ask, role=role)
        return query_text(query, ask)


@lru_cache(maxsize=32)
def _places(found: frozenset[tuple[object, ...]]) -> frozenset[tuple[str, str]]:
    return frozenset(
        (city, state) for city, state in found if isinstance(city, str) and isinstance(state, str) and city
    )
