"""The playbooks of a snapshot as columns: of thousands of recorded queries, the few that can act on an answer.

Here: the role gate and the best entry of each answer, over arrays. Not here: what an entry then does (`playbooks.py`), whose
`apply` is the definition: it gives the same for the plays of `near` as for all plays.

Only an answer that was found can be boosted, so the entries of those answers are looked up by the answer. Everything else
can only be injected, so of the rest nothing farther than 0.20 matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lakehouse.search.playbooks import (
    BOOST_THRESHOLD,
    INJECT_THRESHOLD,
    Asked,
    Near,
    Play,
    boosted,
    entry_of,
    gate_of,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from lakehouse.search.snapshot import Snapshot
    from lakehouse.search.views import Vector

_OPEN = 0
_RETIRED = -1


class Remembered:
    """Row by row of a snapshot of playbooks: the answer, the role (both as numbers) and the score."""

    def __init__(self, metadata: Sequence[str]) -> None:
        import numpy as np

        self._numbers: dict[str, int] = {}
        self._roles: dict[str | None, int] = {None: _OPEN}
        count = len(metadata)
        self._answer: NDArray[np.int32] = np.empty(count, np.int32)
        self._role: NDArray[np.int32] = np.empty(count, np.int32)
        self._score: NDArray[np.float64] = np.empty(count, np.float64)
        for place, raw in enumerate(metadata):
            entry = entry_of(raw)
            self._answer[place] = self._numbers.setdefault(entry.answer_id, len(self._numbers))
            role = self._roles.setdefault(gate_of(entry.role), len(self._roles))
            self._role[place] = role if entry.retired_at is None else _RETIRED
            self._score[place] = entry.score
        self._by_answer = np.argsort(self._answer, kind="stable")
        self._starts = np.searchsorted(self._answer[self._by_answer], np.arange(len(self._numbers) + 1)).tolist()

    def near(self, snapshot: Snapshot, vector: Vector, asked: Asked, hidden: NDArray[np.int64] | None = None) -> Near:
        """Give the plays that can act: at most one for each answer. `hidden` rows, by place, are not there."""
        import numpy as np

        found = [number for answer in asked.found if (number := self._numbers.get(answer)) is not None]
        excluded = [number for answer in asked.excluded if (number := self._numbers.get(answer)) is not None]
        missed = np.ones(len(self._numbers), bool)
        missed[found + excluded] = False
        boostable = set(found).difference(excluded)
        rows = [self._by_answer[self._starts[one] : self._starts[one + 1]] for one in boostable]
        places, far = snapshot.close(np.concatenate(rows), vector, BOOST_THRESHOLD) if rows else _none()
        others, other_far = snapshot.close(snapshot.reachable(vector, INJECT_THRESHOLD), vector, INJECT_THRESHOLD)
        kept = missed[self._answer[others]]
        boosting = len(places)
        places, far = np.concatenate([places, others[kept]]), np.concatenate([far, other_far[kept]])
        there = self._role[places] != _RETIRED
        if hidden is not None:
            there &= ~np.isin(places, hidden)
        let_in = there
        wanted = gate_of(asked.role)
        if wanted is not None:
            roles = self._role[places]
            # A role that no entry has is the number of none.
            let_in = there & ((roles == _OPEN) | (roles == self._roles.get(wanted, len(self._roles))))
        count = int(np.count_nonzero(there))
        refused = count - int(np.count_nonzero(let_in))
        # The ranks of `playbooks.apply`: by score among boosts, by what comes out among injections; then distance, then id.
        scores = self._score[places]
        rank = boosted(far, scores)
        rank[:boosting] = -scores[:boosting]
        order = np.lexsort((places, far, rank, self._answer[places]))
        order = order[let_in[order]]
        answers = self._answer[places[order]]
        first = np.ones(len(order), bool)
        first[1:] = answers[1:] != answers[:-1]
        best = order[first]
        plays = [
            Play(snapshot.ids[place], distance, entry_of(snapshot.metadata[place]))
            for place, distance in zip(places[best].tolist(), far[best].tolist(), strict=True)
        ]
        return Near(plays, count, refused)


def _none() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    import numpy as np

    return np.zeros(0, np.int64), np.zeros(0, np.float64)
