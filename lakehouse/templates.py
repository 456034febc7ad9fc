"""The instruction templates: from evidence to the question that its text answers.

Here: one pure function per template behind one registry. Not here: the rest of a sample (`sft.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from lakehouse.records import EvidenceRecord
from lakehouse.streams.shaping import message_text

Template = Callable[[EvidenceRecord, str], str]
"""From evidence and the stem of its source to the instruction; empty where nothing can be asked."""


def _meta(evidence: EvidenceRecord, key: str) -> str:
    value = (evidence.metadata or {}).get(key)
    return "" if value is None else str(value)


def _file(evidence: EvidenceRecord) -> str:
    return evidence.source_files[0] if evidence.source_files else ""


def _contract(evidence: EvidenceRecord, _: str) -> str:
    permit = evidence.task_id.removeprefix("permit:")
    contractor = _meta(evidence, "contractor")
    return f"Analyze contractor '{contractor}' for permit '{permit}'." if contractor else f"Analyze permit '{permit}'."


def _outcome(evidence: EvidenceRecord, _: str) -> str:
    scenario = _meta(evidence, "scenario")
    return (
        f"Run scenario '{scenario}'; report per-event outcome."
        if scenario
        else "Run scenario; report per-event outcome."
    )


def _agent_run(evidence: EvidenceRecord, _: str) -> str:
    for message in evidence.messages or ():
        if message.get("role") == "user":
            return message_text(message)
    return _meta(evidence, "prompt")


TEMPLATES: dict[str, Template] = {
    "scrum_reviews": lambda evidence, _: (
        f"Review the file '{_file(evidence)}' against the PRD. "
        "Report what is verified, what is missing and what must change."
    ),
    "mode_experiments": lambda evidence, _: (
        f"Run task_class='{evidence.task_class}' for file '{_file(evidence)}' in mode '{_meta(evidence, 'mode')}'."
    ),
    "auto_apply": lambda evidence, _: (
        f"Auto-apply: emit a 6-line surgical patch for '{_file(evidence)}' that keeps the build green."
    ),
    "audits": lambda evidence, _: (
        f"Audit phase '{evidence.task_id.removeprefix('phase:')}'. State the verdict and the findings behind it."
    ),
    "observer_reviews": lambda evidence, _: (
        f"Observer-review the latest attempt on '{_file(evidence)}'. Say accept, cycle or reject, and why."
    ),
    "contract_analyses": _contract,
    "outcomes": _outcome,
    "agent_runs": _agent_run,
    "default": lambda _, stem: f"Source '{stem}' run; produce the appropriate output.",
}
