"""Publishing the preference export: pairs of runs of one task, and every judged run by itself.

Here: both passes over the evidence of all green days, the gates on the candidate, the accounting. Not here: which runs
make pairs (`pairs.py`), single runs (`unpaired.py`), the making of a pair (`lakehouse/preference.py`), the gates.

The first pass goes through the days: it writes `kto.jsonl` and `stepwise.jsonl` and finds what must not go out. The
second goes through the tasks and reads just the runs that stand in a pair. Shapes: TRL documentation, "Dataset formats
and types" (explicit prompt); OpenAI, "Direct preference optimization".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse import engine
from lakehouse.chain.manifests import read_manifest
from lakehouse.files import locked, remove, sweep
from lakehouse.gates.contracts import preference_contract
from lakehouse.gates.preference import kto_labels, strict_order
from lakehouse.jsonl import JsonlWriter, encode
from lakehouse.lake import Lake
from lakehouse.preference import IN_WORDS, Turns, pair
from lakehouse.publish.exports import PREFERENCE, Asked, Published
from lakehouse.publish.forms import with_tools
from lakehouse.publish.joining import gated, naming_lost_keys
from lakehouse.publish.lines import Lines, line_ends
from lakehouse.publish.pairs import (
    KeyFile,
    Side,
    add_places,
    choose,
    chosen,
    days_of_runs,
    exclude,
    forget,
    runs_between,
    settle_runs,
)
from lakehouse.publish.state import CHANGED, days_to_publish, keep
from lakehouse.publish.unpaired import STAGE, HeldOut, Reader, Stretch, write_stretch
from lakehouse.records import DayManifest, EvidenceRecord, FileRef, PreferencePair, Verdict
from lakehouse.similarity.holdout import HeldOutRuns, holdout_path, read_holdout
from lakehouse.stamps import cut_pair
from lakehouse.streams import Stream

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = "publish-preference-1"
TRL, OPENAI, KTO, STEPWISE = "preference_trl.jsonl", "preference_openai.jsonl", "kto.jsonl", "stepwise.jsonl"
_STRETCH = 20_000
"""Runs that one unit of work reads."""
_AT_ONCE = 24
"""Units of work that are planned at once."""


def asked(lake: Lake) -> Asked:
    """Say what a publication is asked for."""
    return {
        "version": VERSION,
        "review_streams": sorted(one.name for one in lake.streams.values() if one.judges_others),
        "holdout": read_holdout(holdout_path(lake)).sha256,
        "holdout_overlap": lake.settings.sft.holdout_overlap,
    }


def publish(
    lake: Lake,
    connection: Any,
    now: str,
    *,
    held_out: HeldOut | None = None,
    done: Callable[[str], None] = lambda day: None,
) -> Published:
    """Publish the pairs and the judged runs of every day whose gates are green; the others are held back and listed.

    `held_out` says what of the held-out items a run holds; by default it looks at those of the lake. The candidate passes
    its gates before it is moved into place; raises `GateFailed` (and leaves what was published before) where it does
    not. Memory: a few stretches of a day's keys, a task's runs, and what DuckDB may take.
    """
    with locked(lake.lock(f"publish-{PREFERENCE.asset}")):
        sweep(PREFERENCE.folder(lake))
        wanted = asked(lake)
        if held_out is None:
            held_out = HeldOutRuns(read_holdout(holdout_path(lake)), wanted["holdout_overlap"])
        manifests, held = days_to_publish(lake, PREFERENCE)
        result: Published | None = None
        while result is None:
            try:
                result = _publish(lake, connection, now, manifests, held, held_out, done)
            except _ChangedDay as changed:
                held = {**held, changed.day: changed.why}
            finally:
                forget(connection)
                # The shares of stretches that were not joined.
                sweep(PREFERENCE.folder(lake))
        keep(lake, PREFERENCE, wanted, result)
    return result


class _ChangedDay(Exception):
    """A day's evidence is not what its gates looked at; publishing begins again without it."""

    def __init__(self, day: str, path: str) -> None:
        super().__init__(path)
        self.day, self.why = day, f"evidence: {path} {CHANGED}"


@dataclass
class _Days:
    """The days and files of a publication by number, and how many runs each file holds."""

    lake: Lake
    manifests: Mapping[str, DayManifest]
    held: Mapping[str, str]
    keys: list[KeyFile] = field(default_factory=list)
    files: dict[int, tuple[str, Path]] = field(default_factory=dict)
    evidence: dict[int, FileRef] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    inputs: list[FileRef] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    comparable: Counter[int] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for number, (day, manifest) in enumerate(self.manifests.items()):
            self.names.append(day)
            if day in self.held:
                self.skipped["held_day"] += manifest.records_in
            collected = read_manifest(self.lake, "collect", day)
            for ref in collected.outputs if collected else ():
                if ref.path.startswith("evidence/"):
                    self._add(number, day, ref)
            scored = read_manifest(self.lake, "score", day)
            if day not in self.held and scored is not None:
                self.inputs += [ref for ref in scored.outputs if ref.path.startswith("scored-runs/")]

    def _add(self, number: int, day: str, ref: FileRef) -> None:
        """Number a stream's evidence of a day; streams whose runs are never compared are counted and left alone."""
        path = self.lake.root / ref.path
        stream = self.lake.streams.get(path.stem)
        held = day in self.held
        if not held:
            self.inputs.append(ref)
        if stream is None or not stream.compares:
            if not held:
                self.skipped[_why_never(stream)] += ref.rows
            return
        file = len(self.files)
        self.files[file] = (path.stem, path)
        self.evidence[file] = ref
        self.keys.append(KeyFile(self.lake.keys(day, path.stem), file, number, held))
        if not held:
            self.comparable[file] = ref.rows


def _why_never(stream: Stream | None) -> str:
    if stream is None:
        return "not_instructable"
    return "extraction_class" if stream.source_class == "extraction" else "review_stream"


class _Files:
    """The files of a candidate, and what was counted while they were written."""

    def __init__(self, lake: Lake, stack: ExitStack) -> None:
        folder = PREFERENCE.folder(lake)
        self.native = stack.enter_context(JsonlWriter(PREFERENCE.main(lake), cut_pair))
        self.trl, self.openai, self.kto, self.stepwise = (
            stack.enter_context(JsonlWriter(folder / name)) for name in (TRL, OPENAI, KTO, STEPWISE)
        )
        self.labels: Counter[bool] = Counter()
        self.streams: Counter[str] = Counter()
        self.gaps: Counter[str] = Counter()

    @property
    def all(self) -> dict[str, JsonlWriter]:
        """The writers by the name of their file."""
        native = PREFERENCE.asset + ".jsonl"
        return {native: self.native, TRL: self.trl, OPENAI: self.openai, KTO: self.kto, STEPWISE: self.stepwise}

    def add(self, made: PreferencePair, stream: str) -> None:
        """Write a pair in every form that can hold it."""
        self.native.add(encode(made))
        self.trl.add(trl_line(made))
        line = openai_line(made)
        if line is not None:
            self.openai.add(line)
        self.streams[stream] += 1
        self.gaps[f"{IN_WORDS[made.chosen_category]} over {IN_WORDS[made.rejected_category]}"] += 1


def trl_line(made: PreferencePair) -> bytes:
    """Encode a pair as a line of `preference_trl.jsonl`."""
    sides = {"prompt": made.prompt, "chosen": made.chosen, "rejected": made.rejected}
    return msgspec.json.encode({**sides, **with_tools(made.tools)})


def openai_line(made: PreferencePair) -> bytes | None:
    """Encode a pair as a line of `preference_openai.jsonl`; `None` where a side is more than one message."""
    if len(made.chosen) != 1 or len(made.rejected) != 1:
        return None
    tools = msgspec.Raw(made.tools.encode() if made.tools else b"[]")
    return msgspec.json.encode(
        {
            "input": {"messages": made.prompt, "tools": tools, "parallel_tool_calls": True},
            "preferred_output": made.chosen,
            "non_preferred_output": made.rejected,
        }
    )


def _publish(
    lake: Lake,
    connection: Any,
    now: str,
    manifests: Mapping[str, DayManifest],
    held: dict[str, str],
    held_out: HeldOut,
    done: Callable[[str], None],
) -> Published:
    days = _Days(lake, manifests, held)
    with ExitStack() as stack:
        files = _Files(lake, stack)
        with naming_lost_keys(one.path for one in days.keys):
            waiting = settle_runs(connection, days.keys)
        days.skipped["needs_human_review"] += sum(waiting.values())
        _screen(lake, connection, _stretches(connection, days, held_out), files, done)
        became = choose(connection)
        _write_pairs(connection, days, files, now)
        for out in files.all.values():
            out.flush()
        verdicts = _gate(lake, connection, now, files)
    paired, quarantined = became.pop("paired", 0), became.pop("quarantined", 0)
    skipped = days.skipped + became
    known = paired + quarantined + became.total() + sum(waiting.values())
    skipped["not_instructable"] += days.comparable.total() - known
    folder = lake.relative(PREFERENCE.folder(lake))
    items = files.native.rows
    return Published(
        inputs=days.inputs,
        outputs=[out.ref(f"{folder}/{name}") for name, out in files.all.items()],
        held_days=held,
        records_in=sum(manifest.records_in for manifest in manifests.values()),
        records_out=paired,
        items_out=items,
        records_quarantined=quarantined,
        skip_reasons=dict(sorted((+skipped).items())),
        verdicts=verdicts,
        counts={
            "stream": dict(sorted(files.streams.items())),
            "gap": dict(sorted(files.gaps.items())),
            "kto": {"true": files.labels[True], "false": files.labels[False]},
            "openai": {"written": files.openai.rows, "more_than_one_message": items - files.openai.rows},
            "stepwise": {"runs": files.stepwise.rows},
        },
        notes={"openai": f"{OPENAI} holds the pairs of which each side is one message, as OpenAI takes them"},
    )


def _stretches(connection: Any, days: _Days, held_out: HeldOut) -> Iterator[Stretch]:
    """Cut the days into units of work; raises `_ChangedDay` where evidence is not what its gates looked at."""
    import numpy as np

    folder = PREFERENCE.folder(days.lake)
    rows = days_of_runs(connection)
    for number, day in enumerate(days.names):
        if day in days.held:
            continue
        first, end = rows.get(number, (0, 0))
        ends: dict[int, NDArray[Any]] = {}
        # A day without runs is a stretch too: what was quarantined of it before goes.
        for part, start in enumerate(range(first, max(end, first + 1), _STRETCH)):
            runs = runs_between(connection, start, min(start + _STRETCH, end))
            runs["start"], runs["size"] = np.zeros((2, len(runs["line"])), np.int64)
            files = np.unique(runs["file"]).tolist()
            for file in files:
                if file not in ends:
                    ends[file] = _ends(days, day, file)
                here = runs["file"] == file
                lines = runs["line"][here]
                if lines.max() >= len(ends[file]):
                    raise Reader.other(days.files[file][1], int(lines.max()))
                runs["start"][here] = np.where(lines > 0, ends[file][lines - 1], 0)
                runs["size"][here] = ends[file][lines] - runs["start"][here]
            yield Stretch(days.lake, day, part, {file: days.files[file] for file in files}, runs, folder, held_out)


def _ends(days: _Days, day: str, file: int) -> NDArray[Any]:
    ends, digest = line_ends(days.files[file][1])
    if digest != days.evidence[file].sha256:
        raise _ChangedDay(day, days.evidence[file].path)
    return ends


def _screen(
    lake: Lake, connection: Any, stretches: Iterator[Stretch], files: _Files, done: Callable[[str], None]
) -> None:
    """Screen all runs, join what was written, and remember what must not go into pairs."""
    shares: list[Path] = []
    day = ""
    for batch in iter(lambda: list(islice(stretches, _AT_ONCE)), []):
        results = engine.run(write_stretch, batch, lambda task: task.size, workers=lake.settings.workers)
        for task, result in zip(batch, results, strict=True):
            if task.day != day:
                _quarantine(lake, day, shares, done)
                day, shares = task.day, []
            shares.append(task.share("quarantine"))
            _join(task.share("kto"), files.kto)
            _join(task.share("stepwise"), files.stepwise)
            files.labels.update(result.labels)
            add_places(connection, task.runs)
            exclude(connection, result.excluded)
    _quarantine(lake, day, shares, done)


def _quarantine(lake: Lake, day: str, shares: list[Path], done: Callable[[str], None]) -> None:
    """Join a day's quarantine, when all of its stretches are there; no file where nothing was quarantined."""
    if not shares:
        return
    path = lake.quarantine(day, STAGE)
    if any(share.stat().st_size for share in shares):
        with JsonlWriter(path) as out:
            for share in shares:
                _join(share, out)
    else:
        remove(path)
        for share in shares:
            share.unlink()
    done(day)


def _join(share: Path, out: JsonlWriter) -> None:
    with share.open("rb", buffering=1 << 18) as lines:
        for line in lines:
            out.add(line[:-1])
    share.unlink()


def _write_pairs(connection: Any, days: _Days, files: _Files, now: str) -> None:
    """Write the pairs in order; of a task each run is read once."""
    prior = _PriorPairs(PREFERENCE.main(days.lake))
    task, known = "", dict[Side, tuple[EvidenceRecord, Turns, Stream]]()
    with Lines(lambda file: days.files[file][1]) as lines:
        reader = Reader(days.lake, days.files, lines)
        for task_id, good, bad in chosen(connection):
            if task_id != task:
                task, known = task_id, {}
            for side in (good, bad):
                if side not in known:
                    known[side] = reader.read(side.file, side.line, side.start, side.size)
            better, worse = known[good], known[bad]
            made = pair(better[:2], worse[:2], (good.category, bad.category), now)
            if made is None:
                raise reader.other(days.files[good.file][1], good.line)
            made.created_at = prior.created_at(made) or now
            files.add(made, better[2].name)


class _Stamp(msgspec.Struct, gc=False):
    id: str
    task_id: str
    created_at: str


class _PriorPairs:
    """Looks up when a pair was first written: both files stand in the order of their tasks, so one task is held."""

    def __init__(self, path: Path) -> None:
        self._stamps = self._read(path) if path.exists() else iter(())
        self._next = next(self._stamps, None)
        self._task: str | None = None
        self._known: dict[str, str] = {}

    def _read(self, path: Path) -> Iterator[_Stamp]:
        decode = msgspec.json.Decoder(_Stamp).decode
        with path.open("rb", buffering=1 << 18) as file:
            for line in file:
                try:
                    yield decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue

    def created_at(self, made: PreferencePair) -> str | None:
        """Give when the pair with this id was first written; tasks must be asked for in order."""
        if made.task_id != self._task:
            self._task, self._known = made.task_id, {}
            while self._next is not None and self._next.task_id <= made.task_id:
                if self._next.task_id == made.task_id:
                    self._known[self._next.id] = self._next.created_at
                self._next = next(self._stamps, None)
        return self._known.get(made.id)


def _gate(lake: Lake, connection: Any, now: str, files: _Files) -> list[Verdict]:
    """Let every gate look at the candidate, keep their verdicts, and stop where one is red."""
    main = PREFERENCE.main(lake)
    native, name = files.native.beside, f"{lake.relative(main)} (candidate)"
    return gated(
        lake,
        PREFERENCE,
        (
            strict_order(lake, native, connection, now, name),
            kto_labels(lake, files.kto.beside, connection, now, f"{lake.relative(main.with_name(KTO))} (candidate)"),
            preference_contract(lake, native, now, name),
        ),
    )
