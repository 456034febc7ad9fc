"""Comparing what two copies of a lake made, line by line.

Here: which files are compared, and what of a line. Not here: which copies (`copies.py`), and what may differ.
"""

from __future__ import annotations

import json
from itertools import zip_longest
from typing import Any

from lakehouse.acceptance.rows import Failure
from lakehouse.lake import Lake

MADE = ("evidence", "scored-runs", "quarantine", "distilled")
"""The folders of what is made of rows."""
OF_DAYS = ("evidence", "scored-runs", "distilled/sft/parts", "distilled/rag/parts")
"""Those of what is made of days, before anything is published."""


def differences(one: Lake, other: Lake, *, stamps: bool, folders: tuple[str, ...] = MADE) -> tuple[int, list[Failure]]:
    """Compare what two lakes made; give the lines compared and the first that differs in each file.

    With stamps every file must be equal byte for byte, verdicts and manifests too. Without, JSON lines are compared but
    for the stamps that say when a record was first written, and keys of runs, which have none, by their bytes.
    """
    folders = (*folders, "index", "gates") if stamps else folders
    rows = 0
    failures: list[Failure] = []
    for file in sorted(_files(one, folders, stamps) | _files(other, folders, stamps)):
        mine, theirs = one.root / file, other.root / file
        if not (mine.is_file() and theirs.is_file()):
            failures.append(Failure(file, 0, "only one of both runs wrote it"))
            continue
        json_lines = file.endswith(".jsonl")
        line = None
        with mine.open("rb") as before, theirs.open("rb") as after:
            for number, (left, right) in enumerate(zip_longest(before, after), start=1):
                rows += json_lines
                same = left == right or (not stamps and json_lines and _stampless(left) == _stampless(right))
                if line is None and not same:
                    line = number
        if line is not None:
            failures.append(Failure(file, line, "the two runs wrote different lines"))
    return rows, failures


def _files(lake: Lake, folders: tuple[str, ...], every: bool) -> set[str]:
    # Locks hold nothing, and DuckDB spills below the index.
    skipped = ("index/locks/", "index/duckdb/")
    found = {lake.relative(path) for folder in folders for path in (lake.root / folder).rglob("*") if path.is_file()}
    return {
        file
        for file in found
        if not file.startswith(skipped) and (every or file.endswith(".jsonl") or ".keys/" in file)
    }


def _stampless(line: bytes | None) -> Any:
    if not line:
        return line
    record = json.loads(line)
    if isinstance(record, dict):
        for stamp in ("scored_at", "created_at"):
            record.pop(stamp, None)
        for part in ("provenance", "provenance_chosen", "provenance_rejected"):
            if isinstance(record.get(part), dict):
                record[part].pop("recorded_at", None)
    return record
