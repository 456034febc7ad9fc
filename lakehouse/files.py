"""Writing files that survive a crash, appending to logs that many write, and locks.

Here: atomic replacement, locked appends, file locks, hashing a file. Not here: what the lines of a file mean
(`jsonl.py`) or where files lie (`lake.py`). Every failure of the disk names the path.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import IO

from lakehouse.errors import OutsideFailure

TEMPORARY_SUFFIX = ".tmp"
_CHUNK = 1 << 20
_serial = itertools.count()


class Staged:
    """A file written beside its final place and moved there whole: `with Staged(path) as out: out.write(…)`.

    Leaving the block without an error flushes, syncs, renames and syncs the folder; leaving it with one removes what
    was written, so that a reader sees the old content or the new. Disk errors become `OutsideFailure` with the path.
    `durable=False` leaves the syncing out, for shares that a later step joins.
    """

    def __init__(self, path: Path, *, durable: bool = True) -> None:
        self.path = path
        self._durable = durable
        self.beside = path.with_name(f"{_hidden(path)}.{os.getpid()}-{next(_serial)}{TEMPORARY_SUFFIX}")
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Staged:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _sweep_dead(self.path)
            self._file = self.beside.open("wb", buffering=0)
        except OSError as error:
            raise _disk(error, self.path) from error
        return self

    def write(self, data: bytes) -> None:
        """Write all of `data` beside the final place."""
        assert self._file is not None, "a Staged file is written inside its with block"
        view = memoryview(data)
        try:
            while view:
                view = view[self._file.write(view) or 0 :]
        except OSError as error:
            raise _disk(error, self.path) from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        assert self._file is not None
        try:
            if kind is None and self._durable:
                os.fsync(self._file.fileno())
            self._file.close()
            if kind is None:
                self.beside.replace(self.path)
                if self._durable:
                    sync_folder(self.path.parent)
        except OSError as failure:
            raise _disk(failure, self.path) from failure
        finally:
            self._file.close()
            self.beside.unlink(missing_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file by `data`, atomically. A file that already holds these bytes is left alone."""
    if path.is_file() and path.stat().st_size == len(data) and path.read_bytes() == data:
        _sweep_dead(path)
        return
    with Staged(path) as out:
        out.write(data)


def append(path: Path, lines: Iterable[bytes]) -> int:
    """Append lines (each without its newline) to a log, one write per line under an advisory lock, then sync.

    A torn last line that a killed writer left is ended first, so that it spoils no other record. Returns the number
    of lines written.
    """
    count = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+", buffering=0) as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            size = log.seek(0, os.SEEK_END)
            if size:
                log.seek(size - 1)
                if log.read(1) != b"\n":
                    size += _append_whole(log, b"\n", size)
            for line in lines:
                size += _append_whole(log, line + b"\n", size)
                count += 1
            os.fsync(log.fileno())
    except OSError as error:
        raise _disk(error, path) from error
    return count


def _append_whole(log: IO[bytes], data: bytes, size: int) -> int:
    """Write all of a record or nothing: a full disk may take a part of it, which is taken back."""
    written = log.write(data) or 0
    if written < len(data):
        log.truncate(size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return written


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of an output: a second writer waits here, and a killed one gives it back by dying."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("ab")
    except OSError as error:
        raise _disk(error, path) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def sweep(folder: Path) -> None:
    """Remove what killed writers left in a folder. Only for one who holds the lock of all that is written there."""
    for leftover in folder.glob(f".*{TEMPORARY_SUFFIX}"):
        leftover.unlink(missing_ok=True)


def _hidden(path: Path) -> str:
    """Give the start of the names that unfinished versions of a file have."""
    return path.name if path.name.startswith(".") else f".{path.name}"


def _sweep_dead(path: Path) -> None:
    """Remove what killed writers left of one file; what a process that still lives writes is left alone."""
    start = _hidden(path) + "."
    for leftover in path.parent.iterdir():
        if leftover.name.startswith(start) and leftover.name.endswith(TEMPORARY_SUFFIX):
            writer = leftover.name[len(start) :].partition("-")[0]
            if writer.isdigit() and not _alive(int(writer)):
                leftover.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def sync_folder(folder: Path) -> None:
    """Make a rename or a removal in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(path: Path) -> None:
    """Remove a file, durably; nothing happens where there is none."""
    if path.exists():
        path.unlink()
        sync_folder(path.parent)


def sha256_of(path: Path) -> str:
    """Give the hex SHA-256 of a file's bytes."""
    digest = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _disk(error: OSError, path: Path) -> OutsideFailure:
    return OutsideFailure(
        f"cannot write ({error.strerror or error})", where=str(path), mend="look at the disk's free space and rights"
    )
