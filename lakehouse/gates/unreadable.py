"""A file that a gate cannot read, as an offender.

Here: naming the line, and nothing that stands in it: what DuckDB and JSON readers say quotes it. Not here: the gates.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import orjson

_LINE = re.compile(r"\b(?:line|record/value) (\d+)")


def unreadable(path: Path, name: str, error: Exception) -> dict[str, Any]:
    """Name the first line of a file that is no JSON object, else the one that the error names; 0 where none is known."""
    line = 0 if isinstance(error, OSError) else _first_bad(path)
    about = bool(line) or isinstance(error, OSError) or str(path) in str(error)
    if not line and about and (told := _LINE.search(str(error))):
        line = int(told[1])
    what = "the file" if about else "the file, or what it is held against,"
    return {"file": name, "line": line, "why": f"{what} cannot be read ({type(error).__name__})"}


def _first_bad(path: Path) -> int:
    if not path.is_file():
        return 0
    with path.open("rb", buffering=1 << 18) as file:
        for number, line in enumerate(file, start=1):
            try:
                if not isinstance(orjson.loads(line), dict):
                    return number
            except orjson.JSONDecodeError:
                return number
    return 0
