"""What the lake remembers of its replay reports, and comparing the newest of a way with one before it (`index/replays.json`).

Here: the numbers that are kept, which of them, and the means over the tasks that two reports share. Not here: the report itself
(`report.py`), what follows from a fall (`lakehouse.gates.replays`). A report lies in the reports folder, which may be anywhere;
the gate looks at the lake.

Reports are remembered by the way they came about (models, passages, corpus, measure): a person who tries another model takes
nothing from the comparison of the nights, and is compared with earlier tries of that model.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any, Final, Literal, NamedTuple

import msgspec

from lakehouse.chain.manifests import fingerprint
from lakehouse.chat.tiers import resolve_model
from lakehouse.errors import RecordError, UsageError
from lakehouse.files import locked
from lakehouse.jsonl import read_json, write_json
from lakehouse.lake import Lake
from lakehouse.records import Record
from lakehouse.replay.report import ReplayReport

FEW: Final = 5
"""Shared tasks below which two means are not compared: one odd answer would move them by a fifth."""
MOST_WAYS: Final = 20
MOST_BEFORE: Final = 5
"""Earlier reports of one way that are kept: the last may share too few tasks with the newest."""
MOST_TASKS: Final = 300
"""Similarities that are kept of one report, those of its newest tasks."""


class Setting(NamedTuple):
    """How it is replayed: models by name, no tiers, and how many passages a task gets to read."""

    model: str
    stronger: str | None
    passages: int

    def __str__(self) -> str:
        return f"{self.model}, stronger {self.stronger or 'none'}, {self.passages} passages"


class Told(Record, kw_only=True):
    """What a report said, as far as the gate needs it. `replays` are the ids of its rows in the log, newest task first.

    `similarities` are by task. `settings` names the lake's own setting where the report was made by it.
    """

    run_id: str
    finished_at: str
    settings: str | None = None
    model: str
    stronger: str | None = None
    passages: int
    corpus: str
    method: str
    tasks: int
    no_answer: int
    not_asked: int
    replays: list[str]
    compared: int
    mean: float | None = None
    similarities: dict[str, float]
    content: str

    @property
    def way(self) -> str:
        """How it came about, in words: only reports that came about alike can be compared."""
        return f"{Setting(self.model, self.stronger, self.passages)} of {self.corpus}, {self.method}"


class Shared(NamedTuple):
    """Two reports over the tasks that both hold: how many, and the mean similarity then and now.

    `same`: each task is as alike now as it was then.
    """

    before: Told
    tasks: int
    then: float
    now: float
    same: bool


class Way(Record, kw_only=True):
    """The newest report of one way, and those before it that said something else and compared enough, the newest first."""

    newest: Told
    before: list[Told]

    @property
    def shared(self) -> Shared | None:
        """The newest beside the last before it that has enough tasks in common with it, `None` without one.

        One that holds the very same answers to them is passed over where an earlier one does not: the same answers over fewer
        or more tasks are no news, and a fall is not over because somebody asked for another number.
        """
        found = [pair for one in self.before if (pair := shared(self.newest, one)) is not None]
        return next((pair for pair in found if not pair.same), found[0] if found else None)

    @property
    def comparison(self) -> str:
        """Say what the newest was compared with and what came of it, or why with nothing."""
        both = self.shared
        if both is not None:
            when = both.before.finished_at
            return (
                f"over the {both.tasks} tasks that the report of {when} holds too {both.now:.4f}, {both.then:.4f} then"
            )
        if not self.before:
            return f"no report of {FEW} tasks or more before it to compare with"
        most = max(len(_common(self.newest, one)) for one in self.before)
        return f"not compared with a report before it: at most {most} tasks are in both, and it takes {FEW}"


class Remembered(Record, kw_only=True):
    """`index/replays.json`: what is remembered by way, the way of the newest report first."""

    schema_version: Literal[2]
    ways: dict[str, Way]

    def of(self, settings: str) -> Way | None:
        """Give what is remembered of the newest report that was made by the lake's own setting of this name."""
        return next((one for one in self.ways.values() if one.newest.settings == settings), None)


def shared(now: Told, before: Told) -> Shared | None:
    """Hold two reports together over the tasks of both; `None` where they have fewer than 5 in common."""
    both = _common(now, before)
    if len(both) < FEW:
        return None
    then_mean, now_mean = (fmean(one.similarities[task] for task in both) for one in (before, now))
    same = all(now.similarities[task] == before.similarities[task] for task in both)
    return Shared(before, len(both), round(then_mean, 4), round(now_mean, 4), same)


def _common(now: Told, before: Told) -> set[str]:
    return now.similarities.keys() & before.similarities.keys()


def own_setting(lake: Lake, environ_models: Mapping[str, str] = {}) -> Setting:
    """Give the lake's own: what `[replay]` and `[models]` of lakehouse.toml say. How many tasks is no part of it.

    Without `environ_models`, the tiers as the environment names them, it is what the file alone says: that names it in reports.
    """
    said = lake.settings.replay
    model = _model(lake, environ_models, said.model)
    stronger = _model(lake, environ_models, said.stronger) if said.stronger else None
    return Setting(model, None if stronger == model else stronger, said.passages)


def _model(lake: Lake, environ_models: Mapping[str, str], name: str) -> str:
    try:
        return resolve_model(lake.settings, environ_models, name).model
    except UsageError:
        # Tiers in a circle: whoever replays by them is told; a name is all that is wanted here.
        return name


def state_path(lake: Lake) -> Path:
    """Where the lake remembers its newest reports."""
    return lake.root / "index" / "replays.json"


def remembered(lake: Lake) -> Remembered | None:
    """Give what is remembered, `None` where no report was made. Raises `RecordError`."""
    return read_json(state_path(lake), Remembered)


def remember(lake: Lake, report: ReplayReport) -> Way:
    """Remember a report as the newest of its way and of all; one that says what stands there changes no byte.

    Gives what is remembered of its way.
    """
    told = _told(report)
    with locked(lake.lock("replays")):
        try:
            held = remembered(lake)
        except RecordError:
            # The gate has said so; what is lost is what to compare with.
            held = None
        ways = held.ways if held is not None else {}
        way = _followed(ways.get(told.way), told)
        kept = _bounded({told.way: way, **{name: one for name, one in ways.items() if name != told.way}})
        if held is None or list(kept.items()) != list(ways.items()):
            write_json(state_path(lake), Remembered(schema_version=2, ways=kept))
    return way


def _followed(held: Way | None, told: Told) -> Way:
    if held is None:
        return Way(newest=told, before=[])
    if held.newest.content == told.content:
        # The same again. Whether that is the lake's own setting may have changed since.
        return Way(newest=msgspec.structs.replace(held.newest, settings=told.settings), before=held.before)
    earlier = [msgspec.structs.replace(held.newest, replays=[]), *held.before]
    # A night without answers, or a try over a few tasks, is nothing to compare with: it pushes nothing out.
    worth = [one for one in earlier if one.content != told.content and len(one.similarities) >= FEW]
    return Way(newest=told, before=worth[:MOST_BEFORE])


def _bounded(ways: dict[str, Way]) -> dict[str, Way]:
    """Keep the newest ways, and of those by the lake's own setting the newest, however many others were tried since."""
    names = list(ways)
    own = next((name for name in names if ways[name].newest.settings is not None), None)
    kept = names[:MOST_WAYS]
    if own is not None and own not in kept:
        kept[-1] = own
    return {name: ways[name] for name in kept}


def _told(report: ReplayReport) -> Told:
    compared = {row.task_id: row.similarity for row in report.rows if row.similarity is not None}
    rows: list[Any] = [(row.run.fingerprint, row.run.run_id, row.similarity) for row in report.rows]
    failed = [(one.task_id, one.kind) for one in report.no_answer]
    return Told(
        run_id=report.run_id,
        finished_at=report.finished_at,
        settings=report.settings,
        model=report.model,
        stronger=report.stronger,
        passages=report.passages,
        corpus=report.corpus,
        method=report.method,
        tasks=report.tasks,
        no_answer=len(report.no_answer),
        not_asked=report.not_asked,
        replays=[row.run.run_id for row in report.rows],
        compared=len(compared),
        mean=report.mean,
        similarities=_newest(compared.items()),
        content=fingerprint(report.method, rows, failed, report.not_asked),
    )


def _newest(similarities: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Give the first of the similarities: rows stand newest task first."""
    return dict(list(similarities)[:MOST_TASKS])
