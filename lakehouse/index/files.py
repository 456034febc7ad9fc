"""The files of a stream: finding them, knowing them again after a rotation, and noticing that one was rewritten.

Here: what identifies a file and proves that its indexed part is unchanged. Not here: its lines (`scan.py`).
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec

from lakehouse.errors import StreamRewritten
from lakehouse.lake import Lake
from lakehouse.streams import Stream

EDGE = 64 * 1024
"""Bytes at the head and at the tail of the indexed part whose hashes are kept."""


class IndexedFile(msgspec.Struct):
    """A file as the index knows it.

    `source_file` is its path when it was first seen, which provenance names for ever; `path` is where it lies now, both
    relative to the lake. `committed_bytes` and `lines` say how far it is indexed, the two hashes prove that this part
    is still what it was.
    """

    file_id: str
    source_file: str
    path: str
    committed_bytes: int = 0
    lines: int = 0
    head_sha: str = ""
    tail_sha: str = ""


def discover(lake: Lake, stream: Stream) -> list[str]:
    """List the stream's files relative to the lake: those of its folder in name order, then the plain file."""
    folder = lake.root / stream.source
    plain = folder.with_name(folder.name + ".jsonl")
    found = sorted(path for path in folder.glob("*.jsonl") if path.is_file() and not path.name.startswith("."))
    return [lake.relative(path) for path in [*found, plain] if path.is_file()]


def first_line_id(path: Path) -> str | None:
    """Give the file's id, the SHA-256 of its first line; `None` while that line is not complete."""
    digest = sha256()
    with path.open("rb") as file:
        while block := file.read(EDGE):
            line, newline, _ = block.partition(b"\n")
            digest.update(line)
            if newline:
                return digest.hexdigest()
    return None


def edges(path: Path, committed: int) -> tuple[str, str]:
    """Hash the first and the last 64 KiB of the indexed part of a file."""
    with path.open("rb") as file:
        head = sha256(file.read(min(EDGE, committed))).hexdigest()
        file.seek(max(0, committed - EDGE))
        return head, sha256(file.read(min(EDGE, committed))).hexdigest()


def follow(lake: Lake, stream: str, known: list[IndexedFile], present: list[str]) -> list[IndexedFile]:
    """Match the files the index knows with those that are there, and add the new ones; `present` as `discover` lists.

    A renamed file keeps its place and its `source_file`. The result is in the order in which a day's rows are read: by
    `source_file` as `discover` orders, a rotated file before its successor. Raises `StreamRewritten` where a known
    file shrank, changed in its indexed part or is gone.
    """
    ids = {path: first_line_id(lake.root / path) for path in present}
    unclaimed = [path for path in present if ids[path] is not None]
    followed: list[IndexedFile] = []
    for file in known:
        candidates = [path for path in unclaimed if ids[path] == file.file_id]
        candidates.sort(key=lambda path: path != file.path)
        match = next((path for path in candidates if _unchanged(lake.root / path, file)), None)
        if match is None:
            raise _rewritten(lake, stream, file, candidates)
        unclaimed.remove(match)
        followed.append(msgspec.structs.replace(file, path=match))
    for path in unclaimed:
        followed.append(IndexedFile(file_id=ids[path] or "", source_file=path, path=path))
    plain = lake.streams[stream].source + ".jsonl"
    return sorted(followed, key=lambda file: (file.source_file == plain, file.source_file))


def _unchanged(path: Path, file: IndexedFile) -> bool:
    if path.stat().st_size < file.committed_bytes:
        return False
    return edges(path, file.committed_bytes) == (file.head_sha, file.tail_sha)


def _rewritten(lake: Lake, stream: str, file: IndexedFile, candidates: list[str]) -> StreamRewritten:
    path = lake.root / file.path
    if not path.exists():
        what = f"the file is gone, with {file.lines} lines that are indexed"
    elif path.stat().st_size < file.committed_bytes:
        what = f"the file shrank to {path.stat().st_size} bytes, but is indexed up to byte {file.committed_bytes}"
    elif not candidates:
        what = f"the first line changed, and the file is indexed up to byte {file.committed_bytes}"
    else:
        what = f"bytes before offset {file.committed_bytes}, which are indexed, changed"
    return StreamRewritten(
        f"stream {stream!r} is append-only and was rewritten: {what}",
        where=file.path,
        mend=f"restore the file, or accept its new content with `lakehouse streams rebuild {stream}`",
    )
