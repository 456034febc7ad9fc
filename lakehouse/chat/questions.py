"""What may be asked of a model at all: messages with a role and a text, and numbers that mean something.

Here: looking before anybody is asked, so that a caller's mistake is not taken for a server's. Not here: what a provider makes
of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from lakehouse.chat.providers.spec import Ask
from lakehouse.errors import UsageError

ROLES = ("system", "user", "assistant", "tool")


def checked(ask: Ask) -> Ask:
    """Give it back. Raises `UsageError` that names the field."""
    if not ask.messages:
        raise _wrong("messages", "is empty", "give at least one message")
    for place, one in enumerate(ask.messages):
        if one.get("role") not in ROLES:
            raise _wrong(f"messages[{place}].role", f"is {one.get('role')!r}", f"it is one of {', '.join(ROLES)}")
        if not isinstance(one.get("content"), str):
            raise _wrong(f"messages[{place}].content", "is no text", "give a string")
    if ask.format is not None and ask.format != "json" and not isinstance(ask.format, Mapping):
        raise _wrong("format", f"is {ask.format!r}", "give `json`, or a JSON schema as an object")
    if ask.max_tokens is not None and ask.max_tokens < 1:
        raise _wrong("max_tokens", f"is {ask.max_tokens}", "give 1 or more")
    if not (math.isfinite(ask.temperature) and ask.temperature >= 0):
        raise _wrong("temperature", f"is {ask.temperature}", "give 0 or more")
    return ask


def _wrong(field: str, what: str, mend: str) -> UsageError:
    return UsageError(what, where=field, mend=mend)
