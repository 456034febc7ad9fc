"""Naming the code that looked: a verdict about what the code does goes stale with the code.

Here: one hash over the package's own sources. Not here: versions of stages and rules, which people raise by hand.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

PACKAGE = Path(__file__).parent
_SUFFIXES = frozenset({".py", ".sql"})


def sources_sha256(*extra: Path) -> str:
    """Give the hex SHA-256 of every `.py` and `.sql` file of this package by path and content, and of `extra` files.

    An extra file counts by its name; one that is not there counts as absent. About 10 ms.
    """
    digest = sha256()
    sources = (path for path in PACKAGE.rglob("*") if path.suffix in _SUFFIXES)
    named = [(path.relative_to(PACKAGE).as_posix(), path) for path in sources]
    for name, path in sorted(named) + sorted((path.name, path) for path in extra):
        content = sha256(path.read_bytes()).hexdigest() if path.is_file() else "absent"
        digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()
