"""For the views: sessions as two runtimes write them, and one function that asks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lakehouse.views.asking import ask

Row = dict[str, Any]


def attempt(iteration: int, verdict: str, **more: Any) -> Row:
    return {"iteration": iteration, "verdict": verdict, "latency_ms": 800, **more}


def session(name: str, *verdicts: str, end: str | None = None, **more: Any) -> Row:
    """A session with these attempts; accepted where the last one is, unless `end` says otherwise."""
    last = verdicts[-1] if verdicts else "infra_error"
    verdict = end or {"accepted": "accepted", "infra_error": "infra_error"}.get(last, "max_iter_exhausted")
    return {
        "schema": "session.iterate.v1",
        "session_id": name,
        "timestamp": "2026-05-02T10:00:00.000Z",
        "daemon": "lakehouse",
        "kind": "fill",
        "provider": "ollama",
        "model": "qwen2.5",
        "prompt": "Fill C-1",
        "max_iterations": 3,
        "iterations": len(verdicts),
        "verdict": verdict,
        "attempts": [attempt(place, one) for place, one in enumerate(verdicts)],
        **({"grounded_in_roster": True} if verdict == "accepted" else {}),
        "duration_ms": 900,
        **more,
    }


@pytest.fixture
def rows(lab: Any) -> Callable[[str], list[tuple[Any, ...]]]:
    """Ask the lake of `lab`."""
    return lambda sql: ask(lab.lake, sql).rows
