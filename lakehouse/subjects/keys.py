"""The keys that sign the logs of subjects: a folder of files `<key_id>.key`, each of at least 32 bytes.

Here: reading a key, making one, the ids that keys may have. Not here: what is signed (`chain.py`). The bytes of a key
never stand in an error, a log line or a repr.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.files import sync_folder

FEWEST_BYTES: Final = 32
SUFFIX: Final = ".key"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OTHERS: Final = 0o077


class ShortKey(UsageError):
    """A key has fewer than 32 bytes."""


class Key:
    """A secret under its id. Raises `ShortKey` below 32 bytes."""

    __slots__ = ("_secret", "id")

    def __init__(self, key_id: str, secret: bytes, where: str = "") -> None:
        if len(secret) < FEWEST_BYTES:
            raise ShortKey(
                f"the key {key_id!r} has {len(secret)} bytes, and needs {FEWEST_BYTES} at least",
                where=where,
                mend="make another with `lakehouse subject key new KEY_ID`, and rotate to it",
            )
        self.id = key_id
        self._secret = secret

    def sign(self, data: bytes) -> str:
        """Give the lowercase hex HMAC-SHA256 of some bytes."""
        return hmac.digest(self._secret, data, "sha256").hex()

    def signed(self, data: bytes, mac: str) -> bool:
        """Say whether `mac` is what this key signs these bytes with."""
        return hmac.compare_digest(self.sign(data).encode(), mac.encode())

    def __repr__(self) -> str:
        return f"Key({self.id!r}, ***)"

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a key is not pickled")


class KeyRing(Mapping[str, Key]):
    """The keys of a folder by id, each read when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[str, Key] = {}

    def __getitem__(self, key_id: str) -> Key:
        """Give a key. Raises `KeyError` where there is none, `ShortKey`, and `OutsideFailure` where it cannot be read."""
        if key_id not in self._held:
            if not _ID.fullmatch(key_id):
                raise KeyError(key_id)
            path = self.path(key_id)
            try:
                secret = path.read_bytes()
            except FileNotFoundError:
                raise KeyError(key_id) from None
            except OSError as error:
                raise OutsideFailure(
                    f"the key cannot be read ({error.strerror})", where=str(path), mend="look at the file's rights"
                ) from None
            self._held[key_id] = Key(key_id, secret, str(path))
        return self._held[key_id]

    def __iter__(self) -> Iterator[str]:
        names = (path.name.removesuffix(SUFFIX) for path in sorted(self.folder.glob(f"*{SUFFIX}")))
        return (name for name in names if _ID.fullmatch(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def path(self, key_id: str) -> Path:
        """Where a key lies. Raises `UsageError` for what is no id."""
        return self.folder / f"{checked_key_id(key_id)}{SUFFIX}"

    def wanted(self, key_id: str) -> Key:
        """Give a key that must be there. Raises `UsageError` that names its file."""
        path = self.path(key_id)
        try:
            return self[key_id]
        except KeyError:
            raise UsageError(
                f"there is no key {key_id!r}",
                where=str(path),
                mend=f"put it there, or make a new one with `lakehouse subject key new {key_id}`",
            ) from None

    def loose(self) -> list[Path]:
        """List the key files that others than their owner may read or write."""
        return [path for path in map(self.path, self) if path.stat().st_mode & _OTHERS]

    def __repr__(self) -> str:
        return f"KeyRing({str(self.folder)!r})"


class OneKey(Mapping[str, Key]):
    """One secret whose id is not known: it is taken for the key of the first id that is asked for."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._id: str | None = None

    def __getitem__(self, key_id: str) -> Key:
        self._id = self._id or key_id
        if key_id != self._id:
            raise KeyError(key_id)
        return Key(key_id, self._secret)

    def __iter__(self) -> Iterator[str]:
        return iter(() if self._id is None else (self._id,))

    def __len__(self) -> int:
        return 0 if self._id is None else 1

    def __repr__(self) -> str:
        return "OneKey(***)"


def checked_key_id(key_id: str) -> str:
    """Give a key id back. Raises `UsageError` for what could be a path, or is too long."""
    if not _ID.fullmatch(key_id):
        raise UsageError(
            f"{key_id[:80]!r} is no key id", mend="write letters, digits and . _ - (at most 64, the first no sign)"
        )
    return key_id


def new_key(folder: Path, key_id: str, random_bytes: Callable[[int], bytes]) -> Path:
    """Make a key of 32 random bytes that only its owner may read, and give its file.

    Raises `UsageError` where there is a file already: a key that is gone leaves its logs unverifiable.
    """
    path = folder / f"{checked_key_id(key_id)}{SUFFIX}"
    secret = random_bytes(FEWEST_BYTES)
    Key(key_id, secret)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        beside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        beside.unlink(missing_ok=True)
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(secret)
                file.flush()
                os.fsync(file.fileno())
            # A link fails where the name is taken, a rename would not: no key is ever overwritten, nor seen half written.
            _name(beside, path)
        finally:
            beside.unlink(missing_ok=True)
        sync_folder(folder)
    except OSError as error:
        raise OutsideFailure(
            f"the key cannot be written ({error.strerror})", where=str(path), mend="look at the folder's rights"
        ) from None
    return path


def _name(beside: Path, path: Path) -> None:
    try:
        os.link(beside, path)
    except FileExistsError:
        raise UsageError("there is such a key already", where=str(path), mend="choose another KEY_ID") from None
