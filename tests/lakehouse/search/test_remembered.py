"""The columns of playbooks give what the plain definition gives, entry by entry."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.search import playbooks
from lakehouse.search.bounds import Bounds
from lakehouse.search.layered import Held, Layered, Row
from lakehouse.search.playbooks import BOOST_THRESHOLD, Asked, Candidate, Near
from lakehouse.search.snapshot import Snapshot

from .conftest import IDENTITY, at_distance

QUERY = at_distance(0)
ANSWERS = ("w-1", "w-2", "w-3", "w-4")
ROLES = (None, "", " ", "Welder", "welders", "Picker", "-")

entry = st.fixed_dictionaries(
    {
        "answer_id": st.sampled_from(ANSWERS),
        "answer_corpus": st.just("workers"),
        "score": st.sampled_from([0, 0.2, 0.5, 1.0]),
        "role": st.sampled_from(ROLES),
        "retired_at": st.sampled_from([None, None, None, "", "2026-01-01T00:00:00.000Z"]),
    }
)
# Around both thresholds, and with ties of distance and of what an injection comes out at.
row = st.tuples(
    st.integers(0, 12), st.sampled_from([0.0, 0.1, 0.15, 0.2, 0.2001, 0.3, 0.4999, 0.5, 0.5001, 0.9]), entry
)
some = st.frozensets(st.sampled_from((*ANSWERS, "w-9")))


def layered(older: list[Any], newer: list[Any]) -> Layered:
    base = {f"pb-{number:02}": (at_distance(far), json.dumps(data)) for number, far, data in older}
    ids = sorted(base)
    vectors = np.array([base[one][0] for one in ids], np.float32).reshape(len(ids), 8)
    held = Held(1, IDENTITY, ids, vectors, [base[one][1] for one in ids], [""] * len(ids))
    front = {f"pb-{number:02}": Row(at_distance(far), json.dumps(data), "") for number, far, data in newer}
    return Layered(Snapshot(held), front, 2)


def done(near: Near, found: frozenset[str], missed: frozenset[str]) -> Any:
    candidates = {one: Candidate(one, "workers", 0.4, 0.4) for one in sorted(found)}
    judged: list[str] = []
    playbooks.apply(
        candidates,
        near.plays,
        find=lambda corpus, one: Candidate(one, corpus, 0.9, 0.9) if one in missed else None,
        judge=lambda one: judged.append(one.id) or 3,  # type: ignore[func-returns-value]
    )
    return list(candidates.values()), judged, near.count, near.refused


@given(st.lists(row, max_size=14), st.lists(row, max_size=5), some, some, some, st.sampled_from(ROLES))
def test_columns_do_what_entry_by_entry_does(
    older: list[Any],
    newer: list[Any],
    found: frozenset[str],
    missed: frozenset[str],
    excluded: frozenset[str],
    role: str | None,
) -> None:
    view = layered(older, newer)
    asked = Asked(role, found, excluded)
    plain = playbooks.near(playbooks.plays_of(view.within(QUERY, BOOST_THRESHOLD)), asked)
    assert done(view.plays(QUERY, asked), asked.found, missed) == done(plain, asked.found, missed)
    folded = view.folded()
    assert done(folded.plays(QUERY, asked), asked.found, missed) == done(plain, asked.found, missed)


def test_of_many_entries_for_an_answer_one_comes_out() -> None:
    data = {"answer_id": "w-1", "answer_corpus": "workers", "score": 0.5}
    view = layered([(number, 0.1, data) for number in range(9)], [])
    near = view.plays(QUERY, Asked(None, ["w-1"], ()))
    assert ([one.id for one in near.plays], near.count) == (["pb-00"], 9)


def test_what_injects_is_what_comes_out_nearest_not_what_lies_nearest() -> None:
    data = {"answer_id": "w-1", "answer_corpus": "workers"}
    view = layered([(1, 0.10, {**data, "score": 0.1}), (2, 0.15, {**data, "score": 1.0})], [])
    assert [one.id for one in view.plays(QUERY, Asked(None, (), ())).plays] == ["pb-02"]


def embedded(count: int, noise: float, dimension: int = 128) -> np.ndarray:
    """Rows around ten topics in a space that is smaller than theirs, with some noise beside it."""
    chance = np.random.default_rng(4)
    topics = chance.standard_normal((10, dimension))
    rows = topics[chance.integers(0, 10, count)] + noise * chance.standard_normal((count, dimension))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.4, 1.0, 5.0])
@pytest.mark.parametrize("distance", [0.0, 0.2, 0.5])
def test_a_bound_never_misses_a_row(noise: float, distance: float) -> None:
    vectors = embedded(3_000, noise)
    bounds = Bounds(vectors)
    for query in (*vectors[:10], *embedded(10, 3.0)):
        lie = np.flatnonzero(1 - vectors.astype(np.float64) @ query.astype(np.float64) <= distance)
        assert set(lie.tolist()) <= set(bounds.within(query, distance).tolist())


def test_a_bound_lets_few_others_through() -> None:
    vectors = embedded(3_000, 0.4)
    assert max(len(Bounds(vectors).within(query, 0.2)) for query in vectors[:10]) < 600


def test_rows_within_a_distance_are_the_same_with_bounds_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = embedded(2_500, 0.4)
    ids = [f"pb-{number:04}" for number in range(len(vectors))]
    snapshot = Snapshot(Held(1, IDENTITY, ids, vectors, ["{}"] * len(ids), [""] * len(ids)))
    bounded = [snapshot.within(query, 0.2) for query in vectors[:20]]
    monkeypatch.setattr("lakehouse.search.snapshot._BOUNDED_FROM", 10_000)
    assert bounded == [snapshot.within(query, 0.2) for query in vectors[:20]]
    assert any(len(found) > 1 for found in bounded)
