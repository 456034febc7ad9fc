"""Searching corpora, with playbooks.

Here: the steps from a query to an answer. Not here: how a corpus finds its nearest rows (`snapshot.py`, `plain.py`), what
playbooks do (`playbooks.py`), what conditions may say (`filters.py`).

The steps: embed → each corpus (as many more as ids are excluded) → drop the excluded → the nearest of each id → playbooks →
sort → the first k. Filters are met inside each corpus, so that they never leave too few. Ties go by id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from lakehouse.embedding.identity import require_same
from lakehouse.errors import UsageError
from lakehouse.search import playbooks
from lakehouse.search.answers import Answer, Result
from lakehouse.search.filters import Condition, conditions
from lakehouse.search.playbooks import Asked, Candidate, Judge, Near, Refused
from lakehouse.search.views import Engine, Hit, View
from lakehouse.search.wording import Wording

if TYPE_CHECKING:
    from lakehouse.embedding import Embedder
    from lakehouse.search.views import Vector

MOST: Final = 1_000
"""The largest k."""

_FUSION: Final = 60
"""The constant of reciprocal rank fusion: Cormack, Clarke, Buettcher, "Reciprocal Rank Fusion outperforms Condorcet and
individual Rank Learning Methods" (2009)."""


@dataclass(frozen=True)
class Retrieval:
    """Corpora that can be searched.

    `playbooks` gives the corpus of a namespace (`None` is the common one), `None` where nothing was ever recorded.
    `wordings` say for some corpora how a query is worded before it is embedded.
    """

    embedder: Embedder
    corpora: Mapping[str, Engine]
    playbooks: Callable[[str | None], Engine | None] = lambda _: None
    wordings: Mapping[str, Wording] = field(default_factory=dict)

    def search(
        self,
        query: str,
        corpora: Sequence[str],
        k: int = 10,
        *,
        where: Sequence[Condition | Mapping[str, Any]] | None = None,
        exclude_ids: Sequence[str] = (),
        role: str | None = None,
        use_playbook: bool = False,
        namespace: str | None = None,
        hybrid: bool = False,
        judge: Judge | None = None,
        rewrite: bool = True,
    ) -> Answer:
        """Give the `k` rows of `corpora` that are nearest to a query.

        `role` is that of the query, for the role gate; empty opens it. `hybrid` joins the ranks by distance and by full text.
        `rewrite` lets the corpora's wordings choose what is embedded; recorded queries are compared as they are written.
        Raises `UsageError` for what is no query, an unknown corpus, a k below 1 or above 1,000, wrong conditions, and corpora
        of another embedder.
        """
        excluded = _checked(query, k, exclude_ids)
        wanted = conditions(where)
        views = self._views(corpora)
        remembered = self._memory(namespace) if use_playbook else None
        texts = {name: self._worded(name, query, role, view) if rewrite else query for name, view in views.items()}
        vectors = self._embedded([*texts.values(), *([query] if remembered is not None else [])])
        candidates: dict[str, Candidate] = {}
        given = {}
        by_text: dict[str, int] = {}
        for name, view in views.items():
            vector = vectors[texts[name]]
            hits = [hit for hit in view.nearest(vector, k + len(excluded), wanted) if hit.id not in excluded][:k]
            if hybrid:
                hits = _with_text(view, texts[name], vector, k, wanted, excluded, hits, by_text)
            given[name] = len(hits)
            for hit in hits:
                if hit.id not in candidates or hit.distance < candidates[hit.id].cosine:
                    candidates[hit.id] = _candidate(name, hit)
        near, refused = Near([], 0, 0), Refused()
        if remembered is not None:
            near = remembered.plays(vectors[query], Asked(role, candidates.keys(), excluded))
        if near.plays:
            missed = [play.entry.answer_id for play in near.plays if play.entry.answer_id not in candidates]
            there = {name: view.among(missed, vectors[texts[name]], wanted) for name, view in views.items() if missed}
            refused = _played(candidates, near, query, views, there, judge)
        ranked = sorted(candidates.values(), key=lambda one: (one.distance, one.id))
        if hybrid:
            ranked = _fused(ranked, by_text)
        results = [_result(rank, candidate) for rank, candidate in enumerate(ranked[:k])]
        return Answer(
            query,
            results,
            given,
            texts,
            boosted=sum(one.boosted for one in results),
            injected=sum(one.injected for one in results),
            plays=near.count,
            refused_by_role=near.refused,
            refused_by_judge=refused.judge,
            unjudged=refused.unjudged,
        )

    def _views(self, corpora: Sequence[str]) -> dict[str, View]:
        if isinstance(corpora, str) or not corpora:
            raise UsageError("no list of corpora was given", where="search", mend=f"name some of {_list(self.corpora)}")
        views = {}
        for name in corpora:
            engine = self.corpora.get(name)
            if engine is None:
                raise UsageError(
                    f"there is no corpus {str(name)[:80]!r}",
                    where="search",
                    mend=f"the corpora are {_list(self.corpora)}",
                )
            views[name] = engine.view()
            require_same(views[name].identity, self.embedder.identity, where=f"corpus {name}")
        return views

    def _memory(self, namespace: str | None) -> View | None:
        engine = self.playbooks(namespace)
        if engine is None:
            return None
        view = engine.view()
        require_same(view.identity, self.embedder.identity, where="playbooks")
        return view

    def _worded(self, name: str, query: str, role: str | None, view: View) -> str:
        wording = self.wordings.get(name)
        return wording(query, role, view) if wording else query

    def _embedded(self, texts: Sequence[str]) -> dict[str, Vector]:
        different = list(dict.fromkeys(texts))
        return dict(zip(different, self.embedder.embed(different, "query"), strict=True))


def _played(
    candidates: dict[str, Candidate],
    near: Near,
    query: str,
    views: Mapping[str, View],
    missed: Mapping[str, Sequence[Hit]],
    judge: Judge | None,
) -> Refused:
    """Let recorded answers act on the candidates; `missed` are those that retrieval did not find, by corpus."""
    there = {name: {hit.id: hit for hit in hits} for name, hits in missed.items()}

    def find(corpus: str, answer: str) -> Candidate | None:
        # The answer may have moved since, from the fresh tier to the roster.
        for name in sorted(there, key=lambda one: one != corpus):
            if answer in there[name]:
                return _candidate(name, there[name][answer])
        return None

    def judged(candidate: Candidate) -> int | None:
        assert judge is not None
        return playbooks.rating(judge, query, views[candidate.corpus].text_of(candidate.id))

    return playbooks.apply(candidates, near.plays, find=find, judge=judged if judge else None)


def _checked(query: object, k: object, exclude_ids: Sequence[str]) -> frozenset[str]:
    if not isinstance(query, str) or not query.strip():
        raise UsageError("the query is empty", where="search", mend="say what to search for")
    if not isinstance(k, int) or isinstance(k, bool) or not 1 <= k <= MOST:
        raise UsageError(f"k is {k!r}", where="search", mend=f"ask for 1 to {MOST} results")
    if isinstance(exclude_ids, str):
        raise UsageError("exclude_ids is a text", where="search", mend="give a list of ids")
    return frozenset(exclude_ids)


def _with_text(
    view: View,
    query: str,
    vector: Vector,
    k: int,
    where: Sequence[Condition],
    excluded: frozenset[str],
    hits: list[Hit],
    by_text: dict[str, int],
) -> list[Hit]:
    """Add what full text finds, with its true distance, and note its rank in this corpus in `by_text`."""
    found = [one for one in view.matching(query, k + len(excluded), where) if one not in excluded][:k]
    for rank, row_id in enumerate(found):
        by_text[row_id] = min(rank, by_text.get(row_id, rank))
    have = {hit.id for hit in hits}
    return hits + view.among([one for one in found if one not in have], vector)


def _fused(ranked: list[Candidate], by_text: Mapping[str, int]) -> list[Candidate]:
    """Rank by the sum of 1 / (60 + rank) over both lists, ranks from 1; what is equal stays by distance."""
    worth = {}
    for rank, one in enumerate(ranked, 1):
        worth[one.id] = 1 / (_FUSION + rank) + (1 / (_FUSION + 1 + by_text[one.id]) if one.id in by_text else 0)
    return sorted(ranked, key=lambda one: -worth[one.id])


def _candidate(corpus: str, hit: Hit) -> Candidate:
    return Candidate(hit.id, corpus, hit.distance, hit.distance, hit.raw)


def _result(rank: int, one: Candidate) -> Result:
    return Result(
        one.id,
        one.corpus,
        one.distance,
        rank,
        Hit(one.id, one.distance, one.raw).metadata,
        one.boosted,
        one.injected,
        one.playbook_id,
        one.cosine,
        one.rating,
    )


def _list(names: Mapping[str, Engine]) -> str:
    return ", ".join(sorted(names)) or "none yet"
