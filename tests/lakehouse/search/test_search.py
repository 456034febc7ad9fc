"""From a query to an answer: corpora, exclusions, filters, playbooks, full text, wording."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lakehouse.embedding.identity import EmbedderIdentity
from lakehouse.errors import UsageError
from lakehouse.search.engine import Searcher
from lakehouse.search.search import Retrieval
from lakehouse.search.wording import DemandWording

from .conftest import MadeEmbedder, MadeSource, at_distance

QUERY = "a forklift operator in Detroit"


class Lab:
    """Two corpora of workers and a memory."""

    def __init__(self) -> None:
        self.workers, self.fresh, self.memory, self.other_memory = (MadeSource() for _ in range(4))
        self.embedder = MadeEmbedder()
        memories = {None: Searcher(self.memory), "acme": Searcher(self.other_memory)}
        self.retrieval = Retrieval(
            self.embedder,
            {"workers": Searcher(self.workers), "fresh_workers": Searcher(self.fresh)},
            memories.get,
        )

    def worker(
        self, row_id: str, distance: float, source: MadeSource | None = None, text: str = "", **data: Any
    ) -> None:
        (source or self.workers).put(row_id, at_distance(distance), text, data)

    def recorded(
        self, answer: str, distance: float, score: float = 1.0, memory: MadeSource | None = None, **more: Any
    ) -> None:
        held = memory or self.memory
        data = {"answer_id": answer, "answer_corpus": "workers", "score": score, **more}
        held.put(f"pb-{len(held.held)}", at_distance(distance, axis=2), "", data)

    def search(self, *corpora: str, **more: Any) -> Any:
        return self.retrieval.search(QUERY, corpora or ("workers",), **more)


@pytest.fixture
def lab() -> Lab:
    return Lab()


def ids(answer: Any) -> list[str]:
    return [one.id for one in answer.results]


def test_corpora_are_merged_by_distance_and_the_answer_says_what_each_gave(lab: Lab) -> None:
    for row_id, distance in (("w-1", 0.3), ("w-2", 0.1), ("w-3", 0.6)):
        lab.worker(row_id, distance, city="Detroit")
    lab.worker("f-1", 0.2, lab.fresh)
    answer = lab.search("workers", "fresh_workers", k=3)
    assert [(one.id, one.corpus, one.rank) for one in answer.results] == [
        ("w-2", "workers", 0),
        ("f-1", "fresh_workers", 1),
        ("w-1", "workers", 2),
    ]
    assert [round(one.distance, 6) for one in answer.results] == [0.1, 0.2, 0.3]
    assert answer.results[0].metadata == {"city": "Detroit"}
    assert answer.given == {"workers": 3, "fresh_workers": 1}
    assert lab.embedder.asked == [((QUERY,), "query")]


def test_far_results_keep_their_true_distance(lab: Lab) -> None:
    lab.worker("w-1", 1.4)
    assert [round(one.distance, 6) for one in lab.search().results] == [1.4]


def test_an_id_in_two_corpora_is_given_once_where_it_is_nearest(lab: Lab) -> None:
    lab.worker("w-1", 0.3)
    lab.worker("w-1", 0.2, lab.fresh)
    assert [(one.id, one.corpus) for one in lab.search("workers", "fresh_workers").results] == [
        ("w-1", "fresh_workers")
    ]


def test_excluded_ids_are_replaced_by_the_next_ones(lab: Lab) -> None:
    for place in range(8):
        lab.worker(f"w-{place}", 0.1 + place / 20)
    assert ids(lab.search(k=3, exclude_ids=["w-0", "w-2", "w-9"])) == ["w-1", "w-3", "w-4"]


def test_filters_never_leave_too_few(lab: Lab) -> None:
    for place in range(60):
        lab.worker(f"w-{place:02}", 0.1 + place / 100, even=place % 20 == 0)
    assert ids(lab.search(k=3, where=[{"field": "even", "op": "eq", "value": True}])) == ["w-00", "w-20", "w-40"]


def test_a_boost_turns_04449_into_022245_and_reorders(lab: Lab) -> None:
    lab.worker("w-1", 0.4449)
    lab.worker("w-2", 0.3)
    lab.recorded("w-1", 0.4)
    cold, warm = lab.search(), lab.search(use_playbook=True)
    assert ids(cold) == ["w-2", "w-1"]
    assert ids(warm) == ["w-1", "w-2"]
    one = warm.results[0]
    assert (round(one.cosine, 6), round(one.distance, 6)) == (0.4449, 0.22245)
    assert one.distance == one.cosine * 0.5
    assert (one.boosted, one.injected, one.playbook_id, warm.boosted, warm.injected) == (True, False, "pb-0", 1, 0)


def test_an_injection_adds_what_retrieval_missed(lab: Lab) -> None:
    for place in range(5):
        lab.worker(f"w-{place}", 0.3 + place / 10)
    lab.worker("w-far", 0.95, name="Ann")
    lab.recorded("w-far", 0.1, 0.5)
    answer = lab.search(k=3, use_playbook=True)
    one = answer.results[0]
    assert (one.id, one.corpus, one.injected, one.boosted, one.metadata) == (
        "w-far",
        "workers",
        True,
        False,
        {"name": "Ann"},
    )
    assert (round(one.distance, 6), round(one.cosine, 6)) == (0.075, 0.95)
    assert (answer.injected, answer.boosted, len(answer.results)) == (1, 0, 3)


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({"use_playbook": False}, ["w-0"]),
        ({"exclude_ids": ["w-far"]}, ["w-0"]),
        ({"where": [{"field": "city", "op": "eq", "value": "Detroit"}]}, ["w-0"]),
        ({"role": "CNC Machinist"}, ["w-0"]),
        ({"role": "forklift operators"}, ["w-far", "w-0"]),
        ({"role": ""}, ["w-far", "w-0"]),
        ({"role": None}, ["w-far", "w-0"]),
        ({"namespace": "acme"}, ["w-0"]),
        ({"namespace": "nobody"}, ["w-0"]),
    ],
)
def test_what_lets_an_injection_in(lab: Lab, more: dict[str, Any], found: list[str]) -> None:
    lab.worker("w-0", 0.3, city="Detroit")
    lab.worker("w-far", 0.9, city="Gary")
    lab.recorded("w-far", 0.05, role="Forklift Operator")
    lab.other_memory.put("pb-x", at_distance(0.9), "", {"answer_id": "w-far", "answer_corpus": "workers", "score": 1})
    answer = lab.search(**{"use_playbook": True, "k": 1, **more})
    assert ids(answer) == found[:1]
    assert answer.refused_by_role == (1 if more.get("role") == "CNC Machinist" else 0)


def test_an_answer_that_moved_to_another_corpus_is_injected_from_there(lab: Lab) -> None:
    lab.worker("w-0", 0.1)
    for place in range(3):
        lab.worker(f"f-{place}", 0.2 + place / 100, lab.fresh)
    lab.worker("f-far", 0.9, lab.fresh)
    lab.recorded("f-far", 0.01)
    answer = lab.search("workers", "fresh_workers", k=2, use_playbook=True)
    assert [(one.id, one.corpus, one.injected) for one in answer.results] == [
        ("f-far", "fresh_workers", True),
        ("w-0", "workers", False),
    ]
    assert ids(lab.search("workers", k=2, use_playbook=True)) == ["w-0"]


def test_the_judge_reads_the_original_words_and_the_answers_text(lab: Lab) -> None:
    lab.worker("w-line", 0.3, text="production line worker")
    for place in range(2):
        lab.worker(f"w-{place}", 0.35)
    lab.worker("w-fork", 0.8, text="forklift operator")
    lab.recorded("w-fork", 0.12)
    asked = []

    def judge(query: str, text: str) -> int:
        asked.append((query, text))
        return 1 if "forklift" in text else 4

    answer = lab.search(k=2, use_playbook=True, judge=judge)
    assert ids(answer) == ["w-line", "w-0"]
    assert (asked, answer.refused_by_judge) == ([(QUERY, "forklift operator")], 1)

    def fail(query: str, text: str) -> int:
        raise TimeoutError

    broken = lab.search(k=2, use_playbook=True, judge=fail)
    assert [(one.id, one.rating) for one in broken.results] == [("w-fork", None), ("w-line", None)]
    assert broken.unjudged == 1


def test_full_text_finds_what_vectors_miss_and_distances_stay_true(lab: Lab) -> None:
    for place in range(5):
        lab.worker(f"w-{place}", 0.2 + place / 100, text="warehouse picker")
    lab.worker("w-exact", 0.8, text="forklift Detroit")
    plain, hybrid = lab.search(k=3), lab.search(k=3, hybrid=True)
    assert "w-exact" not in ids(plain)
    found = {one.id: one for one in hybrid.results}
    assert round(found["w-exact"].distance, 6) == 0.8
    assert [one.rank for one in hybrid.results] == [0, 1, 2]


def test_full_text_keeps_to_filters_and_exclusions(lab: Lab) -> None:
    lab.worker("w-1", 0.8, text="forklift", city="Gary")
    lab.worker("w-2", 0.9, text="forklift", city="Detroit")
    where = [{"field": "city", "op": "eq", "value": "Detroit"}]
    assert ids(lab.search(hybrid=True, where=where)) == ["w-2"]
    assert ids(lab.search(hybrid=True, exclude_ids=["w-2"])) == ["w-1"]


def test_ranks_are_fused_by_their_reciprocals(lab: Lab) -> None:
    """By distance: a, b, c; by full text: c alone. 1/61 + 0, 1/62 + 0, 1/63 + 1/61."""
    for row_id, distance, text in (("a", 0.1, ""), ("b", 0.2, ""), ("c", 0.3, "forklift")):
        lab.worker(row_id, distance, text=text)
    assert ids(lab.search(hybrid=True)) == ["c", "a", "b"]


DETROIT = {"city": "Detroit", "state": "MI"}


def worded(lab: Lab) -> Retrieval:
    return Retrieval(
        lab.embedder, lab.retrieval.corpora, lab.retrieval.playbooks, wordings={"workers": DemandWording()}
    )


def test_a_demand_is_worded_like_a_worker_where_it_is_understood(lab: Lab) -> None:
    lab.worker("w-1", 0.1, **DETROIT)
    lab.worker("f-1", 0.1, lab.fresh)
    lab.recorded("w-1", 0.1)
    demand = "Need 3 Forklift Operators in Detroit MI starting at 06:00 for Acme"
    answer = worded(lab).search(demand, ["workers", "fresh_workers"], use_playbook=True)
    assert answer.searched_for["fresh_workers"] == demand
    assert "Forklift Operator" in answer.searched_for["workers"]
    assert "Acme" not in answer.searched_for["workers"]
    assert lab.embedder.asked == [((answer.searched_for["workers"], demand), "query")]


def test_a_query_that_is_no_demand_and_one_that_must_not_be_reworded_stay_as_they_are(lab: Lab) -> None:
    lab.worker("w-1", 0.1, **DETROIT)
    demand = "Need 3 Forklift Operators in Detroit MI"
    assert worded(lab).search("who drives at night", ["workers"]).searched_for == {"workers": "who drives at night"}
    assert worded(lab).search(demand, ["workers"], rewrite=False).searched_for == {"workers": demand}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"query": "  "}, "query"),
        ({"k": 0}, "k is 0"),
        ({"k": 1001}, "k is 1001"),
        ({"k": True}, "k is True"),
        ({"corpora": []}, "corpora"),
        ({"corpora": "workers"}, "corpora"),
        ({"corpora": ["nobody"]}, "workers"),
        ({"exclude_ids": "w-1"}, "exclude_ids"),
        ({"where": [{"field": "a", "op": "~", "value": 1}]}, "filter on a"),
    ],
)
def test_a_wrong_search_is_refused_with_what_is_wrong(lab: Lab, more: dict[str, Any], said: str) -> None:
    lab.worker("w-1", 0.1)
    with pytest.raises(UsageError) as refused:
        lab.retrieval.search(**{"query": QUERY, "corpora": ["workers"], **more})
    assert said in str(refused.value)


@pytest.mark.parametrize("which", ["workers", "memory"])
def test_another_embedder_is_refused_although_the_dimension_agrees(lab: Lab, which: str) -> None:
    lab.worker("w-1", 0.1)
    lab.recorded("w-1", 0.1)
    getattr(lab, which).identity = EmbedderIdentity("made", "other", "1", 8)
    with pytest.raises(UsageError, match="other"):
        lab.search(use_playbook=True)


def test_the_same_search_gives_the_same_answer(lab: Lab) -> None:
    chance = np.random.default_rng(5)
    for place in range(50):
        vector = chance.standard_normal(8).astype(np.float32)
        lab.workers.put(f"w-{place}", vector / np.linalg.norm(vector), "forklift" * (place % 2))
    lab.recorded("w-49", 0.1)
    assert lab.search(use_playbook=True, hybrid=True) == lab.search(use_playbook=True, hybrid=True)


def test_places_that_came_since_are_known_to_the_wording(lab: Lab) -> None:
    demand = "Need 3 Forklift Operators in Erie PA"
    lab.worker("w-1", 0.1, **DETROIT)
    retrieval = worded(lab)
    assert "Erie" not in retrieval.search(demand, ["workers"]).searched_for["workers"]
    lab.worker("w-2", 0.1, city="Erie", state="PA")
    assert "Erie" in retrieval.search(demand, ["workers"]).searched_for["workers"]
