"""The validator of fills: workers proposed for a contract.

`{contract_id, role, city, state, start, count, fills: [{worker_id, name?, role?, city?, state?, reason?, score?}]}`.
Here: its rules, stage by stage. A stage looks only where those before it found nothing, and lists all that it finds. Not
here: the roster (`roster.py`). An id that the roster does not hold, exactly as written, is always an error.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, Final

from lakehouse.records import ValidationError
from lakehouse.roster.roles import role_key
from lakehouse.validators.roster import Worker, Workers
from lakehouse.validators.shape import Field, Shape, a_list, number, positive, short_text, shown, text
from lakehouse.validators.text import has_ssn
from lakehouse.validators.wire import completeness, consistency, policy

_TEXTS: Final = ("contract_id", "role", "city", "state", "start")
_PERSONAL: Final = ("name", "role", "city", "state")
_TEXTS_OF_ONE: Final = (*_PERSONAL, "reason")
_SSN: Final = "holds a social security number"

FILL: Final = Shape(
    "a fill",
    [
        *(Field(name, short_text) for name in _TEXTS),
        Field("count", positive),
        Field("fills", a_list),
    ],
)
ONE: Final = Shape(
    "an entry of fills",
    [
        Field("worker_id", short_text),
        *(Field(name, short_text, required=False) for name in _PERSONAL),
        Field("reason", text, required=False),
        Field("score", number, required=False),
    ],
)
# Ids that are repeated in an error though nobody has them; any other may hold whatever a model wrote.
_PLAIN_ID: Final = re.compile(r"[A-Za-z]{1,3}-[0-9]{1,9}")


def validate_fill(payload: Any, roster: Workers) -> list[ValidationError]:
    """Hold a proposal against the roster: Schema, then Completeness, Consistency and Policy."""
    errors = list(_schema(payload))
    if errors:
        return errors
    fills = payload["fills"]
    if len(fills) != payload["count"]:
        return [completeness(f"the number of fills is {len(fills)}, {payload['count']} were asked for")]
    return list(_consistency(payload, fills, roster)) or list(_policy(payload, fills, roster))


def is_grounded(payload: Any, roster: Workers) -> bool:
    """Say whether a payload is a fill whose every worker is in the roster, and which names one at least."""
    fills = payload.get("fills") if isinstance(payload, dict) else None
    if not isinstance(fills, list) or not fills:
        return False
    return all(isinstance(one, dict) and one.get("worker_id") in roster for one in fills)


def no_such_worker(place: str, worker_id: str, roster: Workers) -> ValidationError:
    """Say that nobody has an id, and where there is no roster at all, that too."""
    who = f"{place} ({worker_id})" if _PLAIN_ID.fullmatch(worker_id) else place
    why = "" if len(roster) else ", for there is no roster"
    return consistency(f"{who}: the roster has no such worker{why}")


def _schema(payload: Any) -> Iterator[ValidationError]:
    yield from FILL.errors(payload)
    fills = payload.get("fills") if type(payload) is dict else None
    if type(fills) is list:
        for place, one in enumerate(fills):
            yield from ONE.errors(one, f"fills[{place}]")


def _consistency(payload: Mapping[str, Any], fills: list[Any], roster: Workers) -> Iterator[ValidationError]:
    first_at: dict[str, int] = {}
    for place, one in enumerate(fills):
        worker_id = one["worker_id"]
        worker = roster.get(worker_id)
        if worker is None:
            yield no_such_worker(f"fills[{place}]", worker_id, roster)
            continue
        who = f"fills[{place}] ({worker_id})"
        if worker_id in first_at:
            yield consistency(f"{who}: is in fills[{first_at[worker_id]}] already")
            continue
        first_at[worker_id] = place
        for fault in _faults(payload, one, worker):
            yield consistency(f"{who}: {fault}")


def _faults(payload: Mapping[str, Any], one: Mapping[str, Any], worker: Worker) -> Iterator[str]:
    if not worker.role:
        yield "the roster names no role"
    elif not _role_fits(payload["role"], worker.role):
        yield f"the role in the roster is {shown(worker.role)}, another was asked for"
    if not worker.city or not worker.state:
        yield "the roster names no city and state"
    elif not _same(payload["city"], worker.city) or not _same(payload["state"], worker.state):
        yield f"the place in the roster is {shown(worker.city)}, {shown(worker.state)}, another was asked for"
    if one.get("name") is not None and not _same(one["name"], worker.name):
        yield "the name is not the one in the roster"
    if one.get("role") is not None and not _role_fits(one["role"], worker.role):
        yield "the role is not the one in the roster"
    for name, held in (("city", worker.city), ("state", worker.state)):
        if one.get(name) is not None and not _same(one[name], held):
            yield f"the {name} is not the one in the roster"


def _policy(payload: Mapping[str, Any], fills: list[Any], roster: Workers) -> Iterator[ValidationError]:
    yield from (policy(f"the {name} {_SSN}") for name in _TEXTS if has_ssn(payload[name]))
    for place, one in enumerate(fills):
        worker = roster.get(one["worker_id"])
        assert worker is not None
        who = f"fills[{place}] ({worker.id})"
        if worker.blacklisted:
            yield policy(f"{who}: is blacklisted")
        if worker.available is False:
            yield policy(f"{who}: is not available")
        if roster.is_excluded(worker.id):
            yield policy(f"{who}: is excluded")
        # An id is the roster's own, and what it looks like is for the roster to say.
        yield from (
            policy(f"{who}: the {name} {_SSN}") for name in _TEXTS_OF_ONE if one.get(name) and has_ssn(one[name])
        )


def _role_fits(asked: str, held: str) -> bool:
    """Compare roles as search does: case, plurals, spaces and hyphens aside. What is left of one must not be nothing."""
    if asked == held:
        return True
    key = role_key(asked)
    return bool(key) and key == role_key(held)


def _same(one: str, other: str) -> bool:
    """Compare names and places: case and spaces aside."""
    return one == other or _folded(one) == _folded(other)


def _folded(said: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", said).split()).casefold()
