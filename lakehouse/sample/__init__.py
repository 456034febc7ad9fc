"""A sample lake: a staffing company's agents over some days, with planted traps and what is expected of each.

Here: laying out rows and traps in files. Not here: what a row says (`rows.py`, `conversations.py` and the words they
use), the traps (`bad_lines.py`, `hard_rows.py`, `verdict_traps.py`, `export_traps.py`), the workers of the rosters
(`lakehouse.roster`).

The same options give the same bytes on every machine: no clock is read, all chance comes from the seed.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Final

import msgspec
import orjson

from lakehouse.errors import UsageError
from lakehouse.files import Staged, write_whole
from lakehouse.jsonl import encode
from lakehouse.records import Category, OverrideRow
from lakehouse.roster.generate import write_rosters
from lakehouse.roster.reading import find_roster
from lakehouse.roster.schema import PREFIXES
from lakehouse.sample.bad_lines import BAD_LINES
from lakehouse.sample.draw import Draw
from lakehouse.sample.export_traps import EXPORT_TRAPS
from lakehouse.sample.hard_rows import HARD_ROWS
from lakehouse.sample.rows import ALL, MAKERS, Maker
from lakehouse.sample.trap import Expected, MakeTrap, Planted, Site, Trap
from lakehouse.sample.verdict_traps import VERDICT_TRAPS
from lakehouse.settings import set_first_day
from lakehouse.timestamps import written

__all__ = ["TRAPS", "Expected", "SampleReport", "Trap", "make_sample", "read_traps"]

TRAPS: Final[dict[str, MakeTrap]] = {**BAD_LINES, **HARD_ROWS, **VERDICT_TRAPS, **EXPORT_TRAPS}
"""Every kind of trap by name, in the order in which they are laid."""

_DECK: Final[tuple[Category, ...]] = tuple(
    category for category, share in zip(ALL, (11, 4, 2, 3), strict=True) for _ in range(share)
)
_FLUSH: Final = 1 << 20
_AT_END: Final = datetime.max.replace(tzinfo=UTC)


@dataclass
class SampleReport:
    """What was made: rows of streams by file (relative to the lake, traps included), bytes of these, the planted traps.

    `rosters` are the rows of the rosters and of the fill events, by file.
    """

    root: Path
    first_day: date
    last_day: date
    rows: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    traps: list[Trap] = field(default_factory=list)
    rosters: dict[str, int] = field(default_factory=dict)


def make_sample(
    lake_root: Path,
    *,
    seed: int,
    days: int,
    rows_per_day: int,
    last_day: date,
    huge_line: bool = False,
    rosters: bool = False,
) -> SampleReport:
    """Make a sample lake of `days` days up to `last_day`, with `rows_per_day` clean rows a day over all streams.

    Beside the streams it writes `human_overrides.jsonl`, `holdout.jsonl`, `lakehouse.toml`, and the list of traps as
    `TRAPS.md` for people and `traps.json` for programs. `huge_line` plants a line of 16 MiB too; `rosters` adds workers
    to search for and fill events that ask for them. Raises `UsageError` where the folder has streams or rosters already.
    """
    if days < 1 or rows_per_day < len(MAKERS):
        raise UsageError(f"a sample needs a day and {len(MAKERS)} rows a day at least", mend="ask for more")
    if any((lake_root / "_kb").glob("**/*.jsonl")):
        raise UsageError("there are streams already", where=str(lake_root / "_kb"), mend="choose an empty folder")
    if rosters and any(find_roster(lake_root / "_kb", name) for name in PREFIXES):
        raise UsageError("there is a roster already", where=str(lake_root / "_kb"), mend="choose an empty folder")
    report = SampleReport(lake_root, last_day - timedelta(days=days - 1), last_day)
    planted = _plant(report, seed, huge_line)
    quotas = _quotas(rows_per_day)
    for maker in MAKERS.values():
        mine = [trap for trap in planted if trap.stream == maker.stream]
        _write_stream(report, maker, seed, quotas[maker.stream], mine)
    if rosters:
        report.rosters = write_rosters(lake_root, seed)
    set_first_day(lake_root / "lakehouse.toml", report.first_day.isoformat())
    order = {name: place for place, name in enumerate(TRAPS)}
    report.traps.sort(key=lambda trap: order[trap.id.partition("/")[0]])
    write_whole(lake_root / "traps.json", msgspec.json.format(msgspec.json.encode(report.traps), indent=2) + b"\n")
    write_whole(lake_root / "TRAPS.md", _table(report).encode())
    return report


def read_traps(lake_root: Path) -> list[Trap]:
    """Give the traps of a sample lake. Raises `UsageError` where the folder is none."""
    try:
        return msgspec.json.decode((lake_root / "traps.json").read_bytes(), type=list[Trap])
    except FileNotFoundError:
        raise UsageError(
            "this is no sample lake", where=str(lake_root), mend="make one with `lakehouse demo`"
        ) from None


def _plant(report: SampleReport, seed: int, huge_line: bool) -> list[Planted]:
    """Make every trap, and write the overrides and held-out items that belong to them."""
    planted: list[Planted] = []
    overrides: list[OverrideRow] = []
    holdout: list[bytes] = []
    for name, make in TRAPS.items():
        site = Site(Draw(f"{seed}/trap/{name}"), report.first_day, report.last_day, huge_line)
        planted += make(site)
        overrides += site.overrides
        holdout += map(orjson.dumps, site.holdout)
    kb = report.root / "_kb"
    write_whole(kb / "human_overrides.jsonl", b"".join(encode(row) + b"\n" for row in overrides))
    write_whole(kb / "holdout.jsonl", b"".join(line + b"\n" for line in holdout))
    return planted


def _quotas(rows_per_day: int) -> dict[str, int]:
    """Share a day's rows out to the streams, one at least to each; what is left over goes to `agent_runs`."""
    total = sum(maker.share for maker in MAKERS.values())
    quotas = {name: max(1, rows_per_day * maker.share // total) for name, maker in MAKERS.items()}
    quotas["agent_runs"] += rows_per_day - sum(quotas.values())
    return quotas


def _write_stream(report: SampleReport, maker: Maker, seed: int, quota: int, planted: list[Planted]) -> None:
    name = "agent_runs/sample" if maker.stream == "agent_runs" else maker.stream
    source = f"_kb/{name}.jsonl"
    offset = 0
    with Staged(report.root / source) as out:
        buffer: list[bytes] = []
        pending = 0
        for line, trap in _merged(_clean_rows(report, maker, seed, quota), planted):
            if trap is not None:
                report.traps.append(
                    Trap(
                        id=trap.id,
                        stream=trap.stream,
                        source_file=source,
                        line_offset=offset,
                        day=trap.day,
                        expected=trap.expected,
                        text=trap.text,
                    )
                )
            buffer.append(line if trap is not None and not trap.newline else line + b"\n")
            offset += 1
            pending += len(line)
            if pending > _FLUSH:
                report.bytes += _flush(out, buffer)
                pending = 0
        report.bytes += _flush(out, buffer)
    report.rows[source] = offset


def _flush(out: Staged, buffer: list[bytes]) -> int:
    block = b"".join(buffer)
    buffer.clear()
    out.write(block)
    return len(block)


def _clean_rows(report: SampleReport, maker: Maker, seed: int, quota: int) -> Iterator[tuple[datetime, bytes]]:
    """Give the clean rows of a stream with their moments, day by day in time order."""
    deck = [category for category in _DECK if category in maker.can]
    stride = next(step for step in (7, 5, 3, 1) if len(deck) % step)
    number = 0
    for day in range((report.last_day - report.first_day).days + 1):
        date_ = report.first_day + timedelta(days=day)
        draw = Draw(f"{seed}/{maker.stream}/{date_}")
        midnight = datetime(date_.year, date_.month, date_.day, tzinfo=UTC)
        for milliseconds in sorted(draw.whole(0, 86_399_999) for _ in range(quota)):
            moment = midnight + timedelta(milliseconds=milliseconds)
            # Striding through the deck deals every category early and evenly, also in a small lake.
            category = deck[number * stride % len(deck)]
            row = maker.make(draw, category, f"{date_:%Y%m%d}-{number:06d}")
            row[maker.stamp] = written(moment)
            yield moment, orjson.dumps(row)
            number += 1


def _merged(clean: Iterable[tuple[datetime, bytes]], planted: list[Planted]) -> Iterator[tuple[bytes, Planted | None]]:
    """Give clean and planted lines in time order; those without a moment last, and of them a torn line last."""
    rows: Iterator[tuple[datetime, bytes, Planted | None]] = ((moment, line, None) for moment, line in clean)
    ordered = sorted(planted, key=lambda trap: (trap.moment or _AT_END, not trap.newline))
    traps = ((trap.moment or _AT_END, trap.line, trap) for trap in ordered)
    for _, line, trap in heapq.merge(rows, traps, key=itemgetter(0)):
        yield line, trap


def _table(report: SampleReport) -> str:
    lines = [
        "# Planted traps",
        "",
        "What is wrong or hard in this sample lake, where it stands, and what is expected of each line. Lines count from 0.",
        "",
        "| trap | where | day | expected | what it is |",
        "| --- | --- | --- | --- | --- |",
    ]
    for trap in report.traps:
        expected = f"{trap.expected.stage}: {trap.expected.outcome}"
        if trap.expected.reason_code:
            expected += f" (`{trap.expected.reason_code}`)"
        place = f"`{trap.source_file}:{trap.line_offset}`"
        lines.append(f"| `{trap.id}` | {place} | {trap.day or 'none'} | {expected} | {trap.text} |")
    return "\n".join(lines) + "\n"
