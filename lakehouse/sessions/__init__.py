"""The log of sessions: one line for each call of iterate, whatever came of it.

Here: appending, reading, counting; `page.py` shows it to people. Not here: the loop (`lakehouse.iterate`), SQL over it (`lakehouse.views`).
"""

from __future__ import annotations

from lakehouse.sessions.log import SessionLog
from lakehouse.sessions.reading import Refused, Session, sessions

__all__ = ["Refused", "Session", "SessionLog", "sessions"]
