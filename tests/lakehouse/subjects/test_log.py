"""Appending: what a row says, what is refused, and what a failing disk leaves."""

from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lakehouse.errors import LakehouseError, OutsideFailure, UsageError
from lakehouse.records import AuditAccessor, SubjectAuditRow, SubjectManifest
from lakehouse.subjects import log, manifest, places, tail
from lakehouse.subjects.keys import ShortKey
from lakehouse.subjects.places import create, key_in_use, open_subjects
from lakehouse.subjects.tail import ChainBroken
from tests.lakehouse.subjects.conftest import ANN, NOW, SUBJECT, Desk

ROOT = Path(__file__).parents[3]


def test_a_row_says_who_looked_at_what_and_why_and_writes_what_is_empty(desk: Desk) -> None:
    log.append(desk.subjects, SUBJECT, ANN, [], "success", NOW)
    (line,) = desk.log().read_bytes().splitlines()
    assert list(json.loads(line)) == [name for name in SubjectAuditRow.__struct_fields__ if name != "next_key_id"]
    row = msgspec.json.decode(line, type=SubjectAuditRow)
    assert (row.schema, row.ts, row.subject_id, row.accessor) == ("subject_audit.v1", NOW, SUBJECT, ANN)
    assert (row.fields_accessed, row.result, row.key_id, row.prev_hmac) == ([], "success", "k1", "0" * 64)
    assert b'"trace_id":""' in line
    assert b'"fields_accessed":[]' in line


def test_each_row_holds_the_signature_of_the_one_before_and_the_anchor_that_of_the_last(desk: Desk) -> None:
    assert desk.append(3) == 3
    rows = desk.rows()
    assert [row["prev_hmac"] for row in rows] == ["0" * 64, *(row["hmac"] for row in rows[:-1])]
    anchor = json.loads(desk.anchor().read_bytes())
    assert list(anchor) == ["subject_id", "count", "tip", "key_id", "hmac"]
    assert (anchor["subject_id"], anchor["count"], anchor["tip"]) == (SUBJECT, 3, rows[-1]["hmac"])
    found = desk.verify()
    assert (found.verified, found.count, found.tip, found.warnings) == (True, 3, rows[-1]["hmac"], ())


def test_a_subject_without_rows_holds(desk: Desk) -> None:
    found = desk.verify()
    assert (found.verified, found.count, found.tip) == (True, 0, "0" * 64)
    manifest = msgspec.json.decode(desk.subjects.manifest_path(SUBJECT).read_bytes(), type=SubjectManifest)
    assert (manifest.subject_id, manifest.key_id, manifest.audit_log, manifest.datasets) == (
        SUBJECT,
        "k1",
        "audit.jsonl",
        ["workers"],
    )


def test_an_append_does_not_read_the_log_again(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it costs is counted in rows that are looked at, for tests do not time."""
    looked: list[int] = []

    def counted(line: bytes) -> Any:
        looked.append(1)
        return real(line)

    real = tail.read_row
    monkeypatch.setattr(tail, "read_row", counted)
    costs = []
    for _ in range(120):
        looked.clear()
        desk.append()
        costs.append(len(looked))
    assert max(costs[1:]) == costs[1] <= 2


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"user": ""}, "user"),
        ({"user": " "}, "user"),
        ({"purpose": ""}, "purpose"),
        ({"daemon": ""}, "daemon"),
        ({"user": "a\nb"}, "user"),
        ({"trace_id": "\x00"}, "trace_id"),
        ({"user": "\ud800"}, "user"),
        ({"user": 1.5}, "user"),
        ({"trace_id": None}, "trace_id"),
        ({"fields": [1.5]}, "fields_accessed"),
        ({"fields": [""]}, "fields_accessed"),
        ({"fields": "name"}, "fields_accessed"),
        ({"result": ""}, "result"),
        ({"result": "a\x1fb"}, "result"),
        ({"fields": None}, "fields_accessed"),
        ({"fields": b"name"}, "fields_accessed"),
        ({"fields": {"name": 1}}, "fields_accessed"),
        ({"user": "ann\u202eteg"}, "user"),
        ({"user": "ann\u2066"}, "user"),
        ({"purpose": "one\u2028two"}, "purpose"),
        ({"purpose": "one\u2029two"}, "purpose"),
        ({"fields": ["na\u202ame"]}, "fields_accessed"),
        ({"now": "yesterday"}, "now"),
        ({"now": ""}, "now"),
        ({"now": 5}, "now"),
        ({"now": None}, "now"),
        ({"now": "2026-05-10"}, "now"),
        ({"now": "2026-05-10T02:00:00"}, "now"),
        ({"now": "2026-13-10T02:00:00Z"}, "now"),
        ({"now": "1780000000"}, "now"),
    ],
)
def test_what_no_row_may_hold_is_refused_and_nothing_is_written(
    desk: Desk, changes: dict[str, Any], where: str
) -> None:
    said = {"fields": ["name"], "result": "success", "now": NOW, **changes}
    accessor = msgspec.structs.replace(ANN, **{k: v for k, v in said.items() if k not in ("fields", "result", "now")})
    with pytest.raises(UsageError) as refused:
        log.append(desk.subjects, SUBJECT, accessor, said["fields"], said["result"], said["now"])
    assert refused.value.where == where
    assert desk.log().read_bytes() == b""


@pytest.mark.parametrize("now", ["2026-05-10T02:00:00Z", "2026-05-10T02:00:00.461439210Z", "2026-05-10T04:00:00+02:00"])
def test_a_time_with_any_offset_and_precision_is_taken_as_it_is(desk: Desk, now: str) -> None:
    log.append(desk.subjects, SUBJECT, ANN, [], "success", now)
    assert desk.rows()[0]["ts"] == now


def test_who_looked_is_an_accessor(desk: Desk) -> None:
    with pytest.raises(UsageError, match="no AuditAccessor"):
        log.append(desk.subjects, SUBJECT, None, [], "success", NOW)  # type: ignore[arg-type]


def test_a_row_beyond_a_megabyte_is_refused(desk: Desk) -> None:
    with pytest.raises(LakehouseError, match="at most 1048576"):
        log.append(desk.subjects, SUBJECT, ANN, ["x" * (1 << 20)], "success", NOW)
    assert desk.log().read_bytes() == b""
    log.append(desk.subjects, SUBJECT, ANN, ["x" * ((1 << 20) - 1000)], "success", NOW)
    assert desk.append() == 2
    assert desk.verify().count == 2


BREAKS: dict[str, tuple[Any, str, str]] = {
    "torn": (
        lambda desk: desk.log().write_bytes(desk.log().read_bytes()[:-9]),
        "torn_last_line",
        "lakehouse subject mend",
    ),
    "cut": (
        lambda desk: desk.log().write_bytes(b"".join(desk.log().read_bytes().splitlines(keepends=True)[:-1])),
        "truncated",
        "lakehouse subject verify",
    ),
    "emptied": (lambda desk: desk.log().write_bytes(b""), "log_missing", "lakehouse subject verify"),
    "gone": (lambda desk: desk.log().unlink(), "log_missing", "restore"),
    "no anchor": (lambda desk: desk.anchor().unlink(), "anchor_missing", "--renew"),
    "forged anchor": (
        lambda desk: desk.anchor().write_bytes(desk.anchor().read_bytes().replace(b'"count":3', b'"count":2')),
        "anchor_forged",
        "--renew",
    ),
    "the anchored row without its newline": (
        lambda desk: desk.log().write_bytes(desk.log().read_bytes()[:-1]),
        "torn_last_line",
        "lakehouse subject mend",
    ),
    "a manifest ahead of the rows": (
        lambda desk: _name_key(desk, "k2"),
        "manifest_ahead",
        "restore the newest",
    ),
    "last row edited": (
        lambda desk: desk.log().write_bytes(b"bob".join(desk.log().read_bytes().rsplit(b"ann", 1))),
        "",
        "lakehouse subject verify",
    ),
    "a row nobody signed after the anchor": (
        lambda desk: desk.log().write_bytes(desk.log().read_bytes() + b'{"schema":"subject_audit.v1"}\n'),
        "",
        "lakehouse subject verify",
    ),
    "another key under the same id": (
        lambda desk: (desk.keys / "k1.key").write_bytes(b"z" * 32),
        "anchor_forged",
        "verify",
    ),
}


def _name_key(desk: Desk, key_id: str) -> None:
    path = desk.subjects.manifest_path(SUBJECT)
    path.write_bytes(path.read_bytes().replace(b'"k1"', b'"%s"' % key_id.encode()))


@pytest.mark.parametrize("name", BREAKS)
def test_nothing_is_appended_to_a_log_whose_end_does_not_hold(desk: Desk, name: str) -> None:
    do, kind, mend = BREAKS[name]
    desk.append(3)
    do(desk)
    before = desk.log().read_bytes() if desk.log().exists() else None
    with pytest.raises(ChainBroken) as refused:
        desk.append()
    assert (refused.value.kind, refused.value.exit_code) == (kind, 1)
    assert mend in refused.value.mend
    assert (desk.log().read_bytes() if desk.log().exists() else None) == before
    assert not desk.verify().verified


def test_a_missing_or_short_key_is_a_matter_of_configuration(desk: Desk) -> None:
    desk.append(2)
    (desk.keys / "k1.key").unlink()
    with pytest.raises(UsageError, match="'k1'"):
        desk.append()
    (desk.keys / "k1.key").write_bytes(b"short secret")
    with pytest.raises(ShortKey) as refused:
        desk.append()
    assert "short secret" not in str(refused.value)


def test_a_tail_that_holds_is_anchored_by_the_next_append(desk: Desk) -> None:
    desk.append(2)
    kept = desk.anchor().read_bytes()
    desk.append(3)
    desk.anchor().write_bytes(kept)
    assert [(one.line, one.kind) for one in desk.verify().warnings] == [(3, "unanchored_tail")]
    assert desk.append() == 6
    found = desk.verify()
    assert (found.count, found.error, found.warnings) == (6, None, ())


def test_an_anchor_far_behind_is_found(desk: Desk) -> None:
    desk.append(1)
    kept = desk.anchor().read_bytes()
    desk.append(90)
    desk.anchor().write_bytes(kept)
    assert desk.log().stat().st_size > 2 * (1 << 14)
    assert desk.append() == 92
    assert desk.verify().warnings == ()


def test_a_row_of_another_runtime_after_the_anchor_is_taken_as_it_stands(desk: Desk) -> None:
    from lakehouse.subjects.chain import signed_part
    from tests.lakehouse.subjects.test_attacks import K1

    desk.append()
    row = {
        "result": "ok",
        "ts": "2026-05-03T08:10:07.461439210Z",
        "key_id": "k1",
        "subject_id": SUBJECT,
        "more": [1, None],
    }
    row |= {
        "prev_hmac": desk.rows()[-1]["hmac"],
        "schema": "subject_audit.v1",
        "accessor": {"trace_id": ""},
        "hmac": "",
    }
    row["hmac"] = K1.sign(signed_part(json.dumps(row).encode())[2])
    with desk.log().open("a") as file:
        file.write(json.dumps(row, indent=None, separators=(" , ", " : ")) + "\n")
    assert desk.append() == 3
    assert b"461439210Z" in desk.log().read_bytes()
    assert desk.verify().plain()["warnings"] == []


def test_a_full_disk_leaves_the_log_as_it_was(desk: Desk) -> None:
    desk.append(2)
    before = desk.log().read_bytes()
    code = """
import resource, signal, sys
from pathlib import Path
from lakehouse.errors import OutsideFailure
from tests.lakehouse.subjects.conftest import Desk
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    print("appended", Desk(Path(sys.argv[1])).append())
except OutsideFailure as error:
    print(error)
"""
    for more in (0, 100):
        done = subprocess.run(
            [sys.executable, "-c", code, str(desk.lake.root.parent), str(len(before) + more)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "the log is as it was" in done.stdout, done.stderr
        assert str(desk.log()) in done.stdout
        assert desk.log().read_bytes() == before
    assert desk.append() == 3
    assert desk.verify().warnings == ()


def test_a_failing_sync_leaves_the_log_as_it_was(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.append(2)
    before = desk.log().read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _failing(errno.EIO))
        with pytest.raises(OutsideFailure, match="Input/output error"):
            desk.append()
    assert desk.log().read_bytes() == before
    assert desk.append() == 3


def test_an_anchor_that_cannot_be_written_leaves_the_row_and_says_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.append(2)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", _failing(errno.ENOSPC))
        with pytest.raises(OutsideFailure, match=r"row 3 is written, and its anchor is not.*No space left"):
            desk.append()
    assert [one.kind for one in desk.verify().warnings] == ["unanchored_tail"]
    assert desk.append() == 4
    assert desk.verify().warnings == ()


def _failing(number: int) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


BAD_IDS = ["", ".", "..", "a/b", "/a", "a\\b/..", "-a", ".a", "a b", "é", "a\n", "a\x00", "x" * 129, "\ud800"]


@pytest.mark.parametrize("name", BAD_IDS)
def test_an_id_never_becomes_a_path_unchecked(desk: Desk, name: str) -> None:
    subjects = desk.subjects
    for use in (subjects.folder, subjects.log_path, subjects.anchor_path, subjects.manifest, subjects.manifest_path):
        with pytest.raises(UsageError, match="is no subject id"):
            use(name)
    with pytest.raises(UsageError, match="is no subject id"):
        desk.append(subject=name)


@pytest.mark.parametrize("name", ["a", "WORKER-1", "x" * 128, "a..b", "A.b_c-1"])
def test_an_id_of_plain_signs_is_fine(desk: Desk, name: str) -> None:
    if name != SUBJECT:
        desk.create(name)
    desk.append(subject=name)
    assert desk.verify(name).count == 1


def test_keys_and_anchors_never_lie_in_the_lake(desk: Desk) -> None:
    (desk.lake.root.parent / "link").symlink_to(desk.lake.root)
    for inside in (
        desk.lake.root,
        desk.lake.root / "keys",
        desk.keys / ".." / "lake" / "x",
        desk.keys.parent / "link" / "x",
    ):
        with pytest.raises(UsageError, match="outside of the lake"):
            open_subjects(desk.lake, inside, desk.anchors)
        with pytest.raises(UsageError, match="outside of the lake"):
            open_subjects(desk.lake, desk.keys, inside)


def test_a_subject_that_left_rows_behind_is_not_made_anew(desk: Desk) -> None:
    desk.append()
    for path in (desk.subjects.manifest_path(SUBJECT), desk.log()):
        path.unlink()
        with pytest.raises(UsageError):
            desk.create()


def test_a_maker_that_died_before_the_manifest_is_no_hindrance(desk: Desk) -> None:
    desk.subjects.manifest_path(SUBJECT).unlink()
    found = desk.verify()
    assert found.error is not None
    assert found.error.kind == "bad_manifest"
    desk.create()
    assert desk.append() == 1


def test_a_subject_wants_a_key_that_is_there(desk: Desk) -> None:
    with pytest.raises(UsageError, match="there is no key 'k9'"):
        create(desk.subjects, "W", kind="worker", retention="P1Y", key_id="k9", datasets=[], now=NOW)
    assert desk.subjects.ids() == [SUBJECT]


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"kind": ""}, "kind"),
        ({"kind": "x" * 201}, "kind"),
        ({"kind": None}, "kind"),
        ({"retention": ""}, "retention"),
        ({"retention": " "}, "retention"),
        ({"retention": "P"}, "retention"),
        ({"retention": "P7X"}, "retention"),
        ({"retention": "PT"}, "retention"),
        ({"retention": "P7Y\n"}, "retention"),
        ({"retention": "x" * 201}, "retention"),
        ({"retention": 7}, "retention"),
        ({"datasets": ["a\x00"]}, "datasets"),
        ({"now": "today"}, "now"),
    ],
)
def test_a_manifest_says_what_people_can_use(desk: Desk, changes: dict[str, Any], where: str) -> None:
    said = {"kind": "worker", "retention": "P7Y", "key_id": "k1", "datasets": ["w"], "now": NOW, **changes}
    with pytest.raises(UsageError) as refused:
        create(desk.subjects, "W", **said)
    assert refused.value.where == where
    assert desk.subjects.ids() == [SUBJECT]


@pytest.mark.parametrize(
    "retention", ["P7Y", "P1Y6M", "P2W", "PT36H", "P1DT12H", "until the contract ends", "Permanent file"]
)
def test_how_long_a_record_is_kept_is_a_duration_or_words(desk: Desk, retention: str) -> None:
    create(desk.subjects, "W", kind="worker", retention=retention, key_id="k1", datasets=[], now=NOW)
    assert desk.subjects.manifest("W").retention == retention


@pytest.mark.parametrize("name", ["all", "forgotten.jsonl"])
def test_a_name_with_another_meaning_is_no_id(desk: Desk, name: str) -> None:
    with pytest.raises(UsageError, match="another meaning"):
        desk.create(name)


def test_a_subject_that_could_not_be_made_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = ((Path, "replace"), (os, "fsync"), (places, "sync_folder"), (manifest, "write_json"))
    for broken, failure in failures:
        with monkeypatch.context() as patch:
            patch.setattr(broken, failure, _failing(errno.ENOSPC))
            with pytest.raises(OutsideFailure, match="No space left"):
                desk.create("W")
        assert desk.subjects.ids() == [SUBJECT]
        assert not desk.subjects.folder("W").exists()
        assert not (desk.anchors / "W").exists()
    desk.create("W")


def test_a_folder_of_anchors_that_holds_none_is_no_subject(desk: Desk) -> None:
    (desk.anchors / "W").mkdir()
    assert desk.subjects.ids() == [SUBJECT]


def test_logs_are_for_their_owner_and_the_group(desk: Desk) -> None:
    desk.append()
    for path, mode in ((desk.log(), 0o640), (desk.log().parent, 0o750), (desk.anchor().parent, 0o750)):
        assert stat.S_IMODE(path.stat().st_mode) & ~mode == 0, path


def test_a_missing_key_is_restored_and_never_made_anew(desk: Desk) -> None:
    desk.append()
    (desk.keys / "k1.key").unlink()
    with pytest.raises(UsageError) as refused:
        desk.append()
    assert "restore it" in refused.value.mend
    assert str(desk.keys) in str(refused.value)
    with pytest.raises(UsageError) as unknown:
        desk.create("W", "k9")
    assert "k2" in unknown.value.mend
    assert "key new" not in refused.value.mend + unknown.value.mend


def test_a_key_that_a_manifest_or_a_row_names_is_in_use(desk: Desk) -> None:
    desk.append()
    desk.rotate("k2")
    desk.key("k3", 50)
    assert [key_in_use(desk.subjects, name) for name in ("k1", "k2", "k3", "name")] == [SUBJECT, SUBJECT, None, None]


@pytest.mark.parametrize("what", ["key", "anchor", "folder of the anchor"])
def test_a_link_into_the_lake_is_refused(desk: Desk, what: str) -> None:
    desk.append()
    path = {"key": desk.keys / "k1.key", "anchor": desk.anchor(), "folder of the anchor": desk.anchor().parent}[what]
    path.rename(desk.lake.root / "moved")
    path.symlink_to(desk.lake.root / "moved")
    with pytest.raises(UsageError, match="link into the lake"):
        desk.append()
    found = desk.verify()
    assert found.error is not None
    assert (found.error.kind, found.error.line) == ("cannot_read", 0)


def test_a_link_to_elsewhere_is_fine(desk: Desk) -> None:
    """As clusters mount secrets."""
    (desk.keys / "k1.key").rename(desk.keys.parent / "secret")
    (desk.keys / "k1.key").symlink_to(desk.keys.parent / "secret")
    assert desk.append() == 1
    assert desk.verify().verified


def test_an_accessor_of_the_wire_is_taken_whole(desk: Desk) -> None:
    accessor = AuditAccessor(daemon="büro", user="你好 ⭐", purpose='say "hi" \\ <&>', trace_id="0af7651916cd43dd")
    log.append(desk.subjects, SUBJECT, accessor, ["Café"], "success", NOW)
    assert desk.rows()[0]["accessor"] == msgspec.to_builtins(accessor)
    assert desk.verify().verified
