"""A writer that is killed at any moment: readers find a whole corpus, nothing recorded is lost, the next build is right."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lakehouse.corpora import store
from lakehouse.corpora.reading import snapshot
from lakehouse.gates.corpora import embed_parity, row_parity
from tests.lakehouse.corpora.conftest import NOW, Room, WordEmbedder

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.e2e
def test_a_kill_at_any_moment_leaves_a_corpus_that_serves(room: Room) -> None:
    room.workers(40)
    room.build()
    chance = random.Random(7)
    for _ in range(6):
        command = [sys.executable, "-m", "tests.lakehouse.corpora.killed", str(room.lake.root)]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert child.stdout is not None
        try:
            said = child.stdout.readline()
            time.sleep(chance.uniform(0, 0.6))
        finally:
            child.kill()
            child.wait()
            child.stdout.close()
        assert said == b"ready\n"
        rows = snapshot(room.lake, "workers")
        ids, roles = rows.ids.to_pylist(), {rows.metadata_at(place)["role"] for place in range(len(rows))}
        assert len(set(ids)) == len(ids) in (40, 41)
        assert len(roles) in (1, 7), "of one build alone: it is one commit"
        if store.committed(room.lake, "fresh_workers"):
            recorded = {row["id"] for row in room.log("fresh_workers")}
            found = set(room.ids("fresh_workers"))
            assert found <= recorded
            assert len(recorded - found) <= 1, "all but the one that the kill met between log and tail"
            room.build("fresh_workers")
            assert set(room.ids("fresh_workers")) == recorded
        room.build()
        assert row_parity(room.lake, "workers", NOW).passed
        assert embed_parity(room.lake, "workers", NOW, WordEmbedder()).passed


def test_only_the_store_imports_lancedb() -> None:
    folders = ("lakehouse", "resources", "assets", "lakehouse_dagster")
    sources = (path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    importing = [path.relative_to(ROOT).as_posix() for path in sources if "import lancedb" in path.read_text()]
    assert importing == ["lakehouse/corpora/store.py"]


def test_a_base_installation_imports_everything_and_says_what_to_install(tmp_path: Path) -> None:
    program = """
import sys
sys.modules["lancedb"] = None
from pathlib import Path
from lakehouse.corpora import build, fresh, merge, playbooks, reading, registry, store, versions
from lakehouse.gates import corpora, corpora_search
from lakehouse.lake import Lake
assert not {"torch", "sentence_transformers"} & sys.modules.keys()
lake = Lake(Path(sys.argv[1]))
assert reading.version(lake, "workers") == 0
store._connect(lake)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "pip install 'lakehouse-dagster[retrieval]'" in done.stderr
    assert "UsageError" in done.stderr
