"""Servers of others: one failed try, which tries are worth repeating, and how long to wait before the next.

Here: what every caller of a server shares, and what the `ollama` client's ways of failing mean. Not here: any request, and
what a failure means to a person (`embedding/backends/ollama.py`, `chat/registry.py` make errors of it).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Literal, TypeVar

import msgspec

from lakehouse.addresses import other
from lakehouse.clients import ollama_package

How = Literal["unreachable", "timeout", "broken", "refused", "elsewhere", "malformed", "blank"]
"""Nobody there; no answer in time; a connection that broke off; a status that is no success; a redirect; an answer of no known
shape; one without a word."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
LONGEST_ASKED = 30.0
"""Seconds that a server may ask us to wait (`Retry-After`). Who asks for more is not asked again."""
BUSY = 429
MISSING = 404
_SHOWN = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""What could steer the terminal that an error is shown on."""
_Answer = TypeVar("_Answer")


class Failed(Exception):
    """One try failed. `status` is that of HTTP, 0 where there was no answer; `again`: another try may succeed.

    `after` is how many seconds the server asks to wait. The text never holds what was passed as a secret.
    """

    def __init__(
        self, why: str, status: int = 0, *, how: How = "malformed", again: bool = False, after: float | None = None
    ) -> None:
        super().__init__(why)
        self.status = status
        self.how = how
        self.again = again
        self.after = after


def retried(
    request: Callable[[], _Answer], *, tries: int, sleep: Callable[[float], None], jitter: Callable[[], float]
) -> _Answer:
    """Try a few times, waiting longer each time, and as long as the server asks. Raises the last `Failed`.

    `jitter` gives a number from 0 to 1: of each wait, up to half is left away, so that many callers do not come at once.
    """
    for left in reversed(range(tries)):
        try:
            return request()
        except Failed as failed:
            if not (failed.again and left):
                raise
            if failed.after is not None and failed.after > LONGEST_ASKED:
                raise
            wait = min(FIRST_WAIT * 2 ** (tries - left - 1), LONGEST_WAIT) * (0.5 + jitter() / 2)
            sleep(max(wait, failed.after or 0.0))
    raise AssertionError("unreachable: the last try returns or raises")


def refused(status: int, body: str, headers: Mapping[str, str], *, secret: str = "", lasting: str = "") -> Failed:
    """Give the failure of an answer that is no success. A body with the text `lasting` is the same next time.

    A redirect is one too: where it leads was named by the server, and not by who asks.
    """
    if 300 <= status < 400 and "location" in headers:
        return Failed(f"answers {status} and sends us to {other(headers['location'])}", status, how="elsewhere")
    again = (status >= 500 or status == BUSY) and not (lasting and lasting in body)
    why = f"answers {status}: {told(body, secret)}"
    after = wait_asked(headers)
    if again and after is not None and after > LONGEST_ASKED:
        why += f" (and asks to wait {after:g} s)"
    return Failed(why, status, how="refused", again=again, after=after)


def unreachable(error: BaseException) -> Failed:
    """Give the failure where nobody listens."""
    return Failed(f"cannot be reached ({type(error).__name__})", how="unreachable", again=True)


def late(timeout: float) -> Failed:
    """Give the failure of an answer that did not come in time (seconds)."""
    return Failed(f"does not answer within {timeout:g} s", how="timeout", again=True)


def broken(error: BaseException) -> Failed:
    """Give the failure of a connection that ended before the answer did."""
    return Failed(f"broke off ({type(error).__name__})", how="broken", again=True)


def blank() -> Failed:
    """Give the failure of an answer that holds no word: nothing can be made of it, and the same question gives it again."""
    return Failed("gives an answer without a word", how="blank")


def malformed(why: str = "gives an answer that is not what its API documents") -> Failed:
    """Give the failure of an answer that cannot be used: it is not asked for again."""
    return Failed(why)


def told(body: str, secret: str = "") -> str:
    """Give what a server says in the body of an error, in one short line without our secret, or anybody else's."""
    from lakehouse.secrets import mask

    try:
        said: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeEncodeError):
        said = body
    for key in ("error", "message"):
        if isinstance(said, dict):
            said = said.get(key, said)
    line = _CONTROL.sub("\N{REPLACEMENT CHARACTER}", " ".join((said if isinstance(said, str) else body).split()))
    # Cut last: half a secret is not found.
    return mask(line.replace(secret, "***") if secret else line)[:_SHOWN]


def wait_asked(headers: Mapping[str, str]) -> float | None:
    """Read `Retry-After` in seconds: as a number, or as a date against the server's own `Date`. Source: RFC 9110, 10.2.3."""
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        until, now = parsedate_to_datetime(asked), parsedate_to_datetime(headers.get("date", ""))
        return max((until - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None


def by_ollama(request: Callable[[], _Answer], timeout: float, *, secret: str = "", lasting: str = "") -> _Answer:
    """Make one request of the `ollama` client; every way in which it can go wrong becomes a `Failed`.

    It is raised outside of the handlers: what the client raised may hold a header or a body, and no traceback shows it.
    """
    import httpx

    wrong = ollama_package().ResponseError
    try:
        return request()
    except (httpx.ConnectTimeout, ConnectionError) as error:
        failed = unreachable(error)
    except httpx.TimeoutException:
        failed = late(timeout)
    except httpx.TransportError as error:
        failed = broken(error)
    except (wrong, ValueError, AttributeError, TypeError) as error:
        # The client reads the body of an error as JSON, and stumbles where that is no object: the answer is behind it.
        behind: BaseException | None = error
        while behind is not None and not isinstance(behind, httpx.HTTPStatusError):
            behind = behind.__context__
        if behind is None:
            failed = malformed()
        else:
            answer = behind.response
            failed = refused(answer.status_code, answer.text, answer.headers, secret=secret, lasting=lasting)
            # What errs in another shape than its API's is not the server that we took it for: asking again is no use.
            failed.again = failed.again and isinstance(error, wrong)
    raise failed
