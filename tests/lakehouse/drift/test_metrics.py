"""Metric drift: every edge of its definition as a table, and the known drift between two baselines."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.drift.metrics import gone, metric_drift

numbers = st.one_of(st.integers(0, 10**12), st.floats(0, 1e12, allow_nan=False))
metrics = st.dictionaries(st.text(max_size=3), numbers, max_size=6)


@pytest.mark.parametrize(
    ("prior", "current", "pct_change", "flag"),
    [
        (None, 5, None, "first_run"),
        (None, 0, None, "first_run"),
        (0, 0, None, "ok"),
        (0, 1, None, "warn"),
        (0.0, 0.5, None, "warn"),
        (100, 100, 0.0, "ok"),
        (100, 120, 20.0, "ok"),
        (100, 80, -20.0, "ok"),
        (100, 121, 21.0, "warn"),
        (100, 79, -21.0, "warn"),
        (3, 3.6, 20.0, "ok"),
        (0.3, 0.36, 20.0, "ok"),
        (10000, 12001, 20.01, "warn"),
        (5, 0, -100.0, "warn"),
        (12, 82, 583.3333, "warn"),
    ],
)
def test_a_metric_is_flagged(prior: Any, current: Any, pct_change: float | None, flag: str) -> None:
    (row,) = metric_drift(None if prior is None else {"m": prior}, {"m": current})
    assert (row.metric, row.prior, row.current, row.flag) == ("m", prior, current, flag)
    assert row.pct_change == (None if pct_change is None else pytest.approx(pct_change, abs=1e-4))


def test_the_drift_between_the_first_and_the_last_of_seven_known_baselines() -> None:
    p3 = ("p3_accepted", "p3_human", "p3_partial", "p3_rejected")
    first = {"p2_evidence_rows": 12, **dict.fromkeys(p3, 0), "p4_rag_rows": 448, "p4_sft_rows": 353}
    last = {"p2_evidence_rows": 82, "p3_accepted": 386, "p3_human": 480, "p3_partial": 132, "p3_rejected": 57}
    last |= {"p4_rag_rows": 448, "p4_sft_rows": 353}
    rows = {row.metric: row for row in metric_drift(first, last)}
    assert rows["p2_evidence_rows"].flag == "warn"
    assert rows["p2_evidence_rows"].pct_change is not None
    assert round(rows["p2_evidence_rows"].pct_change) == 583
    assert [(rows[name].flag, rows[name].pct_change) for name in p3] == [("warn", None)] * 4
    assert [(rows[name].flag, rows[name].pct_change) for name in ("p4_rag_rows", "p4_sft_rows")] == [("ok", 0.0)] * 2


def test_a_metric_that_is_not_measured_any_more_is_named_apart() -> None:
    assert gone({"a": 1, "b": 2}, {"b": 2, "c": 3}) == ["a"]
    assert gone(None, {"a": 1}) == []
    assert [row.metric for row in metric_drift({"a": 1, "b": 2}, {"b": 2, "c": 3})] == ["b", "c"]


def test_a_change_that_no_number_holds_warns_without_a_percentage() -> None:
    (row,) = metric_drift({"m": 5e-324}, {"m": 1e308})
    assert (row.flag, row.pct_change) == ("warn", None)


@given(metrics, metrics)
def test_every_current_metric_stands_once_sorted_by_name(prior: dict[str, Any], current: dict[str, Any]) -> None:
    rows = metric_drift(prior, current)
    assert [row.metric for row in rows] == sorted(current)
    assert all(row.pct_change is None or math.isfinite(row.pct_change) for row in rows)
    assert all((row.flag == "first_run") == (row.metric not in prior) for row in rows)
    assert all(row.flag != "warn" for row in metric_drift(current, current))
