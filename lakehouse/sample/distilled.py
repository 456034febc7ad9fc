"""What models extracted from other runs: the clean rows of the four extraction streams.

Here: facts, procedures, settings and audit facts. Not here: the other streams (`rows.py`).
"""

from __future__ import annotations

from typing import Any

from lakehouse.records import Category
from lakehouse.sample import sentences
from lakehouse.sample.draw import Draw
from lakehouse.sample.words import MODELS, WORDS


def _distilled(draw: Draw, category: Category, key: str) -> dict[str, Any]:
    confidence = {
        "accepted": draw.number(0.81, 0.98),
        "partially_accepted": draw.number(0.51, 0.78),
        "needs_human_review": None,
        "rejected": draw.number(0.08, 0.48),
    }[category]
    return {
        "source_run_id": f"run-{key}",
        "extractor": draw.one(MODELS).partition("/")[2],
        **({} if confidence is None else {"confidence": confidence}),
        "category": draw.one(("code", "staffing", "contracts", "operations")),
    }


def distilled_fact(draw: Draw, category: Category, key: str) -> dict[str, Any]:
    """Make facts distilled from a run."""
    return {"text": draw.text(sentences.FACT, draw.whole(4, 7)), **_distilled(draw, category, key)}


def distilled_procedure(draw: Draw, category: Category, key: str) -> dict[str, Any]:
    """Make a procedure distilled from a run."""
    steps = [draw.fill(sentence) for sentence in draw.some(sentences.STEP, draw.whole(5, 9))]
    return {"text": draw.text(sentences.FACT, 2), "steps": steps, **_distilled(draw, category, key)}


def distilled_config_hint(draw: Draw, category: Category, key: str) -> dict[str, Any]:
    """Make a setting that helped a run."""
    value = draw.one((draw.whole(2, 400), draw.number(0.1, 0.9), True, draw.one(WORDS["mode"])))
    return {
        "text": draw.text(sentences.FACT, draw.whole(3, 5)),
        "key": draw.one(WORDS["setting"]),
        "value": value,
        **_distilled(draw, category, key),
    }


def audit_fact(draw: Draw, category: Category, key: str) -> dict[str, Any]:
    """Make the facts found while auditing a commit; a rejected one found none."""
    entities = [{"kind": "type", "name": name} for name in draw.some(WORDS["type"], draw.whole(2, 5))]
    count = 0 if category == "rejected" else draw.whole(4, 8)
    return {
        "facts": [draw.fill(sentence) for sentence in draw.some(sentences.FACT + sentences.FINDING, count)],
        "entities": entities,
        "relationships": [
            {"from": entities[0]["name"], "to": entities[-1]["name"], "kind": draw.one(("uses", "owns"))}
        ],
        "head_sha": draw.hexadecimal(40),
        "pr": draw.whole(100, 999),
        "extractor": draw.one(MODELS).partition("/")[2],
        "audit_id": key,
    }
