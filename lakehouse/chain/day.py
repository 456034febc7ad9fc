"""Making whole days: one stage over all streams of one or many days, in as many processes as the machine has.

Here: cutting days into units of work, joining what the streams' units wrote, the manifest of each day. Not here: the
work itself (`stages.py`, `fused.py`), gates, publishing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

from lakehouse import engine
from lakehouse.chain import collect as collecting
from lakehouse.chain import fused, score, sft, stages
from lakehouse.chain.manifests import (
    VERSIONS,
    collect_fingerprint,
    read_manifest,
    score_fingerprint,
    sft_fingerprint,
    waits_for_mending,
    write_manifest,
)
from lakehouse.chain.task import StreamDay, StreamResult
from lakehouse.errors import UsageError
from lakehouse.files import TEMPORARY_SUFFIX, locked, remove
from lakehouse.firewall import check_file
from lakehouse.index import LineIndex, load
from lakehouse.jsonl import JsonlWriter
from lakehouse.lake import Lake
from lakehouse.overrides import load_overrides
from lakehouse.records import DayManifest, FileRef, OverrideRow
from lakehouse.stamps import cut_sample

Done = Callable[[StreamDay], None]
W = TypeVar("W")
M = TypeVar("M")
_BATCH = 32
"""Days worked on at once: each holds a lock, and each process at most one stream's day in memory."""


def collect(lake: Lake, days: Sequence[str], now: str, done: Done = lambda task: None) -> list[DayManifest]:
    """Make the evidence of days from their rows. The line index says which those are and must be up to date.

    A day that has rows of a rewritten stream is left as it was made before, if it was, until the stream is mended.
    """
    indexes = {name: load(lake, name) for name in lake.streams}

    def finish(day: str, tasks: list[StreamDay], results: list[StreamResult]) -> DayManifest:
        return _collected(lake, day, indexes, tasks, results)

    def plan(day: str) -> list[StreamDay]:
        return _tasks(lake, day, indexes, now)

    def leave(day: str) -> DayManifest | None:
        return read_manifest(lake, collecting.STAGE, day) if waits_for_mending(day, indexes) else None

    return _each_batch(lake, days, plan, stages.collect, finish, done, leave)


def score_days(lake: Lake, days: Sequence[str], now: str, done: Done = lambda task: None) -> list[DayManifest]:
    """Make the scored runs of days from their evidence."""
    indexes = {name: load(lake, name) for name in lake.streams}
    overrides = load_overrides(lake)

    def plan(day: str) -> list[StreamDay]:
        _needed(lake, collecting.STAGE, day)
        return _with_evidence(_tasks(lake, day, indexes, now, overrides, broken=True))

    def finish(day: str, _: list[StreamDay], results: list[StreamResult]) -> DayManifest:
        evidence = _needed(lake, collecting.STAGE, day)
        return _scored(lake, evidence, results, overrides)

    return _each_batch(lake, days, plan, stages.score, finish, done)


def make_samples(lake: Lake, days: Sequence[str], now: str, done: Done = lambda task: None) -> list[DayManifest]:
    """Make the SFT day parts from evidence and scored runs."""
    indexes = {name: load(lake, name) for name in lake.streams}

    def plan(day: str) -> list[StreamDay]:
        _needed(lake, score.STAGE, day)
        return _with_evidence(_tasks(lake, day, indexes, now, broken=True))

    def finish(day: str, tasks: list[StreamDay], results: list[StreamResult]) -> DayManifest:
        return _sampled(lake, day, tasks, results)

    return _each_batch(lake, days, plan, stages.samples, finish, done)


def distill(lake: Lake, days: Sequence[str], now: str, done: Done = lambda task: None) -> list[DayManifest]:
    """Make evidence, scored runs and samples of days in one pass over the rows; the bytes are those of the stages."""
    indexes = {name: load(lake, name) for name in lake.streams}
    overrides = load_overrides(lake)

    def plan(day: str) -> list[StreamDay]:
        return _tasks(lake, day, indexes, now, overrides)

    def leave(day: str) -> list[DayManifest] | None:
        made = [read_manifest(lake, stage, day) for stage in VERSIONS] if waits_for_mending(day, indexes) else [None]
        whole = [manifest for manifest in made if manifest is not None]
        return whole if len(whole) == len(VERSIONS) else None

    def finish(day: str, tasks: list[StreamDay], results: list[list[StreamResult]]) -> list[DayManifest]:
        evidence = _collected(lake, day, indexes, tasks, [three[0] for three in results])
        scored = _scored(lake, evidence, [three[1] for three in results], overrides)
        return [evidence, scored, _sampled(lake, day, tasks, [three[2] for three in results])]

    manifests = _each_batch(lake, days, plan, fused.distill, finish, done, leave)
    return [manifest for three in manifests for manifest in three]


def _each_batch(
    lake: Lake,
    days: Sequence[str],
    plan: Callable[[str], list[StreamDay]],
    work: Callable[[StreamDay], W],
    finish: Callable[[str, list[StreamDay], list[W]], M],
    done: Done,
    leave: Callable[[str], M | None] = lambda day: None,
) -> list[M]:
    finished: list[M] = []
    for start in range(0, len(days), _BATCH):
        batch = sorted(set(days[start : start + _BATCH]))
        with ExitStack() as locks:
            for day in batch:
                locks.enter_context(locked(lake.lock(f"day-{day}")))
                _sweep(lake, day)
            left = {day: leave(day) for day in batch}
            planned = {day: [] if left[day] is not None else plan(day) for day in batch}
            tasks = [task for day in batch for task in planned[day]]
            results = iter(engine.run(work, tasks, lambda task: task.size, workers=lake.settings.workers, done=done))
            for day in batch:
                made = left[day]
                if made is None:
                    made = finish(day, planned[day], [next(results) for _ in planned[day]])
                finished.append(made)
    return finished


def _tasks(
    lake: Lake,
    day: str,
    indexes: dict[str, LineIndex],
    now: str,
    overrides: Mapping[str, OverrideRow] | None = None,
    *,
    broken: bool = False,
) -> list[StreamDay]:
    """Cut a day into its streams; a rewritten one is `broken`: its rows cannot be read, but its evidence can."""
    tasks = []
    for name, index in indexes.items():
        segments = tuple(index.segments(day))
        if segments and (broken or index.state.broken is None):
            tasks.append(StreamDay(lake, day, name, segments, now, overrides or {}))
    return tasks


def _with_evidence(tasks: list[StreamDay]) -> list[StreamDay]:
    return [task for task in tasks if task.lake.evidence(task.day, task.stream).exists()]


def _needed(lake: Lake, stage: str, day: str) -> DayManifest:
    manifest = read_manifest(lake, stage, day)
    if manifest is None:
        raise UsageError(
            f"{day} has not been through stage {stage!r}",
            mend=f"run the stage first, or `lakehouse distill --day {day}`",
        )
    return manifest


def _collected(
    lake: Lake, day: str, indexes: dict[str, LineIndex], tasks: list[StreamDay], results: list[StreamResult]
) -> DayManifest:
    broken = {name for name, index in indexes.items() if index.state.broken is not None}
    _keep_only(lake.evidence(day), {task.stream for task in tasks} | broken)
    quarantine = _join_quarantine(lake, day, collecting.STAGE, tasks)
    manifest = _manifest(
        collecting.STAGE,
        day,
        collect_fingerprint(lake, day, indexes),
        inputs=[ref for result in results for ref in result.inputs],
        outputs=[*(result.output for result in results), *quarantine],
        results=results,
        out=sum(result.output.rows for result in results),
    )
    write_manifest(lake, manifest)
    return manifest


def _scored(
    lake: Lake, evidence: DayManifest, results: list[StreamResult], overrides: Mapping[str, OverrideRow]
) -> DayManifest:
    day = evidence.day
    _keep_only(lake.scored(day), {result.stream for result in results})
    applied = sorted({sig_hash for result in results for sig_hash in result.overrides_applied})
    counts: Counter[str] = Counter()
    for result in results:
        for category, number in result.counts.items():
            counts[category] += number
            counts[f"{result.stream}/{category}"] += number
    manifest = _manifest(
        score.STAGE,
        day,
        score_fingerprint(lake, evidence, [overrides[sig_hash] for sig_hash in applied]),
        inputs=[ref for ref in evidence.outputs if ref.path.startswith("evidence/")],
        outputs=[result.output for result in results],
        results=results,
        out=sum(result.output.rows for result in results),
        counts=dict(sorted(counts.items())),
        applied=applied,
    )
    write_manifest(lake, manifest)
    return manifest


def _sampled(lake: Lake, day: str, tasks: list[StreamDay], results: list[StreamResult]) -> DayManifest:
    evidence, scored = _needed(lake, collecting.STAGE, day), _needed(lake, score.STAGE, day)
    quarantine = _join_quarantine(lake, day, sft.STAGE, tasks)
    path = lake.part(day)
    counts: dict[str, int] = {}
    with JsonlWriter(path, cut_sample) as out:
        for task, result in zip(tasks, results, strict=True):
            part = task.sample_part()
            with part.open("rb", buffering=1 << 18) as share:
                for line in share:
                    out.add(line[:-1])
            counts[task.stream] = result.output.rows
        out.flush()
        check_file(out.beside, include_partial=True)
    for task in tasks:
        remove(task.sample_part())
    _keep_only(lake.keys(day), {task.stream for task in tasks})
    manifest = _manifest(
        sft.STAGE,
        day,
        sft_fingerprint(lake, evidence, scored),
        inputs=[ref for ref in (*evidence.outputs, *scored.outputs) if not ref.path.startswith("quarantine/")],
        outputs=[out.ref(lake.relative(path)), *quarantine],
        results=results,
        out=out.rows,
        counts=counts,
    )
    write_manifest(lake, manifest)
    return manifest


def _manifest(
    stage: str,
    day: str,
    print_: str,
    *,
    inputs: list[FileRef],
    outputs: list[FileRef],
    results: list[StreamResult],
    out: int,
    counts: dict[str, int] | None = None,
    applied: list[str] | None = None,
) -> DayManifest:
    skipped: Counter[str] = Counter()
    for result in results:
        skipped.update(result.skipped)
    return DayManifest(
        schema_version=1,
        stage=stage,
        day=day,
        fingerprint=print_,
        inputs=inputs,
        outputs=outputs,
        records_in=sum(result.records_in for result in results),
        records_out=out,
        records_quarantined=sum(result.quarantined for result in results),
        skip_reasons=dict(sorted(skipped.items())),
        counts=counts or {},
        code_version=VERSIONS[stage],
        overrides_applied=applied,
    )


def _join_quarantine(lake: Lake, day: str, stage: str, tasks: list[StreamDay]) -> list[FileRef]:
    """Join the streams' shares of a day's quarantine; no file where nothing was quarantined."""
    path = lake.quarantine(day, stage)
    parts = [task.quarantine_part(stage) for task in tasks]
    if not any(part.exists() and part.stat().st_size for part in parts):
        remove(path)
        refs = []
    else:
        with JsonlWriter(path) as out:
            for line in _lines(parts):
                out.add(line)
        refs = [out.ref(lake.relative(path))]
    for part in parts:
        remove(part)
    return refs


def _lines(paths: Iterable[Path]) -> Iterable[bytes]:
    for path in paths:
        with path.open("rb", buffering=1 << 18) as file:
            for line in file:
                yield line[:-1]


def _keep_only(folder: Path, streams: set[str]) -> None:
    """Remove the files of streams that no longer have rows on this day."""
    for path in folder.glob("[!.]*"):
        if path.stem not in streams:
            remove(path)


def _sweep(lake: Lake, day: str) -> None:
    """Remove what a killed run left of this day; its lock is held."""
    for folder in (lake.evidence(day), lake.scored(day), lake.quarantine(day, sft.STAGE).parent, lake.keys(day)):
        for leftover in folder.glob(f".*{TEMPORARY_SUFFIX}"):
            leftover.unlink(missing_ok=True)
    part = lake.part(day)
    for leftover in part.parent.glob(f".{part.stem}.*{TEMPORARY_SUFFIX}"):
        leftover.unlink(missing_ok=True)
