"""Every attack on a log that the product wrote is found, and told by its line and kind (docs/subjects.md)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from lakehouse.jsonl import encode
from lakehouse.records import AuditAccessor, SubjectAuditRow
from lakehouse.subjects.anchors import write_anchor
from lakehouse.subjects.chain import SCHEMA, ZEROS, sign
from lakehouse.subjects.keys import Key
from lakehouse.subjects.verify import Verification, verify
from tests.lakehouse.subjects.conftest import ANN, NOW, SUBJECT, Desk, counting

K1 = Key("k1", counting(0)(32))
K2 = Key("k2", counting(100)(32))
KEYS = {"k1": K1, "k2": K2}
ROWS = 6
Lines = list[bytes]


def told(found: Verification) -> tuple[int, str] | None:
    return (found.error.line, found.error.kind) if found.error else None


def row(prev: str, number: int = 0, key: Key = K1, **changes: Any) -> SubjectAuditRow:
    said: dict[str, Any] = {
        "schema": SCHEMA,
        "ts": NOW,
        "subject_id": SUBJECT,
        "accessor": ANN,
        "fields_accessed": [f"field {number}"],
        "result": "success",
        "key_id": key.id,
        "prev_hmac": prev,
        "hmac": "",
    }
    return SubjectAuditRow(**{**said, **changes})


def chained(count: int, prev: str = ZEROS, key: Key = K1, start: int = 0, **changes: Any) -> Lines:
    """What somebody with the key can write."""
    lines: Lines = []
    for number in range(start, start + count):
        lines.append(sign(row(prev, number, key, **changes), key))
        prev = json.loads(lines[-1])["hmac"]
    return lines


def changed(line: bytes, **changes: Any) -> bytes:
    return json.dumps({**json.loads(line), **changes}, separators=(",", ":")).encode()


def mac(line: bytes) -> str:
    return str(json.loads(line)["hmac"])


def moved(lines: Lines, start: int, to: int) -> Lines:
    rest = lines[:start] + lines[start + 1 :]
    return [*rest[:to], lines[start], *rest[to:]]


def swapped(lines: Lines, one: int, other: int) -> Lines:
    new = list(lines)
    new[one], new[other] = new[other], new[one]
    return new


def forged(lines: Lines, at: int) -> Lines:
    """A row that nobody signed, put before position `at`."""
    made = encode(row(mac(lines[at - 1]) if at else ZEROS, 99, hmac="ab" * 32))
    return [*lines[:at], made, *lines[at:]]


def foreign(lines: Lines, at: int) -> Lines:
    """A row signed for another subject, in its right place by its links."""
    return [*lines[:at], *chained(1, mac(lines[at - 1]), subject_id="WORKER-2"), *lines[at:]]


ATTACKS: dict[str, tuple[Callable[[Lines], Lines], tuple[int, str]]] = {
    "the first row's user edited": (
        lambda ls: [changed(ls[0], accessor={**json.loads(ls[0])["accessor"], "user": "bob"}), *ls[1:]],
        (1, "edited"),
    ),
    "a row's fields edited": (lambda ls: [*ls[:2], changed(ls[2], fields_accessed=[]), *ls[3:]], (3, "edited")),
    "the last row's result edited": (lambda ls: [*ls[:-1], changed(ls[-1], result="denied")], (ROWS, "edited")),
    "a row's signature edited": (lambda ls: [*ls[:2], changed(ls[2], hmac="0" * 64), *ls[3:]], (3, "edited")),
    "a row's link edited": (lambda ls: [*ls[:2], changed(ls[2], prev_hmac=ZEROS), *ls[3:]], (3, "edited")),
    "a row's subject edited": (lambda ls: [*ls[:2], changed(ls[2], subject_id="WORKER-2"), *ls[3:]], (3, "edited")),
    "a row's stamp shortened": (
        lambda ls: [*ls[:2], changed(ls[2], ts="2026-05-10T02:00:00.00Z"), *ls[3:]],
        (3, "edited"),
    ),
    "an empty trace id taken out": (
        lambda ls: [
            *ls[:2],
            changed(ls[2], accessor={"daemon": "gateway", "user": "ann", "purpose": "fill 2 welders in Flint"}),
            *ls[3:],
        ],
        (3, "edited"),
    ),
    "a key added": (lambda ls: [*ls[:2], changed(ls[2], note="fine"), *ls[3:]], (3, "edited")),
    "a row's key renamed to a key that is there": (
        lambda ls: [*ls[:2], changed(ls[2], key_id="k2"), *ls[3:]],
        (3, "edited"),
    ),
    "a row's key renamed to one that is not": (
        lambda ls: [*ls[:2], changed(ls[2], key_id="k9"), *ls[3:]],
        (3, "unannounced_key"),
    ),
    "the first row deleted": (lambda ls: ls[1:], (1, "deleted")),
    "a row deleted": (lambda ls: [*ls[:2], *ls[3:]], (3, "deleted")),
    "three rows deleted": (lambda ls: [*ls[:1], *ls[4:]], (2, "deleted")),
    "a forged row put first": (lambda ls: forged(ls, 0), (1, "inserted")),
    "a forged row put in": (lambda ls: forged(ls, 3), (4, "inserted")),
    "a forged row put last": (lambda ls: forged(ls, ROWS), (ROWS + 1, "edited")),
    "a signed row put in that follows nothing here": (
        lambda ls: [*ls[:3], *chained(1, "cd" * 32), *ls[3:]],
        (4, "inserted"),
    ),
    "a row put in with the key": (lambda ls: [*ls[:3], *chained(1, mac(ls[2]), start=50), *ls[3:]], (5, "forked")),
    "a row put first with the key": (lambda ls: [*chained(1, start=50), *ls], (2, "forked")),
    "a row of another subject put in": (lambda ls: foreign(ls, 3), (4, "other_subject")),
    "a row of another subject put last": (lambda ls: foreign(ls, ROWS), (ROWS + 1, "other_subject")),
    "the log of another subject appended": (
        lambda ls: [*ls, *chained(2, subject_id="WORKER-2")],
        (ROWS + 1, "other_subject"),
    ),
    "a row of another subject that follows nothing here": (
        lambda ls: [*ls[:3], *chained(1, "cd" * 32, subject_id="WORKER-2"), *ls[3:]],
        (4, "other_subject"),
    ),
    "two neighbours swapped": (lambda ls: swapped(ls, 2, 3), (3, "swapped")),
    "the first two swapped": (lambda ls: swapped(ls, 0, 1), (1, "swapped")),
    "the last two swapped": (lambda ls: swapped(ls, ROWS - 2, ROWS - 1), (ROWS - 1, "swapped")),
    "two far rows swapped": (lambda ls: swapped(ls, 1, 4), (2, "swapped")),
    "a row moved back": (lambda ls: moved(ls, 4, 1), (2, "swapped")),
    "a row moved on": (lambda ls: moved(ls, 1, 4), (2, "swapped")),
    "a row repeated at once": (lambda ls: [*ls[:3], ls[2], *ls[3:]], (4, "repeated")),
    "a row repeated later": (lambda ls: [*ls[:5], ls[1], *ls[5:]], (6, "repeated")),
    "the last row repeated": (lambda ls: [*ls, ls[-1]], (ROWS + 1, "repeated")),
    "the whole log twice": (lambda ls: [*ls, *ls], (ROWS + 1, "repeated")),
    "the tail cut": (lambda ls: ls[:4], (5, "truncated")),
    "all but the first row cut": (lambda ls: ls[:1], (2, "truncated")),
    "the log emptied": (lambda ls: [], (1, "log_missing")),
    "the tail rewritten with the key": (lambda ls: [*ls[:4], *chained(2, mac(ls[3]), start=50)], (ROWS, "rewritten")),
    "the tail rewritten with the key and more rows": (
        lambda ls: [*ls[:4], *chained(5, mac(ls[3]), start=50)],
        (ROWS, "rewritten"),
    ),
    "all rewritten with the key": (lambda ls: chained(ROWS, start=50), (ROWS, "rewritten")),
    "the log of another subject put in its place": (
        lambda ls: chained(ROWS, subject_id="WORKER-2"),
        (1, "other_subject"),
    ),
    "a key that nobody announced": (lambda ls: [*ls, *chained(1, mac(ls[-1]), K2)], (ROWS + 1, "unannounced_key")),
    "all signed with another key under the same id": (
        lambda ls: chained(ROWS, key=Key("k1", b"x" * 32)),
        (1, "edited"),  # the anchor shows that the key is the right one
    ),
    "a blank line": (lambda ls: [*ls[:3], b"", *ls[3:]], (4, "unreadable")),
    "a line that is no JSON": (lambda ls: [*ls[:3], b"{", *ls[4:]], (4, "unreadable")),
    "invalid UTF-8": (lambda ls: [*ls[:3], ls[3].replace(b"Flint", b"Fl\xff\xfent"), *ls[4:]], (4, "unreadable")),
    "a list in place of a row": (lambda ls: [*ls[:3], b"[]", *ls[4:]], (4, "unreadable")),
    "a key twice": (lambda ls: [*ls[:3], ls[3].replace(b'{"', b'{"result":"none","', 1), *ls[4:]], (4, "unreadable")),
    "a key twice, one escaped": (
        lambda ls: [*ls[:3], ls[3].replace(b'{"', b'{"re\\u0073ult":"a\\u0022\\u0022","', 1), *ls[4:]],
        (4, "unreadable"),
    ),
    "a float": (lambda ls: [*ls[:3], changed(ls[3], note=1.5), *ls[4:]], (4, "unreadable")),
    "a float that is whole": (lambda ls: [*ls[:3], changed(ls[3], note=[{"n": 1.0}]), *ls[4:]], (4, "unreadable")),
    "another schema": (lambda ls: [*ls[:3], changed(ls[3], schema="subject_audit.v2"), *ls[4:]], (4, "unreadable")),
    "a signature taken out": (
        lambda ls: [*ls[:3], ls[3].replace(b',"hmac"', b',"mac"'), *ls[4:]],
        (4, "unreadable"),
    ),
    "a line of two megabytes": (
        lambda ls: [*ls[:3], changed(ls[3], result="x" * (2 << 20)), *ls[4:]],
        (4, "unreadable"),
    ),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log that the product wrote, once: each test attacks a copy of it."""
    folder = tmp_path_factory.mktemp("built")
    made = Desk(folder)
    made.key("k1", 0)
    made.key("k2", 100)
    made.create()
    made.append(ROWS)
    return folder


@pytest.fixture
def desk(built: Path, tmp_path: Path) -> Desk:
    return Desk(Path(shutil.copytree(built, tmp_path / "copy")))


@pytest.fixture
def lines(desk: Desk) -> Lines:
    return desk.log().read_bytes().splitlines()


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_told_by_its_line_and_kind(desk: Desk, lines: Lines, attack: str) -> None:
    make, expected = ATTACKS[attack]
    assert told(desk.verify()) is None
    desk.log().write_bytes(b"".join(line + b"\n" for line in make(lines)))
    found = desk.verify()
    assert told(found) == expected
    assert not found.verified
    if expected[1] not in ("rewritten", "truncated"):
        assert found.count == expected[0] - 1
    assert found.tip == (
        json.loads(desk.log().read_bytes().splitlines()[found.count - 1])["hmac"] if found.count else ZEROS
    )


def test_a_log_that_is_gone(desk: Desk, lines: Lines) -> None:
    desk.log().unlink()
    assert told(desk.verify()) == (1, "log_missing")


def test_a_subject_that_is_gone_with_manifest_and_log_is_not_forgotten(desk: Desk, lines: Lines) -> None:
    shutil.rmtree(desk.lake.subjects)
    assert desk.subjects.ids() == [SUBJECT]
    assert told(desk.verify()) == (1, "log_missing")


def test_an_old_copy_that_was_restored(desk: Desk, lines: Lines) -> None:
    copy = desk.log().read_bytes()
    desk.append(2)
    desk.log().write_bytes(copy)
    assert told(desk.verify()) == (ROWS + 1, "truncated")


def test_an_old_copy_that_was_restored_and_gone_on_with_by_the_key(desk: Desk, lines: Lines) -> None:
    desk.append(2)
    desk.log().write_bytes(b"".join(line + b"\n" for line in [*lines, *chained(3, mac(lines[-1]), start=70)]))
    assert told(desk.verify()) == (ROWS + 2, "rewritten")


def test_a_wrong_key(desk: Desk, lines: Lines) -> None:
    (desk.keys / "k1.key").write_bytes(b"y" * 32)
    found = desk.verify()
    assert told(found) == (1, "wrong_key")
    assert (found.count, found.tip) == (0, ZEROS)


def test_a_wrong_key_after_a_rotation(desk: Desk, lines: Lines) -> None:
    desk.rotate("k2")
    desk.append(2)
    (desk.keys / "k2.key").write_bytes(b"y" * 32)
    assert told(desk.verify()) == (ROWS + 2, "wrong_key")


def test_a_short_key(desk: Desk, lines: Lines) -> None:
    (desk.keys / "k1.key").write_bytes(b"y" * 31)
    assert told(desk.verify()) == (1, "short_key")


def test_a_missing_key(desk: Desk, lines: Lines) -> None:
    (desk.keys / "k1.key").unlink()
    found = desk.verify()
    assert told(found) == (1, "missing_key")
    assert found.error is not None
    assert "'k1'" in found.error.why


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda key: key.unlink(), (0, "missing_key")),
        (lambda key: key.write_bytes(b"short"), (0, "short_key")),
        (lambda key: key.write_bytes(b"y" * 32), (0, "anchor_forged")),
    ],
)
def test_the_key_of_an_anchor_on_no_rows(desk: Desk, make: Callable[[Path], Any], expected: tuple[int, str]) -> None:
    desk.create("WORKER-2")
    make(desk.keys / "k1.key")
    assert told(desk.verify("WORKER-2")) == expected


def test_a_missing_anchor(desk: Desk, lines: Lines) -> None:
    desk.anchor().unlink()
    found = desk.verify()
    assert (told(found), found.count) == ((0, "anchor_missing"), ROWS)


def test_an_anchor_of_another_subject(desk: Desk, lines: Lines) -> None:
    desk.create("WORKER-2")
    desk.append(ROWS, "WORKER-2")
    shutil.copy(desk.anchor("WORKER-2"), desk.anchor())
    assert told(desk.verify()) == (0, "anchor_forged")


@pytest.mark.parametrize(
    "change",
    [
        {"count": ROWS - 1},
        {"count": -1},
        {"count": 6.0},
        {"count": True},
        {"count": "6"},
        {"tip": ZEROS},
        {"hmac": "0" * 64},
        {"note": "x"},
        {"subject_id": "WORKER-2"},
    ],
)
def test_an_anchor_that_was_changed(desk: Desk, lines: Lines, change: dict[str, Any]) -> None:
    desk.anchor().write_bytes(changed(desk.anchor().read_bytes(), **change))
    assert told(desk.verify()) == (0, "anchor_forged")


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"no", b'{"count":1,"count":2}'])
def test_an_anchor_that_is_none(desk: Desk, lines: Lines, data: bytes) -> None:
    desk.anchor().write_bytes(data)
    assert told(desk.verify()) == (0, "anchor_forged")


def test_an_anchor_signed_with_a_key_that_is_not_that_of_its_row(desk: Desk, lines: Lines) -> None:
    """Whoever has a retired key cannot anchor rows of the new one."""
    desk.rotate("k2")
    desk.append(2)
    write_anchor(desk.anchor(), SUBJECT, ROWS + 2, str(desk.rows()[-2]["hmac"]), K1)
    assert told(desk.verify()) == (0, "anchor_forged")


def test_a_rotation_row_that_was_taken_out(desk: Desk, lines: Lines) -> None:
    desk.rotate("k2")
    desk.append(2)
    left = desk.log().read_bytes().splitlines(keepends=True)
    desk.log().write_bytes(b"".join([*left[:ROWS], *left[ROWS + 1 :]]))
    assert told(desk.verify()) == (ROWS + 1, "deleted")


def test_the_old_key_used_on_after_another_was_announced(lines: Lines) -> None:
    announced = replace(row(mac(lines[-1])), next_key_id="k2")
    all_lines = [*lines, sign(announced, K1)]
    all_lines += chained(1, mac(all_lines[-1]))
    found = verify(b"".join(line + b"\n" for line in all_lines), KEYS)
    assert told(found) == (ROWS + 2, "unannounced_key")
    assert found.error is not None
    assert f"line {ROWS + 1} announced 'k2'" in found.error.why


def test_a_row_that_was_put_in_with_the_key_at_the_end_stands_after_the_anchor(desk: Desk, lines: Lines) -> None:
    with desk.log().open("ab") as log:
        log.write(chained(1, mac(lines[-1]), start=50)[0] + b"\n")
    found = desk.verify()
    assert found.verified
    assert [(one.line, one.kind) for one in found.warnings] == [(ROWS + 1, "unanchored_tail")]


def test_the_manifest_of_another_subject(desk: Desk, lines: Lines) -> None:
    path = desk.subjects.manifest_path(SUBJECT)
    path.write_bytes(path.read_bytes().replace(b"WORKER-1", b"WORKER-2"))
    assert told(desk.verify()) == (0, "bad_manifest")


@pytest.mark.parametrize("name", ["../../other.jsonl", "a/b.jsonl", "", "..", "audit.jsonl/..", "/etc/passwd"])
def test_a_manifest_never_leads_to_another_folder(desk: Desk, lines: Lines, name: str) -> None:
    path = desk.subjects.manifest_path(SUBJECT)
    path.write_bytes(path.read_bytes().replace(b"audit.jsonl", name.encode()))
    assert told(desk.verify()) == (0, "bad_manifest")


def test_a_manifest_that_passes_over_the_log_beside_it(desk: Desk, lines: Lines) -> None:
    shutil.copy(desk.log(), desk.log().with_name("copy.jsonl"))
    path = desk.subjects.manifest_path(SUBJECT)
    path.write_bytes(path.read_bytes().replace(b"audit.jsonl", b"copy.jsonl"))
    assert told(desk.verify()) == (0, "bad_manifest")
    desk.log().unlink()
    assert desk.verify().verified, "a log of another name alone is another runtime's choice"


# One log for the properties below: six rows, a rotation, three more.
CHAIN = chained(6)
CHAIN.append(sign(replace(row(mac(CHAIN[-1])), next_key_id="k2"), K1))
CHAIN += chained(
    3, mac(CHAIN[-1]), K2, 7, accessor=AuditAccessor(daemon="büro ⭐", user="你好", purpose='"\\', trace_id="")
)
LOG = b"".join(line + b"\n" for line in CHAIN)


def anchor_on(lines: Lines) -> bytes:
    from lakehouse.records import SubjectAnchor

    key = KEYS[json.loads(lines[-1])["key_id"]]
    return sign(SubjectAnchor(subject_id=SUBJECT, count=len(lines), tip=mac(lines[-1]), key_id=key.id, hmac=""), key)


ANCHOR = anchor_on(CHAIN)


def test_the_log_of_the_properties_holds() -> None:
    assert verify(LOG, KEYS, ANCHOR).plain() == {
        "count": 10,
        "tip": mac(CHAIN[-1]),
        "verified": True,
        "error": None,
        "warnings": [],
    }


@given(st.integers(0, len(LOG) - 1), st.integers(1, 255))
def test_no_byte_can_be_changed(place: int, change: int) -> None:
    log = bytearray(LOG)
    log[place] ^= change
    found = verify(bytes(log), KEYS)
    assert not found.verified
    assert found.count <= LOG[:place].count(b"\n")


@given(st.integers(0, len(LOG) - 1), st.integers(0, 255))
def test_a_byte_that_is_put_in_or_taken_out_changes_no_row_unseen(place: int, byte: int) -> None:
    for log in (LOG[:place] + bytes([byte]) + LOG[place:], LOG[:place] + LOG[place + 1 :]):
        found = verify(log, KEYS, ANCHOR)
        if found.verified:
            # A space between two tokens, say: the rows say what they said.
            assert [json.loads(line) for line in log.splitlines()] == [json.loads(line) for line in CHAIN]


@given(st.integers(0, len(LOG) - 1))
@example(len(LOG) - 1)
def test_a_cut_at_any_byte_is_found(place: int) -> None:
    found = verify(LOG[:place], KEYS, ANCHOR)
    # Without its last newline alone the log has every row that was anchored.
    kind = "torn_last_line" if place == len(LOG) - 1 else "truncated"
    assert told(found) == ((1, "log_missing") if place == 0 else (LOG[:place].count(b"\n") + 1, kind))


@given(st.integers(0, len(LOG) - 1))
def test_a_cut_inside_a_row_is_found_without_an_anchor_too(place: int) -> None:
    found = verify(LOG[:place], KEYS)
    torn = place > 0 and LOG[place - 1 : place] != b"\n"
    assert told(found) == ((LOG[:place].count(b"\n") + 1, "torn_last_line") if torn else None)


@given(st.lists(st.integers(0, len(CHAIN) - 1), max_size=14))
def test_no_other_choice_and_order_of_rows_holds(places: list[int]) -> None:
    log = b"".join(CHAIN[place] + b"\n" for place in places)
    assert verify(log, KEYS, ANCHOR).verified is (places == list(range(len(CHAIN))))


@given(st.integers(0, len(CHAIN) - 1), st.integers(0, len(CHAIN) - 1))
def test_two_rows_swapped_are_told(one: int, other: int) -> None:
    if one != other:
        found = verify(b"".join(line + b"\n" for line in swapped(CHAIN, one, other)), KEYS, ANCHOR)
        assert told(found) == (min(one, other) + 1, "swapped")


@given(st.integers(0, len(CHAIN) - 1), st.integers(0, len(CHAIN)))
def test_a_row_repeated_is_told_where_its_second_copy_stands(place: int, to: int) -> None:
    found = verify(b"".join(line + b"\n" for line in [*CHAIN[:to], CHAIN[place], *CHAIN[to:]]), KEYS, ANCHOR)
    if to > place:
        assert told(found) == (to + 1, "repeated")
    else:
        assert not found.verified
