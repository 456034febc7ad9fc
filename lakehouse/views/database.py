"""`lakehouse.duckdb`: the views in a file, for every program that opens DuckDB databases.

Here: writing it. Not here: the views (`registry.py`). It is no sandbox: who opens it reads with their own rights.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from lakehouse.files import Staged
from lakehouse.lake import Lake
from lakehouse.views.registry import create


def database_path(lake: Lake) -> Path:
    """Where it lies."""
    return lake.root / "lakehouse.duckdb"


def write_database(lake: Lake) -> Path:
    """Write the views of a lake to `lakehouse.duckdb`, moved into place whole, and give its path.

    A file that holds these views already is left alone: DuckDB writes no file twice alike.
    The views name the files by absolute paths: write it again when the lake moved, or a roster came or changed its columns.
    """
    import duckdb

    path = database_path(lake)
    with TemporaryDirectory() as folder:
        beside = Path(folder) / path.name
        with closing(duckdb.connect(beside)) as connection:
            create(connection, lake.root.resolve())
        if _views(path) != _views(beside):
            with Staged(path) as out:
                out.write(beside.read_bytes())
    return path


def _views(path: Path) -> list[tuple[str, str]] | None:
    """Give the views that a database holds; `None` where there is none that can be opened."""
    import duckdb

    if not path.is_file():
        return None
    try:
        with closing(duckdb.connect(path, read_only=True)) as connection:
            found: list[tuple[str, str]] = connection.execute(
                "SELECT view_name, sql FROM duckdb_views() WHERE NOT internal ORDER BY view_name"
            ).fetchall()
            return found
    except duckdb.Error:
        return None
