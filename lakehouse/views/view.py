"""What a view is.

Here: the shape, and the views that show the lines of files. Not here: which there are (`logs.py`, `rosters.py`,
`questions.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from lakehouse.views.files import Files, documents, lines
from lakehouse.views.types import columns_of, name, readable

DAY: Final = "try_cast(regexp_extract(file, '([0-9]{4})/([0-9]{2})/([0-9]{2})', 0).replace('/', '-') AS DATE) AS day"
STREAM: Final = "parse_filename(file, true) AS stream"


@dataclass(frozen=True)
class View:
    """A view: its name, what it shows in one sentence, the query of a lake at `root`, and the files that it reads.

    `unread` gives a query for the lines that are no such record, by file; `None` where it reads no lines.
    """

    name: str
    says: str
    query: Callable[[Path], str]
    files: tuple[Files, ...] = ()
    unread: Callable[[Path], str] | None = None


@dataclass(frozen=True)
class Lines:
    """A view over the lines of files, or over files of one object each (`documents`).

    `keys` must be there for a line to count. `more` are further columns, made of the others. `entry` shows the place of a line
    in its log, from 1, where later lines overrule earlier ones. `hidden` are fields that the view does not show.
    """

    name: str
    says: str
    files: Files
    record: type[msgspec.Struct]
    keys: tuple[str, ...]
    more: tuple[str, ...] = ()
    entry: bool = False
    documents: bool = False
    hidden: frozenset[str] = frozenset()

    def view(self) -> View:
        """Make the view."""
        return View(self.name, self.says, self._query, (self.files,), self._unread)

    def _query(self, root: Path) -> str:
        shown = [name(column) for column in columns_of(self.record) if column not in self.hidden]
        shown += [*self.more, "file", *(["entry"] if self.entry else [])]
        return f"SELECT {', '.join(shown)} FROM ({self._lines(root)}) WHERE {readable(self.record, self.keys)}"  # noqa: S608

    def _unread(self, root: Path) -> str:
        return (
            f"SELECT '{self.name}' AS view, file, count(*) AS lines FROM ({self._lines(root)})"  # noqa: S608
            f" WHERE ({readable(self.record, self.keys)}) IS NOT true GROUP BY file"
        )

    def _lines(self, root: Path) -> str:
        read = documents if self.documents else lines
        return read(root, self.files, columns_of(self.record))
