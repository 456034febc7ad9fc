"""What a row signs: the canonical bytes of the line as it was written."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import RecordError
from lakehouse.records import AuditAccessor
from lakehouse.subjects.chain import MAX_ROW, Unreadable, read_row, sign, signed_part
from lakehouse.subjects.verify import verify
from tests.lakehouse.subjects.test_attacks import CHAIN, K1, KEYS, LOG, chained, mac, row

NUMBER = st.integers(-(2**53) + 1, 2**53 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUE = st.recursive(
    st.none() | st.booleans() | NUMBER | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXT.filter(lambda key: key != "hmac"), VALUE, max_size=6), st.booleans(), st.booleans())
def test_the_signed_bytes_are_the_canonical_json_without_the_hmac(
    row: dict[str, Any], ascii_: bool, spaced: bool
) -> None:
    line = json.dumps({**row, "hmac": "ab" * 32}, ensure_ascii=ascii_, indent=None if spaced else 1).encode()
    value, found, body = signed_part(line)
    assert (value, found) == (row, "ab" * 32)
    assert body == rfc8785.dumps(row)


def test_an_inner_hmac_is_signed() -> None:
    assert signed_part(b'{"a":{"hmac":"x"},"hmac":"y"}')[1:] == ("y", b'{"a":{"hmac":"x"}}')


def test_the_hmac_is_that_of_the_standard_library() -> None:
    line = json.loads(CHAIN[0])
    said = line.pop("hmac")
    data = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert said == hmac.new(bytes(range(32)), data, hashlib.sha256).hexdigest()


@pytest.mark.parametrize("number", ["9007199254740993", "18446744073709551616", "-99999999999999999999999", "0"])
def test_integers_of_any_size_are_signed_as_their_digits(number: str) -> None:
    assert signed_part(b'{"n":[%s],"hmac":""}' % number.encode())[2] == b'{"n":[%s]}' % number.encode()


@pytest.mark.parametrize("number", ["1.0", "1e3", "0.5", "-0.0", "1E400", "1e-7", "18446744073709551616.0", "NaN"])
def test_a_float_is_refused_at_any_depth(number: str) -> None:
    for line in ('{"n":%s,"hmac":""}', '{"n":[[{"m":[%s]}]],"hmac":""}', '{"n":[%s,18446744073709551616],"hmac":""}'):
        with pytest.raises(Unreadable):
            signed_part((line % number).encode())


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":1,"a":1,"hmac":""}',
        b'{"b":{"a":1,"a":2},"hmac":""}',
        b'{"a":"","\\u0061":"","hmac":""}',
        b'{"a":"\\u0022\\u0022","a":"\\u0022\\u0022","hmac":""}',
        b'{"hmac":"","a":"","hmac":""}',
        b'{"a":[{"x":"","x":""}],"hmac":"\\u0022"}',
    ],
)
def test_a_key_that_stands_twice_is_refused(line: bytes) -> None:
    with pytest.raises(Unreadable, match="stands twice"):
        signed_part(line)


@pytest.mark.parametrize(
    "line", [b"", b" ", b"[]", b"1", b'"x"', b"{}", b'{"hmac":1}', b'{"hmac":"\\ud800"}', b"{}{}", b"\xef\xbb\xbf{}"]
)
def test_what_is_no_object_with_an_hmac_is_refused(line: bytes) -> None:
    with pytest.raises(Unreadable):
        signed_part(line)


def test_a_row_nested_too_deep_is_refused() -> None:
    with pytest.raises(Unreadable, match="nested"):
        signed_part(b'{"a":' + b"[" * 300 + b"]" * 300 + b',"hmac":""}')


def test_a_row_of_another_runtime_is_signed_as_it_stands() -> None:
    """An empty trace id and nanoseconds that end in 0 broke the chain where rows were parsed into types."""
    line = json.loads(CHAIN[0]) | {"ts": "2026-05-03T08:10:07.461439210Z", "zone": None}
    body = signed_part(json.dumps(line, indent=None, separators=(", ", ": ")).encode())[2]
    assert b'"trace_id":""' in body
    assert b"46143921" + b'0Z"' in body
    assert b'"zone":null' in body
    line["hmac"] = K1.sign(body)
    spaced = json.dumps(dict(reversed(line.items())), separators=(" , ", " : ")).encode()
    assert verify(spaced + b"\n", KEYS).verified
    assert not verify(spaced.replace(b"461439210Z", b"46143921Z") + b"\n", KEYS).verified


def test_what_cannot_be_verified_is_not_signed() -> None:
    with pytest.raises(RecordError, match="float"):
        sign(row("0" * 64, fields_accessed=[1.5]), K1)
    with pytest.raises(RecordError, match="cannot be signed"):
        sign(row("0" * 64, accessor=AuditAccessor(daemon="\ud800", user="", purpose="", trace_id="")), K1)


def test_a_line_of_just_a_megabyte_is_read() -> None:
    line = sign(row("0" * 64, fields_accessed=[""]), K1)
    longest = sign(row("0" * 64, fields_accessed=["x" * (MAX_ROW - len(line))]), K1)
    assert len(longest) == MAX_ROW
    assert verify(longest + b"\n", KEYS).verified
    with pytest.raises(RecordError, match="at most"):
        sign(row("0" * 64, fields_accessed=["x" * (MAX_ROW - len(line) + 1)]), K1)
    with pytest.raises(Unreadable, match="longer"):
        read_row(longest + b" \n")


def test_one_key_verifies_a_log_whose_ids_it_does_not_know() -> None:
    log = b"".join(line + b"\n" for line in chained(4))
    assert verify(log, bytes(range(32))).count == 4
    found = verify(LOG, bytes(range(32)))
    assert (found.count, found.error and found.error.kind) == (7, "missing_key")
    short = verify(log, b"short")
    assert (short.count, short.error and short.error.kind) == (0, "short_key")


def test_only_so_many_bytes_are_looked_at(tmp_path: Any) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(LOG)
    size = len(b"".join(line + b"\n" for line in CHAIN[:4]))
    assert verify(path, KEYS, size=size).plain() == verify(LOG[:size], KEYS).plain()
    assert verify(path, KEYS, size=size).tip == mac(CHAIN[3])
    assert verify(path, KEYS, size=size + 5).error is not None
    assert verify(path, KEYS, size=0).count == 0
    assert verify(tmp_path / "none.jsonl", KEYS).verified
