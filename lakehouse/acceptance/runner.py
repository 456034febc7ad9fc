"""Running the acceptance gate: copies of a lake, the 22 invariants over them, one report.

Here: putting it together, and what an outcome means. Not here: the copies (`copies.py`), the invariants (`registry.py`),
what a person reads (`report.py`).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from lakehouse.acceptance.copies import make_copies
from lakehouse.acceptance.fixture import NOW, fixture_path, read_expected
from lakehouse.acceptance.registry import INVARIANTS, Invariant
from lakehouse.acceptance.rows import Context, Failure, NotPublished, Outcome
from lakehouse.errors import UsageError
from lakehouse.records import Record

Status = Literal["holds", "failed", "not_applicable"]
STEPS = 5 + len(INVARIANTS)
"""How often `done` is called."""
MOST_FAILURES = 100
_MEMORY = Path("/dev/shm")  # noqa: S108 - a disk in memory; folders in it are made by tempfile, for us alone
_ROOM = 256 << 20


class FailureRecord(Record, kw_only=True):
    """What does not hold: the file relative to its lake, the line from 1 (0: the file as a whole), and why."""

    file: str
    line: int
    why: str


class InvariantReport(Record, kw_only=True):
    """What one invariant found. `rows` were looked at; `why` says why it was not applicable; at most 100 failures."""

    number: int
    name: str
    status: Status
    rows: int
    why: str | None = None
    failed: int
    failures: list[FailureRecord]


class AcceptanceReport(Record, kw_only=True):
    """What the acceptance gate found of one lake. The same lake and code give the same report but for `stamp`."""

    schema_version: Literal[1]
    stamp: str
    lake: str
    now: str
    passed: bool
    days: list[str]
    held_days: dict[str, str]
    invariants: list[InvariantReport]

    def count(self, status: Status) -> int:
        """Say how many invariants have a status."""
        return sum(one.status == status for one in self.invariants)


def accept(
    lake_root: Path,
    workdir: Path,
    now: str,
    *,
    stamp: str | None = None,
    name: str | None = None,
    every: bool = False,
    done: Callable[[str], None] = lambda what: None,
) -> AcceptanceReport:
    """Hold the invariants against copies of a lake's raw files below `workdir`; the lake itself is only read.

    `now` is the night in which the copies are distilled, `stamp` when that was done (the same without a word), `name` what
    the report calls the lake. With `every`, an invariant that has nothing to look at fails: the fixture has something
    for each. `done` hears each of `STEPS` steps. Disk: six times the raw files and what is made of them.
    """
    if not (lake_root / "_kb").is_dir():
        raise UsageError("there are no raw files here", where=str(lake_root), mend="name a lake, a folder with _kb/")
    context = Context(make_copies(lake_root, workdir, now, done), read_expected(lake_root))
    found = [hold(invariant, context, every=every, done=done) for invariant in INVARIANTS]
    first = context.copies.first
    return AcceptanceReport(
        schema_version=1,
        stamp=stamp or now,
        lake=name or str(lake_root),
        now=now,
        passed=all(one.status != "failed" for one in found),
        days=first.days,
        held_days=first.summary.held_days,
        invariants=found,
    )


def accept_fixture(stamp: str, done: Callable[[str], None] = lambda what: None) -> AcceptanceReport:
    """Hold every invariant against the fixture lake, in a temporary folder. Raises `UsageError` where it is not there."""
    fixture = fixture_path()
    with workspace() as folder:
        return accept(fixture, folder, NOW, stamp=stamp, name="the fixture lake", every=True, done=done)


def hold(
    invariant: Invariant, context: Context, *, every: bool = False, done: Callable[[str], None] = lambda what: None
) -> InvariantReport:
    """Hold one invariant against distilled copies."""
    try:
        outcome = invariant.look(context)
    except NotPublished as error:
        why = context.copies.first.summary.error or error.failure.why
        outcome = Outcome(0, [error.failure._replace(why=f"nothing was published: {why}")])
    failures = outcome.failures
    if outcome.nothing is not None and every:
        failures = [*failures, Failure("", 0, f"there was nothing to look at: {outcome.nothing}")]
    status: Status = "failed" if failures else "holds" if outcome.nothing is None else "not_applicable"
    done(invariant.name)
    return InvariantReport(
        number=invariant.number,
        name=invariant.name,
        status=status,
        rows=outcome.rows,
        why=outcome.nothing,
        failed=len(failures),
        failures=[FailureRecord(file=one.file, line=one.line, why=one.why) for one in failures[:MOST_FAILURES]],
    )


@contextmanager
def workspace() -> Iterator[Path]:
    """Give a temporary folder for a tiny lake: in memory where there is room, for nothing in it must outlive a crash."""
    fast = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM
    with tempfile.TemporaryDirectory(prefix="lakehouse-acceptance-", dir=_MEMORY if fast else None) as folder:
        yield Path(folder)
