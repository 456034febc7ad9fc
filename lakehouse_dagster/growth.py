"""The memory of the `new_evidence` sensor: how big the streams were, since when they grow, which runs it waits for.

Here: pure functions from one state to the next, and the state as JSON. Not here: looking at files or runs
(`evidence_sensor.py`).
"""

from collections.abc import Mapping

import msgspec

from lakehouse.errors import UsageError

QUIET = 60.0
"""Seconds without growth after which a run is worth while."""

AT_MOST = 600.0
"""Seconds after the first growth when it is due even though rows keep coming."""


class Asked(msgspec.Struct, frozen=True):
    """A run that was asked for and has not been seen to end well: its days and what they are made from."""

    key: str
    days: list[str]


class Watch(msgspec.Struct, frozen=True):
    """What one tick leaves to the next. `since` and `last` are the first and the latest growth, in epoch seconds.

    It only saves work: what is stale stands on disk, and what was tried in Dagster's own storage. A lost cursor, or a
    tick that died before it was kept, leads to the same requests again, whose run keys Dagster knows.
    """

    sizes: dict[str, int] = {}
    since: float | None = None
    last: float = 0.0
    asked: list[Asked] = []


def read_cursor(cursor: str | None) -> Watch:
    """Read the state from a cursor; a fresh one where there is none. Raises `UsageError`."""
    if not cursor:
        return Watch()
    try:
        return msgspec.json.decode(cursor, type=Watch)
    except msgspec.DecodeError as error:
        raise UsageError(
            f"the cursor of new_evidence cannot be read ({error})", mend="reset the sensor's cursor; nothing gets lost"
        ) from None


def write_cursor(watch: Watch) -> str:
    """Write the state as a cursor."""
    return msgspec.json.encode(watch).decode()


def observe(watch: Watch, sizes: Mapping[str, int], now: float) -> Watch:
    """Take in the sizes of the files at `now`: any difference is growth."""
    if dict(sizes) == watch.sizes:
        return watch
    since = now if watch.since is None else watch.since
    return msgspec.structs.replace(watch, sizes=dict(sizes), since=since, last=now)


def why_waiting(watch: Watch, now: float) -> str | None:
    """Say why nothing is due yet, or `None` where the growth has calmed down or lasted long enough."""
    if watch.since is None:
        return "no stream grew"
    if now - watch.last >= QUIET or now - watch.since >= AT_MOST:
        return None
    return f"streams grew {now - watch.last:.0f} s ago; waiting for {QUIET:.0f} s of quiet"


def overdue(watch: Watch, now: float) -> bool:
    """Say whether requests should go out although the index is not at the end of the streams yet."""
    return watch.since is not None and now - watch.since >= AT_MOST


def settled(watch: Watch, now: float, *, behind: bool) -> Watch:
    """Begin anew after requests went out; where the index is still behind, the growth goes on from now."""
    return msgspec.structs.replace(watch, since=now if behind else None)


def waiting_for(watch: Watch, asked: list[Asked]) -> Watch:
    """Remember the runs that were asked for."""
    return msgspec.structs.replace(watch, asked=asked)
