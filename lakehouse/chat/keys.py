"""The keys of providers: where they are looked up, and that nobody sees them.

Here: finding a key by the one name that is configured, in the environment and then in `.env` files. Not here: reading the
environment (the caller passes it), and sending a key (`providers/`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import StringIO
from pathlib import Path
from typing import NamedTuple, NoReturn


class Key:
    """A secret and where it was found. Only `reveal` gives it; it has no other form, and cannot be pickled."""

    __slots__ = ("_secret", "where")

    def __init__(self, secret: str, where: str) -> None:
        self._secret = secret
        self.where = where

    def reveal(self) -> str:
        """Give the secret, to be sent to whom it belongs."""
        return self._secret

    def __repr__(self) -> str:
        return f"Key(***, from {self.where})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not written anywhere")


class Lookup(NamedTuple):
    """What a search for a key found: the key, or why there is none, and every place that was looked at."""

    key: Key | None
    why_not: str
    places: tuple[str, ...]


def look_up(name: str, environ: Mapping[str, str], files: Sequence[Path]) -> Lookup:
    """Look a key up under its name: in the environment, then in each file. A file that is not there holds nothing.

    What no header can carry is no key: the search ends there, for the next place would hide the mistake.
    """
    places: list[str] = ["the environment"]
    found = environ.get(name, "").strip()
    unreadable: list[str] = []
    for file in files:
        if found:
            break
        try:
            found = (_values(file).get(name) or "").strip()
        except (OSError, UnicodeDecodeError) as error:
            unreadable.append(f"{file} cannot be read ({type(error).__name__})")
            continue
        places.append(str(file))
    looked = tuple(places)
    if not found:
        return Lookup(None, "; ".join([_nowhere(name, looked), *unreadable]), looked)
    if not (found.isascii() and found.isprintable()) or " " in found:
        return Lookup(None, f"{name} in {looked[-1]} holds spaces or signs that no key has", looked)
    return Lookup(Key(found, f"{name} in {looked[-1]}"), "", looked)


def _values(file: Path) -> Mapping[str, str | None]:
    """Read a `.env` file; without interpolation, for a key may hold a dollar sign."""
    from dotenv import dotenv_values

    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    return dotenv_values(stream=StringIO(text), interpolate=False)


def _nowhere(name: str, places: Sequence[str]) -> str:
    if len(places) == 1:
        return f"{name} is not set in {places[0]}"
    return f"{name} is set neither in {' nor in '.join(places)}"
