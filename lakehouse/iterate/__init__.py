"""Asking a model until its answer is valid, at most a few times.

Here: generate, extract, validate, ask again. Not here: validators (`lakehouse.validators`), the log (`lakehouse.sessions`).
"""

from __future__ import annotations

from lakehouse.iterate.loop import iterate
from lakehouse.iterate.session import DAEMON, FILL, AttemptSeen, IterateOutcome, IterateRequest, Validate
from lakehouse.iterate.session_ids import session_id

__all__ = ["DAEMON", "FILL", "AttemptSeen", "IterateOutcome", "IterateRequest", "Validate", "iterate", "session_id"]
