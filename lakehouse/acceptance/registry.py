"""The 22 invariants as data, numbered as the specification numbers them.

Here: the list. Not here: what each looks at (`invariants_*.py`) and running them (`runner.py`). To add one, write a
function from a context to an outcome and list it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lakehouse.acceptance import invariants_exports as exports
from lakehouse.acceptance import invariants_planted as planted
from lakehouse.acceptance import invariants_receipts as receipts
from lakehouse.acceptance import invariants_rows as rows
from lakehouse.acceptance import invariants_verdicts as verdicts
from lakehouse.acceptance.rows import Context, Outcome


class Invariant(NamedTuple):
    """One invariant: its number, its name in plain words, and the function that looks."""

    number: int
    name: str
    look: Callable[[Context], Outcome]


INVARIANTS: tuple[Invariant, ...] = (
    Invariant(1, "Same input, same run hash", rows.same_input_same_hash),
    Invariant(2, "Running a day again rewrites nothing", rows.rerun_rewrites_nothing),
    Invariant(3, "The order of streams and days does not matter", rows.order_does_not_matter),
    Invariant(4, "Line 0 of each stream is there, with line_offset 0", rows.line_zero_is_there),
    Invariant(5, "A duplicate row is kept once and counted", rows.duplicates_kept_once),
    Invariant(6, "A malformed row is quarantined, its neighbours are not", rows.malformed_quarantined_alone),
    Invariant(7, "Late rows reach their own day", rows.late_rows_reach_their_day),
    Invariant(8, "Every evidence record has resolvable provenance", rows.provenance_resolves),
    Invariant(9, "Every evidence record has exactly one verdict", verdicts.one_verdict_each),
    Invariant(10, "Every verdict has a reason", verdicts.every_verdict_has_a_reason),
    Invariant(11, "The scorer's truth table holds", verdicts.truth_table_holds),
    Invariant(12, "Python and SQL scorers agree", verdicts.both_scorers_agree),
    Invariant(13, "rejected never in SFT", exports.rejected_never_in_sft),
    Invariant(14, "needs_human_review never in SFT", exports.review_never_in_sft),
    Invariant(15, "Extraction never in SFT", exports.extraction_never_in_sft),
    Invariant(16, "An SSN or a key never in any export", planted.secrets_never_leave),
    Invariant(17, "A held-out overlap never in SFT", planted.held_out_never_in_sft),
    Invariant(18, "Each sample matches its template byte for byte", exports.samples_match_their_template),
    Invariant(19, "RAG holds no rejected run, and chunks rebuild the text", exports.rag_rebuilds_text),
    Invariant(20, "Preference pairs are strictly ordered within a task", exports.pairs_are_strictly_ordered),
    Invariant(21, "Receipts balance, and their hashes match the files", receipts.receipts_balance),
    Invariant(22, "The gates can fail: planted faults are caught", receipts.gates_can_fail),
)
