"""The table of vectors: shared by processes, right after a kill, purgeable."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lakehouse.embedding.table import Known, VectorTable, path_of, purge
from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.lake import Lake

ROOT = Path(__file__).parents[3]
# A process of its own: puts rows of one hash after another, ten at a time, and says so.
WRITER = """
import sys
from hashlib import sha256
from pathlib import Path
import numpy as np
from lakehouse.embedding import EmbedderIdentity
from lakehouse.embedding.table import Known, VectorTable
from lakehouse.lake import Lake
table = VectorTable(Lake(Path(sys.argv[1])), EmbedderIdentity("fake", "words", "r1", 8))
for start in range(0, int(sys.argv[2]), 10):
    hashes = [sha256(str(number).encode()).digest() for number in range(start, start + 10)]
    table.put("text", [(digest, Known(np.full(8, start, np.float32), False)) for digest in hashes])
    print(start, flush=True)
table.close()
"""


def digest(text: str) -> bytes:
    return sha256(text.encode()).digest()


def row(number: float, cut: bool = False) -> Known:
    return Known(np.full(8, number, np.float32), cut)


def writer(root: Path, count: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(root), str(count)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


@pytest.fixture
def open_table(lake: Lake, fake: Any) -> Any:
    return lambda: closing(VectorTable(lake, fake().identity))


def test_what_was_put_is_found_after_reopening_and_the_first_stays(open_table: Any) -> None:
    with open_table() as table:
        table.put("text", [(digest("a"), row(1)), (digest("b"), row(2, cut=True))])
        table.put("text", [(digest("a"), row(9))])
    with open_table() as table:
        found = table.get("text", [digest("a"), digest("b"), digest("never")])
    assert {key: (known.vector.tolist(), known.cut) for key, known in found.items()} == {
        digest("a"): ([1.0] * 8, False),
        digest("b"): ([2.0] * 8, True),
    }


def test_kinds_do_not_meet(open_table: Any) -> None:
    with open_table() as table:
        table.put("document", [(digest("a"), row(1))])
        assert table.get("query", [digest("a")]) == {}


def test_two_processes_at_once_lose_nothing_and_double_nothing(lake: Lake, open_table: Any) -> None:
    writers = [writer(lake.root, 600), writer(lake.root, 600)]
    assert [one.wait(timeout=60) for one in writers] == [0, 0]
    for one in writers:
        assert one.stdout is not None
        one.stdout.close()
    with open_table() as table:
        assert table.count() == 600


def test_a_kill_leaves_whole_transactions_and_the_next_goes_on(lake: Lake, open_table: Any) -> None:
    killed = writer(lake.root, 1_000_000)
    assert killed.stdout is not None
    said = [killed.stdout.readline() for _ in range(30)]
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait(timeout=60)
    said += killed.stdout.readlines()
    killed.stdout.close()
    with open_table() as table:
        count = table.count()
        # What was said was committed; of the batch in which it died, all or nothing.
        assert count in (10 * len(said), 10 * len(said) + 10)
        table.put("text", [(digest("a"), row(1))])
        assert len(table.get("text", [digest("0"), digest("a")])) == 2


def test_purged_texts_are_gone_from_every_table_and_from_the_bytes(lake: Lake, fake: Any) -> None:
    from lakehouse.embedding import EmbedderIdentity

    identities = [fake().identity, EmbedderIdentity("fake", "words", "r2", 8)]
    for identity in identities:
        with closing(VectorTable(lake, identity)) as table:
            table.put("document", [(digest("a"), row(1)), (digest("b"), row(2))])
            table.put("query", [(digest("a"), row(3))])
    hashes = [digest("a").hex()]
    assert purge(lake, hashes) == 4
    assert purge(lake, hashes) == 0
    for identity in identities:
        with closing(VectorTable(lake, identity)) as table:
            assert set(table.get("document", [digest("a"), digest("b")])) == {digest("b")}
    files = [path for path in (lake.root / "index" / "embeddings").iterdir() if path.suffix != ".lock"]
    assert all(digest("a") not in path.read_bytes() for path in files)
    assert any(digest("b") in path.read_bytes() for path in files)


def test_purge_says_when_a_reader_keeps_the_old_bytes(
    lake: Lake, open_table: Any, fake: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lakehouse.embedding.table.PATIENCE", 0.05)
    with open_table() as table, closing(sqlite3.connect(table.path)) as reader:
        table.put("text", [(digest("a"), row(1))])
        reader.execute("begin")
        reader.execute("select * from vectors").fetchone()
        with pytest.raises(OutsideFailure, match="purge again"):
            purge(lake, [digest("a").hex()])
        reader.execute("commit")
        assert purge(lake, [digest("a").hex()]) == 0
        assert digest("a") not in table.path.read_bytes()


@pytest.mark.parametrize("wrong", ["", "a", "../x", "A" * 64, "g" * 64])
def test_purge_takes_hashes_only(lake: Lake, wrong: str) -> None:
    with pytest.raises(UsageError, match="SHA-256"):
        purge(lake, [wrong])


def test_a_damaged_table_is_an_error_that_says_it_can_be_removed(lake: Lake, fake: Any, open_table: Any) -> None:
    path = path_of(lake, fake().identity)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no database " * 100)
    with pytest.raises(OutsideFailure, match="remove the file"):
        open_table()
    path.unlink()
    with open_table() as table:
        assert table.count() == 0


def test_a_damaged_vector_is_not_given_out(open_table: Any) -> None:
    with open_table() as table, closing(sqlite3.connect(table.path)) as other:
        table.put("text", [(digest("a"), row(1))])
        other.execute("update vectors set vector = x'00'")
        other.commit()
        with pytest.raises(OutsideFailure, match="damaged"):
            table.get("text", [digest("a")])


def test_the_table_of_another_embedder_under_this_name_is_refused(lake: Lake, fake: Any, open_table: Any) -> None:
    with open_table() as table, closing(sqlite3.connect(table.path)) as other:
        other.execute("update embedder set identity = replace(identity, 'r1', 'r2')")
        other.commit()
    with pytest.raises(UsageError, match="another embedder"):
        open_table()


def test_a_format_of_later_days_is_refused(open_table: Any) -> None:
    with open_table() as table, closing(sqlite3.connect(table.path)) as other:
        other.execute("pragma user_version = 7")
    with pytest.raises(UsageError, match="format 7"):
        open_table()


def test_names_of_models_never_become_paths(lake: Lake) -> None:
    from lakehouse.embedding import EmbedderIdentity

    path = path_of(lake, EmbedderIdentity("ollama", "../../etc/passwd:latest", "r", 8))
    assert path.parent == lake.root / "index" / "embeddings"
    assert path.resolve() == path
