"""Canonical JSON (RFC 8785, JCS) and the signatures made from it.

Here: parsing a row without losing anything, its canonical bytes, its SHA-256. Not here: how records are laid out
(`records.py`) or written (`files.py`).

Source: RFC 8785. One documented extension: integers beyond ±(2⁵³ − 1), which JCS cannot express, are written as their
decimal digits. The fast path is orjson's sorted output, which differs from JCS only in numbers and in the order of keys
beyond the basic plane; `canonical` looks for exactly those and takes the slow path there. A property test holds both
equal to the `rfc8785` package, byte for byte.
"""

from __future__ import annotations

import json
import math
from hashlib import sha256
from typing import Any

import orjson

from lakehouse.errors import LakehouseError

MAX_SAFE = 2**53 - 1
MAX_DEPTH = 200
"""How deep a row may be nested: well below what any of our encoders takes, so that no later step meets its limit."""
_SORTED = orjson.OPT_SORT_KEYS
_AS_IT_IS = frozenset({str, int, bool, type(None)})
_CONTAINERS = frozenset({dict, list})


class NotJson(LakehouseError):
    """The bytes are no JSON that this project accepts (UTF-8, no NaN or Infinity, no lone surrogates)."""


class _Slow(Exception):
    """The value holds a number that orjson writes in another way than JCS."""


def parse(line: bytes) -> Any:
    """Parse one JSON text exactly: integers of any size stay integers, floats stay what they were.

    Raises `NotJson`, which says what is wrong and at which column. Of duplicate keys the last wins.
    """
    return read(line)[0]


def read(line: bytes) -> tuple[Any, bytes]:
    """Parse one JSON text and give the value with its canonical bytes. Raises `NotJson`."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise NotJson(str(error)) from None
    if line.count(b"{") + line.count(b"[") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise NotJson(f"it is nested deeper than {MAX_DEPTH} levels")
    try:
        plain = _plain(value)
    except _Slow:
        # A float this large may be an integer that orjson could not hold, so the number is read again as it stands.
        value = parse_slowly(line)[0]
        return value, canonical_slowly(value)
    return value, _encode(plain)


def parse_slowly(line: bytes) -> tuple[Any, list[str]]:
    """Parse with the standard library, which keeps integers of any size; give the value and its duplicate keys."""
    duplicates: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        result = dict(items)
        if len(result) < len(items):
            seen: set[str] = set()
            for key, _ in items:
                if key in seen and key not in duplicates:
                    duplicates.append(key)
                seen.add(key)
        return result

    try:
        return json.loads(line, object_pairs_hook=pairs, parse_constant=_refuse_constant), duplicates
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from None


def written_plainly(line: bytes, value: Any) -> bool:
    """Say whether `line` is just what a compact encoder writes for `value`: then no key of it stands twice."""
    try:
        return orjson.dumps(value) == line
    except orjson.JSONEncodeError:
        # An integer beyond 64 bits: whoever asks looks more closely then.
        return False


def duplicate_keys(line: bytes, canonical_line: bytes) -> list[str]:
    r"""Name the keys that stand twice in one object of `line`, given its canonical form.

    A dropped duplicate takes at least the two quotes of its key along, and only an escaped quote (`\u0022`) could put
    one back: equal counts without such an escape prove that nothing was dropped, and cost a microsecond.
    """
    if line.count(b'"') == canonical_line.count(b'"') and (b"\\" not in line or b"\\u0022" not in line):
        return []
    return parse_slowly(line)[1]


def canonical(value: Any) -> bytes:
    """Give the canonical bytes of a JSON value (dicts with string keys, lists, strings, numbers, booleans, None)."""
    try:
        return _encode(_plain(value))
    except (_Slow, RecursionError):
        return canonical_slowly(value)


def _encode(plain: Any) -> bytes:
    try:
        output = orjson.dumps(plain, option=_SORTED)
    except orjson.JSONEncodeError:
        return canonical_slowly(plain)
    # Keys sort by UTF-16 units in JCS and by code point in orjson: the two differ only beyond U+FFFF.
    if not output.isascii() and _astral_key(plain):
        return canonical_slowly(plain)
    return output


def canonical_slowly(value: Any) -> bytes:
    """Give the canonical bytes by the letter of RFC 8785, for any value. Raises `NotJson` for what JSON cannot hold."""
    parts: list[str] = []
    _write(value, parts.append)
    try:
        return "".join(parts).encode()
    except UnicodeEncodeError as error:
        raise NotJson(f"a string holds a lone surrogate ({error.reason})") from None


def sig_hash(line: bytes) -> str:
    """Give the signature of a row: lowercase hex SHA-256 of the canonical JSON of the parsed line."""
    return sha256(canonical(parse(line))).hexdigest()


def text_id(prefix: str, texts: dict[str, str]) -> str:
    """Give the same id as `content_id` for an object of nothing but strings under ASCII keys, in half the time."""
    return f"{prefix}-{sha256(orjson.dumps(texts, option=_SORTED)).hexdigest()[:16]}"


def signature(value: Any) -> str:
    """Give the lowercase hex SHA-256 of the canonical JSON of a value."""
    return sha256(canonical(value)).hexdigest()


def content_id(prefix: str, value: Any) -> str:
    """Give an id made from content: `<prefix>-` and the first 16 hex digits of the value's signature."""
    return f"{prefix}-{signature(value)[:16]}"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _deeper_than(value: Any, levels: int) -> bool:
    """Say whether containers stand in each other more than `levels` deep, without recursion."""
    layer = [value] if type(value) in _CONTAINERS else []
    for _ in range(levels):
        inner = (held.values() if type(held) is dict else held for held in layer)
        layer = [item for items in inner for item in items if type(item) in _CONTAINERS]
        if not layer:
            return False
    return True


def _plain(value: Any) -> Any:
    """Give the value with whole floats as integers, copying only what changes; `_Slow` where that does not do."""
    kind = type(value)
    if kind is dict:
        if _AS_IT_IS.issuperset(map(type, value.values())):
            return value
        changed: dict[str, Any] | None = None
        for key, item in value.items():
            if type(item) in _AS_IT_IS:
                continue
            plain = _plain(item)
            if plain is not item:
                if changed is None:
                    changed = dict(value)
                changed[key] = plain
        return value if changed is None else changed
    if kind is float:
        # Between these bounds orjson and ECMAScript write the same shortest digits in the same notation; infinities
        # and NaN lie outside of them.
        if not 1e-5 <= abs(value) <= MAX_SAFE:
            if value == 0:
                return 0
            raise _Slow
        return int(value) if value.is_integer() else value
    if kind is list:
        if _AS_IT_IS.issuperset(map(type, value)):
            return value
        for position, item in enumerate(value):
            if type(item) in _AS_IT_IS:
                continue
            plain = _plain(item)
            if plain is not item:
                return [*value[:position], plain, *map(_plain, value[position + 1 :])]
        return value
    return value


def _astral_key(value: Any) -> bool:
    if isinstance(value, dict):
        return any((not key.isascii() and max(key) > "\uffff") or _astral_key(item) for key, item in value.items())
    return isinstance(value, list) and any(map(_astral_key, value))


def _write(value: Any, put: Any) -> None:
    if value is None or value is True or value is False:
        put({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, str):
        put(json.dumps(value, ensure_ascii=False))
    elif isinstance(value, int):
        put(str(value))
    elif isinstance(value, float):
        put(_number(value))
    elif isinstance(value, dict):
        put("{")
        for position, key in enumerate(sorted(value, key=_utf16)):
            put("," if position else "")
            put(json.dumps(key, ensure_ascii=False))
            put(":")
            _write(value[key], put)
        put("}")
    elif isinstance(value, list | tuple):
        put("[")
        for position, item in enumerate(value):
            put("," if position else "")
            _write(item, put)
        put("]")
    else:
        raise NotJson(f"a {type(value).__name__} is no JSON value")


def _utf16(key: str) -> bytes:
    return key.encode("utf-16-be", "surrogatepass")


def _number(value: float) -> str:
    """Write a float as ECMAScript does (Number::toString): the shortest digits, plain between 1e-6 and 1e21."""
    if not math.isfinite(value):
        raise NotJson(f"{value} is no JSON number")
    if value == 0:
        return "0"
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = (whole + fraction).lstrip("0")
    # `point` is where the decimal point stands, counted from the first significant digit.
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        text = digits + "0" * (point - len(digits))
    elif 0 < point <= 21:
        text = f"{digits[:point]}.{digits[point:]}"
    elif -6 < point <= 0:
        text = f"0.{'0' * -point}{digits}"
    else:
        power = point - 1
        head = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
        text = f"{head}e{'+' if power > 0 else '-'}{abs(power)}"
    return sign + text
