"""The distilled copies that the invariants compare, each made once: of a lake's raw files, in a temporary folder.

Here: copying, and which night runs over which copy. Not here: the night itself (`night.py`), and comparing.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from lakehouse import index
from lakehouse.acceptance import raw
from lakehouse.acceptance.night import Night, backwards, begin, night
from lakehouse.chain import day as chain
from lakehouse.chain.manifests import Staleness
from lakehouse.lake import Lake
from lakehouse.timestamps import written

Done = Callable[[str], None]


@dataclass(frozen=True)
class Copies:
    """What the nights left. All but the first ran at a later time, so that a stamp which should stay shows.

    `first` and `second` each distilled and published the whole lake, `again` is the first with every day run once more.
    Two are of days only, without publishing: `backwards` from the last day to the first, and `late` in two nights, first
    without the first late row of each file and what follows it, then with the rest; `None` where no row is late.
    """

    workdir: Path
    first: Night
    second: Night
    again: Night
    backwards: Lake
    late: Lake | None

    def tampered(self, name: str) -> Lake:
        """Give a fresh copy of the first lake, distilled files and reports included, for somebody to spoil."""
        shutil.rmtree(self.workdir / name, ignore_errors=True)
        return Lake(_whole(self.first.lake.root, self.workdir / name))


def make_copies(source: Path, workdir: Path, now: str, done: Done = lambda what: None) -> Copies:
    """Make every copy of a lake's raw files and run its nights; `now` is when the first one runs."""
    first = night(Lake(raw_files(source, workdir / "first")), begin(workdir / "first", now, "first"))
    done("first run")
    root = raw_files(source, workdir / "second")
    second = night(Lake(root), begin(root, _after(now, 1), "second"), first.days, first)
    done("second run")
    root = _whole(first.lake.root, workdir / "again")
    again = night(Lake(root), begin(root, _after(now, 2), "again"), first.days, first)
    done("every day again")
    turned = Lake(raw_files(source, workdir / "backwards"))
    backwards(turned, first.days, _after(now, 3))
    done("backwards")
    late = _late(source, workdir / "late", now)
    done("late rows")
    return Copies(workdir, first, second, again, turned, late)


def raw_files(source: Path, target: Path) -> Path:
    """Copy the raw files of a lake and its settings, nothing that was made of them."""
    shutil.copytree(source / "_kb", target / "_kb")
    if (source / "lakehouse.toml").exists():
        shutil.copy2(source / "lakehouse.toml", target)
    return target


def _whole(source: Path, target: Path) -> Path:
    shutil.copytree(source, target)
    return target


def _late(source: Path, target: Path, now: str) -> Lake | None:
    """Distil what stands before the first late row of each file, then bring the rest and distil what that made stale."""
    lake = Lake(raw_files(source, target))
    cuts: dict[str, bytes] = {}
    for row in raw.read_raw(lake):
        if row.late and row.file not in cuts:
            cuts[row.file] = (lake.root / row.file).read_bytes()
            lines = cuts[row.file].split(b"\n", row.offset)
            (lake.root / row.file).write_bytes(b"".join(line + b"\n" for line in lines[: row.offset]))
    if not cuts:
        shutil.rmtree(target)
        return None
    _days(lake, now[:10], now)
    for file, whole in cuts.items():
        with (lake.root / file).open("ab") as out:
            out.write(whole[out.tell() :])
    _days(Lake(target), now[:10], _after(now, 4))
    return Lake(target)


def _days(lake: Lake, today: str, now: str) -> None:
    """Make what is stale, without publishing."""
    index.update_all(lake)
    days = sorted(Staleness(lake).stale(today))
    chain.distill(lake, days, now)
    chain.make_chunks(lake, days, now)


def _after(now: str, minutes: int) -> str:
    return written(datetime.fromisoformat(now) + timedelta(minutes=minutes))
