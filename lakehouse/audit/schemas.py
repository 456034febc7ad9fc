"""Phase 1: every record type survives being written and read, and every file of the newest days is of its type."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import msgspec

from lakehouse import engine, records
from lakehouse.audit.examples import examples, optional
from lakehouse.audit.model import AuditCheck, Offender, looked, offender, skipped
from lakehouse.audit.receipts import line_of
from lakehouse.audit.scope import Scope
from lakehouse.audit.suspects import UNDECODED, kind_of
from lakehouse.baseline import log_path as baselines_path
from lakehouse.chain.manifests import STAGES
from lakehouse.gates.waivers import log_path as waivers_path
from lakehouse.jsonl import encode
from lakehouse.lake import Lake
from lakehouse.overrides import log_path as overrides_path
from lakehouse.records import AuditBaseline, DayManifest, GateVerdicts, GateWaiver, OverrideRow, Record


def schemas(scope: Scope) -> Iterator[AuditCheck]:
    """Write and read every record type; decode the files of the newest three days and the logs that are ours."""
    types = record_types(records)
    broken = [one for kind in types for one in round_trip(kind)]
    yield looked(
        1,
        "schemas_round_trip",
        broken,
        f"{len(types)} record types come back as written",
        observed={"types": len(types)},
    )
    files = list(_files(scope.lake, scope.newest_days))
    if not files:
        yield skipped(1, "files_decode", "nothing was made yet: there is no file to decode")
        return
    tasks = [(scope.lake, path, kind) for path, kind in files]
    results = engine.run(_decode, tasks, lambda task: task[1].stat().st_size, workers=scope.lake.settings.workers)
    lines, found = sum(number for number, _ in results), [one for _, bad in results for one in bad]
    numbers = {"files": len(files), "lines": lines}
    # The counts stand in `observed`: the logs grow, and the verdict on the same data is to be the same.
    good = "every line of the newest days and of the lake's own logs decodes"
    yield looked(1, "files_decode", found, good, observed=numbers)


def record_types(module: ModuleType) -> list[type[Record]]:
    """Find the record types of a module, by walking it."""
    kinds = (kind for _, kind in inspect.getmembers(module, inspect.isclass))
    return [kind for kind in kinds if issubclass(kind, Record) and kind is not Record]


def round_trip(kind: type[Record]) -> Iterator[Offender]:
    """Write and read a record with each value of each field: empty ones must be written, absent ones left out."""
    hints = get_type_hints(kind)
    least = {name: next(examples(hint)) for name, hint in hints.items() if not optional(hint)}
    for name, hint in hints.items():
        for value in examples(hint):
            why = _lost(kind, name, kind(**{**least, name: value}), value)
            if why is not None:
                yield offender(f"{kind.__module__.replace('.', '/')}.py", 0, f"{kind.__name__}.{name}: {why}")
                break


def _lost(kind: type[Record], name: str, record: Record, value: Any) -> str | None:
    """Say what a field's value loses on its way, or `None`."""
    line = encode(record)
    written = msgspec.json.decode(line)
    on_the_wire = next(field.encode_name for field in msgspec.structs.fields(kind) if field.name == name)
    if (on_the_wire in written) != (value is not None):
        return f"{value!r} is left out" if value is not None else "an absent value is written"
    try:
        back = getattr(msgspec.json.decode(line, type=kind), name)
    except msgspec.DecodeError:
        return f"{value!r} is not read back"
    return None if back == value and type(back) is type(value) else f"{value!r} comes back as {back!r}"


def _files(lake: Lake, days: Iterable[str]) -> Iterator[tuple[Path, type[Record]]]:
    """List the files of days with the type of what stands in them, and the logs that are ours."""
    for day in days:
        folders = (lake.evidence(day), lake.scored(day), lake.quarantine(day, "collect").parent)
        paths = [path for folder in folders for path in sorted(folder.glob("[!.]*.jsonl"))]
        for path in (*paths, lake.part(day), lake.rag_part(day)):
            kind = kind_of(lake.relative(path))
            if kind is not None and path.exists():
                yield path, kind
        singles: list[tuple[Path, type[Record]]] = [(lake.manifest(stage, day), DayManifest) for stage in STAGES]
        singles += [(path, GateVerdicts) for path in sorted((lake.root / "gates").glob(f"*/{day}.json"))]
        yield from ((path, kind) for path, kind in singles if path.exists())
    logs: tuple[tuple[Path, type[Record]], ...] = (
        (overrides_path(lake), OverrideRow),
        (waivers_path(lake), GateWaiver),
        (baselines_path(lake), AuditBaseline),
    )
    yield from ((path, kind) for path, kind in logs if path.exists())


def _decode(task: tuple[Lake, Path, type[Record]]) -> tuple[int, list[Offender]]:
    """Decode a file of one record, or of one a line; a torn last line of a log is not there yet."""
    lake, path, kind = task
    decode = msgspec.json.Decoder(kind).decode
    name = lake.relative(path)
    if path.suffix == ".json":
        data = path.read_bytes()
        try:
            decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return 1, [offender(name, line_of(data, str(error)), f"the file is no {kind.__name__}")]
        return 1, []
    found: list[Offender] = []
    number = 0
    # The last baseline is the answer: a torn one is lost. Other logs are read by their whole lines.
    torn_is_bad = kind is AuditBaseline or path.parent != lake.raw
    with path.open("rb", buffering=1 << 18) as file:
        for number, line in enumerate(file, start=1):
            if not line.strip() and path.parent == lake.raw:
                continue
            if not line.endswith(b"\n"):
                if torn_is_bad:
                    found.append(offender(name, number, "the last line is torn"))
                continue
            try:
                decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                found.append(offender(name, number, f"{UNDECODED} ({kind.__name__})"))
    return number, found
