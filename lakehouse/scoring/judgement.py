"""What a scorer says, and the few steps that all scorers share.

Here: the shape of a judgement, how signals become one verdict, reading markers and numbers. Not here: what a value is
worth (`reviews.py`, `telemetry.py`, `extraction.py`), overrides and signatures (`__init__.py`).

A *signal* is a category with its reasons. A *verdict* says by itself how good the run was; a *remark* only qualifies
that (a number out of range, no text, too slow). The worst signal wins; verdicts that differ are a `verdict_conflict`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from lakehouse.records import Category, EvidenceRecord

Signal = tuple[Category, tuple[str, ...]]
SubScores = dict[str, float | bool | str]

ACCEPTED: Final = "accepted"
PARTIAL: Final = "partially_accepted"
REVIEW: Final = "needs_human_review"
REJECTED: Final = "rejected"
RANK: dict[Category, int] = {ACCEPTED: 0, PARTIAL: 1, REVIEW: 2, REJECTED: 3}
"""How bad each category is; where several signals speak, the highest rank wins."""

EMPTY_TEXT: Signal = (REJECTED, ("empty_text", "there is no text"))
NO_VERDICT: Signal = (REVIEW, ("no_verdict", "nothing says how good it was"))
MAX_DIGITS: Final = 15
MAX_COUNT: Final = 10**MAX_DIGITS - 1
"""The largest count that is believed: what 15 digits hold, so that every reader of JSON keeps it exactly."""


class Judgement(msgspec.Struct, gc=False):
    """A category, its reasons (machine codes and words, at least one), and the numbers it was made from, by name."""

    category: Category
    reasons: list[str]
    sub_scores: SubScores


def settle(verdicts: Sequence[Signal], remarks: Sequence[Signal], sub_scores: SubScores) -> Judgement:
    """Make one judgement of all signals, of which there is at least one: the worst wins, every reason is kept."""
    if len(verdicts) == 1 and not remarks:
        category, reasons = verdicts[0]
        return Judgement(category, list(reasons), sub_scores)
    signals = [*verdicts, *remarks]
    # An ordered set: a marker that stands twice is one reason.
    unique = dict.fromkeys(reason for _, reasons in signals for reason in reasons)
    if len({category for category, _ in verdicts}) > 1:
        unique["verdict_conflict"] = None
    worst = max((category for category, _ in signals), key=RANK.__getitem__)
    return Judgement(worst, list(unique), sub_scores)


def unknown(field: str, value: str) -> Signal:
    """Give the signal of a value that no rule names."""
    return REVIEW, (f"unknown_{field}:{value}", f"no rule names this {field}")


def bad_value(field: str, expected: str) -> Signal:
    """Give the signal of a value that is out of its range or of the wrong kind."""
    return REVIEW, (f"bad_value:{field}", f"{field} is not {expected}")


def markers(evidence: EvidenceRecord) -> list[str]:
    """Give all markers: the scorers read a marker for what it says, on whichever side it stands."""
    if not evidence.failure_markers:
        return evidence.success_markers
    return [*evidence.success_markers, *evidence.failure_markers]


def is_blank(text: str) -> bool:
    """Say whether a text is empty or white space (Unicode's) only."""
    return not text or text.isspace()


def count_in(digits: str) -> int | None:
    """Read a count of at most 15 ASCII digits, or give `None`."""
    return int(digits) if len(digits) <= MAX_DIGITS and digits.isascii() and digits.isdigit() else None


def fraction(value: object, field: str, remarks: list[Signal], sub_scores: SubScores) -> float | None:
    """Record a number from 0 to 1 as sub-score `field`; anything else but `None` is remarked and gives `None`."""
    if value is None:
        return None
    # The exact types: a boolean is an int in Python, and no number in JSON.
    if (type(value) is float or type(value) is int) and 0 <= value <= 1:
        sub_scores[field] = number = float(value)
        return number
    remarks.append(bad_value(field, "a number from 0 to 1"))
    return None


def count(value: object, field: str, remarks: list[Signal]) -> float | None:
    """Read a number that is not negative (a count, milliseconds); anything else but `None` is remarked."""
    if value is None:
        return None
    if (type(value) is float or type(value) is int) and 0 <= value <= MAX_COUNT:
        return float(value)
    remarks.append(bad_value(field, f"a number from 0 to {MAX_COUNT}"))
    return None
