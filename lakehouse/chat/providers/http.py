"""What leaves this machine in a request, and how long the answer may take: hooks for the clients of `httpx` and its heir.

Here: both, for every provider that asks a server. Not here: the requests (`ollama.py`, `openai_compatible.py`).

The clients read variables of their own: `ollama` sends OLLAMA_API_KEY to whatever host it asks, `openai` the organization,
the project and custom headers of OpenAI to whoever its address names, and `OPENAI_ADMIN_KEY`. So only named headers pass, and
of authorizations only our own. A hook runs again after each redirect, where the client has taken ours off for another host;
it never puts one back.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

from lakehouse.errors import UsageError

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


def hooks(secret: str, timeout: float, monotonic: Callable[[], float]) -> dict[str, list[Callable[[Any], None]]]:
    """Give the event hooks of a client: headers that are not ours stay here, and an answer that drips is cut off.

    The client's own timeout starts anew with each piece that comes; a server that sends a blank every second would be
    waited for for ever.
    """
    bearer = f"Bearer {secret}" if secret else None

    def leaving(request: Any) -> None:
        for name in list(request.headers):
            if name.lower() == "authorization":
                if request.headers[name] != bearer:
                    del request.headers[name]
            elif name.lower() not in _PASS:
                del request.headers[name]
        request.extensions.setdefault(_STARTED, monotonic())

    def coming(response: Any) -> None:
        until = response.request.extensions[_STARTED] + timeout
        response.stream = _bounded(response, lambda: monotonic() > until, timeout)

    return {"request": [leaving], "response": [coming]}


def patience(library: Any, timeout: float) -> Any:
    """Give the timeouts of a client: a host that is not there is given up earlier than one that thinks."""
    return library.Timeout(timeout, connect=min(timeout, _LONGEST_CONNECT))


def checked(url: str, name: str) -> str:
    """Give an address without the slash at its end. Raises `UsageError` where it is none."""
    scheme, separator, rest = url.strip().partition("://")
    if not separator or scheme not in {"http", "https"} or not rest.strip("/") or " " in rest:
        raise UsageError(
            "the address is no URL (https://host/path)",
            where=f"[chat.providers.{name}] url",
            mend="correct it, or leave it out for the provider's own",
        )
    return url.strip().rstrip("/")


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
