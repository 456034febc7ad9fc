"""A sample in the shapes that trainers take.

Here: pure functions from a sample to the objects of TRL's `messages` and `prompt`/`completion` files. Not here: files,
single messages (`lakehouse/messages.py`), pairs (`preference.py`).

Both are conversational, so that every line of a file has one type: loaders infer it from all lines. The context line
stands under the instruction, as Alpaca's `input` does. Source: TRL documentation, "Dataset formats and types".
"""

from __future__ import annotations

import msgspec

from lakehouse.messages import Message, until_answer
from lakehouse.records import SftSample


def chat(sample: SftSample) -> list[Message]:
    """Give the sample as a conversation that ends on an assistant message."""
    if sample.messages is not None:
        return until_answer(sample.messages)
    asked = f"{sample.instruction}\n\n{sample.context}" if sample.context else sample.instruction
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": sample.response}]


def messages_line(conversation: list[Message], tools: str | None = None) -> bytes:
    """Encode a conversation as a line of `sft_messages.jsonl`, with the tools that it had, as JSON text."""
    return msgspec.json.encode({"messages": conversation, **with_tools(tools)})


def prompt_completion_line(conversation: list[Message], tools: str | None = None) -> bytes:
    """Encode a conversation as a line of `sft_prompt_completion.jsonl`: the last message is the completion."""
    return msgspec.json.encode({"prompt": conversation[:-1], "completion": conversation[-1:], **with_tools(tools)})


def with_tools(tools: str | None) -> dict[str, str]:
    """Give the member of a line that holds the tools; none where there are none."""
    return {} if tools is None else {"tools": tools}
