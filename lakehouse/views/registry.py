"""Every view of a lake, in the order in which they are made.

Here: the list, and making them in a connection. Not here: the views themselves (`logs.py`, `rosters.py`, `questions.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from lakehouse.errors import UsageError
from lakehouse.views import logs, questions, rosters
from lakehouse.views.types import is_unicode, name
from lakehouse.views.view import View


def _unread(root: Path) -> str:
    return " UNION ALL ".join(one.unread(root) for one in logs.VIEWS if one.unread is not None)


UNREAD: Final = View(
    "unread_lines",
    "How many lines of each file the views leave out: torn, no JSON, of an unknown version, or without their keys.",
    _unread,
)

VIEWS: Final[tuple[View, ...]] = (*logs.VIEWS, *rosters.VIEWS, *questions.VIEWS, UNREAD)


def create(connection: Any, root: Path) -> None:
    """Make every view of the lake at `root`, an absolute path. Files that are not there yet are empty views.

    Raises `UsageError` where the path cannot be written in SQL.
    """
    if not is_unicode(str(root)):
        raise UsageError("its path is not UTF-8", where=ascii(str(root)), mend="give the folder another name")
    for view in VIEWS:
        connection.execute(f"CREATE VIEW {name(view.name)} AS {view.query(root)}")
