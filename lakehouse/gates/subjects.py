"""The gate on the logs of subjects: every one of them holds, and ends where its anchor says.

Here: from the logs of a lake to a verdict. Not here: verifying one (`lakehouse.subjects`), what each kind means
(docs/subjects.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple

from lakehouse.chain.manifests import fingerprint
from lakehouse.errors import UsageError
from lakehouse.gates.verdicts import verdict
from lakehouse.lake import Lake
from lakehouse.records import Verdict
from lakehouse.subjects.checks import Checked, remember, unlooked
from lakehouse.subjects.checks import verify_all as checked_all
from lakehouse.subjects.memory import forgotten
from lakehouse.subjects.places import open_subjects
from lakehouse.subjects.reading import CannotRead
from lakehouse.subjects.verify import Fault

ASSET: Final = "subject_audit"
CHECK: Final = "chains_verify"
VERSION: Final = "subjects-2"


def verify_all(lake: Lake, keys: Path, anchors: Path) -> list[Checked]:
    """Verify the log of every subject. Raises `UsageError` where keys or anchors lie in the lake, `OutsideFailure`."""
    return list(checked_all(open_subjects(lake, keys, anchors)))


def chains_verify(lake: Lake, now: str, keys: Path, anchors: Path) -> Verdict:
    """Verify every subject's log: red where one does not hold, a warning where one is ahead of its anchor or manifest.

    A key that is missing is red and named, for a log that nobody can verify proves nothing; so is a file that cannot be
    read, and keys or anchors in the lake. What was seen is remembered, and what is less than at the last look is red.
    Without a subject no row is checked, and the summary says so.
    """
    try:
        subjects = open_subjects(lake, keys, anchors)
    except UsageError as error:
        # A link can lead keys or anchors into the lake: a verdict that was green once may not outlive that.
        return verdict_on([unlooked(error)], now)
    found = list(checked_all(subjects))
    forgetful = remember(subjects, found)
    try:
        excused = len(forgotten(lake))
    except CannotRead:
        # Then what is remembered could not be read either, which is red already.
        excused = 0
    return verdict_on([*found, forgetful] if forgetful else found, now, excused)


def verdict_on(checked: Iterable[Checked], now: str, excused: int = 0) -> Verdict:
    """Make the verdict on logs that were verified; `excused` is how often somebody let go of one."""
    found = list(checked)
    broken = [(one, one.found.error) for one in found if one.found.error is not None]
    warned = [(one, warning) for one in found for warning in one.found.warnings]
    return verdict(
        CHECK,
        passed=not broken and not warned,
        severity="WARN" if warned and not broken else "ERROR",
        rows_checked=sum(one.found.count for one in found),
        summary=_summary(found, broken, warned) + (f"; {excused} forgotten on somebody's word" if excused else ""),
        offenders=[_offender(one, fault) for one, fault in [*broken, *warned]],
        tables={"subjects": [_plain(one) for one in found]} if found else None,
        input_sha256=fingerprint([one.plain() for one in found]),
        code_version=VERSION,
        checked_at=now,
    )


def _summary(found: list[Checked], broken: list[tuple[Checked, Fault]], warned: list[tuple[Checked, Fault]]) -> str:
    if not found:
        return "there are no subjects yet, so no row was verified"
    rows = sum(one.found.count for one in found)
    named = "; ".join(f"{one.subject_id or one.file} {fault.kind}" for one, fault in (broken or warned)[:3])
    more = len(broken or warned) - 3
    named += f" and {more} more" if more > 0 else ""
    if broken:
        keys = sorted({fault.why for _, fault in broken if fault.kind in ("missing_key", "short_key")})
        why = f" ({keys[0]})" if keys else ""
        return f"{len(broken)} of {len(found)} logs do not hold: {named}{why}. docs/subjects.md says what to do"
    if warned:
        return f"all {len(found)} logs hold, {rows:,} rows; to be brought up: {named}"
    return f"all {len(found)} logs hold and end where their anchors say, {rows:,} rows"


def _offender(one: Checked, fault: Fault) -> dict[str, Any]:
    return {"file": one.file, "line": fault.line, "kind": fault.kind, "why": fault.why}


def _plain(one: Checked) -> dict[str, Any]:
    """Give a row of the table, the same columns for all."""
    error = one.found.error
    return {
        "subject": one.subject_id,
        "rows": one.found.count,
        "verified": one.found.verified,
        "tip": one.found.tip[:16],
        "line": error.line if error else None,
        "kind": error.kind if error else ", ".join(warning.kind for warning in one.found.warnings),
    }


class SubjectGate(NamedTuple):
    """A gate on the logs of all subjects: `look` goes from lake, time, keys' folder and anchors' folder to a verdict."""

    name: str
    look: Callable[[Lake, str, Path, Path], Verdict]
    description: str
    blocks: bool


SUBJECT_GATES: Final = (
    SubjectGate(
        CHECK,
        chains_verify,
        "Every row of every subject's log is signed and follows the one before it, and each log ends where its anchor says.",
        blocks=True,
    ),
)
