"""A sample in the shapes that trainers take.

Here: pure functions from a sample to the objects of TRL's `messages` and `prompt`/`completion` files. Not here: files.

Both are conversational, so that every line of a file has one type: loaders infer it from all lines. The context line
stands under the instruction, as Alpaca's `input` does. Tool-call arguments are JSON strings, for mixed types break
loading; a message without content gets an empty one, for chat templates read it unasked.
Source: TRL documentation, "Dataset formats and types".
"""

from __future__ import annotations

from typing import Any

import msgspec

from lakehouse.records import SftSample

Message = dict[str, Any]


def chat(sample: SftSample) -> list[Message]:
    """Give the sample as a conversation that ends on an assistant message."""
    if sample.messages is not None:
        return [_clean(message) for message in sample.messages]
    asked = f"{sample.instruction}\n\n{sample.context}" if sample.context else sample.instruction
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": sample.response}]


def messages_line(conversation: list[Message]) -> bytes:
    """Encode a conversation as a line of `sft_messages.jsonl`."""
    return msgspec.json.encode({"messages": conversation})


def prompt_completion_line(conversation: list[Message]) -> bytes:
    """Encode a conversation as a line of `sft_prompt_completion.jsonl`: the last message is the completion."""
    return msgspec.json.encode({"prompt": conversation[:-1], "completion": conversation[-1:]})


def _clean(message: Message) -> Message:
    clean = {**message, "content": _content(message.get("content"))}
    calls = message.get("tool_calls")
    if isinstance(calls, list):
        clean["tool_calls"] = [_call(call) for call in calls]
    elif calls is None:
        clean.pop("tool_calls", None)
    return clean


def _content(content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(
        isinstance(part, dict) and isinstance(part.get("text"), str) for part in content
    ):
        return "".join(part["text"] for part in content)
    return msgspec.json.encode(content).decode()


def _call(call: Any) -> Any:
    if not isinstance(call, dict) or not isinstance(call.get("function"), dict):
        return call
    arguments = call["function"].get("arguments")
    if arguments is None or isinstance(arguments, str):
        return call
    return {**call, "function": {**call["function"], "arguments": msgspec.json.encode(arguments).decode()}}
