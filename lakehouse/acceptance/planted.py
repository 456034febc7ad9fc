"""What must never leave a lake, found once more: secrets by patterns of its own, held-out texts by words of its own.

Here: a few patterns for what a lake's raw rows hold, where to look for it in exports, and 13-grams. Not here: the scan
of the chain (`lakehouse/secrets.py`) and its decontamination (`lakehouse/similarity/`); nothing of them is used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from lakehouse.acceptance.raw import files, lines
from lakehouse.lake import Lake

_PATTERNS = re.compile(
    r"(?<![0-9-])(?!000|666|9)[0-9]{3}-(?!00)[0-9]{2}-(?!0000)[0-9]{4}(?![0-9-])"
    r"|(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Za-z0-9])"
    r"|(?<![A-Za-z0-9])gh[pousr]_[A-Za-z0-9_]{36,}"
    r"|(?<![A-Za-z0-9])sk-(?:proj|ant|svcacct)-[A-Za-z0-9_-]{20,}"
    r"|(?<![A-Za-z0-9])hf_[A-Za-z0-9]{34,}"
)
N, LEAST = 13, 5


def secrets_of(lake: Lake) -> dict[str, tuple[str, int]]:
    """Give what looks like an SSN or a key in the raw rows, with the file and line (from 1) where it first stands."""
    found: dict[str, tuple[str, int]] = {}
    for _, path in files(lake):
        for number, line in enumerate(lines(path), start=1):
            for match in _PATTERNS.finditer(line.decode(errors="replace")):
                found.setdefault(match[0], (lake.relative(path), number))
    return found


def outgoing(lake: Lake) -> Iterator[tuple[str, int, str]]:
    """Give every line that leaves the lake as file, line (from 1) and text: exports in every form, cards, parts.

    Rows of Parquet are given as JSON.
    """
    for path in sorted((lake.root / "distilled").rglob("*")):
        file = lake.relative(path)
        if not path.is_file() or path.name.startswith("."):
            continue
        if path.suffix == ".parquet":
            yield from ((file, number, text) for number, text in enumerate(_parquet(path), start=1))
        else:
            with path.open("rb") as source:
                for number, line in enumerate(source, start=1):
                    yield file, number, line.decode(errors="replace")


def _parquet(path: Path) -> Iterator[str]:
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as source:
        for batch in source.iter_batches():
            for row in batch.to_pylist():
                yield json.dumps(row, ensure_ascii=False, default=str)


Grams = frozenset[tuple[str, ...]]


def grams(texts: Iterable[str]) -> Grams:
    """Give the 13-grams of words of texts, each cut by itself; of 5 to 12 words one gram of all."""
    found: set[tuple[str, ...]] = set()
    for text in texts:
        words = re.findall(r"\w+", text.casefold())
        if len(words) >= LEAST:
            size = min(N, len(words))
            found.update(tuple(words[start : start + size]) for start in range(len(words) - size + 1))
    return frozenset(found)


def said(messages: list[dict[str, Any]]) -> list[str]:
    """Give what user and assistant say in a conversation: no system message, no output of a tool."""
    return [
        message["content"]
        for message in messages
        if message.get("role") in ("user", "assistant") and isinstance(message.get("content"), str)
    ]
