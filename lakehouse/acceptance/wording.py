"""What a sample must ask, worked out once more from the raw row by the wording of the specification (02, "SFT synthesis").

Here: instruction and context line from a row's own fields, without evidence, streams or templates of the chain. Not
here: the templates that the chain uses (`lakehouse/templates.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Row = dict[str, Any]


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _asked(row: Row) -> str:
    for message in row.get("messages") or []:
        if message.get("role") == "user":
            content = message.get("content")
            if isinstance(content, list):
                return "".join(part["text"] for part in content if isinstance(part, dict) and "text" in part)
            return content if isinstance(content, str) else ""
    prompt = row.get("prompt")
    return "\n".join(prompt) if isinstance(prompt, list) else _text(prompt)


def _permit(row: Row) -> str:
    named = f"contractor '{row['contractor']}' for " if row.get("contractor") else ""
    return f"Analyze {named}permit '{_text(row.get('permit_id'))}'."


def _scenario(row: Row) -> str:
    named = f" '{row['scenario']}'" if row.get("scenario") else ""
    return f"Run scenario{named}; report per-event outcome."


WORDING: dict[str, Callable[[Row], str]] = {
    "scrum_reviews": lambda row: (
        "Review the file '" + _text(row.get("file")) + "' against the PRD. Report what is verified, what is missing "
        "and what must change."
    ),
    "mode_experiments": lambda row: (
        "Run task_class='" + _text(row.get("task_class")) + "' for file '" + _text(row.get("file")) + "' in mode '"
        "" + _text(row.get("mode")) + "'."
    ),
    "auto_apply": lambda row: (
        "Auto-apply: emit a 6-line surgical patch for '" + _text(row.get("file")) + "' that keeps the build green."
    ),
    "audits": lambda row: (
        "Audit phase '" + _text(row.get("phase")) + "'. State the verdict and the findings behind it."
    ),
    "observer_reviews": lambda row: (
        "Observer-review the latest attempt on '" + _text(row.get("file")) + "'. Say accept, cycle or reject, and why."
    ),
    "contract_analyses": _permit,
    "outcomes": _scenario,
    "agent_runs": _asked,
}


def instruction(stream: str, row: Row) -> str:
    """Give the instruction of a row of a built-in stream, or of any other that has no template of its own."""
    known = WORDING.get(stream)
    return known(row) if known else f"Source '{stream}' run; produce the appropriate output."


def context(row: Row) -> str:
    """Give the context line of a row of a built-in stream: the parts that exist of matrix, pathway and model."""
    sources = row.get("sources") if isinstance(row.get("sources"), dict) else None
    parts = []
    if sources and sources.get("corpora"):
        parts.append("matrix: " + ", ".join(sources["corpora"]))
    if sources and sources.get("pathway_fingerprints"):
        parts.append("pathway: " + ", ".join(sources["pathway_fingerprints"]))
    model = row.get("model")
    if model is not None and row.get("provider") is None and "/" in model:
        model = model.split("/", 1)[1]
    if model:
        parts.append(f"model: {model}")
    return " · ".join(parts)
