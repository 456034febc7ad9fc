"""Making a training sample of an accepted run: the instruction, the context line, the conversation.

Here: pure synthesis. Not here: the instruction's templates (`templates.py`), whether a run may become a sample
(`firewall.py`) and writing files (`chain/sft.py`, `publish/`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from lakehouse.canonical import content_id, text_id
from lakehouse.firewall import admit
from lakehouse.messages import clean
from lakehouse.records import EvidenceRecord, ScoredRun, SftSample
from lakehouse.streams import Stream
from lakehouse.streams.shaping import last_answer
from lakehouse.templates import TEMPLATES


def context(evidence: EvidenceRecord) -> str:
    """Give the context line: the parts that exist of matrix, pathway and model."""
    parts: list[str] = []
    retrieved = evidence.retrieved_context
    if retrieved is not None:
        if retrieved.corpora:
            parts.append(f"matrix: {', '.join(retrieved.corpora)}")
        if retrieved.pathway_fingerprints:
            parts.append(f"pathway: {', '.join(retrieved.pathway_fingerprints)}")
    if evidence.model_name:
        parts.append(f"model: {evidence.model_name}")
    return " · ".join(parts)


def conversation(evidence: EvidenceRecord) -> list[dict[str, Any]] | None:
    """Give the run's messages cut after the last assistant message; `None` where there is nothing to answer with.

    Where the answer stands beside the messages and not in them, it is added as the last one.
    """
    messages = evidence.messages or []
    if evidence.text.strip() and last_answer(messages) != evidence.text:
        return [*messages, {"role": "assistant", "content": evidence.text}]
    for end in range(len(messages), 0, -1):
        if messages[end - 1].get("role") == "assistant":
            return messages[:end]
    return None


def _is_text(content: Any) -> bool:
    if isinstance(content, list):
        return all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in content)
    return content is None or isinstance(content, str)


def tools_of(evidence: EvidenceRecord) -> str | None:
    """Give the JSON text of the run's list of tool schemas; `None` where its metadata holds no such text."""
    text = evidence.metadata and evidence.metadata.get("tools")
    if not isinstance(text, str):
        return None
    try:
        tools = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return text if isinstance(tools, list) and tools else None


class Content:
    """What a sample teaches, before anyone asks whether it may: its instruction, context, response, messages and id.

    `text_only` says whether every message is text: images and sounds cannot be said in a sample, and are not left out.
    """

    __slots__ = ("_id", "context", "instruction", "messages", "response", "text_only")

    def __init__(self, evidence: EvidenceRecord, stream: Stream) -> None:
        self.instruction = TEMPLATES[stream.template](evidence, stream.name)
        self.context = context(evidence)
        self.response = evidence.text
        said = conversation(evidence) if evidence.messages else None
        self.text_only = all(_is_text(message.get("content")) for message in said or ())
        self.messages = None if said is None else [clean(message) for message in said]
        self._id = ""

    @property
    def id(self) -> str:
        """The id of the sample, made from all of it."""
        if not self._id:
            texts = {"instruction": self.instruction, "context": self.context, "response": self.response}
            if self.messages is None:
                self._id = text_id("sft", texts)
            else:
                self._id = content_id("sft", {**texts, "messages": self.messages})
        return self._id

    @property
    def instructable(self) -> bool:
        """Whether there is something to ask and something to answer."""
        return bool(self.instruction.strip() and self.response.strip())


def synthesize(
    evidence: EvidenceRecord,
    scored: ScoredRun,
    stream: Stream,
    created_at: str,
    *,
    include_partial: bool = False,
    content: Content | None = None,
) -> SftSample | None:
    """Make the sample of a run; `None` where it is not instructable (no text, nothing to ask, not text alone).

    Raises `SftContamination` when asked to make one of a run that must not be trained on: the firewall's first place.
    """
    quality = admit(scored, evidence.source_class, include_partial)
    content = content or Content(evidence, stream)
    if not content.instructable or not content.text_only:
        return None
    return SftSample(
        schema_version=1,
        id=content.id,
        instruction=content.instruction,
        context=content.context,
        response=content.response,
        messages=content.messages,
        tools=tools_of(evidence),
        category=scored.category,
        quality_score=quality,
        source_run_id=evidence.run_id,
        task_id=evidence.task_id,
        created_at=created_at,
        provenance=evidence.provenance,
    )
