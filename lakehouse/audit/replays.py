"""Phase 7: the last replays in the log are readable, and one task can be done again now.

The log is shared with other runtimes: of their rows only JSON and the schema's name are asked for. The live replay informs and
is kept nowhere: a model server that is down is no fault of the lake. A line that cannot be read fails the audit until a person
moves it out of the log: nobody else can say whose row it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import msgspec
import orjson

from lakehouse.audit.model import AuditCheck, looked, offender, skipped
from lakehouse.audit.scope import Scope
from lakehouse.baseline import PRODUCER
from lakehouse.chat.answer import ChatError
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.jsonl import raw_lines
from lakehouse.records import ReplayRun
from lakehouse.replay.log import MEND

LAST = 50
SCHEMA = "replay_run.v1"
LOG, LIVE = "replay_log_valid", "live_replay"
METRIC = "p7_replays"


def replays(scope: Scope) -> Iterator[AuditCheck]:
    """Read the last replays in the log, then do one."""
    yield _log(scope)
    yield _live(scope)


def _log(scope: Scope) -> AuditCheck:
    """Read the last 50 rows of `_kb/replay_runs.jsonl`; a torn last line is not there yet."""
    path = scope.lake.replays
    name = scope.lake.relative(path)
    if not path.exists():
        return skipped(7, LOG, f"{name} is not there: nothing was replayed yet")
    last = deque(((number, line) for number, _, line in raw_lines(path)), maxlen=LAST)
    if not last:
        return skipped(7, LOG, f"{name} holds no row yet")
    found = [offender(name, number, f"{why}; {MEND}") for number, line in last if (why := _wrong(line)) is not None]
    good = f"the last {len(last)} replays can be read"
    return looked(7, LOG, found, good, observed={METRIC: len(last) - len(found), "looked_at": len(last)})


def _wrong(line: bytes) -> str | None:
    """Say what is wrong with a row, or `None`. Ours are held to the record type."""
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "the line is no JSON"
    if not isinstance(row, dict) or row.get("schema") != SCHEMA:
        return f"the line does not say that it is a {SCHEMA}"
    if row.get("producer") == PRODUCER:
        try:
            msgspec.json.decode(line, type=ReplayRun)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return "the line is no replay as this runtime writes them"
    return None


def _live(scope: Scope) -> AuditCheck:
    """Do one task again, where a chat was given to this audit; a lake without anything to ask or to read is skipped."""
    if scope.live_replay is None:
        return skipped(7, LIVE, "no chat was given to this audit: nobody to ask", required=False)
    try:
        run = scope.live_replay()
    except ChatError as error:
        if error.kind in ("provider_not_configured", "nothing_retrieved"):
            return skipped(7, LIVE, f"{error.where}: {error.what}", required=False)
        return looked(7, LIVE, [offender("lakehouse.toml", 0, f"{error.where}: {error.what}")], "", required=False)
    except UsageError as error:
        return skipped(7, LIVE, error.what, required=False)
    except (LakehouseError, OSError) as error:
        return looked(7, LIVE, [offender("", 0, str(error))], "", required=False)
    wrong = [offender("lakehouse.toml", 0, f"{run.provider}/{run.model} gave no valid answer to {run.task_id}")]
    # Nothing that changes from one answer to the next: the same lake, the same verdict.
    good = f"{run.provider} answered the newest accepted task from what was retrieved for it; nothing was recorded"
    observed = {"passages": len(run.retrieved), "escalated": int(run.escalated)}
    return looked(7, LIVE, [] if run.validation.ok else wrong, good, observed=observed, required=False)
