"""One replay that is kept nowhere: the newest accepted task, asked now. The audit does it to see that the way is open.

Here: choosing and asking. Not here: what the audit says of it (`lakehouse.audit.replays`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.records import ReplayRun
from lakehouse.replay.replaying import Replayer, replay
from lakehouse.replay.tasks import newest_accepted

Live = Callable[[], ReplayRun]
"""Asks once and gives the replay. Raises `UsageError` where there is nothing to ask or to read, `ChatError` where nobody answers."""


def live_replay(lake: Lake, opened: Callable[[], AbstractContextManager[Replayer]]) -> Live:
    """Make the live replay of a lake; nothing is opened before it is called, and the log stays as it is."""

    def ask() -> ReplayRun:
        tasks, _ = newest_accepted(lake, 1)
        if not tasks:
            raise UsageError(
                "there is no accepted task to do again", where=str(lake.root), mend="run `lakehouse distill`"
            )
        with opened() as replayer:
            return replay(tasks[0], replayer)

    return ask
