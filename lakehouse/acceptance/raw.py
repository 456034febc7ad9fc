"""The raw rows of a lake, read a second time: what each line is, its day and its signature.

Here: reading with the standard library alone, so that nothing of the index or of `collect` is asked about itself. Not
here: records that the chain wrote (`rows.py`).

The signature is the one piece that is shared: `canonical.canonical_slowly` follows RFC 8785 by the letter, while the
chain takes its fast path.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from lakehouse.canonical import NotJson, canonical_slowly
from lakehouse.lake import Lake

LONGEST = 16 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class RawRow(NamedTuple):
    """One complete line that is not blank.

    `day` is `None` where it has none, and `code` says why then. `sig` is empty for a dated row that cannot be signed.
    `late` says that a row of a later day stands before it in its file.
    """

    stream: str
    file: str
    offset: int
    day: str | None
    code: str | None
    sig: str
    late: bool

    @property
    def place(self) -> tuple[str, int]:
        """File and line offset, as provenance names a row."""
        return self.file, self.offset


class _NoDay(Exception):
    """A line that belongs to no day; the reason code is its message."""


def read_raw(lake: Lake) -> Iterator[RawRow]:
    """Give every complete line of every stream, file by file."""
    for name, path in files(lake):
        file = lake.relative(path)
        keys = lake.stream(name).timestamp_keys
        newest = ""
        for offset, line in enumerate(lines(path)):
            if not line.strip():
                continue
            day, code, sig = None, None, ""
            try:
                value = parse(line)
                day = day_of(stamp_of(value, keys))
                sig = sha256(canonical_slowly(value)).hexdigest()
            except _NoDay as why:
                code = str(why)
            except (NotJson, RecursionError):
                sig = ""
            yield RawRow(name, file, offset, day, code, sig, day is not None and day < newest)
            newest = max(newest, day or "")


def files(lake: Lake) -> Iterator[tuple[str, Path]]:
    """Give stream and path of every raw file."""
    for name, stream in lake.streams.items():
        folder = lake.root / stream.source
        found = sorted(folder.glob("*.jsonl")) if folder.is_dir() else []
        for path in [*found, folder.with_name(f"{folder.name}.jsonl")]:
            if path.is_file() and not path.name.startswith("."):
                yield name, path


def lines(path: Path) -> Iterator[bytes]:
    """Give the complete lines of a file without their newline; a torn last one is not there yet."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line[:-1]


def values(lake: Lake, places: Iterable[tuple[str, int]]) -> Iterator[tuple[tuple[str, int], Any]]:
    """Read the rows at places, each file once; a row that cannot be parsed is left out."""
    wanted: dict[str, set[int]] = {}
    for file, offset in places:
        wanted.setdefault(file, set()).add(offset)
    for file, offsets in wanted.items():
        path = lake.root / file
        for offset, line in enumerate(lines(path) if path.is_file() else ()):
            if offset in offsets:
                try:
                    yield (file, offset), parse(line)
                except _NoDay:
                    continue


def parse(line: bytes) -> dict[str, Any]:
    """Parse a line that must be a JSON object in UTF-8."""
    if len(line) > LONGEST:
        raise _NoDay("too_long")
    try:
        value = json.loads(line.decode(), parse_constant=_refuse)
    except UnicodeDecodeError:
        raise _NoDay("not_utf8") from None
    except (ValueError, RecursionError):
        raise _NoDay("not_json") from None
    if not isinstance(value, dict):
        raise _NoDay("not_object")
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def stamp_of(row: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """Give the value of the first key that has one; a dotted key reaches into nested objects."""
    for key in keys:
        value: Any = row
        for step in key.split("."):
            if isinstance(value, list):
                value = value[int(step)] if step.isdigit() and int(step) < len(value) else None
            else:
                value = value.get(step) if isinstance(value, dict) else None
        if value is not None:
            return value
    raise _NoDay("no_timestamp")


def day_of(stamp: Any) -> str:
    """Give the day in UTC of a stamp: RFC 3339, taken as UTC without an offset, or an epoch by its magnitude."""
    if isinstance(stamp, bool) or not isinstance(stamp, str | int | float):
        raise _NoDay("bad_timestamp")
    try:
        if isinstance(stamp, str) and not _is_number(stamp):
            text = stamp.strip().upper()
            if "T" not in text and " " not in text and ":" not in text:
                raise _NoDay("bad_timestamp")
            moment = datetime.fromisoformat(text)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).date().isoformat()
        number = float(stamp)
        for limit, unit in ((1e11, 1), (1e14, 1e3), (1e17, 1e6), (1e20, 1e9)):
            if 1e9 <= number < limit:
                return (_EPOCH + timedelta(seconds=number / unit)).date().isoformat()
    except (ValueError, OverflowError):
        pass
    raise _NoDay("bad_timestamp")


def _is_number(text: str) -> bool:
    whole, _, rest = text.partition(".")
    if "e" in text.lower():
        return text[0].isdigit() and not set(text.lower()) - set("0123456789.e+")
    return len(whole) >= 10 and whole.isdigit() and (rest.isdigit() or not rest)
