"""The backend of a model server: prefixes, normal vectors, retries, and errors that say how to mend them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lakehouse.embedding.backends.ollama import OllamaBackend, open_model, without_secret
from lakehouse.embedding.backends.spec import Options
from lakehouse.errors import OutsideFailure
from lakehouse.lake import Lake

NOMIC = "nomic-embed-text-v2-moe"
Waits = list[float]


@pytest.fixture
def connect(ollama: Any, lake: Lake) -> Any:
    """Open a model on the fake server; what it would have slept is written down."""
    opened = []

    def connecting(model: str = "plain", waits: Waits | None = None, timeout: float = 10.0) -> OllamaBackend:
        sleep: Callable[[float], None] = (waits if waits is not None else []).append
        options = Options(ollama.host, timeout, tries=3, sleep=sleep, jitter=lambda: 1.0)
        opened.append(open_model(lake, model, options))
        return opened[-1]

    yield connecting
    for one in opened:
        one.close()


def test_raw_vectors_become_unit_vectors_in_the_order_of_the_texts(ollama: Any, connect: Any) -> None:
    texts = [f"text {'x' * (number * 13 % 50)} {number}" for number in range(70)]
    vectors, cut = connect().encode(texts, "document")
    raw = np.array([_row(ollama, text) for text in texts])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(vectors * 3, raw, atol=1e-6)
    assert not cut.any()
    assert [len(request["input"]) for request in ollama.requests[1:]] == [32, 32, 6]


def test_the_revision_is_the_digest_that_the_server_holds(ollama: Any, connect: Any) -> None:
    before = connect().identity
    ollama.models["plain:latest"] = "e5" * 32
    after = connect().identity
    assert (before.backend, before.model, before.revision, before.dimension) == ("ollama", "plain", "d2" * 32, 6)
    assert after.revision == "e5" * 32


def test_a_server_without_a_list_of_models_is_taken_as_unversioned(ollama: Any, connect: Any) -> None:
    ollama.lists = False
    assert connect().identity.revision == "unversioned"


@pytest.mark.parametrize(
    ("model", "by_kind", "document", "query"),
    [("plain", False, "who", "who"), (NOMIC, True, "search_document: who", "search_query: who")],
)
def test_nomic_models_get_their_prefixes(
    ollama: Any, connect: Any, model: str, by_kind: bool, document: str, query: str
) -> None:
    backend = connect(model)
    backend.encode(["who"], "document")
    backend.encode(["who"], "query")
    assert backend.by_kind is by_kind
    assert [request["input"] for request in ollama.requests[1:]] == [[document], [query]]


def test_texts_beyond_the_window_are_cut_and_counted_and_the_others_are_not(ollama: Any, connect: Any) -> None:
    texts = ["short", "x" * 201, "also short"]
    vectors, cut = connect().encode(texts, "document")
    assert cut.tolist() == [False, True, False]
    np.testing.assert_allclose(vectors[1] * 3, _row(ollama, "x" * 200), atol=1e-6)


def test_a_model_that_is_not_there_is_named_with_the_pull_that_mends_it(ollama: Any, connect: Any) -> None:
    with pytest.raises(OutsideFailure) as failed:
        connect("missing")
    assert ollama.host in failed.value.where
    assert "model missing" in failed.value.where
    assert "`ollama pull missing`" in failed.value.mend


def test_a_model_that_vanishes_is_an_error_at_once(ollama: Any, connect: Any) -> None:
    waits: Waits = []
    backend = connect(waits=waits)
    del ollama.models["plain:latest"]
    with pytest.raises(OutsideFailure, match=r"answers 404.*ollama pull plain"):
        backend.encode(["a"], "document")
    assert waits == []


@pytest.mark.parametrize(
    "fault",
    [
        lambda texts: (500, b'{"error":"loading"}'),
        lambda texts: (429, b"busy"),
        lambda texts: (0, b'{"embeddings":'),
    ],
    ids=["500", "429", "cut connection"],
)
def test_a_passing_fault_is_tried_again_after_growing_waits(ollama: Any, connect: Any, fault: Any) -> None:
    waits: Waits = []
    backend = connect(waits=waits)
    ollama.faults = [fault, fault]
    vectors, _ = backend.encode(["a"], "document")
    assert vectors.shape == (1, 6)
    assert waits == [0.5, 1.0]


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (lambda texts: (500, b'{"error":"out of memory"}'), "answers 500: out of memory"),
        (lambda texts: (0, b"{"), "broke off"),
    ],
    ids=["500", "cut connection"],
)
def test_a_lasting_fault_is_given_up_after_so_many_tries(ollama: Any, connect: Any, fault: Any, why: str) -> None:
    waits: Waits = []
    backend = connect(waits=waits)
    ollama.faults = [fault] * 5
    with pytest.raises(OutsideFailure, match=why) as failed:
        backend.encode(["a"], "document")
    assert (len(ollama.faults), waits) == (2, [0.5, 1.0])
    assert ollama.host in str(failed.value)
    assert "`ollama pull plain`" in str(failed.value)


def test_the_jitter_spreads_the_waits(ollama: Any, lake: Lake) -> None:
    waits: Waits = []
    ollama.faults = [lambda texts: (503, b"")]
    open_model(lake, "plain", Options(ollama.host, 10, sleep=waits.append, jitter=lambda: 0.0)).close()
    assert waits == [0.25]


def test_a_slow_server_is_not_waited_for_for_ever(ollama: Any, connect: Any) -> None:
    backend = connect(timeout=0.1)

    def slow(texts: list[str]) -> None:
        import time

        time.sleep(0.3)

    ollama.faults = [slow] * 3
    with pytest.raises(OutsideFailure, match=r"does not answer within 0\.1 s"):
        backend.encode(["a"], "document")


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>", "not what its API documents"),
        (b"[]", "not what its API documents"),
        (b'{"embeddings":"none"}', "not what its API documents"),
        (b'{"embeddings":[["a"]]}', "not what its API documents"),
        (b'{"embeddings":[]}', "0 vectors for 1 texts"),
        (b'{"embeddings":[[1,0,0,0,0,0],[1,0,0,0,0,0]]}', "2 vectors for 1 texts"),
        (b'{"embeddings":[[1,0,0]]}', "a vector of 3 numbers, where 6 came before"),
        (b'{"embeddings":[[]]}', "or an empty one"),
        (b'{"embeddings":[[0,0,0,0,0,0]]}', "no direction"),
        (b'{"embeddings":[[NaN,0,0,0,0,0]]}', "no direction"),
    ],
)
def test_a_wrong_answer_is_an_error_at_once(ollama: Any, connect: Any, body: bytes, why: str) -> None:
    waits: Waits = []
    backend = connect(waits=waits)
    ollama.faults = [lambda texts: (200, body)]
    with pytest.raises(OutsideFailure, match=why) as failed:
        backend.encode(["a"], "document")
    assert waits == []
    assert ollama.host in str(failed.value)


def test_an_error_body_that_is_no_object_is_still_told(ollama: Any, connect: Any) -> None:
    backend = connect()
    ollama.faults = [lambda texts: (500, b"[]")]
    with pytest.raises(OutsideFailure, match=ollama.host):
        backend.encode(["a"], "document")


def test_nobody_at_the_address_is_said_after_the_tries(ollama: Any, connect: Any) -> None:
    waits: Waits = []
    backend = connect(waits=waits)
    ollama.close()
    with pytest.raises(OutsideFailure, match=r"cannot be reached.*ollama serve.*OLLAMA_HOST"):
        backend.encode(["a"], "document")
    assert len(waits) == 2


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("http://127.0.0.1:11434", "http://127.0.0.1:11434"),
        ("https://me:secret@gpu.example/ollama", "https://gpu.example/ollama"),
        ("me:secret@gpu:11434", "gpu:11434"),
        ("", "its default address"),
    ],
)
def test_a_password_in_the_address_is_not_shown(host: str, shown: str) -> None:
    assert without_secret(host) == shown


def _row(server: Any, text: str) -> Any:
    import json

    return json.loads(server.respond({"model": "plain", "input": [text]})[1])["embeddings"][0]
