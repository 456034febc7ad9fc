"""One step along a chain: does this line follow the one before it?

Here: the state after a row, and what can be wrong with the next one as far as one line can tell. Not here: telling an edit
from a wrong key or a deletion from a swap, which needs the rest of the file (`diagnosis.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

from lakehouse.subjects.chain import ZEROS, Row, Unreadable, read_row
from lakehouse.subjects.keys import Key, ShortKey

Step = Literal["unreadable", "missing_key", "short_key", "unannounced_key", "signature", "order", "other_subject"]


class Trouble(NamedTuple):
    """Why a line does not follow; `signature` and `order` still have to be named."""

    step: Step
    why: str
    row: Row | None = None


class Walk:
    """Where a walk along a chain stands: rows so far, the last one's `hmac`, the key that signs the next.

    `key_id` is `None` before the first row, which may name any key. Without `subject` the first row's is taken.
    """

    def __init__(
        self,
        keys: Mapping[str, Key],
        subject: str | None = None,
        *,
        count: int = 0,
        tip: str = ZEROS,
        key_id: str | None = None,
    ) -> None:
        self.keys = keys
        self.subject = subject
        self.count = count
        self.tip = tip
        self.key_id = key_id
        self.row_key: str | None = None
        """The key that the last row is signed with."""
        self.announced = 0
        """The line that announced the current key; 0 where none did."""
        self.proved: set[str] = set()
        """Ids of the keys that a row was right under."""

    def take(self, line: bytes) -> Trouble | None:
        """Go one row on, or say why not: then nothing has changed."""
        try:
            row = read_row(line)
        except Unreadable as error:
            return Trouble("unreadable", str(error))
        try:
            key = self.keys[row.key_id]
        except KeyError:
            if self.key_id is None or row.key_id == self.key_id:
                return Trouble("missing_key", f"it is signed with the key {row.key_id[:80]!r}, which is not there", row)
            return Trouble("unannounced_key", self._unannounced(row), row)
        except ShortKey as error:
            return Trouble("short_key", error.what, row)
        if not key.signed(row.body, row.hmac):
            return Trouble("signature", f"its content is not what the key {row.key_id!r} signed", row)
        self.proved.add(row.key_id)
        if self.subject is not None and row.subject_id != self.subject:
            why = f"it was signed for {row.subject_id[:80]!r} and not for {self.subject!r}"
            return Trouble("other_subject", why, row)
        if row.prev != self.tip:
            return Trouble("order", "it does not follow the row before it", row)
        if self.key_id is not None and row.key_id != self.key_id:
            return Trouble("unannounced_key", self._unannounced(row), row)
        self.subject = row.subject_id
        self.count += 1
        self.tip = row.hmac
        self.key_id = self.row_key = row.key_id
        if row.next_key_id is not None:
            self.key_id, self.announced = row.next_key_id, self.count
        return None

    def copy(self) -> Walk:
        """Give a walk that stands where this one does, and goes on by itself."""
        new = Walk(self.keys, self.subject, count=self.count, tip=self.tip, key_id=self.key_id)
        new.row_key, new.announced, new.proved = self.row_key, self.announced, set(self.proved)
        return new

    def _unannounced(self, row: Row) -> str:
        said = f"line {self.announced} announced" if self.announced else "the rows before it use"
        return f"it names the key {row.key_id[:80]!r}, but {said} {str(self.key_id)[:80]!r}"
