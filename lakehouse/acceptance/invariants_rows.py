"""Invariants 1 to 8: runs that give the same again, and what becomes of raw rows.

Here: one function each. Not here: verdicts (`invariants_verdicts.py`) and exports (`invariants_exports.py`).
"""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterable

from lakehouse.acceptance.comparing import OF_DAYS, differences
from lakehouse.acceptance.raw import RawRow, lines, stamp_of, values
from lakehouse.acceptance.rows import Context, Failure, Line, Outcome, Place, read
from lakehouse.lake import Lake

REASON_OF = {
    "not_json": {"not_json"},
    "not_object": {"not_object"},
    # A line can be wrong in two ways, of which the index names the one that it met first.
    "not_utf8": {"not_utf8", "not_json"},
    "too_long": {"too_long"},
    "no_timestamp": {"no_timestamp"},
    "bad_timestamp": {"bad_timestamp"},
}
"""Which quarantine reasons are right for a line without a day."""


def same_input_same_hash(context: Context) -> Outcome:
    """1. Two runs over the same rows, at different times and places, have one run hash, and wrote the same but stamps."""
    first, second = context.copies.first, context.copies.second
    rows, failures = differences(first.lake, second.lake, stamps=False)
    hashes = first.summary.run_hash, second.summary.run_hash
    if hashes[0] != hashes[1]:
        file = "reports/distillation/second/summary.json"
        failures.append(Failure(file, 0, f"run hash {hashes[1][:16]}…, the first run had {hashes[0][:16]}…"))
    return Outcome(rows, failures, None if rows else "no row was made")


def rerun_rewrites_nothing(context: Context) -> Outcome:
    """2. After every day was run again, later, every file has the bytes that it had."""
    rows, failures = differences(context.lake, context.copies.again.lake, stamps=True)
    return Outcome(rows, failures, None if rows else "no row was made")


def order_does_not_matter(context: Context) -> Outcome:
    """3. Streams indexed and days made from the last to the first give the same lines."""
    rows, failures = differences(context.lake, context.copies.backwards, stamps=False, folders=OF_DAYS)
    return Outcome(rows, failures, None if rows else "no row was made")


def line_zero_is_there(context: Context) -> Outcome:
    """4. The first line of each stream's file is evidence, or quarantined, under `line_offset` 0."""
    days = set(context.copies.first.days)
    heads = [row for row in context.raw if row.offset == 0 and (row.day is None or row.day in days)]
    repeated = {row.file for row in heads if sum(row.stream == other.stream for other in heads) > 1}
    signatures = {(run.stream, run.day, run.sig) for run in context.evidence.values()}
    failures = []
    for row in heads:
        # Of several files of a stream, one may begin with a row that another has too.
        kept = row.place in context.evidence or (row.file in repeated and (row.stream, row.day, row.sig) in signatures)
        if not kept and row.place not in context.quarantined:
            failures.append(Failure(row.file, 1, "the first line is neither evidence nor quarantined"))
    return Outcome(len(heads), failures, None if heads else "no stream has a row")


def duplicates_kept_once(context: Context) -> Outcome:
    """5. Of rows with one signature in a stream's day one became evidence, the others are counted as duplicates."""
    same: dict[tuple[str, str, str], list[RawRow]] = defaultdict(list)
    for row in context.made:
        if row.sig and row.place not in context.quarantined:
            same[row.stream, str(row.day), row.sig].append(row)
    groups = {key: rows for key, rows in same.items() if len(rows) > 1}
    failures = []
    extra: dict[str, int] = defaultdict(int)
    for (_, day, _), rows in groups.items():
        kept = [row for row in rows if row.place in context.evidence]
        extra[day] += len(rows) - 1
        if len(kept) != 1:
            where = rows[-1] if len(kept) > 1 else rows[0]
            failures.append(
                Failure(where.file, where.offset + 1, f"of {len(rows)} equal rows {len(kept)} are evidence")
            )
        elif kept[0].offset > min(row.offset for row in rows if row.file == kept[0].file):
            failures.append(Failure(kept[0].file, kept[0].offset + 1, "a later one of equal rows was kept"))
    for day in context.copies.first.days:
        manifest = context.lake.manifest("collect", day)
        counted = json.loads(manifest.read_bytes())["skip_reasons"].get("duplicate", 0)
        if counted != extra[day]:
            why = f"{counted} duplicates are counted, {extra[day]} rows came again"
            failures.append(Failure(context.lake.relative(manifest), 0, why))
    planted = {expected.place for expected in context.expects() if expected.becomes == "duplicate"}
    missed = planted - {row.place for rows in groups.values() for row in rows}
    failures += [Failure(file, offset + 1, "this row should repeat another") for file, offset in sorted(missed)]
    total = sum(len(rows) - 1 for rows in groups.values())
    return Outcome(total, failures, None if total or failures else "no row came twice")


def malformed_quarantined_alone(context: Context) -> Outcome:
    """6. Each line that no day or no stream can take is quarantined once, as it is; every other row is evidence."""
    failures: list[Failure] = []
    signatures = {(run.stream, run.day, run.sig) for run in context.evidence.values()}
    days, first_day = set(context.copies.first.days), context.lake.settings.first_day or ""
    bad = 0
    for row in context.raw:
        entries = context.quarantined.get(row.place, [])
        undated = row.day is None or row.day < first_day
        if not undated and row.day not in days:
            continue
        here = Failure(row.file, row.offset + 1, "")
        bad += bool(undated or entries or not row.sig)
        if len(entries) > 1:
            failures.append(here._replace(why=f"it is quarantined {len(entries)} times"))
        if entries and row.place in context.evidence:
            failures.append(here._replace(why="it is quarantined and evidence"))
        if undated or not row.sig:
            failures += _refused(row, entries, first_day)
        elif not entries and (row.stream, row.day, row.sig) not in signatures:
            failures.append(here._replace(why="it is neither evidence nor quarantined"))
    failures += _as_it_is(context)
    for expected in context.expects():
        state, _, code = expected.becomes.partition(":")
        found = [line.record.get("reason_code") for line in context.quarantined.get(expected.place, [])]
        wanted = [code] if state in ("quarantined", "undated") else []
        if found != wanted:
            said = ", ".join(map(str, found)) or "not quarantined"
            failures.append(Failure(expected.file, expected.line, f"it is {said}, and should be {expected.becomes}"))
    return Outcome(bad, failures, None if bad or failures else "no line is malformed")


def _refused(row: RawRow, entries: list[Line], first_day: str) -> list[Failure]:
    """Say that a line without a day, or one that cannot be signed, is not quarantined for the right reason."""
    here = Failure(row.file, row.offset + 1, "it is not quarantined")
    if not entries:
        return [here]
    code = str(entries[0].record.get("reason_code"))
    if row.day is not None:
        right = {"before_first_day"} if row.day < first_day else {"decode_error", "not_json"}
    else:
        right = REASON_OF[str(row.code)]
    return [] if code in right else [here._replace(why=f"it is quarantined as {code}, and is {' or '.join(right)}")]


def _as_it_is(context: Context) -> list[Failure]:
    """Name the quarantine entries whose raw line is not the line in the stream."""
    failures = []
    wanted: dict[str, dict[int, Line]] = defaultdict(dict)
    for (file, offset), entries in context.quarantined.items():
        wanted[file][offset] = entries[0]
    for file, by_offset in wanted.items():
        path = context.lake.root / file
        for offset, line in enumerate(lines(path) if path.is_file() else ()):
            entry = by_offset.pop(offset, None)
            if entry is None or entry.record.get("raw_masked"):
                continue
            kept = entry.record.get("raw")
            raw = base64.b64decode(entry.record.get("raw_b64", "")) if kept is None else kept.encode()
            if not line.startswith(raw) or len(raw) < min(len(line), 65_530):
                failures.append(entry.fails(f"its raw line is not that of {file}:{offset + 1}"))
        failures += [entry.fails(f"{file} has no line {offset + 1}") for offset, entry in by_offset.items()]
    return failures


def late_rows_reach_their_day(context: Context) -> Outcome:
    """7. A row appended after rows of a later day is evidence of its own day, and the lake ends up as if it never was late."""
    late = context.copies.late
    rows = [row for row in context.made if row.late]
    if late is None or not rows:
        return Outcome(0, [], "no row is late")
    failures = []
    signatures = {(run.stream, run.day, run.sig) for run in context.evidence.values()}
    second = {line.place: line for line in read(late, "evidence/*/*/*/*.jsonl")}
    for row in rows:
        here = Failure(row.file, row.offset + 1, f"the late row is not evidence of {row.day}")
        if row.place in context.quarantined:
            continue
        run, came = context.evidence.get(row.place), second.get(row.place)
        if (row.stream, row.day, row.sig) not in signatures or (run is not None and run.day != row.day):
            failures.append(here)
        elif run is not None and (came is None or came.file != run.file):
            failures.append(here._replace(why=f"having come later, the row is not evidence of {row.day}"))
    _, different = differences(context.lake, late, stamps=False, folders=OF_DAYS)
    return Outcome(len(rows), failures + different)


def provenance_resolves(context: Context) -> Outcome:
    """8. The row that each evidence record names is there, has its signature and its time, and is of its day."""
    rows: dict[Place, RawRow] = {row.place: row for row in context.made}
    failures = []
    for place, run in context.evidence.items():
        row = rows.get(place)
        if row is None:
            failures.append(run.fails(f"{place[0]}:{place[1] + 1} is no row of a day that was made"))
        elif row.sig != run.sig:
            failures.append(
                run.fails(f"{place[0]}:{place[1] + 1} hashes to {row.sig[:16]}…, the record says {run.sig[:16]}…")
            )
        elif (row.day, row.stream) != (run.day, run.stream):
            failures.append(run.fails(f"its row is of {row.stream} on {row.day}"))
    failures += _stamps(context, context.lake)
    return Outcome(len(context.evidence), failures, None if context.evidence else "there is no evidence")


def _stamps(context: Context, lake: Lake) -> list[Failure]:
    """Name the records whose time is not the row's as it was written, or that do not say when they were recorded."""
    failures = []
    written = dict(_written(lake, context.evidence))
    for line in read(lake, "evidence/*/*/*/*.jsonl"):
        if line.place in written and line.record.get("timestamp") != written[line.place]:
            failures.append(line.fails("its timestamp is not the row's"))
        if not line.record.get("provenance", {}).get("recorded_at"):
            failures.append(line.fails("it does not say when it was recorded"))
    return failures


def _written(lake: Lake, evidence: Iterable[Place]) -> list[tuple[Place, str]]:
    keys = {name: stream.timestamp_keys for name, stream in lake.streams.items()}
    found = []
    for place, row in values(lake, evidence):
        stream = lake.stream_of(place[0])
        if stream is not None:
            found.append((place, str(stamp_of(row, keys[stream.name]))))
    return found
