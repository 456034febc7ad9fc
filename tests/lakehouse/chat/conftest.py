"""A server on a loopback port that speaks the APIs of all providers as they are documented, and the registry opened on it."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from lakehouse.chat.registry import Chatter, open_chat
from lakehouse.embedding.source import installed
from lakehouse.settings import ChatSettings, ProviderSettings, Settings

KEYS = {
    "ollama_cloud": ("OLLAMA_API_KEY", "oc-planted-3f9a"),
    "openrouter": ("OPENROUTER_API_KEY", "sk-or-planted-77b1"),
    "opencode": ("OPENCODE_API_KEY", "zen-planted-5d20"),
    "kimi": ("KIMI_API_KEY", "sk-kimi-planted-e8c4"),
}


class Request(NamedTuple):
    """One request as the server got it."""

    path: str
    headers: dict[str, str]
    body: Any


class Fault(NamedTuple):
    """An answer in place of the server's own. `cut` promises more than it sends; `slow` waits until the server closes."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = {}
    cut: bool = False
    slow: bool = False
    drip: bool = False


class FakeModels:
    """Models that say what `says` is, and the faults that come before, in order."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self.says: str | None = "Hello."
        self.reason: str | None = "stop"
        self.models = {"qwen2.5:latest", "qwen3.5:latest", "kimi-k2.6", "vendor/model", "vendor/model:free"}
        self._released = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def do_GET(self) -> None:
                self.take(None)

            def do_POST(self) -> None:
                self.take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def take(self, body: Any) -> None:
                request = Request(self.path, {name.lower(): text for name, text in self.headers.items()}, body)
                server.requests.append(request)
                fault = server.faults.pop(0) if server.faults else Fault(*server.answer(request))
                if fault.slow:
                    server._released.wait(10)
                    self.close_connection = True
                    return
                self.send_response(fault.status)
                given = {"Content-Type": "application/json", **fault.headers}
                more = 100 if fault.cut or fault.drip else 0
                for name, text in {**given, "Content-Length": str(len(fault.body) + more)}.items():
                    self.send_header(name, text)
                self.end_headers()
                self.wfile.write(fault.body)
                self.wfile.flush()
                if fault.drip:
                    server._released.wait(10)
                if more:
                    self.close_connection = True

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def answer(self, request: Request) -> tuple[int, bytes]:
        """Answer as the APIs do."""
        path, body = request.path, request.body
        if path == "/api/tags":
            return 200, _json({"models": [{"model": name} for name in sorted(self.models)]})
        if path == "/v1/models":
            return 200, _json({"object": "list", "data": [{"id": name, "object": "model"} for name in self.models]})
        if path not in {"/api/chat", "/api/generate", "/v1/chat/completions"}:
            return 404, b"404 page not found"
        names = {name.removesuffix(":latest") for name in self.models} | self.models
        if body["model"] not in names:
            return 404, _json(
                {"error": {"message": f"model {body['model']} not found"}}
                if path[1] == "v"
                else {"error": f"model '{body['model']}' not found"}
            )
        if path == "/v1/chat/completions":
            choice = {"index": 0, "message": {"role": "assistant", "content": self.says}, "finish_reason": self.reason}
            usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
            return 200, _json({"id": "c1", "object": "chat.completion", "choices": [choice], "usage": usage})
        text = (
            {"response": self.says}
            if path == "/api/generate"
            else {"message": {"role": "assistant", "content": self.says}}
        )
        counted = {"prompt_eval_count": 7, "eval_count": 3}
        return 200, _json({"model": body["model"], **text, "done": True, "done_reason": self.reason, **counted})

    @property
    def last(self) -> Request:
        return self.requests[-1]

    def close(self) -> None:
        self._released.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


@pytest.fixture
def models() -> Iterator[FakeModels]:
    if not installed("ollama", "openai"):
        pytest.skip("the extra `chat` is not installed")
    server = FakeModels()
    yield server
    server.close()


def settings_on(url: str, **chat: Any) -> Settings:
    """Every provider that needs a key, on one server."""
    providers = {name: ProviderSettings(url=url if name == "ollama_cloud" else f"{url}/v1") for name in KEYS}
    return Settings(chat=ChatSettings(**{"timeout": 10.0, "providers": providers, **chat}))


Opens = Callable[..., Chatter]


@pytest.fixture
def waits() -> list[float]:
    """What would have been slept."""
    return []


@pytest.fixture
def opened(models: FakeModels, waits: list[float], tmp_path: Path) -> Iterator[Opens]:
    """Open the registry on the server, with a key for every provider."""
    held: list[Chatter] = []

    def opening(settings: Settings | None = None, environ: Mapping[str, str] | None = None, **more: Any) -> Chatter:
        given = {"env_file": None, "ollama_host": models.url, "sleep": waits.append, "jitter": lambda: 1.0, **more}
        keys = dict(KEYS.values()) if environ is None else environ
        held.append(open_chat(settings or settings_on(models.url), keys, **given))
        return held[-1]

    yield opening
    for one in held:
        one.close()


@pytest.fixture
def chat(opened: Opens) -> Chatter:
    return opened()


@pytest.fixture
def keys() -> dict[str, tuple[str, str]]:
    return KEYS


@pytest.fixture
def fault() -> type[Fault]:
    return Fault


@pytest.fixture
def on_server() -> Callable[..., Settings]:
    return settings_on
