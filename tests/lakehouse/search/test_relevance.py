"""The relevance filter: chunks about what the focus file defines stay, those about what it only imports go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import UsageError
from lakehouse.search.relevance import KEEP_FROM, Chunk, Focus, names_of, relevance

RUST = Focus(
    "crates/ingestd/src/connector.rs",
    "use catalogd::{Registry, manifest::ManifestStore};\nuse std::sync::Arc;\n\n"
    "pub struct Connector { registry: Arc<Registry> }\n\n"
    "impl Connector {\n    pub fn dial_upstream(&self) -> bool { true }\n}\n",
)
QUERY = "how does the connector retry when the registry is away"


def judge(text, path="", focus=RUST, query=QUERY):
    found = relevance(query, [Chunk("c1", text, path)], focus)
    (judged,) = [*found.kept, *found.dropped]
    return judged, bool(found.kept)


def test_a_chunk_about_the_subject_is_kept_and_one_about_a_neighbour_dropped():
    subject = Chunk("c1", "Connector retries an upstream three times before it gives the slot back.")
    neighbour = Chunk("c2", "catalogd::Registry holds the manifests; when the registry is away it will retry.")
    found = relevance(QUERY, [neighbour, subject], RUST)
    assert [judged.chunk for judged in found.kept] == [subject]
    assert [judged.chunk for judged in found.dropped] == [neighbour]
    assert found.kept[0].score >= KEEP_FROM > found.dropped[0].score
    assert found.kept[0].own == ["Connector"]
    assert found.dropped[0].foreign == ["Registry", "catalogd"]
    assert "Registry" in found.dropped[0].why


@pytest.mark.parametrize(
    ("text", "path", "kept"),
    [
        ("Connector asks the Registry once.", "", True),
        ("dial_upstream may hang", "", True),
        ("Registry and ManifestStore of catalogd, with a Connector at the side", "", False),
        ("nothing by name", "crates/ingestd/src/connector.rs", True),
        ("see crates/ingestd/src/connector.rs for the timeout", "docs/notes.md", True),
        ("nothing by name", "crates/ingestd/src/inbox.rs", False),
        ("how does the connector retry when the registry is away", "", False),
        ("ConnectorPool is another thing", "", False),
    ],
)
def test_names_and_paths_decide_and_words_alone_do_not(text, path, kept):
    assert judge(text, path)[1] is kept


def test_score_is_the_weighted_sum_of_names_path_and_words():
    judged, _ = judge("Connector and Registry: retry", "crates/ingestd/src/inbox.rs", query="retry forever")
    assert judged.score == pytest.approx(0.6 * 0.5 + 0.3 * 0.5 + 0.1 * 0.5)


def test_every_chunk_comes_back_once_in_its_order_with_a_score():
    chunks = [Chunk(f"c{n}", "Connector" if n % 2 else "Registry") for n in range(6)]
    found = relevance(QUERY, chunks, RUST)
    assert [judged.chunk.id for judged in found.kept] == ["c1", "c3", "c5"]
    assert [judged.chunk.id for judged in found.dropped] == ["c0", "c2", "c4"]


def test_a_focus_without_names_keeps_everything_and_says_why():
    judged, kept = judge("Registry", focus=Focus("docs/notes.md", "Only prose here."))
    assert kept
    assert "nothing" not in judged.why
    assert "no names" in judged.why


@pytest.mark.parametrize(
    ("text", "own", "foreign"),
    [
        ("use a::b::{Alpha, Beta as Gamma};\npub enum Mine {}", {"Mine"}, {"Alpha", "Beta", "Gamma"}),
        ("pub(crate) use crate::near::Alpha;\ntrait Mine {}", {"Mine"}, {"near", "Alpha"}),
        ('import (\n\t"net/http"\n\t"corp/catalogd"\n)\nfunc (m *Mine) Serve() {}\ntype Mine struct{}',
         {"Mine", "Serve"}, {"net", "http", "corp", "catalogd"}),
        ('import { Alpha,\n  Beta } from "./near";\nexport class Mine {}', {"Mine"}, {"Alpha", "Beta", "near"}),
        ('const fs = require("files");\nfunction mineToo() {}', {"mineToo"}, {"files"}),
        ("from near.by import Alpha, Beta as B2c\nimport other\nclass Mine:\n    def serve(self): ...",
         {"Mine", "serve"}, {"near", "Alpha", "Beta", "B2c", "other"}),
        ("from near import (\n    Alpha,\n    Beta,\n)\ndef mine(): ...", {"mine"}, {"near", "Alpha", "Beta"}),
        ("use x::Mine;\nstruct Mine;", {"Mine"}, set()),
        ("fn new() {}\nfn main() {}", set(), set()),
    ],
)  # fmt: skip
def test_names_of_four_languages_are_told_apart(text, own, foreign):
    assert names_of(text) == (own, foreign)


@pytest.mark.parametrize(
    ("query", "chunk", "focus", "field"),
    [
        (" ", Chunk("c", "x"), RUST, "query"),
        (QUERY, Chunk("c", " "), RUST, r"chunks\[0\].text"),
        (QUERY, Chunk("", "x"), RUST, r"chunks\[0\].id"),
        (QUERY, Chunk("c", "x"), Focus("", "x"), "focus.path"),
    ],
)
def test_a_missing_field_is_an_error_that_names_it(query, chunk, focus, field):
    with pytest.raises(UsageError, match=field):
        relevance(query, [chunk], focus)


@given(st.lists(st.text(min_size=1).filter(str.strip)), st.text())
def test_nothing_is_lost_and_scores_stay_within_bounds(texts, source):
    chunks = [Chunk(str(number), text) for number, text in enumerate(texts)]
    found = relevance("anything", chunks, Focus("a/b.py", source))
    judged = [*found.kept, *found.dropped]
    assert sorted(int(one.chunk.id) for one in judged) == list(range(len(texts)))
    assert all(0 <= one.score <= 1 for one in judged)
