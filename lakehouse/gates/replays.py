"""The gate on replays: whether the lake still answers what it answered.

Here: from the newest report, as the lake remembers it, and the log to a verdict. Not here: replaying (`lakehouse.replay`). It
warns and holds nothing back: a model that answers worse says nothing about the data.

It warns where less than 80 % of the tasks got an answer, where less than 80 % of the answers are valid, where an answer of the
report is not in the log any more, and where the mean similarity fell by more than 20 % since the last report before it that
came about alike (same method, models, corpus and number of passages), if both compared at least 5 tasks.
"""

from __future__ import annotations

from typing import Final

from lakehouse.errors import RecordError
from lakehouse.files import sha256_of
from lakehouse.gates.lake_gate import LakeGate
from lakehouse.gates.verdicts import verdict
from lakehouse.lake import Lake
from lakehouse.records import ReplayRun, Verdict
from lakehouse.replay.log import ours
from lakehouse.replay.report import Remembered, Told, remembered, state_path

CHECK: Final = "replays_hold"
VERSION: Final = "replays-1"
ASSET: Final = "replay_report"
LEAST_ANSWERED: Final = 0.8
LEAST_VALID: Final = 0.8
FALL: Final = 0.2
FEW: Final = 5
"""Compared tasks below which a mean says nothing: one odd answer would move it by a fifth."""

Offender = dict[str, object]


def replays_hold(lake: Lake, checked_at: str) -> Verdict:
    """Hold the newest replay report against the rules above. Without any report it does not pass: nobody looked."""
    path = state_path(lake)
    try:
        held = remembered(lake)
    except RecordError as error:
        place = {"file": lake.relative(path), "line": 0, "why": error.what}
        return _verdict(lake, checked_at, 0, [place], "what is remembered of the reports cannot be read: replay again")
    if held is None:
        return _verdict(lake, checked_at, 0, [], "nothing was replayed yet: run `lakehouse replay`", passed=False)
    if not held.newest.tasks:
        return _verdict(lake, checked_at, 0, [], "there was no accepted task to replay", passed=False)
    rows = _rows(lake, held.newest)
    whys = [*_unanswered(lake, held.newest), *_invalid(lake, held.newest, rows), *_fallen(lake, held)]
    return _verdict(lake, checked_at, len(held.newest.replays), whys, _summary(held, rows), held=held)


def _rows(lake: Lake, told: Told) -> dict[str, tuple[int, ReplayRun]]:
    """Give the rows of a report that the log holds, with their line, by id."""
    wanted = set(told.replays)
    return {run.run_id: (line, run) for line, _, run in ours(lake, lambda _: None) if run.run_id in wanted}


def _unanswered(lake: Lake, told: Told) -> list[Offender]:
    if len(told.replays) >= LEAST_ANSWERED * told.tasks:
        return []
    why = f"only {len(told.replays)} of {told.tasks} tasks got an answer: {told.no_answer} calls failed"
    return [{"file": lake.relative(state_path(lake)), "line": 0, "why": why}]


def _invalid(lake: Lake, told: Told, rows: dict[str, tuple[int, ReplayRun]]) -> list[Offender]:
    name = lake.relative(lake.replays)
    lost = [one for one in dict.fromkeys(told.replays) if one not in rows]
    found: list[Offender] = [
        {"file": name, "line": 0, "why": f"replay {one} of the newest report is not in the log any more"}
        for one in lost
    ]
    wrong = [(line, run) for line, run in rows.values() if not run.validation.ok]
    if rows and len(rows) - len(wrong) < LEAST_VALID * len(rows):
        found += [{"file": name, "line": line, "why": f"not valid: {run.task_id}"} for line, run in wrong]
    return found


def _fallen(lake: Lake, held: Remembered) -> list[Offender]:
    now, before = held.newest, _before(held)
    if before is None or _incomparable(now, before) or now.mean is None or before.mean is None:
        return []
    if before.mean <= 0 or (before.mean - now.mean) / before.mean <= FALL:
        return []
    why = f"the mean similarity fell from {before.mean:.4f} to {now.mean:.4f}, by more than {FALL:.0%}"
    return [{"file": lake.relative(state_path(lake)), "line": 0, "why": why}]


def _before(held: Remembered) -> Told | None:
    """Give the report to compare the newest with: the last that came about alike, else the last, which says why not."""
    alike = (one for one in held.before if one.way == held.newest.way)
    return next(alike, held.before[0] if held.before else None)


def _incomparable(now: Told, before: Told) -> str | None:
    """Say why two reports cannot be compared, `None` where they can."""
    for name, word in _WAYS.items():
        if getattr(now, name) != getattr(before, name):
            return f"another {word}"
    return f"fewer than {FEW} tasks" if min(now.compared, before.compared) < FEW else None


_WAYS: Final = {
    "method": "measure",
    "model": "model",
    "stronger": "stronger model",
    "corpus": "corpus",
    "passages": "number of passages",
}


def _summary(held: Remembered, rows: dict[str, tuple[int, ReplayRun]]) -> str:
    now, before = held.newest, _before(held)
    valid = sum(run.validation.ok for _, run in rows.values())
    told = f"{len(now.replays)} of {now.tasks} tasks answered by {now.model}, {valid} valid"
    if now.mean is not None:
        told += f", mean similarity {now.mean:.4f}"
    if before is None:
        return f"{told}; no report before it to compare with"
    why = _incomparable(now, before)
    return f"{told}; not compared with the report before: {why}" if why else f"{told}; {before.mean:.4f} before"


def _verdict(
    lake: Lake,
    checked_at: str,
    rows_checked: int,
    offenders: list[Offender],
    summary: str,
    *,
    passed: bool | None = None,
    held: Remembered | None = None,
) -> Verdict:
    path = state_path(lake)
    told = [] if held is None else [one for one in (_before(held), held.newest) if one is not None]
    columns = ("run_id", "finished_at", "model", "corpus", "method", "tasks", "compared", "mean")
    first = f"{offenders[0]['why']}; {summary}" if offenders and held is not None else summary
    return verdict(
        CHECK,
        passed=not offenders if passed is None else passed,
        severity="WARN",
        rows_checked=rows_checked,
        summary=first,
        offenders=offenders,
        tables={"reports": [{name: getattr(one, name) for name in columns} for one in told]} if told else None,
        input_sha256=sha256_of(path) if path.exists() else "",
        code_version=VERSION,
        checked_at=checked_at,
    )


REPLAY_GATES: Final = (
    LakeGate(
        CHECK,
        replays_hold,
        "Of the newest accepted tasks, done again: at least 80 % got an answer, at least 80 % of the answers are valid, and "
        "the mean similarity to what was accepted fell by at most 20 % since the report before.",
        blocks=False,
    ),
)
