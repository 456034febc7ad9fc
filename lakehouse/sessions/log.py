"""Appending to the log of sessions, as well as can be: a call never fails because its record could not be kept.

Here: one line per record, and the count of those that were lost. Not here: what a record says (`lakehouse.iterate`),
reading (`reading.py`).
"""

from __future__ import annotations

import logging
from pathlib import Path
from threading import Lock

import msgspec

from lakehouse.errors import LakehouseError
from lakehouse.files import append
from lakehouse.jsonl import encode
from lakehouse.records import SessionRecord

_logger = logging.getLogger(__name__)


class SessionLog:
    """The log at a path; without a path it is switched off. For any number of threads and processes at once.

    A line is written whole, in one write under a lock, and a torn line of a killed writer is ended first.
    """

    def __init__(self, path: Path | str | None) -> None:
        self.path = Path(path) if path is not None and str(path) not in ("", ".") else None
        self._failed = 0
        self._counting = Lock()

    @property
    def failed(self) -> int:
        """How many records could not be appended since this log was opened."""
        return self._failed

    def append(self, record: SessionRecord) -> bool | None:
        """Append a record; say whether it stands there, `None` where the log is switched off.

        What cannot be appended is counted and said in one warning, and raises nothing.
        """
        if self.path is None:
            return None
        try:
            append(self.path, [encode(record)])
        except (LakehouseError, OSError, OverflowError, TypeError, ValueError, msgspec.EncodeError) as error:
            with self._counting:
                self._failed += 1
            why = error.what if isinstance(error, LakehouseError) else type(error).__name__
            _logger.warning("session %s is not in the log %s: %s", record.session_id, self.path, why)
            return False
        return True
