"""Comparing files line by line: the fewest lines that explain a difference, whatever was done to a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.audit.lines import ADDED, CHANGED, GONE, MOVED, differing, digests, fields_that_differ
from lakehouse.seals import checksums, seal, sealed_checksums

FILES = st.lists(st.integers(0, 1 << 60), min_size=1, max_size=30, unique=True)


@pytest.mark.parametrize(
    ("was", "now", "named"),
    [
        ([1, 2, 3], [1, 2, 3], []),
        ([], [], []),
        ([1, 2, 3], [1, 9, 3], [(2, CHANGED)]),
        ([1, 2, 3], [9, 2, 8], [(1, CHANGED), (3, CHANGED)]),
        ([1, 2, 3], [1, 3], [(2, GONE)]),
        ([1, 2, 3], [1, 2], [(3, GONE)]),
        ([1, 2, 3], [], [(1, GONE)]),
        ([1, 2, 3], [1, 2, 9, 3], [(3, ADDED)]),
        ([], [1], [(1, ADDED)]),
        ([1, 2, 3], [1, 9], [(2, CHANGED)]),
        ([1, 2, 3, 4], [1, 3, 2, 4], [(2, MOVED)]),
        ([1, 2, 3, 4, 5], [2, 3, 4, 5, 9], [(5, CHANGED)]),
    ],
)
def test_the_fewest_lines_are_named(was: list[int], now: list[int], named: list[tuple[int, str]]) -> None:
    assert differing(was, now) == named


@given(FILES, st.data())
def test_one_changed_line_is_named_alone(was: list[int], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(was) - 1))
    now = [*was[:place], 1 << 61, *was[place + 1 :]]
    assert differing(was, now) == [(place + 1, CHANGED)]


@given(FILES, FILES)
def test_files_that_differ_are_never_called_equal(was: list[int], now: list[int]) -> None:
    named = differing(was, now)
    assert bool(named) == (was != now)
    assert all(1 <= line <= max(len(was), len(now)) for line, _ in named)


def test_a_newline_that_changed_is_a_changed_line(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1\n2\n3\n4\n")
    (tmp_path / "b").write_bytes(b"1\n2\x0b3\n4\n")
    assert differing(digests(tmp_path / "a"), digests(tmp_path / "b")) == [(2, CHANGED)]


@pytest.mark.parametrize(
    ("was", "now", "stamps", "told"),
    [
        (b'{"a":1,"b":2}', b'{"a":1,"b":3}', True, "field b"),
        (b'{"a":1,"b":2}', b'{"a":1,"c":2}', True, "field b"),
        (b'{"a":1}', b'{"a":1,"c":2}', True, "a field's name"),
        (b'{"a":1}', b'{"a":', True, "it is no JSON any more"),
        (b'{"a":1,"scored_at":"x"}', b'{"a":2,"scored_at":"y"}', False, "field a"),
        (b'{"a":1,"scored_at":"x"}', b'{"a":1,"scored_at":"y"}', True, "field scored_at"),
        (b'{"provenance":{"recorded_at":"x"},"a":1}', b'{"provenance":{"recorded_at":"y"},"a":2}', False, "field a"),
    ],
)
def test_fields_that_differ_are_named(was: bytes, now: bytes, stamps: bool, told: str) -> None:
    assert fields_that_differ(was, now, stamps=stamps) == told


@given(st.binary(max_size=200))
def test_a_seal_knows_the_lines_that_it_sealed(data: bytes) -> None:
    assert sealed_checksums(seal(data)) == checksums(data)


@given(st.binary(min_size=1, max_size=200), st.data())
def test_a_flipped_bit_breaks_the_seal_of_its_line(data: bytes, drawn: st.DataObject) -> None:
    place = drawn.draw(st.integers(0, len(data) - 1))
    changed = bytearray(data)
    changed[place] ^= 1 << drawn.draw(st.integers(0, 7))
    line = data[:place].count(b"\n") + 1
    assert differing(checksums(data), checksums(bytes(changed)))[0][0] == line


@pytest.mark.parametrize("text", ["0", "zzzzzzzz", "0000000é"])
def test_a_seal_that_is_none_is_told_from_one(text: str) -> None:
    sealed = seal(b"x")
    sealed.line_crc32 = text
    assert sealed_checksums(sealed) is None
