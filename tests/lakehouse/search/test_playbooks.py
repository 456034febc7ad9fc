"""The arithmetic of playbooks and the order of their gates, without any search."""

from __future__ import annotations

import pytest

from lakehouse.errors import OutsideFailure
from lakehouse.search import playbooks
from lakehouse.search.playbooks import Asked, Candidate, Play, Recorded, boosted, rating, same_role_or_open
from lakehouse.search.views import Hit


def play(distance: float, score: float = 1.0, answer: str = "w-1", role: str | None = None, name: str = "pb-1") -> Play:
    return Play(name, distance, Recorded(answer, "workers", score, role))


def candidate(distance: float, row_id: str = "w-1") -> Candidate:
    return Candidate(row_id, "workers", distance, distance)


def applied(
    held: list[Candidate],
    plays: list[Play],
    *,
    role: str | None = None,
    excluded: tuple[str, ...] = (),
    missed: tuple[str, ...] = ("w-1", "w-2"),
    rate: int | str | None = "no judge",
) -> tuple[dict[str, Candidate], tuple[int, int, int]]:
    """Give the candidates, and how many the role gate and the judge refused, and the judge could not judge."""
    candidates = {one.id: one for one in held}
    near = playbooks.near(plays, Asked(role, candidates.keys(), set(excluded)))
    refused = playbooks.apply(
        candidates,
        near.plays,
        find=lambda _, answer: candidate(0.9, answer) if answer in missed else None,
        judge=None if isinstance(rate, str) else lambda _: rate,
    )
    assert near.count == len(near.plays) + near.refused
    return candidates, (near.refused, refused.judge, refused.unjudged)


@pytest.mark.parametrize(
    ("distance", "score", "becomes"),
    [(0.4449, 1.0, 0.22245), (0.4449, 0.0, 0.4449), (0.4, 0.5, 0.4 * 0.75), (0.0, 1.0, 0.0), (1.0, 0.25, 0.875)],
)
def test_a_boost_is_distance_times_one_minus_half_the_score(distance: float, score: float, becomes: float) -> None:
    assert boosted(distance, score) == becomes
    candidates, _ = applied([candidate(distance)], [play(0.1, score)])
    one = candidates["w-1"]
    assert (one.distance, one.cosine, one.boosted, one.injected) == (becomes, distance, score > 0, False)
    assert one.playbook_id == ("pb-1" if score > 0 else None)


@pytest.mark.parametrize(("far", "acts"), [(0.0, True), (0.5, True), (0.500000001, False), (0.9, False)])
def test_a_recorded_query_boosts_up_to_050_itself_included(far: float, acts: bool) -> None:
    candidates, _ = applied([candidate(0.4)], [play(far)])
    assert candidates["w-1"].boosted is acts


@pytest.mark.parametrize(("far", "acts"), [(0.0, True), (0.2, True), (0.200000001, False), (0.5, False)])
def test_a_recorded_query_injects_up_to_020_itself_included(far: float, acts: bool) -> None:
    candidates, _ = applied([], [play(far, 0.8)])
    assert ("w-1" in candidates) is acts
    if acts:
        one = candidates["w-1"]
        assert (one.distance, one.cosine, one.injected, one.boosted) == (far * (1 - 0.5 * 0.8), 0.9, True, False)


@pytest.mark.parametrize(
    ("query", "entry", "same"),
    [
        ("Forklift Operator", "CNC Machinist", False),
        ("Forklift Operator", "forklift operators", True),
        ("  Nurses", "nurse", True),
        ("Boxes Packer", "box packer", True),
        ("Fork-lift  operator", "forklift operator", True),
        ("", "CNC Machinist", True),
        ("Forklift Operator", "", True),
        ("   ", "CNC Machinist", True),
        (None, "CNC Machinist", True),
        ("Forklift Operator", None, True),
        (None, None, True),
    ],
)
def test_the_role_gate(query: str | None, entry: str | None, same: bool) -> None:
    assert same_role_or_open(query, entry) is same
    candidates, refused = applied([candidate(0.4)], [play(0.1, role=entry)], role=query)
    assert candidates["w-1"].boosted is same
    injected, _ = applied([], [play(0.1, role=entry)], role=query)
    assert ("w-1" in injected) is same
    assert refused == (0 if same else 1, 0, 0)


def test_a_cross_role_entry_changes_nothing() -> None:
    """A forklift recording at 0.135 from a CNC query: near enough to inject, and refused by the role gate."""
    candidates, refused = applied(
        [candidate(0.31, "w-7")], [play(0.135, answer="w-1", role="Forklift Operator")], role="CNC Machinists"
    )
    assert candidates == {"w-7": candidate(0.31, "w-7")}
    assert refused == (1, 0, 0)


def test_an_excluded_id_is_neither_boosted_nor_injected() -> None:
    assert applied([], [play(0.05)], excluded=("w-1",))[0] == {}
    assert applied([candidate(0.4)], [play(0.05)], excluded=("w-1",))[0]["w-1"].boosted is False


def test_an_answer_that_is_gone_or_filtered_out_is_not_injected() -> None:
    assert applied([], [play(0.05)], missed=())[0] == {}


def test_the_best_score_boosts_once() -> None:
    plays = [play(0.1, 0.2, name="pb-a"), play(0.4, 0.9, name="pb-b"), play(0.2, 0.9, name="pb-c")]
    one = applied([candidate(0.4)], plays)[0]["w-1"]
    assert (one.distance, one.playbook_id) == (0.4 * (1 - 0.5 * 0.9), "pb-c")


def test_an_answer_is_injected_once_at_its_smallest_distance() -> None:
    plays = [play(0.10, 0.1, name="pb-a"), play(0.15, 1.0, name="pb-b"), play(0.15, 1.0, name="pb-c")]
    candidates, _ = applied([], plays)
    assert [(one.distance, one.playbook_id) for one in candidates.values()] == [(0.075, "pb-b")]


def test_what_was_injected_is_not_boosted_too() -> None:
    one = applied([], [play(0.1, 1.0, name="pb-a"), play(0.4, 1.0, name="pb-b")])[0]["w-1"]
    assert (one.distance, one.boosted, one.injected) == (0.05, False, True)


@pytest.mark.parametrize(
    ("rate", "let_in", "dropped", "unjudged"),
    [(1, False, 1, 0), (2, False, 1, 0), (3, True, 0, 0), (5, True, 0, 0), (None, True, 0, 1)],
)
def test_the_judge_gate(rate: int | None, let_in: bool, dropped: int, unjudged: int) -> None:
    candidates, refused = applied([], [play(0.1)], rate=rate)
    assert ("w-1" in candidates) is let_in
    assert refused == (0, dropped, unjudged)
    if let_in:
        assert candidates["w-1"].rating == rate


def test_the_judge_is_asked_about_injections_alone_and_once_an_answer() -> None:
    asked = []
    held = {"w-2": candidate(0.4, "w-2")}
    playbooks.apply(
        held,
        [play(0.1), play(0.15, name="pb-2"), play(0.1, answer="w-2", name="pb-3")],
        find=lambda _, answer: candidate(0.9, answer),
        judge=lambda one: asked.append(one.id) or 4,
    )
    assert asked == ["w-1"]
    assert held["w-2"].boosted


def test_a_production_line_query_keeps_its_own_by_the_judge_gate() -> None:
    """The forklift recording lies nearer than the right answer; the judge rates the one 1 and would rate the other 4."""
    right = candidate(0.28, "w-9")
    candidates, refused = applied([right], [play(0.12, answer="w-1")], rate=1)
    assert list(candidates) == ["w-9"]
    assert (candidates["w-9"].distance, refused) == (0.28, (0, 1, 0))


@pytest.mark.parametrize(
    ("given", "becomes"), [(1, 1), (5, 5), (0, None), (6, None), (True, None), (4.0, None), ("4", None), (None, None)]
)
def test_what_is_no_rating_is_none(given: object, becomes: int | None) -> None:
    assert rating(lambda query, text: given, "q", "t") == becomes  # type: ignore[arg-type, return-value]


@pytest.mark.parametrize("error", [OutsideFailure("gone"), TimeoutError(), ValueError("no JSON")])
def test_a_judge_that_fails_gives_no_rating(error: Exception) -> None:
    def fail(query: str, text: str) -> int:
        raise error

    assert rating(fail, "q", "t") is None


def test_retired_entries_are_left_out_and_other_metadata_does_no_harm() -> None:
    live = '{"answer_id":"w-1","answer_corpus":"workers","score":1,"tags":["a"],"recorded_by":"x"}'
    gone = '{"answer_id":"w-1","answer_corpus":"workers","score":1,"retired_at":"2026-01-01T00:00:00.000Z"}'
    found = playbooks.plays_of([Hit("pb-1", 0.1, live), Hit("pb-2", 0.1, gone)])
    assert found == [Play("pb-1", 0.1, Recorded("w-1", "workers", 1.0))]
