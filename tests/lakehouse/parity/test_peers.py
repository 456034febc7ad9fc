"""Peers: what each kind answers, and what is said where one does not answer or answers badly."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from lakehouse.errors import UsageError
from lakehouse.parity import peers
from lakehouse.parity.peers import Answer, Command, Golden, Http, NoAnswer, parse_peer, reply
from lakehouse.parity.probe import HttpAdapter
from tests.lakehouse.parity.conftest import Program, doubling

PROBE = doubling()
FIXTURE = PROBE.fixtures[2]


def test_golden_gives_the_pinned_answer() -> None:
    assert Golden().ask(PROBE, FIXTURE) == Answer({"double": 6})


@pytest.mark.parametrize(
    ("data", "kind", "why"),
    [
        (b"", "failed", "empty"),
        (b"  \n", "failed", "empty"),
        (b"Starting up...\n{}", "failed", "begins with 'Starting up"),
        (b'{"answer": 1} {"answer": 2}', "failed", "not one JSON text"),
        (b'{"answer": NaN}', "failed", "NaN is no JSON number"),
        (b'{"answer": "\xff"}', "failed", "not one JSON text"),
        (b"[" * 100_000, "failed", "not one JSON text"),
        (b"[1]", "failed", "none of the keys"),
        (b'{"value": 1}', "failed", "none of the keys"),
        (b'{"error": "no such file"}', "failed", "it says: no such file"),
        (b'{"unsupported": "only b"}', "unsupported", "does not know this probe (only b)"),
    ],
)
def test_what_is_no_answer_says_what_came_instead(data: bytes, kind: str, why: str) -> None:
    found = reply(data)
    assert isinstance(found, NoAnswer)
    assert found.kind == kind
    assert why in found.why


def test_an_answer_may_be_null() -> None:
    assert reply(b'{"answer": null}') == Answer(None)


# Programs.


def test_a_program_gets_the_question_on_stdin_and_answers_on_stdout(program: Program) -> None:
    peer = program('print(json.dumps({"answer": [question["probe"], number]}))')
    assert peer.ask(PROBE, FIXTURE) == Answer(["doubling", 3])


@pytest.mark.parametrize(
    ("text", "kind", "why"),
    [
        ('print("hello")', "failed", "begins with 'hello"),
        ("pass", "failed", "empty"),
        ('sys.exit("out of milk")', "failed", "exit code 1: out of milk"),
        (
            'sys.exit("at x\\n  ^\\n\\nError: no milk\\n    at y\\n\\nNode v20")',
            "failed",
            "exit code 1: Error: no milk",
        ),
        ('raise ValueError("sour milk")', "failed", "exit code 1: ValueError: sour milk"),
        ('sys.exit("note\\nan error in line 3\\nbye")', "failed", "exit code 1: an error in line 3"),
        ('print("{}"); sys.exit(7)', "failed", "exit code 7"),
        ("import os; os.kill(os.getpid(), 9)", "failed", "exit code -9"),
    ],
)
def test_a_program_that_fails_says_how(program: Program, text: str, kind: str, why: str) -> None:
    found = program(text).ask(PROBE, FIXTURE)
    assert isinstance(found, NoAnswer)
    assert (found.kind, why in found.why) == (kind, True)


def test_a_program_that_hangs_is_killed_with_its_children(program: Program) -> None:
    peer = program('import subprocess; subprocess.run(["sleep", "60"])', timeout=1)
    assert peer.ask(PROBE, FIXTURE) == NoAnswer("unreachable", "no answer within 1 s")


@pytest.mark.parametrize("forever", [True, False])
def test_a_program_that_floods_is_killed_and_its_answer_fails(
    program: Program, monkeypatch: pytest.MonkeyPatch, forever: bool
) -> None:
    monkeypatch.setattr(peers, "MOST_BYTES", 1 << 20)
    write = "sys.stdout.write('x' * (1 << 16))"
    flood = f"while True: {write}" if forever else f"for _ in range(17): {write}"
    found = program(flood).ask(PROBE, FIXTURE)
    assert found == NoAnswer("failed", peers.TOO_LONG)


def test_of_a_program_that_complains_without_end_the_beginning_is_kept(program: Program) -> None:
    found = program('for _ in range(99): sys.stderr.write("Error: milk\\n" * 9999)\nsys.exit(2)').ask(PROBE, FIXTURE)
    assert found == NoAnswer("failed", "exit code 2: Error: milk")


def test_a_relative_path_that_is_not_there_says_from_where_it_is_looked_for(program: Program) -> None:
    found = Command((program("").argv[0], "peers/gone.py")).ask(PROBE, FIXTURE)
    assert isinstance(found, NoAnswer)
    assert found.why.endswith("; gone.py is not there: give a path relative to where lakehouse runs")
    found = Command(("bin/gone",)).ask(PROBE, FIXTURE)
    assert isinstance(found, NoAnswer)
    assert found.why.endswith("; gone is not there: give a path relative to where lakehouse runs")


def test_a_program_that_reads_nothing_is_no_broken_pipe() -> None:
    probe = doubling(name="x" * 1_000_000)
    assert Command(("true",)).ask(probe, FIXTURE) == NoAnswer("failed", "the answer is empty")


def test_a_program_that_is_not_there_is_unreachable() -> None:
    found = Command(("/no/such/program",)).ask(PROBE, FIXTURE)
    assert found == NoAnswer("unreachable", "it cannot be started (No such file or directory)")


def test_no_shell_reads_the_arguments() -> None:
    peer = parse_peer("""command:echo '{"answer": "$HOME; `id`"}'""")
    assert peer.ask(PROBE, FIXTURE) == Answer("$HOME; `id`")


def test_the_name_of_a_program_holds_no_further_arguments() -> None:
    assert parse_peer("command:/usr/bin/node deep/peer.mjs --token s3cret").name == "command:node peer.mjs"


# Servers.


class Handler(BaseHTTPRequestHandler):
    """Answers by path: as the plain exchange, as an interface of its own, and badly."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/parity/doubling":
            self._send(200, json.dumps({"answer": {"double": 2 * body["input"]["number"]}}))
        elif self.path == "/own":
            self._send(200, json.dumps({"doubles": [2 * number for number in body["numbers"]]}))
        elif self.path == "/strict":
            self._send(400, json.dumps({"refused": body["numbers"]}))
        elif self.path == "/sick/v1/parity/doubling":
            self._send(500, "oh no")
        elif self.path == "/refusing/v1/parity/doubling":
            self._send(400, "bad input")
        elif self.path == "/garbage/v1/parity/doubling":
            self._send(200, "<html>")
        elif self.path == "/hanging/v1/parity/doubling":
            self.server.stop.wait(20)  # type: ignore[attr-defined]
        elif self.path == "/short/v1/parity/doubling":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"{")
        else:
            self._send(404, "")

    def _send(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    running.stop = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=running.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{running.server_port}"
    running.stop.set()  # type: ignore[attr-defined]
    running.shutdown()
    running.server_close()
    thread.join()


def test_a_server_is_posted_the_question(server: str) -> None:
    assert Http(server).ask(PROBE, FIXTURE) == Answer({"double": 6})
    assert Http(f"{server}/").ask(PROBE, FIXTURE) == Answer({"double": 6})


def test_a_server_with_its_own_interface_is_asked_through_an_adapter(server: str) -> None:
    adapter = HttpAdapter("/own", lambda q: {"numbers": [q["number"]]}, lambda body: {"double": body["doubles"][0]})
    assert Http(server).ask(doubling(http=(adapter,)), FIXTURE) == Answer({"double": 6})
    wrong = HttpAdapter("/own", lambda q: {"numbers": [q["number"]]}, lambda body: body["triples"][0])
    found = Http(server).ask(doubling(http=(wrong,)), FIXTURE)
    assert found == NoAnswer("failed", "the answer is not of the shape of /own (KeyError: 'triples')")


def test_a_refusal_is_an_answer_where_the_adapter_takes_it_for_one(server: str) -> None:
    plain = HttpAdapter("/strict", lambda q: {"numbers": [q["number"]]}, lambda body: body)
    taking = replace(plain, refused=lambda status, body: {"status": status, "body": body})
    assert Http(server).ask(doubling(http=(taking,)), FIXTURE) == Answer({"status": 400, "body": {"refused": [3]}})
    assert Http(server).ask(doubling(http=(plain,)), FIXTURE) == NoAnswer("failed", "HTTP 400 for /strict")


@pytest.mark.parametrize(
    ("path", "kind", "why"),
    [
        ("/sick", "failed", "HTTP 500 for /v1/parity/doubling"),
        ("/refusing", "failed", "HTTP 400"),
        ("/nothing/here", "unsupported", "HTTP 404"),
        ("/garbage", "failed", "begins with '<html>'"),
        ("/short", "failed", "not one JSON text"),
        ("/hanging", "unreachable", "no answer within 0.3 s"),
    ],
)
def test_a_server_that_fails_says_how(server: str, path: str, kind: str, why: str) -> None:
    found = Http(server + path, timeout=0.3 if path == "/hanging" else 10).ask(PROBE, FIXTURE)
    assert isinstance(found, NoAnswer)
    assert found.kind == kind
    assert why in found.why


def test_a_server_that_is_not_there_is_unreachable() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        found = Http(f"http://127.0.0.1:{free.getsockname()[1]}").ask(PROBE, FIXTURE)
    assert found == NoAnswer("unreachable", "it cannot be reached ([Errno 111] Connection refused)")


# What a person writes.


@pytest.mark.parametrize("text", ["golden", "command:node x.mjs", "http://127.0.0.1:3100", "https://peer.example/base"])
def test_a_peer_is_made_of_what_a_person_writes(text: str) -> None:
    assert parse_peer(text).name == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "silver",
        "command:",
        "command:  ",
        "command:'open",
        "http://",
        "ftp://host",
        "file:///etc/passwd",
        "http:host",
        "http://[host",
        "http://host:99999",
        "ftp://u:p@host",
        "http://u:p@host",
        "http://host?key=s3cret",
        "http://host#x",
    ],
)
def test_what_is_no_peer_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--peer") as refusal:
        parse_peer(text)
    assert "u:p" not in str(refusal.value)
    assert "s3cret" not in str(refusal.value)
