"""With the packaged model: a roster is built, searched by what it says, and holds what the gates ask for."""

from __future__ import annotations

from contextlib import closing

import pytest

from lakehouse.corpora.build import build
from lakehouse.corpora.fresh import record_fresh
from lakehouse.corpora.reading import snapshot
from lakehouse.embedding import open_embedder
from lakehouse.embedding.source import PACKAGE, installed
from lakehouse.gates.corpora import embed_parity, row_parity
from lakehouse.gates.corpora_search import fresh_is_findable, recall_at_10
from tests.lakehouse.corpora.conftest import NOW, RUN, Room, Searcher


@pytest.mark.slow
@pytest.mark.skipif(not installed(PACKAGE, "sentence_transformers"), reason="the extra `retrieval` is not installed")
def test_a_roster_is_built_and_found_with_the_packaged_model(room: Room, exact: Searcher) -> None:
    room.workers(40)
    lake = room.lake
    with (
        closing(open_embedder(lake, "sentence-transformers")) as embedder,
        closing(open_embedder(lake, "sentence-transformers", cache=False, remember=0)) as bare,
    ):
        report = build(lake, "workers", embedder, NOW, RUN)
        assert (report.rows, embedder.identity.dimension) == (40, 384)
        assert build(lake, "workers", embedder, NOW, RUN).unchanged == 40
        record_fresh(lake, [{"id": "f1", "resume_text": "Deep sea diver and underwater welder"}], embedder, NOW)
        [ids], _ = exact("workers", embedder.embed(["Forklift Operator in Toledo, MI."], "query"), 3)
        rows = snapshot(lake, "workers")
        first = rows.metadata_at(rows.ids.to_pylist().index(ids[0]))
        assert (first["role"], first["city"]) == ("Forklift Operator", "Toledo")
        assert row_parity(lake, "workers", NOW).passed
        assert embed_parity(lake, "workers", NOW, bare, sample=16).passed
        assert recall_at_10(lake, "workers", NOW, exact).passed
        assert fresh_is_findable(lake, "fresh_workers", NOW, embedder, exact).passed
