"""Metric drift: the metrics of a baseline against those of the one before.

Here: comparing two sets of metrics. Not here: reading baselines (`lakehouse.baseline`) and what follows from a warning
(`lakehouse.gates.metric_drift`). Source: specification 03, "Metric drift between baselines".
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Literal

from lakehouse.records import Number, Record

THRESHOLD = Fraction(1, 5)
"""The change that is still ok."""


class MetricDrift(Record, kw_only=True):
    """How a metric moved. `pct_change` is in percent of the prior value (12 to 82 is 583.33), where there is one."""

    metric: str
    prior: Number | None = None
    current: Number
    pct_change: float | None = None
    flag: Literal["first_run", "ok", "warn"]


def metric_drift(prior: Mapping[str, Number] | None, current: Mapping[str, Number]) -> list[MetricDrift]:
    """Compare every current metric with the prior one, sorted by name; `prior` is `None` where there is no baseline.

    `first_run`: the prior baseline lacks the metric. `warn`: it changed by more than 20 %, or is no longer 0. A change
    is reckoned in exact fractions of the numbers as they are written, so that exactly 20 % is ok.
    """
    return [_moved(name, None if prior is None else prior.get(name), current[name]) for name in sorted(current)]


def gone(prior: Mapping[str, Number] | None, current: Mapping[str, Number]) -> list[str]:
    """List the metrics that the prior baseline has and the current one has not: no table row would tell of them."""
    return sorted(set(prior or ()) - set(current))


def _moved(name: str, prior: Number | None, current: Number) -> MetricDrift:
    if prior is None:
        return MetricDrift(metric=name, current=current, flag="first_run")
    before, now = Fraction(str(prior)), Fraction(str(current))
    if not before:
        return MetricDrift(metric=name, prior=prior, current=current, flag="warn" if now else "ok")
    change = (now - before) / abs(before)
    flag: Literal["ok", "warn"] = "warn" if abs(change) > THRESHOLD else "ok"
    try:
        percent = float(100 * change)
    except OverflowError:
        percent = None  # no JSON number is as large
    return MetricDrift(metric=name, prior=prior, current=current, pct_change=percent, flag=flag)
