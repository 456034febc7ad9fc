"""Records of sessions for tests, and lakes that hold them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lakehouse.jsonl import encode
from lakehouse.lake import Lake
from lakehouse.records import SessionRecord


def session(*attempts: str, **changes: Any) -> SessionRecord:
    """A session whose attempts ended so; without any, it was accepted at once."""
    ends = attempts or ("accepted",)
    verdict = {"accepted": "accepted", "infra_error": "infra_error"}.get(ends[-1], "max_iter_exhausted")
    given: dict[str, Any] = {
        "schema": "session.iterate.v1",
        "session_id": "18abbabdc2306a83-c2306aa9",
        "timestamp": "2026-05-02T10:00:00.000Z",
        "daemon": "lakehouse",
        "kind": "fill",
        "provider": "ollama",
        "model": "qwen2.5:latest",
        "prompt": "two welders",
        "max_iterations": max(3, len(ends)) if verdict != "max_iter_exhausted" else len(ends),
        "iterations": len(ends),
        "verdict": verdict,
        "attempts": [
            {
                "iteration": place,
                "verdict": end,
                "error": None if end == "accepted" else f"wrong {place}",
                "latency_ms": 5,
            }
            for place, end in enumerate(ends)
        ],
        "artifact": {"fills": []} if verdict == "accepted" else None,
        "grounded_in_roster": True if verdict == "accepted" and changes.get("kind", "fill") == "fill" else None,
        "duration_ms": 9,
    }
    return msgspec.convert({**given, **changes}, SessionRecord)


class Book:
    """A lake with a log of sessions."""

    def __init__(self, root: Path) -> None:
        self.lake = Lake(root)
        self.path = self.lake.sessions
        (root / "_kb").mkdir(parents=True)

    def write(self, *lines: SessionRecord | bytes, end: bytes = b"\n") -> None:
        raw: Sequence[bytes] = [line if isinstance(line, bytes) else encode(line) for line in lines]
        with self.path.open("ab") as log:
            log.write(b"\n".join(raw) + end)


@pytest.fixture
def book(tmp_path: Path) -> Book:
    return Book(tmp_path / "lake")
