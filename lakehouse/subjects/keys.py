"""The keys that sign the logs of subjects: a folder of files `<key_id>.key`, each of at least 32 bytes.

Here: reading a key, making one, the ids that keys may have. Not here: what is signed (`chain.py`). The bytes of a key
never stand in an error, a log line or a repr.
"""

from __future__ import annotations

import hmac
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.files import sync_folder
from lakehouse.subjects.reading import leads_into, read_regular

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
                mend="restore the whole key from the copy that was kept; a new subject wants a key of its full length",
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
    """The keys of a folder by id, each read when it is first asked for; none of them may lead into `lake`."""

    def __init__(self, folder: Path, lake: Path | None = None) -> None:
        self.folder = folder
        self.lake = lake
        self._held: dict[str, Key] = {}

    def __getitem__(self, key_id: str) -> Key:
        """Give a key.

        Raises `KeyError` where there is none, `ShortKey`, `CannotRead`, and `UsageError` where it is a link into the lake.
        """
        if key_id not in self._held:
            if not _ID.fullmatch(key_id):
                raise KeyError(key_id)
            path = self.path(key_id)
            if self.lake is not None and leads_into(path, self.lake):
                raise UsageError(
                    f"the key {key_id!r} is a link into the lake: who changes a log must not find it there",
                    where=str(path),
                    mend="move the key out of the lake",
                )
            try:
                secret = read_regular(path)
            except FileNotFoundError:
                raise KeyError(key_id) from None
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
        """Give a key that must be there. Raises `UsageError` that names its file.

        It offers no new key: under an id that logs use it would make all of them wrong.
        """
        path = self.path(key_id)
        try:
            return self[key_id]
        except KeyError:
            raise UsageError(
                f"there is no key {key_id!r}",
                where=str(path),
                mend=f"restore it from the copy that was kept{self._others()}",
            ) from None

    def loose(self) -> list[Path]:
        """List the key files that others than their owner may read or write."""
        return [path for path in map(self.path, self) if _mode(path) & _OTHERS]

    def _others(self) -> str:
        known = ", ".join(self)
        return f", or name one that is there: {known}" if known else f"; there is no key at all in {self.folder}"

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

    Raises `UsageError` where there is a file already (a key that is gone leaves its logs unverifiable), and where the folder
    lies in a lake.
    """
    path = folder / f"{checked_key_id(key_id)}{SUFFIX}"
    _refuse_lake(folder)
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


def _mode(path: Path) -> int:
    try:
        found = path.stat()
    except OSError:
        # What cannot be looked at is told when the key is asked for.
        return 0
    return found.st_mode if stat.S_ISREG(found.st_mode) else 0


def _refuse_lake(folder: Path) -> None:
    place = Path(os.path.realpath(folder))
    for above in (place, *place.parents):
        if (above / "lakehouse.toml").exists() or (above / "_kb").is_dir():
            raise UsageError(
                f"{above} is a lake, and keys must lie outside: who changes a log must not find them beside it",
                where=str(folder),
                mend="name another folder with --keys or LAKEHOUSE_KEYS",
            )


def _name(beside: Path, path: Path) -> None:
    try:
        os.link(beside, path)
    except FileExistsError:
        raise UsageError("there is such a key already", where=str(path), mend="choose another KEY_ID") from None
