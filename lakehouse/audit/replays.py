"""Phase 7: the last replays in the log are readable.

The log is shared with other runtimes: of their rows only JSON and the schema's name are asked for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec
import orjson

from lakehouse import records
from lakehouse.audit.model import AuditCheck, looked, offender, skipped
from lakehouse.audit.scope import Scope
from lakehouse.baseline import PRODUCER

LAST = 50
SCHEMA = "replay_run.v1"
METRIC = "p7_replays"


def replays(scope: Scope) -> Iterator[AuditCheck]:
    """Read the last 50 rows of `_kb/replay_runs.jsonl`; a torn last line is not there yet."""
    path = scope.lake.raw / "replay_runs.jsonl"
    name = scope.lake.relative(path)
    if not path.exists():
        yield skipped(7, "replay_log_valid", f"{name} is not there: nothing was replayed yet")
        return
    last: deque[tuple[int, bytes]] = deque(maxlen=LAST)
    with path.open("rb", buffering=1 << 18) as file:
        for number, line in enumerate(file, start=1):
            if line.strip() and line.endswith(b"\n"):
                last.append((number, line))
    if not last:
        yield skipped(7, "replay_log_valid", f"{name} holds no row yet")
        return
    found = [offender(name, number, why) for number, line in last if (why := _wrong(line)) is not None]
    good = f"the last {len(last)} replays can be read"
    yield looked(7, "replay_log_valid", found, good, observed={METRIC: len(last) - len(found), "looked_at": len(last)})


def _wrong(line: bytes) -> str | None:
    """Say what is wrong with a row, or `None`. Ours are held to the record type, where there is one by now."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "the line is no JSON"
    if not isinstance(row, dict) or row.get("schema") != SCHEMA:
        return f"the line does not say that it is a {SCHEMA}"
    kind: type[records.Record] | None = getattr(records, "ReplayRun", None)
    if kind is not None and row.get("producer") == PRODUCER:
        try:
            msgspec.json.decode(line, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return "the line is no replay as this runtime writes them"
    return None
