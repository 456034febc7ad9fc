"""Opening what lies in place of a log, a manifest, an anchor or a key, whatever that is, and waiting for a lock.

Here: only regular files are read, and no wait is without end. Not here: what stands in the files.
Who can write into a folder can put a pipe, a device or a loop of links there: nobody may hide other logs so.
"""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path
from threading import Event, Thread
from typing import Final

from lakehouse.errors import OutsideFailure

WAIT: Final = 10.0
"""Seconds for which a lock is waited for."""

MOST: Final = (1 << 20) + 2
"""Bytes that are read of a file which is read whole: more than any of ours has."""

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class CannotRead(OutsideFailure):
    """What lies there is no file that can be read, or somebody holds its lock."""


def open_regular(path: Path, flags: int = os.O_RDONLY) -> int:
    """Open a regular file and give its descriptor. Raises `FileNotFoundError`, `CannotRead` for anything else."""
    try:
        # Without O_NONBLOCK, opening a pipe waits for its other end.
        file = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, 0o640)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _cannot(path, error.strerror or str(error)) from None
    mode = os.fstat(file).st_mode
    if not stat.S_ISREG(mode):
        os.close(file)
        raise _cannot(path, f"it is {_KINDS.get(stat.S_IFMT(mode), 'something else')} and no regular file")
    return file


def read_regular(path: Path, most: int = MOST) -> bytes:
    """Give the bytes of a file, `most` of them at most. Raises as `open_regular` does."""
    file = open_regular(path)
    try:
        pieces: list[bytes] = []
        left = most
        while left and (piece := os.read(file, min(left, MOST))):
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)
    except OSError as error:
        raise _cannot(path, error.strerror or str(error)) from None
    finally:
        os.close(file)


def lock(file: int, path: Path, how: int, seconds: float) -> None:
    """Take a `flock` on an open file, or give up after some seconds. Raises `CannotRead`."""
    try:
        fcntl.flock(file, how | fcntl.LOCK_NB)
        return
    except BlockingIOError:
        pass
    except OSError as error:
        raise _cannot(path, f"it cannot be locked: {error.strerror}") from None
    done = Event()
    failed: list[OSError] = []
    # A thread waits in the kernel's queue: to ask again and again would let those starve who ask at the wrong moments.
    # Its descriptor is a second one of the same open file: where we gave up and closed ours, the lock goes with it.
    own = os.dup(file)

    def wait() -> None:
        try:
            fcntl.flock(own, how)
        except OSError as error:
            failed.append(error)
        finally:
            os.close(own)
            done.set()

    Thread(target=wait, name="lakehouse-lock", daemon=True).start()
    if not done.wait(seconds):
        raise CannotRead(
            f"somebody holds the lock for more than {seconds:g} seconds",
            where=str(path),
            mend="find the process that has the file open (`lsof`, `fuser`) and end it, or try again",
        )
    if failed:
        raise _cannot(path, f"it cannot be locked: {failed[0].strerror}")


def leads_into(path: Path, folder: Path) -> bool:
    """Say whether a path lies in a folder once every link is followed; a loop of links does not."""
    inside = os.path.realpath(folder)
    return Path(os.path.realpath(path)).is_relative_to(inside)


def _cannot(path: Path, why: str) -> CannotRead:
    return CannotRead(
        f"it cannot be read ({why})",
        where=str(path),
        mend="look at what lies there and at its rights; restore the file",
    )
