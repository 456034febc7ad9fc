"""Which tasks are done again: the newest accepted runs, each task once, with the question that its answer answers.

Here: from evidence and verdicts to tasks. Not here: what is made of them. The question is that of a training sample
(`lakehouse.templates`); of a conversation it is what the user said first. Left out are extracted texts, streams of which every
run is asked the same (the template `default`), days that a gate holds back, and runs in which a secret was found: a task
is written to a log and may go to a server.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import msgspec

from lakehouse.chain.manifests import manifest_days
from lakehouse.errors import UsageError
from lakehouse.gates.pairing import paired
from lakehouse.gates.verdicts import why_red
from lakehouse.jsonl import unreadable
from lakehouse.lake import Lake
from lakehouse.records import EvidenceRecord, Provenance
from lakehouse.secrets import find
from lakehouse.sft import Content
from lakehouse.streams import Stream
from lakehouse.timestamps import read
from lakehouse.validators.kinds import KINDS

EVERYONES: Final = "default"
"""The template that asks every run the same."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task to do again. Without `accepted` there is nothing to compare with: somebody asked for it in words.

    `question` is retrieved for, `context` the context line of the run. `valid_then` is what validators said then, where the
    run holds it.
    """

    question: str
    context: str = ""
    kind: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    sig_hash: str = ""
    stream: str = ""
    day: str = ""
    accepted: str | None = None
    valid_then: bool | None = None

    @property
    def text(self) -> str:
        """The task as a model reads it and the log keeps it."""
        return f"{self.question}\n\n{self.context}" if self.context else self.question


class _Placed(msgspec.Struct, gc=False):
    """Evidence, as far as its place in time."""

    task_id: str
    timestamp: str
    provenance: Provenance


class _Judged(msgspec.Struct, gc=False):
    """A verdict, as far as its category."""

    category: str
    provenance: Provenance


class _Run(NamedTuple):
    """An accepted run: its time in microseconds and signature, by which it is ordered, and where its evidence lies."""

    micros: int
    sig_hash: str
    task_id: str
    path: Path
    offset: int
    line: int


@dataclass
class Passed:
    """What was passed over on the way: accepted runs by reason, and the days that a gate holds back."""

    skipped: Counter[str] = field(default_factory=Counter)
    held_days: dict[str, str] = field(default_factory=dict)


def newest_accepted(lake: Lake, n: int) -> tuple[list[Task], Passed]:
    """Give the newest `n` accepted tasks, newest first by day, time and signature; of one task its newest run.

    Reads only as many days as it needs, of each the evidence and verdicts.
    """
    passed = Passed()
    return list(islice(_accepted(lake, passed), n)), passed


def newest_of(lake: Lake, task_id: str) -> Task:
    """Give the newest accepted run of one task. Raises `UsageError` where there is none that can be asked again."""
    passed = Passed()
    found = next(_accepted(lake, passed, only=task_id), None)
    if found is None:
        why = f" ({', '.join(sorted(passed.skipped))})" if passed.skipped else ""
        raise UsageError(
            f"there is no accepted run of task {task_id[:200]!r} to do again{why}",
            where=str(lake.root),
            mend="evidence/ names every run's task_id; `lakehouse replay` alone takes the newest accepted ones",
        )
    return found


def _accepted(lake: Lake, passed: Passed, only: str | None = None) -> Iterator[Task]:
    seen: set[str] = set()
    for day in reversed(manifest_days(lake, "score")):
        why = why_red(lake, day)
        if why is not None:
            passed.held_days[day] = why
            continue
        streams = [one for one in lake.streams.values() if one.template != EVERYONES]
        runs = [(run, one) for one in streams for run in _runs_of(lake, day, one, only)]
        for run, stream in sorted(runs, key=lambda pair: pair[0][:2], reverse=True):
            if run.task_id in seen:
                continue
            task = _task(run, stream, day)
            if isinstance(task, Task):
                seen.add(run.task_id)
                yield task
            else:
                passed.skipped[task] += 1


def _runs_of(lake: Lake, day: str, stream: Stream, only: str | None) -> Iterator[_Run]:
    """Give the accepted runs of a stream's day. Raises `RecordError` for a line that cannot be read."""
    evidence, scored = lake.evidence(day, stream.name), lake.scored(day, stream.name)
    if stream.source_class == "extraction" or not evidence.exists() or not scored.exists():
        return
    ones, others = _lines(evidence, _Placed), _lines(scored, _Judged)
    for pair in paired(ones, others, _place, _place):
        if pair.one is None or pair.other is None or pair.other[2].category != "accepted":
            continue
        line, offset, record = pair.one
        if record.provenance.sig_hash == pair.other[2].provenance.sig_hash and only in (None, record.task_id):
            micros = read(record.timestamp).micros
            yield _Run(micros, record.provenance.sig_hash, record.task_id, evidence, offset, line)


def _place(found: tuple[int, int, _Placed] | tuple[int, int, _Judged]) -> tuple[str, int]:
    return found[2].provenance.source_file, found[2].provenance.line_offset


R = TypeVar("R", bound=msgspec.Struct)


def _lines(path: Path, kind: type[R]) -> Iterator[tuple[int, int, R]]:
    """Give the line (from 1), the offset in bytes and the record of each line."""
    decode = msgspec.json.Decoder(kind).decode
    offset = 0
    with path.open("rb", buffering=1 << 18) as file:
        for number, line in enumerate(file, start=1):
            try:
                yield number, offset, decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise unreadable(path, number, error) from None
            offset += len(line)


def _task(run: _Run, stream: Stream, day: str) -> Task | str:
    """Make the task of a run, or say why there is none."""
    with run.path.open("rb") as file:
        file.seek(run.offset)
        try:
            evidence = msgspec.json.decode(file.readline(), type=EvidenceRecord)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise unreadable(run.path, run.line, error) from None
    content = Content(evidence, stream)
    if not content.instructable:
        return "not_instructable"
    found = next(filter(None, map(find, (content.instruction, content.context, content.response))), None)
    if found is not None:
        return found.reason_code
    return Task(
        question=content.instruction,
        context=content.context,
        kind=kind_of(evidence),
        task_id=evidence.task_id,
        run_id=evidence.run_id,
        sig_hash=evidence.provenance.sig_hash,
        stream=stream.name,
        day=day,
        accepted=evidence.text,
        valid_then=None if evidence.validation is None else evidence.validation.ok,
    )


def kind_of(evidence: EvidenceRecord) -> str | None:
    """Give the kind of payload that a run says its answer is, by `validator` or `kind` in its metadata; `None` for free text."""
    said = [(evidence.metadata or {}).get(key) for key in ("validator", "kind")]
    return next((one for one in said if isinstance(one, str) and one in KINDS), None)
