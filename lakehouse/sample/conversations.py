"""Conversations of the staffing agent with its tools: the clean rows of `agent_runs`.

Here: who says what, and what the tools answer. Not here: the other streams (`rows.py`).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import orjson

from lakehouse.records import Category
from lakehouse.sample import sentences
from lakehouse.sample.draw import Draw
from lakehouse.sample.words import MODELS

TASKS: Final = 120
"""How many tasks there are; each is tried many times, so that good and bad answers to one question meet."""

_SYSTEM: Final = (
    "You are the staffing coordinator's agent. Use the tools and never promise a fill that is not booked.",
    "You answer questions on contracts and permits for a staffing company. Quote the clause that you rely on.",
)
_ASKED: Final = (
    "{client} in {city} needs {n} people ({trade} and {trade}) for {shift} on {weekday}. Who can we send?",
    "Can we still cover {work} for {client}? They ask for one {trade} with {certificate} from {weekday}.",
    "{worker} cannot make {shift} at {client} in {city}. Find one {trade} who can, at {rate} or less.",
    "What does {clause} mean for lot {lot} at {client}, and what should we quote for one {trade}?",
    "Check the bench in {city}: how many with {certificate} are free for {work} on {weekday}?",
)
_THEN: Final = (
    "Thanks. And what if {risk}?",
    "Good. Please also look at {shift}, with {n} people.",
    "{client} just called: they want {certificate} for everyone. Does that change it?",
    "Fine, but keep it under {rate} an hour.",
)
_ANSWER: Final = sentences.CONTRACT
_TOOLS: Final = (
    ("search_workers", ("trade", "city", "certificate")),
    ("read_contract", ("client", "clause", "lot")),
    ("check_permit", ("agency", "work", "city")),
    ("book_shift", ("worker", "client", "shift")),
    ("quote_rate", ("trade", "client", "rate")),
)
_VERDICTS: Final[dict[Category, tuple[dict[str, Any], ...]]] = {
    "accepted": ({"reward": 1.0}, {"reward": 1}, {"passed": True}, {"verdict": "accept"}),
    "partially_accepted": ({"reward": 0.5}, {"reward": 0.75}, {"verdict": "cycle"}),
    "needs_human_review": ({}, {"verdict": "escalate"}),
    "rejected": ({"reward": 0.0}, {"reward": 0.25}, {"passed": False}, {"verdict": "reject"}),
}


@lru_cache(maxsize=2 * TASKS)
def task(number: int) -> tuple[str, str]:
    """Give the system message and the question of a task: the same in every lake, so that tries can be compared.

    Clean rows use tasks below `TASKS`; traps that need one of their own take a higher number.
    """
    draw = Draw(f"task/{number}")
    return draw.one(_SYSTEM), draw.text(_ASKED, 1) + " " + draw.fill(
        "Background: {agency} was there on {weekday}, lot {lot}."
    )


def tool_call(draw: Draw, number: int) -> list[dict[str, Any]]:
    """Give an assistant message that calls a tool, its arguments as a JSON string, and the tool's answer."""
    name, holes = draw.one(_TOOLS)
    arguments = {hole: draw.fill(f"{{{hole}}}") for hole in holes}
    call_id = f"call_{number}_{draw.hexadecimal(12)}"
    found = [{"card": draw.fill("{worker}"), "note": draw.fill("{trade}, {certificate}, {n} miles")} for _ in range(2)]
    function = {"name": name, "arguments": orjson.dumps(arguments).decode()}
    return [
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": call_id, "type": "function", "function": function}],
        },
        {"role": "tool", "tool_call_id": call_id, "name": name, "content": orjson.dumps({"found": found}).decode()},
    ]


def messages(draw: Draw, number: int) -> list[dict[str, Any]]:
    """Give a conversation on a task: question, tool calls, answer, and often a second round."""
    system, asked = task(number)
    talk: list[dict[str, Any]] = [{"role": "system", "content": system}, {"role": "user", "content": asked}]
    for turn in range(draw.whole(1, 2)):
        if turn:
            talk.append({"role": "user", "content": draw.text(_THEN, 1)})
        for _ in range(draw.whole(1, 2)):
            talk += tool_call(draw, len(talk))
        talk.append({"role": "assistant", "content": draw.text(_ANSWER, draw.whole(3, 5))})
    return talk


def agent_run(draw: Draw, category: Category, key: str) -> dict[str, Any]:
    """Make a run of the staffing agent."""
    number = draw.whole(0, TASKS - 1)
    provider, _, model = draw.one(MODELS).partition("/")
    return {
        "run_id": f"run-{key}",
        "task_id": f"staffing:{number}",
        "model": model,
        "provider": provider,
        "messages": messages(draw, number),
        **draw.one(_VERDICTS[category]),
        "cost_usd": draw.number(0.0004, 0.06, 5),
        "latency_ms": draw.whole(1_800, 48_000),
        "prompt_tokens": draw.whole(700, 6_000),
        "completion_tokens": draw.whole(80, 900),
        "metadata": {"team": draw.one(("coordinators", "night desk", "contracts")), "tries": draw.whole(1, 3)},
    }
