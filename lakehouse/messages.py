"""Chat messages as trainers take them.

Here: cleaning a message, and cutting a conversation where an assistant ends it. Not here: which conversation a run has
(`sft.py`, `preference.py`) and the lines of files (`publish/forms.py`).

Loaders infer one type per field from all lines of a file, so every field has one: tool-call arguments are JSON strings; a
message without content gets an empty one, for chat templates read it unasked. Source: TRL documentation, "Dataset formats and types".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lakehouse.streams.shaping import as_text

Message = dict[str, Any]


def clean(message: Message) -> Message:
    """Give a message in which every field has one type, whoever wrote it: nothing is lost, what is odd becomes text.

    `content` is a string, `tool_calls` a list of `{id, type, function: {name, arguments}}` of strings, `weight` a number;
    every other field is a string, JSON where it was none, and left out where it was null.
    """
    cleaned: Message = {"role": message["role"], "content": _content(message.get("content"))}
    for key, value in message.items():
        if key in ("role", "content") or value is None:
            continue
        if key == "tool_calls":
            calls = [_call(call) for call in (value if isinstance(value, list) else [value])]
            if calls:
                cleaned[key] = calls
        elif key == "function_call":
            cleaned[key] = _function(value)
        elif key == "weight" and isinstance(value, int | float):
            cleaned[key] = float(value)
        else:
            cleaned[key] = as_text(value)
    return cleaned


def until_answer(messages: Sequence[Message]) -> list[Message]:
    """Cut a conversation after its last assistant message: what follows is nobody's answer. Empty without any."""
    end = len(messages)
    while end and messages[end - 1].get("role") != "assistant":
        end -= 1
    return list(messages[:end])


def until_text(messages: Sequence[Message]) -> list[Message]:
    """Cut cleaned messages after the last assistant message that has text. Empty without any."""
    end = len(messages)
    while end and not (messages[end - 1].get("role") == "assistant" and messages[end - 1]["content"].strip()):
        end -= 1
    return list(messages[:end])


def _content(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, list) and all(
        isinstance(part, dict) and isinstance(part.get("text"), str) for part in content
    ):
        return "".join(part["text"] for part in content)
    return as_text(content)


def _call(call: Any) -> Message:
    """Give a tool call in OpenAI's form; some frameworks write name and arguments beside the id."""
    if not isinstance(call, dict):
        return {"function": _function(call)}
    beside = {} if "function" in call else {key: call[key] for key in ("name", "arguments", "args") if key in call}
    kept = {key: as_text(value) for key, value in call.items() if key not in beside and value is not None}
    return {**kept, "function": _function(beside or call.get("function"))}


def _function(function: Any) -> Message:
    if not isinstance(function, dict):
        return {} if function is None else {"arguments": as_text(function)}
    named = {("arguments" if key == "args" else key): value for key, value in function.items()}
    return {key: as_text(value) for key, value in named.items() if value is not None}
