"""What a search answers.

Here: the records. Not here: how they come about (`search.py`).
"""

from __future__ import annotations

from typing import Any

import msgspec


class Result(msgspec.Struct, frozen=True):
    """A row of an answer; `rank` counts from 0.

    `cosine` is the row's own distance to what was searched for in its corpus, `distance` what it is ranked by: the same
    where no playbook touched it. `rating` is the judge's (1..5) of an injected row, `None` where no judge was asked or it failed.
    """

    id: str
    corpus: str
    distance: float
    rank: int
    metadata: dict[str, Any]
    boosted: bool = False
    injected: bool = False
    playbook_id: str | None = None
    cosine: float = 0.0
    rating: int | None = None


class Answer(msgspec.Struct, frozen=True):
    """An answer and how it came about.

    `given` says how many rows each corpus gave after exclusions and filters, `searched_for` which text was embedded for it.
    `boosted` and `injected` count among the results. `plays` counts the recorded queries near enough to boost what was found
    or to inject what was not, `refused_by_role` and `refused_by_judge` those that a gate kept out, `unjudged` injections that
    the judge could say nothing about.
    """

    query: str
    results: list[Result]
    given: dict[str, int]
    searched_for: dict[str, str]
    boosted: int = 0
    injected: int = 0
    plays: int = 0
    refused_by_role: int = 0
    refused_by_judge: int = 0
    unjudged: int = 0
