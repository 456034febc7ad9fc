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

    `serial` names it in the ranges of this index: two files may begin with the same line. `source_file` is its path when it was first seen, which provenance names for ever; `path` is where it lies now, both
    relative to the lake. `committed_bytes` and `lines` say how far it is indexed, the two hashes prove that this part
    is still what it was.
    """

    serial: int
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

    A renamed file keeps its place and its `source_file`, wherever below `_kb/` it went. A copy of what is indexed (a
    log is being rotated by copying) is left alone until the original is truncated. The result is in the order in which
    a day's rows are read: by `source_file` as `discover` orders, a rotated file before its successor. Raises
    `StreamRewritten` where a known file shrank, changed in its indexed part or is gone.
    """
    # Where a file was last is looked at first: then a file that did not move is not taken for another.
    unclaimed = [*present, *(file.path for file in known if file.path not in present)]
    ids = {path: first_line_id(lake.root / path) for path in unclaimed if (lake.root / path).is_file()}
    unclaimed = [path for path in unclaimed if ids.get(path) is not None]
    followed: dict[int, IndexedFile] = {}
    for settled in (True, False):
        for file in known:
            if file.serial in followed:
                continue
            places = [file.path] if settled else [*unclaimed, *_strays(lake, ids)]
            match = next((path for path in places if _is(lake, path, ids, file) and path not in _paths(followed)), None)
            if match is not None:
                followed[file.serial] = msgspec.structs.replace(file, path=match)
            elif not settled:
                raise _rewritten(lake, stream, file, [path for path in unclaimed if ids[path] == file.file_id])
    taken = _paths(followed)
    serial = max((file.serial for file in known), default=-1)
    for path in present:
        if path in taken or path not in unclaimed or any(_is(lake, path, ids, file) for file in followed.values()):
            continue
        serial += 1
        followed[serial] = IndexedFile(serial=serial, file_id=ids[path] or "", source_file=path, path=path)
    plain = lake.streams[stream].source + ".jsonl"
    return sorted(followed.values(), key=lambda file: (file.source_file == plain, file.source_file, file.serial))


def _paths(followed: dict[int, IndexedFile]) -> set[str]:
    return {file.path for file in followed.values()}


def _strays(lake: Lake, ids: dict[str, str | None]) -> list[str]:
    """List the other files right below `_kb/`, among which a log may be that was rotated out of its stream's name."""
    claimed = {path for stream in lake.streams.values() for path in discover(lake, stream)}
    strays = [lake.relative(path) for path in sorted(lake.raw.iterdir()) if path.is_file()]
    strays = [path for path in strays if path not in claimed and path not in ids]
    ids.update({path: first_line_id(lake.root / path) for path in strays})
    return strays


def _is(lake: Lake, path: str, ids: dict[str, str | None], file: IndexedFile) -> bool:
    """Say whether a path holds what the index knows of a file."""
    return ids.get(path) == file.file_id and _unchanged(lake.root / path, file)


def _unchanged(path: Path, file: IndexedFile) -> bool:
    if path.stat().st_size < file.committed_bytes:
        return False
    return edges(path, file.committed_bytes) == (file.head_sha, file.tail_sha)


def _rewritten(lake: Lake, stream: str, file: IndexedFile, candidates: list[str]) -> StreamRewritten:
    path = lake.root / file.path
    if not path.exists():
        what = f"the file is gone, and is indexed up to byte {file.committed_bytes} ({file.lines} lines)"
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
