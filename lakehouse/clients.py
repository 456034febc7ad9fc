"""What leaves this machine in a request, to whom, and how long the answer may take: the clients of others, held in check.

Here: both, for everything that asks a server. Not here: the requests (`chat/providers/`, `embedding/backends/`), and what
a failure means (`upstream.py`).

The clients read variables of their own: `ollama` sends OLLAMA_API_KEY to whatever host it asks, `openai` the organization,
the project and custom headers of OpenAI to whoever its address names, and `OPENAI_ADMIN_KEY`. So only named headers pass, and
of authorizations only our own. No client follows a redirect: whoever is not named in the settings is not asked.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

_PASS = {
    "accept",
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "host",
    "transfer-encoding",
    "user-agent",
    "x-stainless-raw-response",  # by which the `openai` client knows that the body is to be left to us
}
_LONGEST_CONNECT = 10.0
_STARTED = "lakehouse.started"

Hooks = dict[str, list[Callable[[Any], None]]]


@cache
def ollama_package() -> Any:
    """Give the `ollama` package, whatever OLLAMA_HOST says.

    At its import the package makes a client of its own for that host, which fails where it is no address; this must not
    keep anybody from asking another host. The module that was loaded before has all that is needed.
    """
    import httpx

    try:
        return importlib.import_module("ollama")
    except (ValueError, httpx.InvalidURL):
        loaded = sys.modules.get("ollama._client")
        if loaded is None:
            raise
        return loaded


def ollama_client(host: str, timeout: Any, hooks: Hooks, secret: str = "") -> Any:
    """Make a client of the `ollama` package for a checked host (empty: its default)."""
    return ollama_package().Client(
        # Not left to the client, which would read the variable itself.
        host=host or "127.0.0.1",
        timeout=timeout,
        follow_redirects=False,
        headers={"Authorization": f"Bearer {secret}"} if secret else None,
        event_hooks=hooks,
    )


def bounded(secret: str, timeout: float, monotonic: Callable[[], float]) -> Hooks:
    """Give the event hooks of a client: headers that are not ours stay here, and an answer that drips is cut off.

    The client's own timeout starts anew with each piece that comes; a server that sends a blank every second would be
    waited for for ever.
    """
    leaving = own_headers(secret)

    def started(request: Any) -> None:
        request.extensions.setdefault(_STARTED, monotonic())

    def coming(response: Any) -> None:
        until = response.request.extensions[_STARTED] + timeout
        response.stream = _bounded(response, lambda: monotonic() > until, timeout)

    return {"request": [leaving, started], "response": [coming]}


def own_headers(secret: str = "") -> Callable[[Any], None]:
    """Give the hook that takes off a request every header but the named ones and the bearer of our own key."""
    bearer = f"Bearer {secret}" if secret else None

    def leaving(request: Any) -> None:
        for name in list(request.headers):
            if name.lower() == "authorization":
                if request.headers[name] != bearer:
                    del request.headers[name]
            elif name.lower() not in _PASS:
                del request.headers[name]

    return leaving


def patience(library: Any, timeout: float) -> Any:
    """Give the timeouts of a client: a host that is not there is given up earlier than one that thinks."""
    return library.Timeout(timeout, connect=min(timeout, _LONGEST_CONNECT))


def _bounded(response: Any, over: Callable[[], bool], timeout: float) -> Any:
    """Wrap the stream of a response, in the class that its library asks for."""
    library = importlib.import_module(type(response).__module__.partition(".")[0])
    inner = response.stream

    class Bounded(library.SyncByteStream):  # type: ignore[misc, name-defined]
        """Gives the pieces of the answer until time is over."""

        def __iter__(self) -> Iterator[bytes]:
            for piece in inner:
                if over():
                    raise library.ReadTimeout(f"no whole answer within {timeout:g} s", request=response.request)
                yield piece

        def close(self) -> None:
            """Close the stream that it wraps."""
            inner.close()

    return Bounded()
