"""Files survive what disks do: the old content or the new, no leftovers, an error that names the path."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from lakehouse.errors import OutsideFailure
from lakehouse.files import Staged, append, locked, remove, sha256_of, sweep, write_whole

ROOT = Path(__file__).parents[2]


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a script of its own process, so that a limit on file sizes binds nothing else."""
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )


def raising(number: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.json"
    write_whole(path, b"old")
    with Staged(path) as out:
        out.write(b"n")
        out.write(b"ew")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [item.name for item in path.parent.iterdir()] == ["a.json"]


def test_a_file_with_these_bytes_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, b"same")
    before = path.stat().st_ino
    write_whole(path, b"same")
    assert path.stat().st_ino == before


def test_an_error_in_the_block_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, b"old")

    def interrupted() -> None:
        with Staged(path) as out:
            out.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("module", "name", "number"), [(os, "fsync", errno.EIO), (Path, "replace", errno.ENOSPC), (Path, "replace", 30)]
)
def test_a_failing_sync_or_rename_leaves_the_old_content_and_names_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, name: str, number: int
) -> None:
    path = tmp_path / "a.json"
    write_whole(path, b"old")
    monkeypatch.setattr(module, name, raising(number))
    with pytest.raises(OutsideFailure, match=str(path)) as failure:
        write_whole(path, b"new content")
    assert os.strerror(number) in str(failure.value)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_content_and_names_the_path(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, b"old")
    code = """
import resource, signal, sys
from pathlib import Path
from lakehouse.errors import OutsideFailure
from lakehouse.files import Staged
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    with Staged(Path(sys.argv[1])) as out:
        out.write(b"x" * 5000)
except OutsideFailure as error:
    print(error)
"""
    result = python(code, str(path))
    assert str(path) in result.stdout, result.stderr
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_while_appending_is_an_error_and_leaves_no_half_record(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    append(path, [b'{"n":0}'])
    code = """
import resource, signal, sys
from pathlib import Path
from lakehouse.errors import OutsideFailure
from lakehouse.files import append
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))
try:
    print("appended", append(Path(sys.argv[1]), [b'{"n":1,"text":"' + b"x" * 100 + b'"}']))
except OutsideFailure as error:
    print(error)
"""
    result = python(code, str(path))
    assert "appended" not in result.stdout, result.stderr
    assert str(path) in result.stdout
    assert path.read_bytes() == b'{"n":0}\n'


@pytest.mark.parametrize(
    "write",
    [
        lambda path: write_whole(path, b"x"),
        lambda path: append(path, [b"x"]),
        lambda path: locked(path).__enter__(),
    ],
    ids=["write_whole", "append", "locked"],
)
def test_a_folder_that_cannot_be_made_is_an_error_that_names_the_path(
    tmp_path: Path, write: Callable[[Path], object]
) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "a.jsonl"
    with pytest.raises(OutsideFailure, match=str(path)):
        write(path)


def test_a_failing_append_names_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", raising(errno.EIO))
    with pytest.raises(OutsideFailure, match=r"log\.jsonl"):
        append(tmp_path / "log.jsonl", [b"{}"])


def test_eight_processes_append_to_one_log_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    code = """
import sys
from pathlib import Path
from lakehouse.files import append
for n in range(40):
    append(Path(sys.argv[1]), [b'{"who":%d,"n":%d,"pad":"%s"}' % (int(sys.argv[2]), n, b"x" * (97 * n % 6000))])
"""
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path), str(who)], cwd=ROOT) for who in range(8)]
    assert [writer.wait(60) for writer in writers] == [0] * 8
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert sorted((row["who"], row["n"]) for row in rows) == [(who, n) for who in range(8) for n in range(40)]
    for who in range(8):
        assert [row["n"] for row in rows if row["who"] == who] == list(range(40))


def test_a_torn_last_line_is_ended_before_the_next_record(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"n":0}\n{"n":')
    assert append(path, [b'{"n":2}', b'{"n":3}']) == 2
    assert path.read_bytes() == b'{"n":0}\n{"n":\n{"n":2}\n{"n":3}\n'


def test_appending_makes_the_folder(tmp_path: Path) -> None:
    append(tmp_path / "new" / "log.jsonl", [b"{}"])
    assert (tmp_path / "new" / "log.jsonl").read_bytes() == b"{}\n"


def test_a_killed_writer_gives_its_lock_back(tmp_path: Path) -> None:
    code = """
import os, sys
from pathlib import Path
from lakehouse.files import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    os.kill(os.getpid(), 9)
"""
    path = tmp_path / "locks" / "day.lock"
    assert python(code, str(path)).stdout == "held\n"
    with locked(path):
        assert path.exists()


def test_sweeping_removes_leftovers_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    write_whole(path, b"kept")
    left = Staged(path)
    left.__enter__()
    left.write(b"half")
    assert left.beside.exists()
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
    left.__exit__(ValueError, ValueError(), None)


def test_removing_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "a"
    remove(path)
    path.write_bytes(b"x")
    remove(path)
    assert not path.exists()


def test_a_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a"
    data = b"x" * ((1 << 20) + 1)
    path.write_bytes(data)
    assert sha256_of(path) == sha256(data).hexdigest()


def test_what_a_killed_writer_left_of_a_file_goes_with_its_next_version(tmp_path: Path) -> None:
    path = tmp_path / "kept.json"
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    left, living = tmp_path / f".kept.json.{dead.pid}-0.tmp", tmp_path / f".kept.json.{os.getppid()}-0.tmp"
    other = tmp_path / f".kept.jsonl.{dead.pid}-0.tmp"
    for leftover in (left, living, other):
        leftover.write_bytes(b"half")
    write_whole(path, b"whole")
    assert [leftover.exists() for leftover in (left, living, other)] == [False, True, True]
    left.write_bytes(b"half")
    write_whole(path, b"whole")
    assert not left.exists()
