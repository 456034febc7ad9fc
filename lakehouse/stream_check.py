"""Looking a lake's raw streams over: what is there, what nobody declared, what was rewritten.

Here: findings for people. Not here: mending (`update.rebuild`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256

import msgspec

from lakehouse.chain.manifests import manifest_days, read_manifest
from lakehouse.errors import StreamRewritten
from lakehouse.index.files import discover, follow
from lakehouse.index.reader import read_segment
from lakehouse.index.store import LineIndex, load
from lakehouse.lake import Lake
from lakehouse.streams import OWN_LOGS


class Finding(msgspec.Struct):
    """Something that a person should know about a stream: `kind` is `rewritten`, `edited` or `undeclared`."""

    kind: str
    stream: str
    file: str
    why: str


def check(lake: Lake, *, full: bool = False, done: Callable[[str], None] = lambda day: None) -> list[Finding]:
    """Look every stream over: rewritten ones, and files in `_kb/` that no stream declares.

    With `full` also edits in the middle, by hashing again what each collected day was made from.
    """
    findings = list(_undeclared(lake))
    for name, stream in lake.streams.items():
        index = load(lake, name)
        try:
            follow(lake, name, index.state.files, discover(lake, stream))
        except StreamRewritten as error:
            findings.append(Finding("rewritten", name, error.where, str(error)))
            continue
        if full:
            findings.extend(_edited(lake, index, done))
    return findings


def _undeclared(lake: Lake) -> Iterator[Finding]:
    declared = {path for stream in lake.streams.values() for path in discover(lake, stream)}
    declared |= {file.path for name in lake.streams for file in load(lake, name).state.files}
    for path in sorted(lake.raw.rglob("*.jsonl")):
        name = lake.relative(path)
        if name not in declared and path.stem not in OWN_LOGS:
            yield Finding(
                "undeclared", "", name, "no stream reads this file; declare one in lakehouse.toml if one should"
            )


def _edited(lake: Lake, index: LineIndex, done: Callable[[str], None]) -> Iterator[Finding]:
    collected = set(manifest_days(lake, "collect"))
    for day in index.lines_by_day():
        manifest = read_manifest(lake, "collect", day) if day in collected else None
        if manifest is None:
            continue
        hashes = {ref.path: (ref.sha256, ref.bytes) for ref in manifest.inputs}
        digests: dict[str, tuple[str, int]] = {}
        for source in {segment.source_file for segment in index.segments(day)}:
            digest, size = sha256(), 0
            for segment in index.segments(day):
                if segment.source_file == source:
                    size += segment.byte_end - segment.byte_start
                    for _ in read_segment(lake, segment, keep=0, digest=digest):
                        pass
            digests[source] = digest.hexdigest(), size
        for source, (found, size) in sorted(digests.items()):
            held = hashes.get(source)
            # A day that grew since it was collected is stale, not edited: other bytes, other length.
            if held is not None and held[1] == size and held[0] != found:
                why = f"rows of {day} changed after they were collected; restore them, or run "
                why += f"`lakehouse streams rebuild {index.stream}` and `lakehouse distill --day {day}`"
                yield Finding("edited", index.stream, source, why)
        done(day)
