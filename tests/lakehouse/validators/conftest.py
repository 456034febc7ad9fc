"""A small roster and the payloads that are valid for it."""

from __future__ import annotations

from typing import Any

import pytest

from lakehouse.validators.roster import Workers, of_rows

WELDER = {"role": "Welder", "city": "Flint", "state": "MI"}
ROWS: list[dict[str, Any]] = [
    {
        "id": "w-1",
        "name": "Ann Lee",
        **WELDER,
        "available": True,
        "email": "ann.lee@staff.example",
        "phone": "810-555-0151",
    },
    {
        "id": "w-2",
        "name": "José Ortiz",
        **WELDER,
        "available": True,
        "email": "Jose.Ortiz@staff.example",
        "phone": "+1 (313) 555-0152",
    },
    {"id": "w-3", "name": "Mai Tran", **WELDER, "role": "Picker"},
    {"id": "w-4", "name": "Roy Hall", **WELDER, "city": "Toledo", "state": "OH"},
    {"id": "w-5", "name": "Dana Fox", **WELDER, "blacklisted": True},
    {"id": "w-6", "name": "Kim Wu", **WELDER, "available": False},
    {"id": "w-7", "name": "Al Kim", **WELDER},
    {"id": "f-8", "name": "Ruth Soto"},
]


@pytest.fixture(scope="session")
def roster() -> Workers:
    return of_rows(ROWS)


def fill(*ids: Any, **changes: Any) -> dict[str, Any]:
    """Propose workers, by id or by whole entry, as many as are asked for."""
    fills = [one if isinstance(one, dict) else {"worker_id": one} for one in ids]
    return {"contract_id": "c-1", **WELDER, "start": "2026-05-11", "count": len(fills), "fills": fills} | changes


def email(**changes: Any) -> dict[str, Any]:
    """Write to Ann Lee."""
    return {
        "to": "ann.lee@staff.example",
        "subject": "Shift on Monday",
        "body": "Hi Ann, call us at (810) 555-0101.",
        "worker_id": "w-1",
    } | changes
