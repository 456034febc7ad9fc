r"""Probe `materializer`: from the raw lines of streams to the bytes of their evidence.

Input `{files: [{path, lines, torn?}]}`: each line as text, or as `{base64}` where it is not UTF-8; a `torn` file has no
newline after its last line. Answer `{evidence: {"evidence/YYYY/MM/DD/<stream>.jsonl": [line, …]}}`, every line without
its `recorded_at`, which says when and not what.
"""

from __future__ import annotations

import tempfile
from base64 import b64decode
from pathlib import Path
from typing import Any

from lakehouse import index
from lakehouse.chain import day as chain
from lakehouse.lake import Lake
from lakehouse.parity.probe import Fixture, Probe, load_fixtures
from lakehouse.stamps import cut_evidence

NOW = "2000-01-01T00:00:00.000Z"


def ours(question: Any) -> Any:
    """Run our own index and `collect` over the lines, in a lake that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="lakehouse-parity-") as folder:
        lake = _lake(Path(folder), question["files"])
        found = index.update_all(lake)
        chain.collect(lake, found.days, NOW)
        paths = sorted(lake.root.glob("evidence/*/*/*/*.jsonl"))
        return {"evidence": {lake.relative(path): _lines(path) for path in paths if path.stat().st_size}}


def _lake(root: Path, files: list[Any]) -> Lake:
    # Two fixtures of a few dozen rows are not worth a second process.
    (root / "lakehouse.toml").write_text("workers = 1\n", encoding="utf-8")
    for file in files:
        lines = [b64decode(line["base64"]) if isinstance(line, dict) else line.encode() for line in file["lines"]]
        path = root / file["path"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"\n".join(lines) + (b"" if file.get("torn") else b"\n"))
    return Lake(root)


def _lines(path: Path) -> list[str]:
    return [cut_evidence(line).decode() for line in path.read_bytes().splitlines()]


def fault(fixture: Fixture, answer: Any) -> str | None:
    """Say what is wrong with an answer: its shape, or that it has no evidence of a file that holds good rows."""
    evidence = answer.get("evidence") if isinstance(answer, dict) else None
    if not isinstance(evidence, dict) or not all(_is_text_list(lines) for lines in evidence.values()):
        return "the answer has no `evidence` by file, as lists of lines"
    empty = [path for path in fixture.expected["evidence"] if not evidence.get(path)]
    return f"there is no evidence in {empty[0]}" if empty else None


def _is_text_list(lines: Any) -> bool:
    return isinstance(lines, list) and all(isinstance(line, str) for line in lines)


MATERIALIZER = Probe(
    name="materializer",
    description="The evidence of a lake with every stream, and of the same lake with traps, byte for byte but for "
    "`recorded_at`.",
    fixtures=load_fixtures("materializer"),
    ours=ours,
    fault=fault,
)
