"""The files that views read: their names in SQL, the lines in them, and what a locked connection must be allowed for them.

Here: typed paths to SQL text. Not here: which views there are (`logs.py`), the lock (`locked.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from lakehouse.views.types import Type, listed, name, nothing, structure, text

_WILD: Final = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Files:
    """Files by their path relative to the lake, with `*` where there are many.

    Of `whole` ones a locked connection may read everything in the folder above the first `*`; of others no file beside.
    """

    path: str
    whole: bool = True

    def named(self, root: Path) -> str:
        """Give the absolute pattern as SQL. What is a wildcard in the lake's own path is none to DuckDB then."""
        return text(self._pattern(root))

    def folders(self, root: Path) -> set[str]:
        """Give the folders that must be open for reading, each with a slash at its end."""
        fixed = self._fixed
        if self.many and self.whole:
            folders = {str(root / fixed), f"{_tamed(root)}/{fixed}", str((root / fixed).resolve())}
            return {f"{one}/" for one in folders}
        # DuckDB takes a file that is not there for a folder of files, and asks whether it may look into it.
        return {f"{self._pattern(root)}/"}

    def singles(self, root: Path) -> set[str]:
        """Give the files that must be open for reading, and the pattern that finds them. A log may be a link elsewhere."""
        if self.many and self.whole:
            return set()
        found = sorted(root.glob(self.path)) if self.many else [root / self.path]
        return {self._pattern(root), *(str(one) for path in found for one in (path, path.resolve()))}

    @property
    def many(self) -> bool:
        """Whether it is a pattern."""
        return _WILD.search(self.path) is not None

    @property
    def _fixed(self) -> str:
        parts = PurePosixPath(self.path).parts
        wild = next((place for place, part in enumerate(parts) if _WILD.search(part)), len(parts))
        return "/".join(parts[:wild])

    def _pattern(self, root: Path) -> str:
        return f"{_tamed(root)}/{self.path}"


def _tamed(root: Path) -> str:
    return _WILD.sub(lambda found: f"[{found[0]}]", str(root))


def lines(root: Path, files: Files, columns: Mapping[str, Type]) -> str:
    """Give a query for the lines of JSONL files: the columns, the `file` relative to the lake, and the `entry`, from 1.

    A line that is no JSON object, a torn last one too, is a row of nulls; empty lines are none. No file, no rows.
    """
    call = (
        f"read_json({files.named(root)}, columns = {listed(columns)}, format = 'newline_delimited',"
        " auto_detect = false, ignore_errors = true, allow_empty = true, filename = true)"
    )
    return (
        f"SELECT {', '.join(map(name, columns))}, {_relative(root)} AS file, row_number() OVER () AS entry"  # noqa: S608 - made of typed parts, quoted
        f" FROM ({_with_columns({**columns, 'filename': 'VARCHAR'}, call)})"
    )


def documents(root: Path, files: Files, columns: Mapping[str, Type]) -> str:
    """Give a query for files of one JSON object each: as `lines` does, with an `entry` of 1. A damaged one is a row of nulls."""
    call = f"read_blob({files.named(root)}, allow_empty = true)"
    document = f"json_transform(try_cast(try(decode(content)) AS JSON), {text(structure(dict(columns)))})"
    return (
        f"SELECT unnest({document}), {_relative(root)} AS file, 1 AS entry"  # noqa: S608 - made of typed parts, quoted
        f" FROM ({_with_columns({'filename': 'VARCHAR', 'content': 'BLOB'}, call)})"
    )


def _with_columns(columns: Mapping[str, Type], call: str) -> str:
    """Give the rows of a reader, by the names of its columns: where there is no file, DuckDB gives it others."""
    return f"{nothing(columns)} UNION ALL BY NAME SELECT * FROM {call}"  # noqa: S608 - as above


def _relative(root: Path) -> str:
    return f"filename[{len(str(root)) + 2}:]"
