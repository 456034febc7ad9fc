"""What writers that died leave behind is mended, and nothing else is."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lakehouse.errors import LakehouseError, UsageError
from lakehouse.subjects import log, mend
from lakehouse.subjects.anchors import write_anchor
from lakehouse.subjects.keys import Key
from lakehouse.subjects.tail import ChainBroken
from tests.lakehouse.subjects.conftest import NOW, SUBJECT, Desk, counting
from tests.lakehouse.subjects.test_attacks import chained

Died = KeyboardInterrupt
RENEWAL = mend.Renewal("eve", "compared with the copy of May", NOW)


def dies(*_: object, **__: object) -> None:
    raise Died


def tear(desk: Desk, data: bytes = b'{"schema":"subject_audit.v1","ts":"20') -> bytes:
    with desk.log().open("ab") as file:
        file.write(data)
    return data


def test_torn_bytes_are_moved_beside_the_log(desk: Desk) -> None:
    desk.append(3)
    whole = desk.log().read_bytes()
    torn = tear(desk)
    done, moved = mend.mend(desk.subjects, SUBJECT)
    assert done == "moved"
    assert moved is not None
    assert (moved.parent, moved.read_bytes()) == (desk.log().parent, torn)
    assert desk.log().read_bytes() == whole
    assert desk.append() == 4
    assert desk.verify().verified


def test_a_row_that_lacks_nothing_but_its_end_gets_it(desk: Desk) -> None:
    desk.append(2)
    kept = desk.anchor().read_bytes()
    desk.append()
    whole = desk.log().read_bytes()
    desk.anchor().write_bytes(kept)
    desk.log().write_bytes(whole[:-1])
    assert mend.mend(desk.subjects, SUBJECT) == ("completed", None)
    assert desk.log().read_bytes() == whole
    assert [one.kind for one in desk.verify().warnings] == ["unanchored_tail"]


def test_torn_bytes_beyond_the_longest_row_are_moved_too(desk: Desk) -> None:
    """As a disk that lost its power leaves them: a stretch of zeros."""
    desk.append()
    whole = desk.log().read_bytes()
    torn = tear(desk, b"\x00" * (3 << 20))
    found = desk.verify()
    assert found.error is not None
    assert (found.error.kind, found.error.line) == ("torn_last_line", 2)
    _, moved = mend.mend(desk.subjects, SUBJECT)
    assert moved is not None
    assert moved.read_bytes() == torn
    assert desk.log().read_bytes() == whole


def test_two_torn_lines_over_time_are_both_kept(desk: Desk) -> None:
    desk.append()
    for data in (b"one", b"two", b"one"):
        tear(desk, data)
        mend.mend(desk.subjects, SUBJECT)
    kept = sorted(path.read_bytes() for path in desk.log().parent.glob("*.torn-*"))
    assert kept == [b"one", b"two"]


def test_a_mender_that_died_between_copy_and_cut_loses_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.append(2)
    torn = tear(desk)
    before = desk.log().read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", dies)
        with pytest.raises(Died):
            mend.mend(desk.subjects, SUBJECT)
    assert desk.log().read_bytes() == before
    _, moved = mend.mend(desk.subjects, SUBJECT)
    assert [path.read_bytes() for path in desk.log().parent.glob("*.torn-*")] == [torn]
    assert moved is not None
    assert desk.verify().verified


def test_a_log_that_holds_is_left_alone(desk: Desk) -> None:
    desk.append(2)
    before = desk.log().read_bytes()
    assert mend.mend(desk.subjects, SUBJECT) == ("nothing", None)
    assert mend.anchor(desk.subjects, SUBJECT) == (2, desk.rows()[-1]["hmac"])
    assert desk.log().read_bytes() == before


SPOILT: dict[str, tuple[Any, str]] = {
    "an edited row": (lambda desk: _change(desk.log(), b"ann", b"bob"), "edited"),
    "a torn row that was anchored": (lambda desk: desk.log().write_bytes(desk.log().read_bytes()[:-70]), "truncated"),
    "no anchor": (lambda desk: desk.anchor().unlink(), "anchor_missing"),
    "a forged anchor": (lambda desk: _change(desk.anchor(), b'"count":3', b'"count":2'), "anchor_forged"),
    "a wrong key": (lambda desk: (desk.keys / "k1.key").write_bytes(b"w" * 32), "wrong_key"),
}


def _change(path: Path, old: bytes, new: bytes) -> None:
    assert old in path.read_bytes()
    path.write_bytes(path.read_bytes().replace(old, new, 1))


@pytest.mark.parametrize("name", SPOILT)
def test_a_torn_line_is_not_mended_where_the_rest_does_not_hold(desk: Desk, name: str) -> None:
    spoil, kind = SPOILT[name]
    desk.append(3)
    if name != "a torn row that was anchored":
        tear(desk)
    spoil(desk)
    before = desk.log().read_bytes()
    with pytest.raises(ChainBroken) as refused:
        mend.mend(desk.subjects, SUBJECT)
    assert refused.value.kind == kind
    assert desk.log().read_bytes() == before


@pytest.mark.parametrize("renew", [None, RENEWAL])
def test_a_log_that_does_not_hold_is_never_anchored(desk: Desk, renew: mend.Renewal | None) -> None:
    desk.append(3)
    before = desk.anchor().read_bytes()
    lines = desk.log().read_bytes().splitlines(keepends=True)
    for broken in (lines[:2], [*lines[:1], lines[1].replace(b"ann", b"bob"), lines[2]], []):
        desk.log().write_bytes(b"".join(broken))
        with pytest.raises(ChainBroken):
            mend.anchor(desk.subjects, SUBJECT, renew=renew)
        assert desk.anchor().read_bytes() == before


def test_an_anchor_that_is_missing_or_forged_is_renewed_on_request_alone_and_a_row_says_who_asked(desk: Desk) -> None:
    desk.append(3)
    for rows, spoil in ((4, desk.anchor().unlink), (5, lambda: desk.anchor().write_bytes(b"{}"))):
        spoil()
        with pytest.raises(ChainBroken, match="--renew"):
            mend.anchor(desk.subjects, SUBJECT)
        assert mend.anchor(desk.subjects, SUBJECT, renew=RENEWAL)[0] == rows
        last = desk.rows()[-1]
        assert (last["result"], last["accessor"]["user"], last["accessor"]["purpose"], last["ts"]) == (
            "anchor_renewed",
            "eve",
            "compared with the copy of May",
            NOW,
        )
        assert (desk.verify().verified, desk.verify().warnings) == (True, ())


def test_an_anchor_that_holds_is_not_renewed(desk: Desk) -> None:
    desk.append(2)
    assert mend.anchor(desk.subjects, SUBJECT, renew=RENEWAL)[0] == 2
    assert len(desk.rows()) == 2


def test_a_renewal_after_a_rotation_is_signed_with_the_new_key(desk: Desk) -> None:
    desk.append()
    desk.rotate("k2")
    desk.anchor().unlink()
    mend.anchor(desk.subjects, SUBJECT, renew=RENEWAL)
    assert desk.rows()[-1]["key_id"] == "k2"
    assert desk.append() == 4
    assert desk.verify().verified


@pytest.mark.parametrize("change", [{"by": ""}, {"reason": " "}, {"reason": "a\nb"}, {"at": "now"}])
def test_a_renewal_says_who_why_and_when(desk: Desk, change: dict[str, str]) -> None:
    desk.append()
    desk.anchor().unlink()
    with pytest.raises(UsageError) as refused:
        mend.anchor(desk.subjects, SUBJECT, renew=RENEWAL._replace(**change))
    assert refused.value.where == next(iter(change))
    assert (len(desk.rows()), desk.anchor().exists()) == (1, False)


def test_a_subject_of_another_runtime_without_log_and_anchor_begins_by_renewing(desk: Desk) -> None:
    desk.log().unlink()
    desk.anchor().unlink()
    assert mend.anchor(desk.subjects, SUBJECT, renew=RENEWAL)[0] == 1
    assert desk.append() == 2
    assert desk.verify().verified


def test_a_rotation_changes_the_key_of_the_rows_after_it(desk: Desk) -> None:
    desk.append(2)
    assert desk.rotate("k2") == 3
    assert desk.append(2) == 5
    rows = desk.rows()
    assert [row["key_id"] for row in rows] == ["k1", "k1", "k1", "k2", "k2"]
    assert [row.get("next_key_id") for row in rows] == [None, None, "k2", None, None]
    assert rows[2]["result"] == "key_rotated"
    assert desk.subjects.manifest(SUBJECT).key_id == "k2"
    found = desk.verify()
    assert (found.error, found.warnings, found.count) == (None, (), 5)
    desk.rotate("k1")
    assert desk.append() == 7
    assert desk.verify().verified


def test_a_rotation_may_be_the_first_row_and_may_follow_another(desk: Desk) -> None:
    desk.rotate("k2")
    desk.rotate("k1")
    desk.append()
    assert [row["key_id"] for row in desk.rows()] == ["k1", "k2", "k1"]
    assert desk.verify().verified


def test_the_old_key_is_still_needed(desk: Desk) -> None:
    desk.append(2)
    desk.rotate("k2")
    desk.append()
    (desk.keys / "k1.key").unlink()
    found = desk.verify()
    assert found.error is not None
    assert (found.error.kind, found.error.line) == ("missing_key", 1)


@pytest.mark.parametrize(("key_id", "says"), [("k1", "the key in use"), ("k9", "no key"), ("../k1", "no key id")])
def test_a_rotation_wants_another_key_that_is_there(desk: Desk, key_id: str, says: str) -> None:
    desk.append()
    with pytest.raises(UsageError, match=says):
        desk.rotate(key_id)
    assert len(desk.rows()) == 1


def test_where_a_rotation_died_before_the_manifest_the_rows_decide(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.append()
    with monkeypatch.context() as patch:
        patch.setattr(log, "write_manifest", dies)
        with pytest.raises(Died):
            desk.rotate("k2")
    assert desk.subjects.manifest(SUBJECT).key_id == "k1"
    found = desk.verify()
    assert found.verified
    assert [(one.line, one.kind) for one in found.warnings] == [(0, "manifest_behind")]
    assert desk.append() == 3
    assert desk.rows()[-1]["key_id"] == "k2"
    assert desk.subjects.manifest(SUBJECT).key_id == "k2"
    assert desk.verify().warnings == ()


@pytest.mark.parametrize("how", ["append", "anchor", "rotate"])
def test_where_a_rotation_died_before_the_anchor_it_is_brought_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    desk.append()
    with monkeypatch.context() as patch:
        patch.setattr(log, "write_anchor", dies)
        with pytest.raises(Died):
            desk.rotate("k2")
    assert [one.kind for one in desk.verify().warnings] == ["unanchored_tail", "manifest_behind"]
    if how == "append":
        desk.append()
    elif how == "anchor":
        mend.anchor(desk.subjects, SUBJECT)
    else:
        desk.key("k3", 50)
        desk.rotate("k3")
    assert desk.verify().warnings == ()
    assert desk.subjects.manifest(SUBJECT).key_id == ("k3" if how == "rotate" else "k2")
    desk.append()
    assert desk.verify().verified


def _restore_without_the_newest_rows(desk: Desk) -> None:
    kept = {path: path.read_bytes() for path in (desk.log(), desk.anchor())}
    desk.rotate("k2")
    desk.append(2)
    for path, data in kept.items():
        path.write_bytes(data)


def _cut_and_anchor_with_the_old_key(desk: Desk) -> None:
    desk.rotate("k2")
    desk.append(2)
    desk.log().write_bytes(b"".join(desk.log().read_bytes().splitlines(keepends=True)[:1]))
    write_anchor(desk.anchor(), SUBJECT, 1, str(desk.rows()[0]["hmac"]), Key("k1", counting(0)(32)))


AHEAD: dict[str, Any] = {
    "changed by hand": lambda desk: _change(desk.subjects.manifest_path(SUBJECT), b'"k1"', b'"k2"'),
    "a key that is nowhere": lambda desk: _change(desk.subjects.manifest_path(SUBJECT), b'"k1"', b'"k9"'),
    "an old log with its old anchor": _restore_without_the_newest_rows,
    "a log cut, anchored with a key that was rotated away": _cut_and_anchor_with_the_old_key,
}


@pytest.mark.parametrize("name", AHEAD)
@pytest.mark.parametrize("rows", [0, 1])
def test_a_manifest_ahead_of_its_rows_is_red_and_nothing_goes_on(desk: Desk, name: str, rows: int) -> None:
    desk.append(rows)
    if rows == 0 and name.startswith("a log cut"):
        desk.append()
    AHEAD[name](desk)
    found = desk.verify()
    assert found.error is not None
    assert (found.error.line, found.error.kind, found.warnings) == (0, "manifest_ahead", ())
    before = {path: path.read_bytes() for path in desk.lake.root.parent.rglob("*.json*")}
    desk.key("k3", 50)
    for do in (
        desk.append,
        lambda: desk.rotate("k3"),
        lambda: mend.anchor(desk.subjects, SUBJECT),
        lambda: mend.anchor(desk.subjects, SUBJECT, renew=RENEWAL),
    ):
        with pytest.raises(ChainBroken) as refused:
            do()
        assert refused.value.kind == "manifest_ahead"
    assert {path: path.read_bytes() for path in desk.lake.root.parent.rglob("*.json*")} == before


def test_a_manifest_that_names_an_earlier_key_is_behind(desk: Desk) -> None:
    desk.append()
    desk.rotate("k2")
    desk.append()
    _change(desk.subjects.manifest_path(SUBJECT), b'"k2"', b'"k1"')
    assert [one.kind for one in desk.verify().warnings] == ["manifest_behind"]
    desk.append()
    assert desk.rows()[-1]["key_id"] == "k2"
    assert desk.subjects.manifest(SUBJECT).key_id == "k2"


def test_a_last_row_that_lost_its_newline_after_it_was_anchored_gets_it_back(desk: Desk) -> None:
    desk.append(3)
    whole = desk.log().read_bytes()
    desk.log().write_bytes(whole[:-1])
    found = desk.verify()
    assert found.error is not None
    assert (found.count, found.error.line, found.error.kind) == (2, 3, "torn_last_line")
    assert mend.mend(desk.subjects, SUBJECT) == ("completed", None)
    assert desk.log().read_bytes() == whole
    assert (desk.verify().verified, desk.verify().warnings) == (True, ())
    assert desk.append() == 4


def test_another_row_without_its_newline_is_no_completion(desk: Desk) -> None:
    """The right signature in the right place, but not the row that was anchored."""
    desk.append(3)
    lines = desk.log().read_bytes().splitlines(keepends=True)
    desk.log().write_bytes(b"".join(lines[:2]) + chained(1, str(desk.rows()[1]["hmac"]), start=50)[0])
    found = desk.verify()
    assert found.error is not None
    assert (found.error.line, found.error.kind) == (3, "truncated")


def test_a_subject_that_is_not_there_is_named(desk: Desk) -> None:
    for do in (lambda: mend.mend(desk.subjects, "W-9"), lambda: mend.anchor(desk.subjects, "W-9")):
        with pytest.raises(LakehouseError, match="there is no subject 'W-9'"):
            do()
