"""Counting what a day would give, without writing anything.

Here: the same pure functions as the chain, with counters in place of files. Not here: the chain. Conflicts and copies
between days are settled when publishing and are not counted here.
"""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lakehouse.chain.collect import Refused, to_evidence
from lakehouse.firewall import withheld
from lakehouse.index import load
from lakehouse.index.reader import read_segment
from lakehouse.jsonl import encode
from lakehouse.lake import Lake
from lakehouse.overrides import read_overrides
from lakehouse.records import OverrideRow
from lakehouse.scoring import score
from lakehouse.secrets import scan
from lakehouse.sft import synthesize
from lakehouse.streams import Stream

NEVER = "1970-01-01T00:00:00.000Z"
"""The stamp of records that nobody will see."""


@contextmanager
def shadow(lake: Lake) -> Iterator[Lake]:
    """Give a lake in a temporary folder that sees the same rows and what is known of them; writing there harms nothing."""
    with tempfile.TemporaryDirectory(prefix="lakehouse-dry-") as folder:
        root = Path(folder)
        for name in ("_kb", "evidence"):
            if (lake.root / name).is_dir():
                (root / name).symlink_to((lake.root / name).resolve(), target_is_directory=True)
        if (lake.root / "index").is_dir():
            shutil.copytree(lake.root / "index", root / "index", ignore=shutil.ignore_patterns("locks", "duckdb"))
        if lake.toml.exists():
            shutil.copy(lake.toml, root / lake.toml.name)
        yield Lake(root)


def count(lake: Lake, day: str) -> Counter[str]:
    """Count rows, evidence, refusals, verdicts, withheld runs and samples of a day. Memory: its signatures."""
    overrides, _ = read_overrides(lake)
    counts: Counter[str] = Counter()
    for name, stream in lake.streams.items():
        index = load(lake, name)
        seen: set[str] = set()
        if index.state.broken is not None:
            continue
        for segment in index.segments(day):
            for offset, line in read_segment(lake, segment):
                counts["rows"] += 1
                _row(stream, segment.source_file, offset, line, overrides, seen, counts)
    return counts


def _row(
    stream: Stream,
    source_file: str,
    offset: int,
    line: bytes,
    overrides: dict[str, OverrideRow],
    seen: set[str],
    counts: Counter[str],
) -> None:
    try:
        evidence = to_evidence(stream, source_file, offset, line, NEVER)
    except Refused as refused:
        counts[f"quarantined.{refused.code}"] += 1
        return
    sig_hash = evidence.provenance.sig_hash
    if sig_hash in seen:
        counts["skipped.duplicate"] += 1
        return
    seen.add(sig_hash)
    counts["evidence"] += 1
    scored = score(evidence, stream, NEVER, overrides.get(sig_hash))
    counts[f"verdict.{scored.category}"] += 1
    reason = withheld(scored, evidence.source_class, include_partial=True)
    if reason is not None:
        counts[f"withheld.{reason}"] += 1
        return
    sample = synthesize(evidence, scored, stream, NEVER, include_partial=True)
    finding = scan(encode(sample)) if sample is not None else None
    if sample is None:
        counts["withheld.not_instructable"] += 1
    elif finding is not None:
        counts[f"quarantined.{finding.reason_code}"] += 1
    else:
        counts[f"samples.{sample.category}"] += 1
