"""The two pictures of the drift page: two histograms in one table, and an index day by day.

Here: pure functions from numbers to markup. Not here: which numbers (`gather.py`), colours (`drift.css`).
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from lakehouse.drift.psi import MAJOR, MINOR, Bucket, verdict_of
from lakehouse.report.charts import bar, row, table
from lakehouse.report.markup import Html, el, join

_WIDTH, _HEIGHT = 1000, 100
_LEAST_TOP, _TOP = 0.3, 1.0
"""The scale of an index ends between these: the thresholds are always seen, and one wild day hides no other."""


def histogram(caption: str, buckets: Sequence[Bucket]) -> Html:
    """Draw the shares of the reference and of the day under each bucket, to one scale; empty buckets are left out."""
    most = max((max(one.reference_share, one.current_share) for one in buckets), default=0.0)
    whole = round(most * 1_000_000)
    rows = [
        row(
            one.bucket,
            (_percent(one.reference_share), _percent(one.current_share)),
            chart=join(
                bar([("reference", round(one.reference_share * 1_000_000))], whole),
                bar([("current", round(one.current_share * 1_000_000))], whole),
            ),
        )
        for one in buckets
        if one.reference or one.current
    ]
    return table(caption, ("Bucket", "before", "this day"), rows, style="plain buckets")


def over_time(name: str, points: Sequence[tuple[str, float | None]], by_chance: Container[str] = ()) -> Html:
    """Draw the index of a thing: one dot per day on a line, the two thresholds across; a day without one is a gap.

    `by_chance`: the days on which chance alone moves it as far.
    """
    known = [value for _, value in points if value is not None]
    top = min(max(_LEAST_TOP, *known) * 1.05, _TOP) if known else _LEAST_TOP
    step = _WIDTH / max(len(points), 1)
    spots = [
        (step * (place + 0.5), _HEIGHT * (1 - min(value, top) / top), day, value)
        for place, (day, value) in enumerate(points)
        if value is not None
    ]
    lines = [
        el("path", class_=style, d=f"M0 {_HEIGHT * (1 - limit / top):.1f}H{_WIDTH}")
        for style, limit in (("limit minor", MINOR), ("limit major", MAJOR))
    ]
    trace = "".join(
        # Where the dot before is further than a day away, the line begins anew.
        f"{'M' if place == 0 or x - spots[place - 1][0] > step * 1.5 else 'L'}{x:.1f} {y:.1f}"
        for place, (x, y, _, _) in enumerate(spots)
    )
    dots = (
        # A line of no length with round ends is a dot that stays round however the picture is stretched.
        el(
            "path",
            el("title", f"{day}: {value:.3f}"),
            class_=f"dot {'chance' if day in by_chance else verdict_of(value)}",
            d=f"M{x:.1f} {y:.1f}h0",
        )
        for x, y, day, value in spots
    )
    told = ", ".join(f"{day} {'not compared' if value is None else f'{value:.2f}'}" for day, value in points)
    return el(
        "svg",
        *lines,
        el("path", class_="trace", d=trace) if len(spots) > 1 else None,
        *dots,
        class_="days",
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"PSI of {name} by day: {told}",
    )


def _percent(share: float) -> str:
    if 0 < share < 0.001:
        return "< 0.1%"
    return f"{share:.1%}"
