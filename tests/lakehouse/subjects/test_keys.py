"""Keys: at least 32 bytes, never overwritten, never shown."""

from __future__ import annotations

import copy
import os
import pickle
import stat
import traceback
from pathlib import Path

import pytest

from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.subjects.keys import Key, KeyRing, OneKey, ShortKey, new_key
from tests.lakehouse.subjects.conftest import counting

SECRET = b"correct horse battery staple, twice over"


def test_a_new_key_is_32_bytes_for_its_owner_alone(tmp_path: Path) -> None:
    path = new_key(tmp_path / "keys", "k-1", counting(7))
    assert path == tmp_path / "keys" / "k-1.key"
    assert path.read_bytes() == counting(7)(32)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    path = new_key(tmp_path, "k", counting(1))
    with pytest.raises(UsageError, match="such a key already"):
        new_key(tmp_path, "k", counting(2))
    assert path.read_bytes() == counting(1)(32)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mark", ["lakehouse.toml", "_kb"])
@pytest.mark.parametrize("inside", ["lake/keys", "lake", "lake/subjects/W/keys", "link/keys", "keys/../lake/keys"])
def test_a_key_is_never_made_in_a_lake(tmp_path: Path, mark: str, inside: str) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "keys").mkdir()
    (tmp_path / "lake" / mark).mkdir() if mark == "_kb" else (tmp_path / "lake" / mark).touch()
    (tmp_path / "link").symlink_to(tmp_path / "lake")
    with pytest.raises(UsageError, match="keys must lie outside"):
        new_key(tmp_path / inside, "k", counting(1))
    assert list(tmp_path.rglob("*.key")) == []
    new_key(tmp_path / "keys", "k", counting(1))


def test_chance_that_gives_too_little_makes_no_key(tmp_path: Path) -> None:
    with pytest.raises(ShortKey):
        new_key(tmp_path, "k", lambda count: b"x" * (count - 1))
    assert list(tmp_path.iterdir()) == []


def test_a_failing_disk_leaves_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OutsideFailure, match=r"k\.key"):
            new_key(tmp_path, "k", counting(1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("key_id", ["", ".", "..", "../k", "a/b", "/etc/passwd", "a\x00", "k\n", "-k", "é", "x" * 65])
def test_a_key_id_never_becomes_a_path_unchecked(tmp_path: Path, key_id: str) -> None:
    with pytest.raises(UsageError, match="is no key id"):
        new_key(tmp_path, key_id, counting(1))
    with pytest.raises(UsageError, match="is no key id"):
        KeyRing(tmp_path).path(key_id)
    assert KeyRing(tmp_path).get(key_id) is None


@pytest.mark.parametrize("size", [0, 1, 31])
def test_a_short_key_is_refused_by_its_length(tmp_path: Path, size: int) -> None:
    (tmp_path / "k.key").write_bytes(SECRET[:size])
    with pytest.raises(ShortKey, match=rf"'k' has {size} bytes, and needs 32") as refused:
        KeyRing(tmp_path)["k"]
    assert refused.value.exit_code == 2


def test_the_bytes_of_a_key_are_taken_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "k.key").write_bytes(b" " * 31 + b"\n")
    assert KeyRing(tmp_path)["k"].sign(b"x") == Key("k", b" " * 31 + b"\n").sign(b"x")


def test_the_ring_lists_what_is_there_and_names_what_is_not(tmp_path: Path) -> None:
    assert list(KeyRing(tmp_path / "nowhere")) == []
    for name in ("b.key", "a.key", ".hidden.key", "other.txt"):
        (tmp_path / name).write_bytes(SECRET)
    ring = KeyRing(tmp_path)
    assert (list(ring), len(ring), "a" in ring, "c" in ring) == (["a", "b"], 2, True, False)
    with pytest.raises(UsageError, match="there is no key 'c'"):
        ring.wanted("c")


def test_keys_that_others_may_read_are_named(tmp_path: Path) -> None:
    paths = [new_key(tmp_path, name, counting(1)) for name in ("a", "b", "c")]
    paths[1].chmod(0o640)
    (tmp_path / "d.key").symlink_to("d.key")
    (tmp_path / "e.key").mkdir()
    assert KeyRing(tmp_path).loose() == [paths[1]]


def test_a_key_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "k.key").write_bytes(SECRET)
    ring = KeyRing(tmp_path)
    key = ring["k"]
    for shown in (repr(key), str(key), repr(ring), repr(OneKey(SECRET)), f"{[key]}", repr({"k": key})):
        assert "horse" not in shown
        assert SECRET.hex() not in shown
    for take in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="not pickled"):
            take(key)
    (tmp_path / "s.key").write_bytes(SECRET[:20])
    with pytest.raises(ShortKey) as refused:
        ring["s"]
    assert "horse" not in "".join(traceback.format_exception(refused.value))
    assert "horse" not in str(refused.value.__reduce__())


def test_one_secret_is_taken_for_the_first_id_that_is_asked_for() -> None:
    keys = OneKey(SECRET)
    assert keys["a"].sign(b"x") == Key("a", SECRET).sign(b"x")
    assert (list(keys), keys.get("b")) == (["a"], None)
