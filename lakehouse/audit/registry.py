"""The phases of an audit, in order, with the checks that each must give.

Here: the list. Not here: what a phase looks at (a module each).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lakehouse.audit.evidence import evidence
from lakehouse.audit.exports import exports
from lakehouse.audit.invariants import invariants
from lakehouse.audit.model import AuditCheck
from lakehouse.audit.reach import reach
from lakehouse.audit.replays import replays
from lakehouse.audit.runs import runs
from lakehouse.audit.schemas import schemas
from lakehouse.audit.scope import Scope
from lakehouse.audit.scored import scored


@dataclass(frozen=True)
class Phase:
    """A phase: what it looks at in a few words, its function, and the checks that fail the audit when they fail."""

    number: int
    name: str
    look: Callable[[Scope], Iterator[AuditCheck]]
    required: tuple[str, ...]


PHASES = (
    Phase(0, "lake and checkout", reach, ("lake_reachable", "git_commit_known")),
    Phase(1, "record schemas", schemas, ("schemas_round_trip", "files_decode")),
    Phase(2, "evidence", evidence, ("evidence_present", "provenance_complete", "rows_match_receipt")),
    Phase(3, "scored runs", scored, ("every_evidence_scored", "reasons_present")),
    Phase(4, "exports", exports, ("zero_contamination", "sft_nonempty_or_explained")),
    Phase(5, "runs and receipts", runs, ("summary_valid", "receipts_valid")),
    Phase(6, "acceptance", invariants, ("invariants_hold",)),
    Phase(7, "replays", replays, ("replay_log_valid",)),
)
