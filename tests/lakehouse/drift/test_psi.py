"""PSI: every edge of its definition as a table, and what holds for any two samples."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.drift.chance import chance
from lakehouse.drift.psi import (
    EPSILON,
    MISSING,
    Psi,
    PsiVerdict,
    Value,
    categorical_psi,
    counted,
    numeric_psi,
    verdict_of,
)

NAN, INF = math.nan, math.inf
numbers = st.one_of(
    st.floats(allow_nan=True, allow_infinity=True), st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from([0.5])
)
samples = st.lists(numbers, max_size=40)
filled = st.lists(numbers, min_size=1, max_size=40)


def of(reference: list[Value], current: list[Value], buckets: int = 10) -> Psi:
    return numeric_psi(counted(reference), counted(current), buckets)


def term(p: float, q: float) -> float:
    p, q = max(p, EPSILON), max(q, EPSILON)
    return (q - p) * math.log(q / p)


@pytest.mark.parametrize(
    ("psi", "verdict"),
    [
        (0.0, "stable"),
        (0.0999, "stable"),
        (0.10, "minor"),
        (0.2499, "minor"),
        (0.25, "major"),
        (9.0, "major"),
        (None, "insufficient_data"),
    ],
)
def test_an_index_is_named_by_its_thresholds(psi: float | None, verdict: PsiVerdict) -> None:
    assert verdict_of(psi) == verdict


def test_the_index_is_the_sum_over_equal_widths_of_the_combined_range() -> None:
    found = of([0.0, 0.0, 0.0, 1.0], [0.0, 1.0, 1.0, 2.0], buckets=2)
    assert [(b.bucket, b.reference, b.current) for b in found.buckets] == [("0 to 1", 3, 1), ("1 to 2", 1, 3)]
    assert found.psi == pytest.approx(term(0.75, 0.25) + term(0.25, 0.75))
    assert [b.contribution for b in found.buckets] == pytest.approx([term(0.75, 0.25), term(0.25, 0.75)])
    assert found.buckets[0].reference_share == 0.75


def test_an_empty_bucket_counts_with_epsilon() -> None:
    found = of([0.0], [1.0], buckets=2)
    assert found.psi == pytest.approx(2 * term(1.0, 0.0))
    assert found.verdict == "major"


@pytest.mark.parametrize(("asked", "made"), [(-1, 2), (0, 2), (1, 2), (2, 2), (10, 10), (100, 100), (1000, 100)])
def test_the_number_of_buckets_is_clamped(asked: int, made: int) -> None:
    assert len(of([0.0, 1.0], [0.5], asked).buckets) == made


def test_ten_buckets_are_the_default() -> None:
    assert len(numeric_psi({0.0: 1, 1.0: 1}, {0.5: 1}).buckets) == 10


def test_neither_sample_falls_outside() -> None:
    found = of([0.0, 1.0], [-5.0, 5.0])
    assert (found.buckets[0].current, found.buckets[-1].current) == (1, 1)


def test_both_empty_is_stable_with_a_note() -> None:
    for found in (of([], []), categorical_psi({}, {})):
        assert (found.verdict, found.psi, found.reference_rows, found.current_rows) == ("stable", 0.0, 0, 0)
        assert found.note is not None
        assert "n = 0" in found.note


@pytest.mark.parametrize(("reference", "current", "empty"), [([1.0], [], "current"), ([], [1.0], "reference")])
def test_one_empty_gives_no_verdict(reference: list[Value], current: list[Value], empty: str) -> None:
    found = of(reference, current)
    assert (found.verdict, found.psi, found.decile_psi) == ("insufficient_data", None, None)
    assert found.note == f"the {empty} sample is empty"
    assert sum(b.reference + b.current for b in found.buckets) == 1
    assert categorical_psi({"a": len(reference)}, {"a": len(current)}).verdict == "insufficient_data"


def test_all_values_equal_in_both_is_zero() -> None:
    found = of([3.0] * 7, [3.0] * 2)
    assert (found.psi, found.decile_psi, found.verdict) == (0.0, 0.0, "stable")


def test_missing_values_are_a_bucket_of_their_own() -> None:
    found = of([1.0, 1.0, None, NAN], [1.0, 1.0, 1.0, None])
    last = found.buckets[-1]
    assert (last.bucket, last.reference, last.current) == (MISSING, 2, 1)
    assert found.psi == pytest.approx(term(0.5, 0.75) + term(0.5, 0.25))
    assert found.decile_buckets is not None
    assert found.decile_buckets[-1].bucket == MISSING


def test_all_missing_against_none_missing_is_major() -> None:
    assert of([None] * 9, [1.0] * 9).verdict == "major"
    assert of([1.0] * 9, [NAN] * 9).verdict == "major"
    assert of([None] * 9, [None] * 3).psi == 0.0


def test_infinities_stand_apart_and_stretch_no_width() -> None:
    found = of([0.0, 1.0, INF], [0.0, 1.0, -INF])
    assert [b.bucket for b in found.buckets[10:]] == ["−∞", "+∞"]
    assert found.buckets[0].bucket == "0 to 0.1"
    assert found.verdict == "major"


def test_booleans_count_as_numbers() -> None:
    assert of([True, False], [1.0, 0.0]).psi == 0.0
    assert of([True] * 95 + [False] * 5, [True] * 50 + [False] * 50).verdict == "major"


def test_a_fivefold_latency_with_one_stray_value_is_caught_by_the_deciles() -> None:
    draw = random.Random(1)
    before = [draw.uniform(80, 120) for _ in range(5000)]
    found = of([*before, 1e9], [5 * one for one in before])
    assert found.psi is not None
    assert found.psi < 0.001
    assert found.decile_psi is not None
    assert found.decile_psi > 1
    assert found.verdict == "major"
    assert found.telling is found.decile_buckets


def test_equal_widths_tell_where_the_deciles_say_no_worse() -> None:
    found = of([0.1, 0.2, 0.3] * 9, [0.7, 0.8, 0.9] * 9)
    assert found.telling is found.buckets


def test_a_move_below_a_value_that_fills_deciles_is_seen() -> None:
    found = of([100.0] * 99 + [1e9], [50.0] * 100)
    assert verdict_of(found.psi) == "stable"
    assert found.verdict == "major"
    assert found.decile_buckets is not None
    assert [b.bucket for b in found.decile_buckets] == ["< 100", "= 100", "> 100"]


def test_deciles_cut_the_reference_into_tenths_with_open_ends() -> None:
    found = of([float(n) for n in range(1, 101)], [-1e6, 1e6])
    assert found.decile_buckets is not None
    assert [b.reference for b in found.decile_buckets] == [10] * 10
    assert [b.current for b in found.decile_buckets] == [1] + [0] * 8 + [1]
    assert found.decile_buckets[0].bucket == "≤ 10"
    assert found.decile_buckets[-1].bucket == "> 90"


@pytest.mark.parametrize(
    ("reference", "current"),
    [
        ([-1.7e308], [1.7e308]),
        ([0.0], [5e-324]),
        ([-5e-324, 5e-324], [0.0]),
        ([1e15], [1e15 + 1]),
        ([10**400, 1], [-(10**400), 1]),
    ],
)
def test_numbers_at_the_edge_of_floats_do_no_harm(reference: list[Value], current: list[Value]) -> None:
    found = of(reference, current)
    assert found.psi is not None
    assert math.isfinite(found.psi)
    assert found.verdict == "major"


def test_labels_are_told_apart_however_close_the_edges_are() -> None:
    labels = [b.bucket for b in of([1_000_000.0], [1_000_001.0]).buckets]
    assert len(set(labels)) == 10


def test_categories_are_compared_over_the_union_of_both() -> None:
    found = categorical_psi({"a": 50, "b": 50}, {"a": 50, "c": 50})
    assert [(b.bucket, b.reference, b.current) for b in found.buckets] == [("a", 50, 50), ("b", 50, 0), ("c", 0, 50)]
    assert found.psi == pytest.approx(2 * term(0.5, 0.0))
    assert found.decile_psi is None
    assert found.verdict == "major"


def test_a_count_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        numeric_psi({1.0: -1}, {})


@pytest.mark.parametrize("rows", [3, 8, 40, 200])
def test_two_samples_of_one_distribution_move_no_further_than_chance(rows: int) -> None:
    draw = random.Random(rows)
    moved = 0
    for _ in range(100):
        found = of([draw.random() for _ in range(rows)], [draw.random() for _ in range(rows)])
        moved += found.verdict != "stable" and found.worst > chance(found)
    assert moved <= 2


@pytest.mark.parametrize("rows", [12, 40, 200])
def test_a_turn_from_one_category_to_the_other_is_more_than_chance(rows: int) -> None:
    found = categorical_psi({"a": rows, "b": 1}, {"a": 1, "b": rows})
    assert found.worst > chance(found) > 0


def test_chance_is_not_asked_where_rows_are_enough_or_nothing_moved() -> None:
    assert chance(categorical_psi({"a": 500}, {"b": 500})) == 0.0
    assert chance(categorical_psi({"a": 499}, {"b": 500})) > 0.0
    assert chance(categorical_psi({"a": 9}, {"a": 9})) == 0.0
    assert chance(categorical_psi({}, {"a": 9})) == chance(of([], [])) == 0.0


def test_the_bound_is_the_same_for_the_same_samples() -> None:
    found = of([1.0, 2.0, 3.0], [3.0, 4.0, 5.0])
    assert chance(found) == chance(found)


@given(samples, samples, st.integers(-5, 120))
def test_every_row_is_counted_once(reference: list[Value], current: list[Value], buckets: int) -> None:
    found = of(reference, current, buckets)
    for listed in (found.buckets, found.decile_buckets or []):
        assert sum(b.reference for b in listed) == len(reference) == found.reference_rows
        assert sum(b.current for b in listed) == len(current) == found.current_rows
        assert len({b.bucket for b in listed}) == len(listed)


@given(samples, samples)
def test_the_equal_width_index_is_symmetric(reference: list[Value], current: list[Value]) -> None:
    one, other = of(reference, current).psi, of(current, reference).psi
    assert one == other or (one is not None and other is not None and math.isclose(one, other, abs_tol=1e-12))


@given(filled, filled, st.randoms(use_true_random=False))
def test_order_changes_nothing(reference: list[Value], current: list[Value], draw: random.Random) -> None:
    before = of(reference, current)
    shuffled = draw.sample(reference, len(reference)), draw.sample(current, len(current))
    assert of(*shuffled) == before


@given(filled, st.integers(1, 9))
def test_equal_distributions_give_zero(sample: list[Value], times: int) -> None:
    found = of(sample, sample * times)
    assert found.psi == pytest.approx(0.0, abs=1e-12)
    assert found.decile_psi == pytest.approx(0.0, abs=1e-12)
    assert found.verdict == "stable"


@given(st.dictionaries(numbers, st.integers(0, 9), max_size=9), filled)
def test_weighted_values_are_the_expanded_ones(weighted: dict[Value, int], current: list[Value]) -> None:
    expanded = [value for value, count in weighted.items() for _ in range(count)]
    assert numeric_psi(weighted, counted(current)) == numeric_psi(counted(expanded), counted(current))


@given(samples, samples)
def test_no_index_is_ever_nan_or_below_zero(reference: list[Value], current: list[Value]) -> None:
    found = of(reference, current)
    for index in (found.psi, found.decile_psi):
        assert index is None or (math.isfinite(index) and index >= 0)
    assert (found.psi is None) == (found.verdict == "insufficient_data") == (bool(reference) != bool(current))


words = st.dictionaries(st.text(max_size=2), st.integers(0, 50), max_size=6)


@given(words, words)
def test_categories_conserve_counts_and_are_symmetric(reference: dict[str, int], current: dict[str, int]) -> None:
    found, other = categorical_psi(reference, current), categorical_psi(current, reference)
    assert (found.reference_rows, found.current_rows) == (sum(reference.values()), sum(current.values()))
    assert sum(b.reference for b in found.buckets) == found.reference_rows
    assert found.psi == pytest.approx(other.psi)
    assert categorical_psi(reference, Counter(reference)).psi == 0.0
