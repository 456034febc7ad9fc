"""The gate on replays: whether the lake still answers what it answered.

Here: from the newest report, as the lake remembers it, and the log to a verdict. Not here: replaying (`lakehouse.replay`),
what is remembered and which tasks two reports share (`lakehouse.replay.memory`). It warns and holds nothing back: a model that
answers worse says nothing about the data.

Judged is the newest report by the lake's own setting: models and number of passages as `[replay]` of lakehouse.toml says. A
person who tries another model makes no warning of the lake, and takes none away.

It warns where less than 80 % of the tasks got an answer, where less than 80 % of the answers are valid, where an answer of the
report is not in the log any more, and where the mean similarity fell by more than 20 % since the last report before it that
came about alike (same measure, models, corpus and number of passages), over the tasks that both hold, if these are at least 5.
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
from lakehouse.replay.memory import Remembered, Shared, Told, Way, own_setting, remembered, state_path

CHECK: Final = "replays_hold"
VERSION: Final = "replays-2"
ASSET: Final = "replay_report"
LEAST_ANSWERED: Final = 0.8
LEAST_VALID: Final = 0.8
FALL: Final = 0.2

Offender = dict[str, object]


def replays_hold(lake: Lake, checked_at: str) -> Verdict:
    """Hold the newest report by the lake's own setting against the rules above. Without one it does not pass: nobody looked."""
    path, own = state_path(lake), str(own_setting(lake))
    try:
        held = remembered(lake)
    except RecordError as error:
        place = {"file": lake.relative(path), "line": 0, "why": error.what}
        return _verdict(lake, checked_at, 0, [place], "what is remembered of the reports cannot be read: replay again")
    way = held.of(own) if held is not None else None
    if held is None or way is None:
        others = f", only otherwise ({_newest(held).way})" if held is not None and held.ways else ""
        why = f"nothing was replayed yet as lakehouse.toml says ({own}){others}: run `lakehouse replay`"
        return _verdict(lake, checked_at, 0, [], why, passed=False)
    if not way.newest.tasks:
        return _verdict(lake, checked_at, 0, [], "there was no accepted task to replay", passed=False)
    rows = _rows(lake, way.newest)
    whys = [*_unanswered(lake, way.newest), *_invalid(lake, way.newest, rows), *_fallen(lake, way)]
    summary = _summary(held, way, rows)
    return _verdict(lake, checked_at, len(way.newest.replays), whys, summary, way=way)


def _newest(held: Remembered) -> Told:
    return next(iter(held.ways.values())).newest


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


def _fallen(lake: Lake, way: Way) -> list[Offender]:
    both = way.shared
    if both is None or both.then <= 0 or (both.then - both.now) / both.then <= FALL:
        return []
    why = (
        f"the mean similarity fell from {both.then:.4f} to {both.now:.4f}, by more than {FALL:.0%}, over the "
        f"{both.tasks} tasks that this report and that of {both.before.finished_at} both hold"
    )
    return [{"file": lake.relative(state_path(lake)), "line": 0, "why": why}]


def _summary(held: Remembered, way: Way, rows: dict[str, tuple[int, ReplayRun]]) -> str:
    now = way.newest
    valid = sum(run.validation.ok for _, run in rows.values())
    told = f"{len(now.replays)} of {now.tasks} tasks answered by {now.model}, as lakehouse.toml says, {valid} valid"
    if now.mean is not None:
        told += f", mean similarity {now.mean:.4f}"
    told = f"{told}; {_comparison(held, way)}"
    newest = _newest(held)
    if newest.run_id != now.run_id:
        told += f"; not judged: the report of {newest.finished_at}, made otherwise ({newest.way})"
    return told


def _comparison(held: Remembered, way: Way) -> str:
    """Say what the newest report was compared with, or why with none."""
    if way.before:
        return way.comparison
    earlier = [one.newest for one in held.ways.values() if one is not way and one.newest.settings is not None]
    for name, word in _WAYS.items() if earlier else ():
        if getattr(way.newest, name) != getattr(earlier[0], name):
            return f"not compared with the report before it: another {word}"
    return way.comparison


_WAYS: Final = {
    "method": "measure",
    "model": "model",
    "stronger": "stronger model",
    "corpus": "corpus",
    "passages": "number of passages",
}


def _verdict(
    lake: Lake,
    checked_at: str,
    rows_checked: int,
    offenders: list[Offender],
    summary: str,
    *,
    passed: bool | None = None,
    way: Way | None = None,
) -> Verdict:
    path = state_path(lake)
    first = f"{offenders[0]['why']}; {summary}" if offenders and way is not None else summary
    return verdict(
        CHECK,
        passed=not offenders if passed is None else passed,
        severity="WARN",
        rows_checked=rows_checked,
        summary=first,
        offenders=offenders,
        tables=None if way is None else {"reports": _table(way.newest, way.shared)},
        input_sha256=sha256_of(path) if path.exists() else "",
        code_version=VERSION,
        checked_at=checked_at,
    )


def _table(newest: Told, both: Shared | None) -> list[Offender]:
    """Give the reports that were compared, the earlier first, with the mean over all their tasks and over the shared ones."""
    columns = ("run_id", "finished_at", "model", "corpus", "method", "tasks", "compared", "mean")
    told = [(newest, both.now if both else None)]
    if both is not None:
        told.insert(0, (both.before, both.then))
    more = {"shared_tasks": both.tasks if both else 0}
    return [{**{name: getattr(one, name) for name in columns}, **more, "shared_mean": mean} for one, mean in told]


REPLAY_GATES: Final = (
    LakeGate(
        CHECK,
        replays_hold,
        "Of the newest accepted tasks, done again as [replay] says: at least 80 % got an answer, at least 80 % of the answers "
        "are valid, and over the tasks of both the mean similarity fell by at most 20 % since the report before.",
        blocks=False,
    ),
)
