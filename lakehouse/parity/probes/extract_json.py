"""Probe `extract_json`: which object of a free text is the answer.

Input `{text}`, answer `{matched, value}`; `value` is null or absent where nothing matched.
"""

from __future__ import annotations

from typing import Any

from lakehouse.extract_json import extract_json
from lakehouse.parity.probe import Fixture, Probe, load_fixtures


def ours(question: Any) -> Any:
    """Answer with our own function."""
    matched, value = extract_json(question["text"])
    return {"matched": matched, "value": value}


def fault(fixture: Fixture, answer: Any) -> str | None:
    """Say what is wrong with an answer: its shape, or that it found nothing where there is something."""
    if not isinstance(answer, dict) or not isinstance(answer.get("matched"), bool):
        return "the answer has no boolean `matched`"
    if answer["matched"] != isinstance(answer.get("value"), dict):
        return "the answer has a match without an object, or an object without a match"
    if fixture.expected["matched"] and not answer["matched"]:
        return "nothing was found where there is an object"
    return None


def normalise(answer: Any) -> Any:
    """Let an absent value and null be the same."""
    return {"matched": answer["matched"], "value": answer.get("value")}


EXTRACT_JSON = Probe(
    name="extract_json",
    description="The first JSON object in what a model wrote, fenced blocks first: whether there is one, and its value.",
    fixtures=load_fixtures("extract_json"),
    ours=ours,
    fault=fault,
    normalise=normalise,
)
