"""Errors that people read: what is wrong, where, and what to do about it.

Here: the exception classes of the domain and the exit codes that the command line gives them.
Not here: quarantine (bad *rows* are data, see `quarantine.py`) and gate verdicts (`gates/`).
"""

from __future__ import annotations


class LakehouseError(Exception):
    """Anything the user can mend.

    `what` says what is wrong, `where` names the file, line or setting, `mend` is the next step.
    `exit_code` follows the command line: 1 a gate failed, 2 wrong usage, configuration or data, 3 something
    outside failed.
    """

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what, self.where, self.mend = what, where, mend
        parts = [f"{where}: {what}" if where else what]
        if mend:
            parts.append(f"To mend it: {mend}")
        super().__init__(". ".join(part.rstrip(".") for part in parts) + ".")

    def __reduce__(self) -> tuple[object, ...]:
        # Worker processes send errors back by pickle; the default protocol would call __init__ with the message.
        return (_rebuild, (type(self), self.what, self.where, self.mend))


def _rebuild(cls: type[LakehouseError], what: str, where: str, mend: str) -> LakehouseError:
    return cls(what, where=where, mend=mend)


class UsageError(LakehouseError):
    """Wrong arguments or configuration."""


class RecordError(LakehouseError):
    """A file of ours holds something that is not the record it should be, or one of an unknown version."""


class StreamRewritten(LakehouseError):
    """An append-only stream shrank, vanished or changed where it was already read."""


class SftContamination(LakehouseError):
    """A run that must never be trained on was about to enter the SFT export."""

    exit_code = 1


class GateFailed(LakehouseError):
    """A gate is red, stale or missing, so data may not move on."""

    exit_code = 1


class OutsideFailure(LakehouseError):
    """Something this project does not own failed: a disk, a server, a lock that nobody releases."""

    exit_code = 3
