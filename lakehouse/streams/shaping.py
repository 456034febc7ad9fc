"""Small shared steps of the transforms: joining text, describing a run, reading conversations.

Here: pure helpers that two or more streams use. Not here: anything that knows one stream.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from lakehouse.records import EvidenceRecord
from lakehouse.streams.spec import BadRow


def as_text(value: Any) -> str:
    """Give a string as it is and anything else as compact JSON."""
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def joined(value: str | Iterable[Any] | None) -> str:
    """Give text as it is, a list joined by newlines, nothing as the empty string."""
    if value is None:
        return ""
    return value if isinstance(value, str) else "\n".join(map(as_text, value))


def paragraphs(*parts: str) -> str:
    """Join the parts that are not empty with a blank line between."""
    return "\n\n".join(part for part in parts if part)


def describe(evidence: EvidenceRecord, /, **fields: Any) -> EvidenceRecord:
    """Add the fields that have a value to the evidence's metadata; they win over keys that stand there already."""
    for key, value in fields.items():
        if value is not None:
            if evidence.metadata is None:
                evidence.metadata = {}
            evidence.metadata[key] = value
    return evidence


def message_text(message: dict[str, Any]) -> str:
    """Give the text of a chat message, whose content is a string or a list of parts of which some are text."""
    content = message.get("content")
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(part["text"] for part in content if isinstance(part, dict) and isinstance(part.get("text"), str))
    return ""


def last_answer(messages: list[dict[str, Any]]) -> str:
    """Give the last assistant message that has text, or the empty string."""
    for message in reversed(messages):
        if message.get("role") == "assistant":
            text = message_text(message)
            if text.strip():
                return text
    return ""


def check_messages(messages: list[dict[str, Any]]) -> None:
    """Refuse a conversation in which a message has no role."""
    for position, message in enumerate(messages):
        if not isinstance(message.get("role"), str):
            raise BadRow("bad_value", f"messages[{position}].role", "a message needs a role that is a string")
