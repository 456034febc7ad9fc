"""What models propose in a sample lake: fills, emails and text messages, right ones and wrong ones.

Here: tasks of each kind, and answers to them. Not here: who is asked and how it ends (`sessions.py`); whether an answer is
right say the validators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from lakehouse.errors import UsageError
from lakehouse.roster.demand import STYLES, Demand, demands_of, places_of
from lakehouse.sample.draw import Draw

Row = Mapping[str, Any]

KINDS: Final = ("fill", "email", "sms")
_STYLES: Final = tuple(STYLES)
_WRAPS: Final = ("{}", "```json\n{}\n```", "Here is my proposal:\n\n{}", "{}\n\nLet me know if that works.")
_PROSE: Final = (
    "I would need to see who is free that day before I can answer this.",
    "Sure! I can help with that. The best workers for this job are those with the most experience.",
    "The request is clear: find people nearby, check that they are free, and confirm by phone.",
    "{{worker}} and {{worker}} are a good match for this contract.",
)
_CLUSTERS: Final = 40


@dataclass(frozen=True)
class Task:
    """Something to propose. `right` is valid against the roster, each of `wrong` is not."""

    kind: str
    prompt: str
    right: Mapping[str, Any]
    wrong: Sequence[Mapping[str, Any]]

    def answer(self, sign: str, draw: Draw) -> str:
        """Give what a model writes: `+` the right thing, `-` a wrong one, `.` no JSON at all."""
        if sign == ".":
            return draw.one(_PROSE)
        payload = self.right if sign == "+" else draw.one(self.wrong)
        return draw.one(_WRAPS).replace("{}", orjson.dumps(payload).decode())


def tasks(kind: str, rows: Sequence[Row], draw: Draw, count: int) -> list[Task]:
    """Draw tasks that a roster can answer; all chance comes from `draw`."""
    free = [row for row in rows if row["available"] and not row["blacklisted"]]
    if kind == "fill":
        return _fills(rows, free, draw, count)
    make = {"email": _email, "sms": _sms}[kind]
    people = [draw.some(free, 2) for _ in range(count)]
    return [make(one, other, draw) for one, other in people]


def _fills(rows: Sequence[Row], free: Sequence[Row], draw: Draw, count: int) -> list[Task]:
    demands = demands_of(places_of(free), draw.whole(0, 10**6), clusters=_CLUSTERS)
    if not demands:
        raise UsageError(
            "the roster has no place with workers of two roles", where="workers", mend="write a bigger one"
        )
    number = 1000
    made = []
    for demand in (draw.one(demands) for _ in range(count)):
        number += draw.whole(1, 9)
        made.append(_fill(demand, f"C-{number}", rows, free, draw))
    return made


def _fill(demand: Demand, contract: str, rows: Sequence[Row], free: Sequence[Row], draw: Draw) -> Task:
    place = (demand.role, demand.city, demand.state)
    chosen = draw.some([row for row in free if _at(row) == place], demand.count)
    entries = [{"worker_id": row["id"], "name": row["name"]} for row in chosen]
    right = {
        "contract_id": contract,
        "role": demand.role,
        "city": demand.city,
        "state": demand.state,
        "start": demand.at,
        "count": demand.count,
        "fills": entries,
    }
    stranger = draw.one([row for row in free if _at(row) != place])
    barred = [row for row in rows if _at(row) == place and (row["blacklisted"] or row["available"] is False)]
    others = [
        {"worker_id": f"w-{len(rows) + draw.whole(1_000, 90_000)}", "name": draw.one(free)["name"]},
        {"worker_id": stranger["id"], "name": stranger["name"]},
        *({"worker_id": row["id"], "name": row["name"]} for row in barred[:1]),
    ]
    wrong = [right | {"fills": [*entries[:-1], other]} for other in others]
    wrong += [right | {"fills": entries[:-1]}, right | {"count": str(demand.count)}]
    return Task("fill", f"{STYLES[draw.one(_STYLES)](demand)}. Contract {contract}.", right, wrong)


def _at(row: Row) -> tuple[str, str, str]:
    return row["role"], row["city"], row["state"]


def _email(row: Row, other: Row, draw: Draw) -> Task:
    first = row["name"].split()[0]
    at = f"{draw.whole(5, 9):02d}:00"
    body = (
        f"Hi {first},\n\nyour shift as {row['role']} in {row['city']} begins at {at} tomorrow. Please bring your badge."
    )
    right = {"to": row["email"], "subject": f"Your shift in {row['city']}", "body": body, "worker_id": row["id"]}
    wrong = [
        right | {"to": other["email"]},
        right | {"body": body.replace(first, "[NAME]")},
        right | {"subject": ""},
        right | {"body": f"{body} Questions? Ask {other['name']} at {other['phone']}."},
    ]
    return Task("email", f"Write to {row['name']} ({row['id']}) about the shift tomorrow at {at}.", right, wrong)


def _sms(row: Row, other: Row, draw: Draw) -> Task:
    first = row["name"].split()[0]
    at = f"{draw.whole(5, 9):02d}:00"
    body = f"{first}, your {row['role']} shift in {row['city']} starts {at} tomorrow. Reply YES to confirm."
    right = {"to": row["phone"], "body": body, "worker_id": row["id"]}
    wrong = [
        right | {"to": other["phone"]},
        right | {"body": f"{body} {'Please be on time and bring your badge and boots. ' * 3}".strip()},
        right | {"body": body.replace(first, "{{first_name}}")},
    ]
    return Task("sms", f"Text {row['name']} ({row['id']}) about the shift tomorrow at {at}.", right, wrong)
