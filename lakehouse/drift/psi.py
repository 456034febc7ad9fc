"""The population stability index (PSI): how far two samples lie apart, bucket by bucket.

Here: pure functions from two samples to a `Psi`. Not here: which samples (`window.py`, `profile.py`) and what follows
from a verdict (`gates/distribution.py`).

A sample is a mapping from each value to how often it occurs, so that a month of rows is as small as its distinct values.
Source: specification 03, "PSI"; the index is `Σ (q − p) · ln(q / p)` over the shares p of the reference and q of the
current sample, each at least `EPSILON`.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal

from lakehouse.records import Record

PsiVerdict = Literal["stable", "minor", "major", "insufficient_data"]
Value = float | bool | None
"""A number, a boolean (as 0 or 1), or `None` for a missing one; NaN is missing too."""

BUCKETS, FEWEST, MOST = 10, 2, 100
"""Equal-width buckets: how many, and the range that any other wish is clamped to."""
EPSILON = 1e-4
MINOR, MAJOR = 0.10, 0.25
"""From which index on a drift is minor, and from which on major."""

MISSING = "missing"
_BELOW, _ABOVE = "−∞", "+∞"
_TENTHS = 10


class Bucket(Record, kw_only=True):
    """How many of each sample fall into a bucket, their shares (0 to 1, not clamped), and what it adds to the index."""

    bucket: str
    reference: int
    current: int
    reference_share: float
    current_share: float
    contribution: float


class Psi(Record, kw_only=True):
    """How far two samples lie apart.

    `psi` is the index over equal widths (or categories): the number that other implementations give. `decile_psi` is
    that over the reference's deciles, for numbers only. Both are `None` where a sample is empty and the other is not.
    The verdict is the worse of the two. Every list of buckets holds each row of both samples once.
    """

    verdict: PsiVerdict
    psi: float | None = None
    decile_psi: float | None = None
    reference_rows: int
    current_rows: int
    buckets: list[Bucket]
    decile_buckets: list[Bucket] | None = None
    note: str | None = None

    @property
    def worst(self) -> float:
        """The larger index of the two; 0 where nothing was compared."""
        return max(self.psi or 0.0, self.decile_psi or 0.0)

    @property
    def telling(self) -> list[Bucket]:
        """The buckets that the verdict rests on: equal widths, unless the deciles say worse."""
        if self.decile_buckets is None or verdict_of(self.psi) == verdict_of(self.worst):
            return self.buckets
        return self.decile_buckets


def verdict_of(psi: float | None) -> PsiVerdict:
    """Name an index: stable below 0.10, minor below 0.25, major from there on."""
    if psi is None:
        return "insufficient_data"
    if psi < MINOR:
        return "stable"
    return "minor" if psi < MAJOR else "major"


def counted(values: Iterable[Value]) -> Counter[Value]:
    """Make a sample of single values; every NaN is `None`, for no NaN equals another."""
    return Counter(None if isinstance(value, float) and math.isnan(value) else value for value in values)


def categorical_psi(reference: Mapping[str, int], current: Mapping[str, int]) -> Psi:
    """Compare the shares of categories, over the union of both samples' categories."""
    names = sorted(name for name in {*reference, *current} if reference.get(name) or current.get(name))
    pairs = [(name, reference.get(name, 0), current.get(name, 0)) for name in names]
    return _compared(pairs, None)


def numeric_psi(reference: Mapping[Value, int], current: Mapping[Value, int], buckets: int = BUCKETS) -> Psi:
    """Compare numbers: over `buckets` equal widths from the least to the largest value of both, and over deciles.

    Missing values, and each infinity that occurs, are a bucket of their own: an infinity has no place among equal
    widths. Where all finite values are equal they are one bucket.
    """
    old, old_apart = _split(reference)
    new, new_apart = _split(current)
    apart = [(name, old_apart[name], new_apart[name]) for name in (_BELOW, _ABOVE, MISSING)]
    apart = [(name, p, q) for name, p, q in apart if p or q]
    widths = _placed(*_equal_widths({*old, *new}, min(max(buckets, FEWEST), MOST)), old, new)
    return _compared([*widths, *apart], [*_placed(*_deciles(old), old, new), *apart])


Pairs = list[tuple[str, int, int]]
"""Label, count in the reference, count in the current sample."""
Labels = list[str]
Place = Callable[[float], int]


def _split(sample: Mapping[Value, int]) -> tuple[dict[float, int], Counter[str]]:
    """Part the finite values from those that have no place among them."""
    finite: dict[float, int] = {}
    apart: Counter[str] = Counter()
    for value, count in sample.items():
        if count < 0:
            raise ValueError(f"a value cannot occur {count} times")
        if not count:
            continue
        number = math.nan if value is None else _float(value)
        if math.isnan(number):
            apart[MISSING] += count
        elif math.isinf(number):
            apart[_ABOVE if number > 0 else _BELOW] += count
        else:
            finite[number] = finite.get(number, 0) + count
    return finite, apart


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _equal_widths(values: set[float], buckets: int) -> tuple[Labels, Place]:
    if not values:
        return [], lambda _: 0
    low, high = min(values), max(values)
    # Two finite numbers can lie further apart than the largest one.
    scale = 1.0 if math.isfinite(high - low) else 0.25
    width = (high * scale - low * scale) / buckets
    if not width:
        return [_number(low, 15)], lambda _: 0
    edges = [low, *((low * scale + width * step) / scale for step in range(1, buckets)), high]
    return _ranges(edges), lambda value: min(int((value * scale - low * scale) / width), buckets - 1)


def _deciles(reference: Mapping[float, int]) -> tuple[Labels, Place]:
    """Cut at the reference's deciles, with open ends.

    A decile is the smallest value that at least a tenth (two tenths, …) of the sample does not exceed. A value that is
    several of them, for instance the only one, is a bucket of its own: else a move away from it, downwards, would show
    nowhere.
    """
    marks = Counter(_tenths(reference))
    if not marks:
        return ["any value"], lambda _: 0
    bounds = sorted(marks)
    digits = _digits(bounds)
    names = [_number(bound, digits) for bound in bounds]
    labels, above, at = [], [], []
    last = None
    for bound, name in zip(bounds, names, strict=True):
        alone = marks[bound] > 1
        labels.append(
            f"{'<' if alone else '≤'} {name}" if last is None else f"{last} to {'<' if alone else '≤'} {name}"
        )
        above.append(len(labels) - 1)
        if alone:
            labels.append(f"= {name}")
        at.append(len(labels) - 1)
        last = f"> {name}"
    labels.append(f"{last}")

    def place(value: float) -> int:
        mark = bisect_left(bounds, value)
        if mark == len(bounds):
            return len(labels) - 1
        return at[mark] if value == bounds[mark] else above[mark]

    return labels, place


def _tenths(sample: Mapping[float, int]) -> Iterable[float]:
    total, seen, tenth = sum(sample.values()), 0, 1
    for value in sorted(sample):
        seen += sample[value]
        while tenth < _TENTHS and seen * _TENTHS >= total * tenth:
            yield value
            tenth += 1


def _placed(labels: Labels, place: Place, old: Mapping[float, int], new: Mapping[float, int]) -> Pairs:
    reference, current = [0] * len(labels), [0] * len(labels)
    for sample, counts in ((old, reference), (new, current)):
        for value, count in sample.items():
            counts[place(value)] += count
    return list(zip(labels, reference, current, strict=True))


def _compared(pairs: Pairs, deciles: Pairs | None) -> Psi:
    reference, current = sum(p for _, p, _ in pairs), sum(q for _, _, q in pairs)
    found, by_decile = _buckets(pairs, reference, current), None
    if deciles is not None:
        by_decile = _buckets(deciles, reference, current)
    if not reference and not current:
        note, psi, decile_psi = "both samples are empty: n = 0", 0.0, None if by_decile is None else 0.0
    elif not reference or not current:
        note, psi, decile_psi = f"the {'current' if reference else 'reference'} sample is empty", None, None
    else:
        note, psi = None, _sum(found)
        decile_psi = None if by_decile is None else _sum(by_decile)
    return Psi(
        verdict=verdict_of(psi if psi is None or decile_psi is None else max(psi, decile_psi)),
        psi=psi,
        decile_psi=decile_psi,
        reference_rows=reference,
        current_rows=current,
        buckets=found,
        decile_buckets=by_decile,
        note=note,
    )


def _buckets(pairs: Pairs, reference: int, current: int) -> list[Bucket]:
    found = []
    for name, old, new in pairs:
        p, q = old / reference if reference else 0.0, new / current if current else 0.0
        clamped_p, clamped_q = max(p, EPSILON), max(q, EPSILON)
        moved = (clamped_q - clamped_p) * math.log(clamped_q / clamped_p) if reference and current else 0.0
        found.append(
            Bucket(bucket=name, reference=old, current=new, reference_share=p, current_share=q, contribution=moved)
        )
    return found


def _sum(buckets: Sequence[Bucket]) -> float:
    return math.fsum(bucket.contribution for bucket in buckets)


def _ranges(edges: Sequence[float]) -> Labels:
    digits = _digits(edges)
    names = [_number(edge, digits) for edge in edges]
    return [f"{low} to {high}" for low, high in pairwise(names)]


def _digits(numbers: Sequence[float]) -> int:
    """Give as few significant digits as tell the numbers apart, three at least."""
    for digits in range(3, 17):
        if len({_number(one, digits) for one in numbers}) == len(set(numbers)):
            return digits
    return 17


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}g}"
