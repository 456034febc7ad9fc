"""Who else answers the questions of a probe: the pinned answers, a program, or a server.

Here: asking one question and saying clearly what came of it. Not here: comparing (`run.py`).

The plain exchange, the same for programs and servers: `{"probe": name, "input": …}` goes in, and one of
`{"answer": …}`, `{"unsupported": why}` and `{"error": why}` comes out. A program reads it on stdin and writes it on stdout;
a server is posted it at `/v1/parity/<probe>` below its base URL.
"""

from __future__ import annotations

import http.client
import json
import os
import shlex
import signal
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import SplitResult, urlsplit

from lakehouse.errors import UsageError
from lakehouse.parity.probe import Fixture, Probe

TIMEOUT = 30.0
MOST_BYTES = 32 << 20
_UNKNOWN_PATH = frozenset({404, 405, 501})


@dataclass(frozen=True)
class Answer:
    """What a peer answered."""

    value: Any


@dataclass(frozen=True)
class NoAnswer:
    """Why there is no answer: the peer could not be reached, does not know the probe, or failed."""

    kind: Literal["unreachable", "unsupported", "failed"]
    why: str


Reply = Answer | NoAnswer


class Peer(Protocol):
    """Anything that can be asked."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def ask(self, probe: Probe, fixture: Fixture) -> Reply:
        """Answer one question; never raises for what the other side does."""
        ...


@dataclass(frozen=True)
class Golden:
    """The pinned answers: always there."""

    name: str = "golden"

    def ask(self, probe: Probe, fixture: Fixture) -> Reply:  # noqa: ARG002 - every peer is asked alike
        """Give the pinned answer."""
        return Answer(fixture.expected)


@dataclass(frozen=True)
class Command:
    """A program, started anew for each question, with the arguments that a person gave and no shell."""

    argv: tuple[str, ...]
    timeout: float = TIMEOUT

    @property
    def name(self) -> str:
        """The program and its first argument by their file names: what else was given may be a secret."""
        return "command:" + " ".join(Path(word).name for word in self.argv[:2])

    def ask(self, probe: Probe, fixture: Fixture) -> Reply:
        """Start the program, write the question, read the answer; a program that hangs is killed with its children."""
        try:
            process = subprocess.Popen(
                self.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            return NoAnswer("unreachable", f"it cannot be started ({error.strerror})")
        with process:
            try:
                out, err = process.communicate(question(probe, fixture), self.timeout)
            except subprocess.TimeoutExpired:
                _kill(process)
                return NoAnswer("unreachable", f"no answer within {self.timeout:g} s")
            except BaseException:
                # In a session of its own it would outlive whoever interrupts us.
                _kill(process)
                raise
        if process.returncode:
            last = err.decode(errors="replace").strip().splitlines()[-1:]
            return NoAnswer("failed", ": ".join([f"exit code {process.returncode}", *last])[:300])
        return reply(out)


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


@dataclass(frozen=True)
class Http:
    """A server: the plain exchange, or a probe's own adapter."""

    base: str
    timeout: float = TIMEOUT

    @property
    def name(self) -> str:
        """The base URL."""
        return self.base

    def ask(self, probe: Probe, fixture: Fixture) -> Reply:
        """Post the question and read the answer."""
        adapter = probe.http
        path = f"/v1/parity/{probe.name}" if adapter is None else adapter.path
        body = question(probe, fixture) if adapter is None else _encode(adapter.request(fixture.input))
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked where the peer was made
            self.base.rstrip("/") + path, body, {"Content-Type": "application/json", "Accept": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:  # noqa: S310 - as above
                data = response.read(MOST_BYTES + 1)
        except urllib.error.HTTPError as error:
            error.close()
            kind: Literal["unsupported", "failed"] = "unsupported" if error.code in _UNKNOWN_PATH else "failed"
            return NoAnswer(kind, f"HTTP {error.code} for {path}")
        except TimeoutError:
            return NoAnswer("unreachable", f"no answer within {self.timeout:g} s")
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            if isinstance(reason, TimeoutError):
                return NoAnswer("unreachable", f"no answer within {self.timeout:g} s")
            return NoAnswer("unreachable", f"it cannot be reached ({reason})")
        if adapter is None:
            return reply(data)
        decoded = _decode(data)
        if isinstance(decoded, NoAnswer):
            return decoded
        try:
            return Answer(adapter.answer(decoded.value))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            return NoAnswer("failed", f"the answer is not of the shape of {path} ({type(error).__name__}: {error})")


def question(probe: Probe, fixture: Fixture) -> bytes:
    """Write a question of the plain exchange."""
    return _encode({"probe": probe.name, "input": fixture.input})


def reply(data: bytes) -> Reply:
    """Read an answer of the plain exchange; anything else is a failure that says what came instead."""
    decoded = _decode(data)
    if isinstance(decoded, NoAnswer):
        return decoded
    body = decoded.value
    if isinstance(body, dict):
        if "answer" in body:
            return Answer(body["answer"])
        if "unsupported" in body:
            return NoAnswer("unsupported", f"it does not know this probe ({body['unsupported']})"[:300])
        if "error" in body:
            return NoAnswer("failed", f"it says: {body['error']}"[:300])
    return NoAnswer("failed", "its JSON has none of the keys answer, unsupported and error")


def parse_peer(text: str) -> Peer:
    """Make a peer from what a person wrote: `golden`, `command:<program and arguments>` or an http(s) base URL."""
    kind, _, rest = text.partition(":")
    if text == "golden":
        return Golden()
    if kind == "command":
        try:
            argv = tuple(shlex.split(rest))
        except ValueError as error:
            raise UsageError(f"the command cannot be read ({error})", where="--peer", mend="close its quotes") from None
        if argv:
            return Command(argv)
    if kind in ("http", "https"):
        url = _url(text)
        if url.username or url.password or url.query or url.fragment:
            raise UsageError(
                "a base URL holds no password, query or fragment, for reports name it",
                where="--peer",
                mend="give the plain URL",
            )
        if url.hostname:
            return Http(text)
    raise UsageError(
        "this is no peer",
        where=f"--peer {kind[:40]}",
        mend='use golden, command:"node parity_peers/peer.mjs" or http://host:port',
    )


def _url(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        _ = url.port
    except ValueError as error:
        raise UsageError(f"the URL cannot be read ({error})", where="--peer", mend="correct it") from None
    return url


def _encode(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is no JSON number")


def _decode(data: bytes) -> Reply:
    if len(data) > MOST_BYTES:
        return NoAnswer("failed", f"the answer is longer than {MOST_BYTES >> 20} MiB")
    if not data.strip():
        return NoAnswer("failed", "the answer is empty")
    try:
        return Answer(json.loads(data.decode(), parse_constant=_refuse))
    except (ValueError, RecursionError) as error:
        begin = data[:40].decode(errors="replace")
        return NoAnswer("failed", f"the answer is not one JSON text ({error}); it begins with {begin!r}")
