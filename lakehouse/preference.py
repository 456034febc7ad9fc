"""Making preference pairs of runs: what a run was asked, what it answered, and two answers to the same prompt.

Here: pure functions. Not here: which runs are paired (`publish/pairs.py`), files (`publish/preference.py`).

A conversation is parted at the first assistant message after the first user message: what stands before is the prompt
(the system and first user message, a greeting before them), what follows up to the last assistant message the
completion. Trainers generate after the prompt, so a completion always begins with an assistant message.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

from lakehouse.canonical import canonical, content_id
from lakehouse.messages import Message, until_answer, until_text
from lakehouse.records import Category, EvidenceRecord, PreferencePair
from lakehouse.sft import Content, tools_of

IN_WORDS: dict[Category, str] = {
    "accepted": "accepted",
    "partially_accepted": "partially accepted",
    "rejected": "rejected",
}
"""The verdicts that may be compared, as a reason says them."""


class Turns(NamedTuple):
    """A run as a prompt and its completion, in the shape of trainers; both non-empty, the completion has text."""

    prompt: list[Message]
    completion: list[Message]
    tools: str | None

    @property
    def answer(self) -> list[Message]:
        """The completion up to its last assistant message that has text: one side of a pair."""
        return until_text(self.completion)


class Ids(NamedTuple):
    """Digests of 64 bits (signed) by which runs are compared without reading their texts.

    `prompt` covers the tools too: with other tools another text stands before the answer. `response` is that of `Turns.answer`.
    """

    prompt: int
    response: int


def turns(evidence: EvidenceRecord, content: Content) -> Turns | None:
    """Part a run into prompt and completion; `None` where there is nothing to ask, to answer, or not text alone."""
    if not content.instructable or not content.text_only:
        return None
    tools = tools_of(evidence)
    if content.messages is None:
        return Turns([_message("user", content.instruction)], [_message("assistant", content.response)], tools)
    messages = until_answer(content.messages)
    start = _start(messages)
    found = Turns(messages[:start], messages[start:], tools)
    return found if found.answer else None


def ids(evidence: EvidenceRecord, content: Content) -> Ids | None:
    """Give the digests of a run's turns; `None` where it has none."""
    if content.messages is None and content.instructable:
        # Most runs are a question and an answer: the same digests without the messages.
        tools = tools_of(evidence)
        prompt = _plain("user", content.instruction)
        return Ids(_digest(f"{prompt}{tools or ''}"), _digest(_plain("assistant", content.response)))
    found = turns(evidence, content)
    return None if found is None else ids_of(found)


def ids_of(found: Turns) -> Ids:
    """Give the digests of turns."""
    prompt = "".join(map(_said, found.prompt))
    return Ids(_digest(f"{prompt}{found.tools or ''}"), _digest("".join(map(_said, found.answer))))


def step_rewards(evidence: EvidenceRecord) -> list[float] | None:
    """Give the rewards of a run's assistant messages, in their order, from `step_rewards` or `turn_rewards` of its metadata.

    Each is a number from 0 to 1 or a boolean, one for every assistant message; `None` where they are not.
    """
    metadata = evidence.metadata or {}
    rewards = metadata.get("step_rewards", metadata.get("turn_rewards"))
    answers = sum(message.get("role") == "assistant" for message in evidence.messages or ())
    if not isinstance(rewards, list) or not rewards or len(rewards) != answers:
        return None
    good = all(isinstance(reward, bool | int | float) and 0 <= reward <= 1 for reward in rewards)
    return [float(reward) for reward in rewards] if good else None


def steps(found: Turns, rewards: Sequence[float]) -> tuple[str, list[str], list[bool]] | None:
    """Give prompt, steps and labels as TRL's stepwise supervision takes them: text alone, a label for each step.

    `None` where the rewards are not one for each step: the answer stood beside the messages.

    A step is an assistant message, its tool calls written under its text, after what users and tools said since the last
    step. A step is good from a reward of 0.5 on. Source: TRL documentation, "Stepwise supervision".
    """
    texts: list[str] = []
    between: list[str] = []
    for message in found.completion:
        between.append(_step_text(message))
        if message.get("role") == "assistant":
            texts.append("\n\n".join(part for part in between if part))
            between = []
    before = sum(message.get("role") == "assistant" for message in found.prompt)
    labels = [reward >= 0.5 for reward in rewards[before:]]
    if len(labels) != len(texts):
        return None
    return "\n\n".join(part for part in map(_step_text, found.prompt) if part), texts, labels


def shared(one: Sequence[Message], other: Sequence[Message]) -> int:
    """Say how many messages two answers share before they part, such that both go on with an assistant message.

    Where they part at a user or tool message it goes back to the last assistant message before: trainers generate after
    the prompt, and nobody trains on what a user said.
    """
    best = 0
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left.get("role") == right.get("role") == "assistant":
            best = place
        if canonical(left) != canonical(right):
            break
    return best


def pair(
    better: tuple[EvidenceRecord, Turns],
    worse: tuple[EvidenceRecord, Turns],
    categories: tuple[Category, Category],
    created_at: str,
) -> PreferencePair | None:
    """Make the pair of two runs; `None` where their prompts differ or their answers do not."""
    chosen, rejected = better[1].answer, worse[1].answer
    asked = [[canonical(found.prompt), found.tools] for _, found in (better, worse)]
    if asked[0] != asked[1] or canonical(chosen) == canonical(rejected):
        return None
    same = shared(chosen, rejected)
    prompt = [*better[1].prompt, *chosen[:same]]
    chosen, rejected = chosen[same:], rejected[same:]
    high, low = categories
    return PreferencePair(
        schema_version=1,
        id=content_id("pref", {"prompt": prompt, "chosen": chosen, "rejected": rejected}),
        prompt=prompt,
        chosen=chosen,
        rejected=rejected,
        tools=better[1].tools,
        reason=f"the chosen run was {IN_WORDS[high]}, the other {IN_WORDS[low]}",
        chosen_run_id=better[0].run_id,
        rejected_run_id=worse[0].run_id,
        task_id=better[0].task_id,
        chosen_category=high,
        rejected_category=low,
        created_at=created_at,
        provenance_chosen=better[0].provenance,
        provenance_rejected=worse[0].provenance,
    )


def _start(messages: list[Message]) -> int:
    asked = False
    for place, message in enumerate(messages):
        role = message.get("role")
        if asked and role == "assistant":
            return place
        asked = asked or role == "user"
    return len(messages)


def _message(role: str, content: str) -> Message:
    return {"role": role, "content": content}


def _said(message: Message) -> str:
    if message.keys() == {"role", "content"}:
        return _plain(message["role"], message["content"])
    return canonical(message).decode()


def _plain(role: str, content: str) -> str:
    # With its length, so that no content can look like two messages.
    return f"{role}\0{len(content)}\0{content}"


def _digest(text: str) -> int:
    return int.from_bytes(sha256(text.encode()).digest()[:8], "little", signed=True)


def _step_text(message: Message) -> str:
    calls = message.get("tool_calls")
    parts = [message["content"], *(canonical(call).decode() for call in (calls if isinstance(calls, list) else ()))]
    return "\n".join(part for part in parts if part)
