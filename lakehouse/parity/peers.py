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
import re
import select
import selectors
import shlex
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import SplitResult, urlsplit

from lakehouse.errors import UsageError
from lakehouse.parity.probe import Fixture, HttpAdapter, Probe

TIMEOUT = 30.0
MOST_BYTES = 32 << 20
TOO_LONG = f"the answer is longer than {MOST_BYTES >> 20} MiB"
MOST_STDERR = 64 << 10
"""Bytes that are kept of what a program complains; the rest is read and dropped."""
TRIES = 3
"""How often in a row a peer may not be reached before it is not asked again."""
_UNKNOWN_PATH = frozenset({404, 405, 501})
_REFUSED = 400
_ERROR, _NAMES_ERROR = re.compile(r"\s*[\w.]*[Ee]rror\b"), re.compile(r"[Ee]rror")


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
            return NoAnswer("unreachable", f"it cannot be started ({error.strerror}){_lost(self.argv[:1])}")
        with process:
            try:
                out, err = _exchange(process, question(probe, fixture), self.timeout)
            except subprocess.TimeoutExpired:
                _kill(process)
                return NoAnswer("unreachable", f"no answer within {self.timeout:g} s")
            except _TooLong:
                _kill(process)
                return NoAnswer("failed", TOO_LONG)
            except BaseException:
                # In a session of its own it would outlive whoever interrupts us.
                _kill(process)
                raise
        if process.returncode:
            why = ": ".join([f"exit code {process.returncode}", *_telling(err)])[:300]
            return NoAnswer("failed", why + _lost(self.argv[1:2]))
        return reply(out)


class _TooLong(Exception):
    """A program writes more than an answer may have."""


def _exchange(process: subprocess.Popen[bytes], asked: bytes, timeout: float) -> tuple[bytes, bytes]:
    """Write the question; give stdout, whole, and the beginning of stderr. Memory: an answer as long as one may be.

    Raises `TimeoutExpired`, and `_TooLong` as soon as stdout is; the program still runs then.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    until = time.monotonic() + timeout
    out, err, left = bytearray(), bytearray(), memoryview(asked)
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdin, selectors.EVENT_WRITE)
        selector.register(process.stdout, selectors.EVENT_READ)
        selector.register(process.stderr, selectors.EVENT_READ)
        while selector.get_map():
            if time.monotonic() >= until:
                raise subprocess.TimeoutExpired(process.args, timeout)
            for key, _ in selector.select(max(until - time.monotonic(), 0)):
                done = False
                if key.fileobj is process.stdin:
                    try:
                        # A pipe that can be written to takes that much without waiting.
                        left = left[os.write(key.fd, left[: select.PIPE_BUF]) :]
                    except BrokenPipeError:
                        left = left[:0]
                    done = not left
                else:
                    block = os.read(key.fd, 1 << 16)
                    done = not block
                    if key.fileobj is process.stdout:
                        out += block
                    else:
                        err += block[: MOST_STDERR - len(err)]
                if done:
                    selector.unregister(key.fileobj)
                    if key.fileobj is process.stdin:
                        process.stdin.close()
            if len(out) > MOST_BYTES:
                raise _TooLong
    process.wait(max(until - time.monotonic(), 0))
    return bytes(out), bytes(err)


def _telling(err: bytes) -> list[str]:
    """Choose the line of stderr that says why: the first that begins with an error, else names one, else the last."""
    lines = [line.strip() for line in err.decode(errors="replace").splitlines() if line.strip()]
    for pattern in (_ERROR.match, _NAMES_ERROR.search):
        found = [line for line in lines if pattern(line)]
        if found:
            return found[:1]
    return lines[-1:]


def _lost(words: Sequence[str]) -> str:
    """Say of a relative path that is not there from where it is looked for; the folder above may be private."""
    lost = [word for word in words if "/" in word and not word.startswith(("/", "-")) and not Path(word).exists()]
    return f"; {Path(lost[0]).name} is not there: give a path relative to where lakehouse runs" if lost else ""


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        process.kill()


@dataclass(frozen=True)
class Http:
    """A server: the interfaces that a probe knows, then the plain exchange; the first that the server has is taken."""

    base: str
    timeout: float = TIMEOUT

    @property
    def name(self) -> str:
        """The base URL."""
        return self.base

    def ask(self, probe: Probe, fixture: Fixture) -> Reply:
        """Post the question and read the answer."""
        unknown = []
        for adapter in (*probe.http, None):
            found = self._post(probe, fixture, adapter)
            if not isinstance(found, NoAnswer) or found.kind != "unsupported":
                return found
            unknown.append(found.why)
        return NoAnswer("unsupported", "; ".join(unknown))

    def _post(self, probe: Probe, fixture: Fixture, adapter: HttpAdapter | None) -> Reply:
        path = f"/v1/parity/{probe.name}" if adapter is None else adapter.path
        body = question(probe, fixture) if adapter is None else _encode(adapter.request(fixture.input))
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked where the peer was made
            self.base.rstrip("/") + path, body, {"Content-Type": "application/json", "Accept": "application/json"}
        )
        refused: int | None = None
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as response:  # noqa: S310 - as above
                data = response.read(MOST_BYTES + 1)
        except urllib.error.HTTPError as error:
            with error:
                data = error.read(MOST_BYTES + 1) if error.code == _REFUSED else b""
            refused = error.code
        except TimeoutError:
            return NoAnswer("unreachable", f"no answer within {self.timeout:g} s")
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            if isinstance(reason, TimeoutError):
                return NoAnswer("unreachable", f"no answer within {self.timeout:g} s")
            return NoAnswer("unreachable", f"it cannot be reached ({reason})")
        takes = adapter.refused if adapter is not None and refused == _REFUSED else None
        if refused is not None and takes is None:
            kind: Literal["unsupported", "failed"] = "unsupported" if refused in _UNKNOWN_PATH else "failed"
            return NoAnswer(kind, f"HTTP {refused} for {path}")
        if adapter is None:
            return reply(data)
        decoded = _decode(data)
        if isinstance(decoded, NoAnswer):
            return decoded
        try:
            return Answer(takes(_REFUSED, decoded.value) if takes else adapter.answer(decoded.value))
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            return NoAnswer("failed", f"the answer is not of the shape of {path} ({type(error).__name__}: {error})")


@dataclass
class Patient:
    """A peer that is not asked any more once it could not be reached three times in a row."""

    peer: Peer
    failed: int = 0
    why: str = ""

    @property
    def name(self) -> str:
        """The name of the peer."""
        return self.peer.name

    def ask(self, probe: Probe, fixture: Fixture) -> Reply:
        """Ask the peer, or say why it is not asked."""
        if self.failed >= TRIES:
            return NoAnswer("unreachable", f"not asked: {TRIES} times in a row, {self.why}")
        found = self.peer.ask(probe, fixture)
        if isinstance(found, NoAnswer) and found.kind == "unreachable":
            self.failed, self.why = self.failed + 1, found.why
        else:
            self.failed = 0
        return found


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
        return NoAnswer("failed", TOO_LONG)
    if not data.strip():
        return NoAnswer("failed", "the answer is empty")
    try:
        return Answer(json.loads(data.decode(), parse_constant=_refuse))
    except (ValueError, RecursionError) as error:
        begin = data[:40].decode(errors="replace")
        return NoAnswer("failed", f"the answer is not one JSON text ({error}); it begins with {begin!r}")
