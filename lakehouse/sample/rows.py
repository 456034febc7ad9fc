"""One maker of rows per stream, behind one registry.

Here: what a clean row of each stream looks like, given the verdict that its scorer shall reach. Not here: when it
happened and in which order rows stand (`__init__.py`), conversations (`conversations.py`), extractions
(`distilled.py`), planted traps. To add a
stream, write a function from chance, category and key to a row and list it in `MAKERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from lakehouse.records import Category
from lakehouse.sample import sentences
from lakehouse.sample.conversations import agent_run
from lakehouse.sample.distilled import audit_fact, distilled_config_hint, distilled_fact, distilled_procedure
from lakehouse.sample.draw import Draw
from lakehouse.sample.words import FILES, MODELS, WORDS

Make = Callable[[Draw, Category, str], dict[str, Any]]
"""Makes a row without its timestamp; `key` is unique in the lake and becomes its id where the stream has one."""

ALL: Final[tuple[Category, ...]] = ("accepted", "partially_accepted", "needs_human_review", "rejected")
_VERDICTS: Final[dict[Category, tuple[str, ...]]] = {
    "accepted": ("accept", "accept", "approve", "pass"),
    "partially_accepted": ("cycle", "revise"),
    "needs_human_review": ("human_review", "escalate"),
    "rejected": ("reject", "fail"),
}
_PHASES: Final = tuple(f"{number}{part}" for number in range(9, 46) for part in ("", ".1", ".2"))
_PERMITS: Final = tuple(f"BLD-{2000 + 7 * number}" for number in range(160))
_CONTRACTORS: Final = ("Halvorsen Build", "Twin Rivers Mechanical", "Ostrander Roofing", "Pike & Sons", "Delta Rigging")


@dataclass(frozen=True)
class Maker:
    """How a stream's rows are made: its share of a hundred rows, its timestamp key, and the verdicts it can get."""

    stream: str
    share: int
    make: Make
    stamp: str = "ts"
    can: tuple[Category, ...] = ALL


def _usage(draw: Draw) -> dict[str, Any]:
    return {
        "latency_ms": draw.whole(900, 42_000),
        "prompt_tokens": draw.whole(700, 9_000),
        "completion_tokens": draw.whole(90, 1_400),
    }


def _texts(draw: Draw, pool: tuple[str, ...], low: int, high: int) -> str | list[str]:
    """Give a text, or in a quarter of the cases its sentences as a list."""
    count = draw.whole(low, high)
    text = draw.text(pool, count, "\n")
    return text.split("\n") if draw.chance(0.25) else text.replace("\n", " ")


def scrum_review(draw: Draw, category: Category, key: str) -> dict[str, Any]:
    """Make a review of a file against the product spec."""
    attempt: int | None = None
    if category == "accepted":
        attempt = made = 1
    elif category == "partially_accepted":
        attempt = made = draw.whole(2, 3)
    elif category == "rejected":
        made = draw.whole(3, 6)
    elif draw.chance(0.5):
        attempt = made = draw.whole(4, 6)
    else:
        made = draw.whole(1, 2)
    return {
        "file": draw.one(FILES),
        "model": draw.one(MODELS),
        **({} if attempt is None else {"accepted_on_attempt": attempt}),
        "attempts_made": made,
        "suggestions": _texts(draw, sentences.REVIEW, 7, 12),
        "confidence_avg": draw.number(0.55, 0.98),
        **_usage(draw),
        "review_key": key,
    }


def observer_review(draw: Draw, category: Category, key: str) -> dict[str, Any]:
    """Make a second model's verdict on an attempt."""
    unsure = category == "partially_accepted" and draw.chance(0.3)
    return {
        "file": draw.one(FILES),
        "model": draw.one(MODELS),
        "attempt": draw.whole(1, 4),
        "verdict": "accept" if unsure else draw.one(_VERDICTS[category]),
        "confidence": draw.number(0.2, 0.48) if unsure else draw.number(0.55, 0.99),
        "notes": _texts(draw, sentences.OBSERVER, 6, 10),
        "observed": key,
    }


def audit(draw: Draw, category: Category, key: str) -> dict[str, Any]:
    """Make a phase audit in the legacy form, the newer one, or (for a person to look at) neither."""
    overall = {"accepted": "approve", "partially_accepted": "request_changes", "rejected": "block"}
    severity = {
        "accepted": ("none", "info", "low"),
        "partially_accepted": ("medium",),
        "rejected": ("high", "critical", "blocker"),
    }
    said: dict[str, str] = {}
    if category != "needs_human_review":
        legacy = draw.chance(0.4)
        said = {"overall": overall[category]} if legacy else {"severity": draw.one(severity[category])}
    return {
        "phase": draw.one(_PHASES),
        **said,
        "findings": [draw.fill(sentence) for sentence in draw.some(sentences.FINDING, draw.whole(2, 5))],
        "reasoning": draw.text(sentences.REASONING, draw.whole(4, 8)),
        "head_sha": draw.hexadecimal(40),
        "audit_id": key,
    }


def contract_analysis(draw: Draw, category: Category, key: str) -> dict[str, Any]:
    """Make the analysis of a permit or contract with its observer's verdict."""
    hits = [
        {"corpus": corpus, "id": f"{corpus}:{draw.whole(10, 9_000)}", "score": draw.number(0.4, 0.95, 3)}
        for corpus in draw.some(WORDS["corpus"], draw.whole(1, 3))
    ]
    return {
        "permit_id": draw.one(_PERMITS),
        **({"contractor": draw.one(_CONTRACTORS)} if draw.chance(0.85) else {}),
        "analysis": draw.text(sentences.CONTRACT, draw.whole(7, 11)),
        "observer_verdict": draw.one(_VERDICTS[category]),
        "observer_conf": draw.number(0.55, 0.99),
        "matrix_hits": hits,
        "cost_usd": draw.number(0.0008, 0.09, 4),
        "duration_ms": draw.whole(1_200, 55_000),
        "model": draw.one(MODELS),
        "analysis_id": key,
    }


def observer_escalation(draw: Draw, category: Category, key: str) -> dict[str, Any]:
    """Make the explanation of a cluster of failures."""
    resolved = {"accepted": True, "partially_accepted": False}.get(category)
    return {
        "cluster_id": f"cl-{key}",
        "cluster_size": draw.whole(3, 60),
        "analysis": draw.text(sentences.CLUSTER, draw.whole(5, 8)),
        "recommended": _texts(draw, sentences.ADVICE, 2, 4),
        **({} if resolved is None else {"resolved": resolved}),
        "model": draw.one(MODELS),
    }


def auto_apply(draw: Draw, category: Category, key: str) -> dict[str, Any]:
    """Make a patch that was tried automatically."""
    action = {
        "accepted": "committed",
        "partially_accepted": draw.one(("dry_run", "partial")),
        "needs_human_review": draw.one(("no_patches", "all_rejected")),
        "rejected": draw.one(("build_red_reverted", "warnings_reverted", "tests_reverted")),
    }[category]
    file = draw.one(FILES)
    lines = (sentences.KEPT, sentences.REMOVED, sentences.KEPT, sentences.ADDED, sentences.ADDED, sentences.KEPT)
    head = f"--- a/{file}\n+++ b/{file}\n@@ -{draw.whole(11, 900)},5 +{draw.whole(11, 900)},6 @@ fn {draw.fill('{function}')}"
    patch = "\n".join([head, *(draw.fill(draw.one(pool)) for pool in lines)])
    build = {"committed": True, "build_red_reverted": False}.get(action)
    return {
        "file": file,
        "action": action,
        **({"patch": patch} if action not in ("no_patches", "all_rejected") else {}),
        "patches_applied": draw.whole(1, 3) if action in ("committed", "partial") else 0,
        **({} if build is None else {"build_green": build}),
        "model": draw.one(MODELS),
        "log_tail": [draw.fill(sentence) for sentence in draw.some(sentences.FINDING, 3)],
        "apply_id": key,
    }


def outcome(draw: Draw, category: Category, key: str) -> dict[str, Any]:
    """Make a scenario run: fills and what followed them, event by event."""
    total = draw.whole(5, 11) if category != "needs_human_review" else 0
    failed = {
        "accepted": 0,
        "partially_accepted": draw.whole(1, max(1, total // 2)),
        "needs_human_review": 0,
        "rejected": draw.whole(total // 2 + 1, total),
    }[category]
    city, client = draw.one(WORDS["city"]), draw.one(WORDS["client"])
    bad = set(draw.some(range(total), failed))
    events = [
        {
            "name": draw.fill(f"{{event}} {{n}} x {{trade}} for {client}, {{shift}}, lot {{lot}}"),
            "ok": position not in bad,
            "elapsed_ms": draw.whole(40, 2_400),
        }
        for position in range(total)
    ]
    return {
        "run_id": f"scenario-{key}",
        "scenario": f"{city.lower().replace(' ', '-')}-{draw.one(WORDS['weekday']).lower()}-{draw.whole(10, 99)}",
        "events": events,
        "model": draw.one(MODELS),
        "elapsed_ms": draw.whole(2_000, 90_000),
    }


def mode_experiment(draw: Draw, category: Category, key: str) -> dict[str, Any]:
    """Make one mode of prompting tried on a file."""
    slow = category == "partially_accepted" and draw.chance(0.5)
    nothing = category == "partially_accepted" and not slow
    ok = {"rejected": False, "needs_human_review": None}.get(category, True)
    mode = draw.one(WORDS["mode"])
    return {
        "task_class": draw.one(("code_review", "doc_drift", "refactor_plan", "test_plan", "security_scan")),
        "mode": mode,
        "model": draw.one(MODELS),
        "file": draw.one(FILES),
        "response": draw.text(sentences.REVIEW + sentences.REASONING, draw.whole(7, 12)),
        **({} if ok is None else {"ok": ok}),
        "latency_ms": draw.whole(61_000, 140_000) if slow else draw.whole(1_500, 58_000),
        "sources": {
            "corpora": draw.some(WORDS["corpus"], draw.whole(1, 3)),
            "chunks_kept": 0 if nothing else draw.whole(1, 12),
            "chunks_dropped": draw.whole(0, 30),
            **({"downgraded_from": "matrix_full"} if draw.chance(0.1) and mode != "matrix_full" else {}),
        },
        "experiment": key,
    }


MAKERS: Final[dict[str, Maker]] = {
    maker.stream: maker
    for maker in (
        Maker("scrum_reviews", 14, scrum_review, stamp="reviewed_at"),
        Maker("observer_reviews", 12, observer_review),
        Maker("audits", 8, audit),
        Maker("contract_analyses", 10, contract_analysis),
        Maker("observer_escalations", 4, observer_escalation, can=ALL[:3]),
        Maker("auto_apply", 9, auto_apply),
        Maker("outcomes", 8, outcome),
        Maker("mode_experiments", 9, mode_experiment),
        Maker("distilled_facts", 5, distilled_fact),
        Maker("distilled_procedures", 4, distilled_procedure),
        Maker("distilled_config_hints", 4, distilled_config_hint),
        Maker("audit_facts", 4, audit_fact, can=("partially_accepted", "rejected")),
        Maker("agent_runs", 9, agent_run),
    )
}
