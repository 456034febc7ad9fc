"""Canonical JSON: equal to the reference byte for byte, exact where the reference has no answer."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakehouse.canonical import (
    NotJson,
    canonical,
    canonical_slowly,
    content_id,
    duplicate_keys,
    parse,
    parse_slowly,
    read,
    sig_hash,
    text_id,
)

SAFE = 2**53 - 1
# Characters on both sides of U+FFFF: UTF-16 and code points sort them differently.
TEXT = st.text(
    st.characters(exclude_categories=("Cs",)) | st.sampled_from('\ue000\uffff\U00010000\U0001f600"\\\x00\x1f\x7f:,{}')
)
FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.builds(
    lambda digits, power: float(f"{digits}e{power}"), st.integers(-(10**17), 10**17), st.integers(-330, 290)
)
SCALARS = st.none() | st.booleans() | st.integers(-SAFE, SAFE) | FLOATS | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5), max_leaves=25
)
WIDE = st.recursive(
    SCALARS | st.integers(-(10**40), 10**40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)


@settings(deadline=None, max_examples=400)
@given(VALUES)
@example({"\U0001f600": 1, "\uffff": 2, "\ue000": 3})
@example([1e21, 1e-7, 1e-6, 9.999999999999999e-6, 5e-324, 1.7976931348623157e308, -0.0, 1e16, 123456789012345.6])
@example({"a": {"\U00010000": 1.0, "\ufffd": [2.0, {"x": 1e-6}]}})
def test_canonical_equals_the_reference_byte_for_byte(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@settings(deadline=None, max_examples=300)
@given(WIDE)
def test_the_fast_path_equals_the_slow_path(value: Any) -> None:
    assert canonical(value) == canonical_slowly(value)


@settings(deadline=None, max_examples=300)
@given(VALUES, st.booleans())
def test_a_line_gives_the_canonical_bytes_of_its_value_however_it_is_written(value: Any, ascii_only: bool) -> None:
    line = json.dumps(value, ensure_ascii=ascii_only, indent=1).encode()
    found, canonical_line = read(line)
    assert found == value
    assert canonical_line == rfc8785.dumps(value)


@settings(deadline=None, max_examples=200)
@given(WIDE)
def test_canonical_bytes_are_a_fixed_point(value: Any) -> None:
    once = canonical(value)
    assert read(once)[1] == once


@pytest.mark.parametrize(
    ("value", "golden"),
    [
        (SAFE, b"9007199254740991"),
        (SAFE + 1, b"9007199254740992"),
        (-SAFE - 2, b"-9007199254740993"),
        (2**63, b"9223372036854775808"),
        (2**64 - 1, b"18446744073709551615"),
        (2**64, b"18446744073709551616"),
        (-(2**63) - 1, b"-9223372036854775809"),
        (10**30 + 7, b"1000000000000000000000000000007"),
        ({"b": 2**70, "a": [1.0, 2**53 + 1]}, b'{"a":[1,9007199254740993],"b":1180591620717411303424}'),
    ],
)
def test_an_integer_beyond_two_to_the_53_is_written_as_its_digits(value: Any, golden: bytes) -> None:
    assert canonical(value) == golden
    assert read(golden) == (value, golden)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b"9007199254740993", 9007199254740993),
        (b"18446744073709551617", 18446744073709551617),
        (b"-99999999999999999999999", -99999999999999999999999),
        (b"1.0", 1.0),
        (b"1e2", 100.0),
        (b"1e22", 1e22),
        (b"100000000000000000000000000.0", 1e26),
        (b"5e-324", 5e-324),
        (b'{"a":1,"a":2}', {"a": 2}),
    ],
)
def test_a_value_is_read_as_it_stands(line: bytes, value: Any) -> None:
    found = parse(line)
    assert found == value
    assert type(found) is type(value)


def test_a_negative_zero_stays_negative_and_is_signed_as_zero() -> None:
    value, canonical_line = read(b"-0.0")
    assert math.copysign(1, value) == -1
    assert canonical_line == b"0"


@pytest.mark.parametrize(
    "line",
    [
        b"1e400",
        b"[-1e400]",
        b'{"a":NaN}',
        b"Infinity",
        b"[-Infinity]",
        b'"\\ud800"',
        b'{"\\udc00":1}',
        b'"\xff"',
        b"",
        b"{",
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b"01",
        b"[1,]",
        b'"a\nb"',
    ],
)
def test_what_is_no_json_is_refused(line: bytes) -> None:
    with pytest.raises(NotJson):
        read(line)


@pytest.mark.parametrize("inner", [b"1", b"1.0", b"1e300", b"18446744073709551616"])
@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_a_deep_value_is_read_or_refused_and_breaks_nothing(opening: bytes, inner: bytes) -> None:
    closing = b"]" if opening == b"[" else b"}"
    broke, silent = [], []
    for depth in (100, 253, 254, 255, 256, *range(900, 1030), 3000, 100_000):
        try:
            read(opening * depth + inner + closing * depth)
        except NotJson as error:
            if not error.what:
                silent.append(depth)
        except RecursionError:
            # Collected, for a traceback of a thousand frames breaks the report.
            broke.append(depth)
    assert (broke, silent) == ([], [])


@pytest.mark.parametrize("value", [math.nan, math.inf, [-math.inf], {"a": "\ud800"}, {"a": {1, 2}}, b"bytes"])
def test_a_value_that_json_cannot_hold_has_no_canonical_form(value: Any) -> None:
    with pytest.raises(NotJson):
        canonical(value)


def test_a_signature_is_the_sha256_of_the_canonical_row() -> None:
    assert sig_hash(b'{ "b" : 1.0, "a" : "\\u00e9" }') == sig_hash('{"a":"é","b":1}'.encode())
    assert sig_hash(b"{}") == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_an_id_is_its_prefix_and_sixteen_digits_of_the_signature() -> None:
    assert content_id("sft", {}) == "sft-44136fa355b3678a"


@settings(deadline=None)
@given(TEXT, TEXT, TEXT)
def test_the_fast_id_of_texts_is_the_id_of_their_content(instruction: str, context: str, response: str) -> None:
    texts = {"instruction": instruction, "context": context, "response": response}
    assert text_id("sft", texts) == content_id("sft", texts)


def duplicates(line: bytes) -> list[str]:
    return duplicate_keys(line, read(line)[1])


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        (b'{"a":1,"b":2}', []),
        (b'{"a":1,"a":2}', ["a"]),
        (b'{"a":1,"a":1}', ["a"]),
        (b'{ "a" : 1 , "a" : {} , "a" : [] }', ["a"]),
        (b'{"x":{"a":1,"b":2,"a":3},"a":1}', ["a"]),
        (b'[{"a":1},{"a":2}]', []),
        (b'[[{"k":1,"k":[{"j":1,"j":2}]}]]', ["j", "k"]),
        (b'{"a":1,"\\u0061":2}', ["a"]),
        (b'{"\\u0022":1}', []),
        (b'{"\\u0022":1,"\\"":2}', ['"']),
        (b'{"a":"\\u0022\\u0022","a":1}', ["a"]),
        (b'{"a":1,"a":"\\u0022"}', ["a"]),
        (b'{"a":1,"a":2,"x":"\\u0022\\u0022"}', ["a"]),
        (b'{"a\\u003a":"{\\"a\\":1,\\"a\\":2}","\\u003a":1}', []),
        (b'{"":1,"":2}', [""]),
        (b'{"a":18446744073709551617,"a":18446744073709551617}', ["a"]),
    ],
)
def test_duplicate_keys_are_named(line: bytes, keys: list[str]) -> None:
    assert duplicates(line) == keys


@st.composite
def texts(draw: st.DrawFn, depth: int = 3) -> tuple[str, list[str]]:
    """Write a JSON text by hand, and say which keys it holds twice, innermost first, each once."""
    kind = draw(st.sampled_from(["scalar", "list", "object"] if depth else ["scalar"]))
    space = draw(st.sampled_from(["", " ", "\t "]))
    if kind == "scalar":
        scalars = ["1", "1.0", "-0.0", "null", '"a"', r'"\u0022"', r'"\""', r'"\u003a,\u0022a\u0022:"', '"é😀"', "1e30"]
        return draw(st.sampled_from(scalars)), []
    if kind == "list":
        items = draw(st.lists(texts(depth - 1), max_size=3))
        found = [key for _, keys in items for key in keys]
        return f"[{space}{(',' + space).join(text for text, _ in items)}]", found
    spellings = {'"a"': "a", r'"\u0061"': "a", r'"\u0022"': '"', r'"\""': '"', r'"\u003a"': ":", '":"': ":", '"é"': "é"}
    members = draw(st.lists(st.tuples(st.sampled_from(sorted(spellings)), texts(depth - 1)), max_size=4))
    found = [key for _, (_, keys) in members for key in keys]
    seen: set[str] = set()
    for spelling, _ in members:
        key = spellings[spelling]
        if key in seen:
            found.append(key)
        seen.add(key)
    body = ("," + space).join(f"{spelling}{space}:{space}{text}" for spelling, (text, _) in members)
    return f"{{{space}{body}{space}}}", found


@settings(deadline=None, max_examples=500)
@given(texts())
def test_duplicate_keys_are_exact_at_any_depth(case: tuple[str, list[str]]) -> None:
    text, keys = case
    line = text.encode()
    assert sorted(duplicates(line)) == sorted(set(keys))
    assert parse_slowly(line)[0] == parse(line)


def test_the_digits_of_an_integer_are_bounded_and_not_an_accident() -> None:
    line = b"1" * (sys.get_int_max_str_digits() + 1)
    with pytest.raises(NotJson):
        read(line)
