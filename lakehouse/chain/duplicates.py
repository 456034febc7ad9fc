"""Finding rows that were delivered twice, in memory that does not grow with the day.

Here: exact, in two steps. The last rows are held in a set, which catches what was delivered twice in a row; when the
set is full its digests go to disk, partitioned by their first byte, and `late` finds what the windows did not see of
each other. Not here: what becomes of a duplicate.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

WINDOW = 1 << 15
_PARTITIONS = 16


class Duplicates:
    """Tells whether a signature came before; `with Duplicates() as seen: …`."""

    def __init__(self, window: int = WINDOW) -> None:
        self._window = window
        self._recent: dict[str, int] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._folder is not None:
            self._folder.cleanup()

    def repeats(self, sig_hash: str, ordinal: int) -> bool:
        """Say whether this signature is in the current window; if not, remember it with the row's ordinal."""
        recent = self._recent
        if sig_hash in recent:
            return True
        recent[sig_hash] = ordinal
        if len(recent) >= self._window:
            self._spill()
        return False

    def late(self) -> list[int]:
        """Give the ordinals, in order, of the rows whose signature stood in an earlier window."""
        if self._folder is None:
            return []
        self._spill()
        import numpy as np

        found: list[int] = []
        for path in Path(self._folder.name).iterdir():
            rows = np.fromfile(path, dtype=_dtype())
            order = np.lexsort((rows["ordinal"], rows["low"], rows["high"]))
            rows = rows[order]
            same = (rows["high"][1:] == rows["high"][:-1]) & (rows["low"][1:] == rows["low"][:-1])
            found.extend(int(ordinal) for ordinal in rows["ordinal"][1:][same])
        return sorted(found)

    def _spill(self) -> None:
        if not self._recent:
            return
        import numpy as np

        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="lakehouse-duplicates-")
        digests = np.frombuffer(bytes.fromhex("".join(self._recent)), dtype=">u8").reshape(-1, 4)
        rows = np.empty(len(digests), dtype=_dtype())
        rows["high"], rows["low"] = digests[:, 0], digests[:, 1]
        rows["ordinal"] = np.fromiter(self._recent.values(), dtype="u8", count=len(digests))
        partition = rows["high"] >> np.uint64(60)
        for number in range(_PARTITIONS):
            with (Path(self._folder.name) / str(number)).open("ab") as file:
                rows[partition == number].tofile(file)
        self._recent.clear()


def _dtype() -> Any:
    import numpy as np

    # 128 bits of SHA-256 tell two rows apart as surely as all 256 would.
    return np.dtype([("high", "u8"), ("low", "u8"), ("ordinal", "u8")])
