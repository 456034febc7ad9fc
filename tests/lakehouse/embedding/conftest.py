"""Shared by the tests of embedding: a lake with the exported model, a backend that needs none, a model server."""

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lakehouse.embedding import EmbedderIdentity, Kind, export, source
from lakehouse.embedding.backends.spec import Encoded
from lakehouse.lake import Lake

IDENTITY = EmbedderIdentity("fake", "words", "r1", 8)
WITHOUT = "the extra `retrieval` is not installed"


def unit(text: str, dimension: int = 8) -> Any:
    """A direction that only the text decides."""
    seed = int.from_bytes(sha256(text.encode()).digest()[:8], "big")
    raw = np.random.default_rng(seed).normal(size=dimension)
    return (raw / np.linalg.norm(raw)).astype(np.float32)


class FakeBackend:
    """Embeds by hash, cuts what is longer than 40 characters, and remembers what it was asked."""

    def __init__(self, identity: EmbedderIdentity = IDENTITY, *, by_kind: bool = False) -> None:
        self.identity = identity
        self.by_kind = by_kind
        self.calls: list[tuple[Kind, list[str]]] = []

    @property
    def asked(self) -> list[str]:
        return [text for _, texts in self.calls for text in texts]

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        self.calls.append((kind, list(texts)))
        salt = kind if self.by_kind else ""
        rows = [unit(salt + text, self.identity.dimension) for text in texts]
        return Encoded(np.array(rows, np.float32), np.array([len(text) > 40 for text in texts]))


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path)


@pytest.fixture
def fake() -> type[FakeBackend]:
    return FakeBackend


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    """A lake with the exported model. The export takes seconds, so all processes of a test run share one."""
    if not source.installed(*export.NEEDS, *export.MAKING, source.PACKAGE):
        pytest.skip(WITHOUT)
    base = tmp_path_factory.getbasetemp()
    lake = Lake((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "embedding-lake")
    export.make(lake, source.PACKAGED_MODEL)
    return lake


@pytest.fixture(scope="session")
def reference() -> Any:
    """The reference backend, loaded once."""
    if not source.installed("sentence_transformers", "torch", source.PACKAGE):
        pytest.skip(WITHOUT)
    from lakehouse.embedding.backends import sentence_transformers
    from lakehouse.embedding.backends.spec import Options

    return sentence_transformers.open_model(Lake(Path("unused")), source.PACKAGED_MODEL, Options())


Answer = tuple[int, bytes]
Fault = Callable[[list[str]], Answer | None]
"""Given the texts of a request, answers instead of the server, or lets it answer."""


class FakeOllama:
    """A server on a loopback port that speaks `/api/tags` and `/api/embed`, with faults to come in order."""

    def __init__(self) -> None:
        self.models = {"nomic-embed-text-v2-moe:latest": "d1" * 32, "plain:latest": "d2" * 32}
        self.window = 200
        self.dimension = 6
        self.requests: list[dict[str, Any]] = []
        self.faults: list[Fault] = []
        self.lists = True
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                models = [{"name": name, "model": name, "digest": digest} for name, digest in server.models.items()]
                found = self.path == "/api/tags" and server.lists
                self.answer(*((200, json.dumps({"models": models}).encode()) if found else (404, b"not found")))

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                server.requests.append({"path": self.path, **body})
                given = server.respond(body)
                if given is not None:
                    self.answer(*given)

            def answer(self, status: int, body: bytes) -> None:
                if not status:
                    # Promise more than is sent, and hang up.
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body) + 100))
                    self.end_headers()
                    self.wfile.write(body)
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.host = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def respond(self, body: dict[str, Any]) -> Answer | None:
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        if self.faults and (given := self.faults.pop(0)(texts)) is not None:
            return given
        if body["model"] not in {name.removesuffix(":latest") for name in self.models}:
            return 404, json.dumps({"error": f'model "{body["model"]}" not found, try pulling it first'}).encode()
        if not body.get("truncate", True) and any(len(text) > self.window for text in texts):
            return 400, b'{"error":"the input length exceeds the context length"}'
        return 200, self.embeddings([(3 * unit(text[: self.window], self.dimension)).tolist() for text in texts])

    @staticmethod
    def embeddings(rows: Any) -> bytes:
        return json.dumps({"model": "m", "embeddings": rows}).encode()

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


@pytest.fixture
def ollama() -> Iterator[FakeOllama]:
    if not source.installed("ollama"):
        pytest.skip(WITHOUT)
    server = FakeOllama()
    yield server
    server.close()
