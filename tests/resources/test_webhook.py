"""The webhook: posts JSON, tells why it could not, never raises and never shows its address."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from resources.webhook import WebhookResource


class Receiver(HTTPServer):
    """A server that keeps what is posted to it and answers with `status`."""

    def __init__(self) -> None:
        self.received: list[dict[str, object]] = []
        self.status = 200
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/token-1234"


class Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_message_is_posted_as_json(receiver: Receiver) -> None:
    assert WebhookResource(url=receiver.url).post({"event": "run_failed", "days": ["2026-05-01"]}) is None
    assert receiver.received == [{"event": "run_failed", "days": ["2026-05-01"]}]


def test_without_an_address_nothing_happens() -> None:
    assert WebhookResource().post({"event": "run_failed"}) is None


def test_a_refusal_is_told_without_the_address(receiver: Receiver) -> None:
    receiver.status = 500
    assert WebhookResource(url=receiver.url).post({}) == "the webhook answered 500"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/token-1234", "http://[/token-1234"])
def test_a_server_that_is_not_there_is_told_without_the_address(url: str) -> None:
    said = WebhookResource(url=url).post({})
    assert said is not None
    assert "could not be reached" in said
    assert "token-1234" not in said


def test_only_http_is_spoken() -> None:
    assert "no http or https address" in (WebhookResource(url="file:///etc/passwd").post({}) or "")
