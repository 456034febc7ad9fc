"""The columns of a roster, the text of a worker that is embedded, and what a search may filter by.

Here: one schema for Arrow, and two pure functions of a row. Not here: reading files (`reading.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from lakehouse.roster.cells import Column

PREFIXES: Final = {"workers": "w-", "ethereal_workers": "e-"}
"""The rosters that lie in `_kb/` as files, and the prefix of their ids."""

COLUMNS: Final = (
    Column("id", "text", required=True, aliases=("worker_id",)),
    Column("name", "text", required=True),
    Column("role", "text", required=True),
    Column("city", "text"),
    Column("state", "text"),
    Column("certs", "list", aliases=("certifications",)),
    Column("skills", "list"),
    Column("resume_text", "text", aliases=("resume", "resume text")),
    Column("available", "flag"),
    Column("shift", "text"),
    Column("years", "count", aliases=("years_experience",)),
    Column("email", "text", aliases=("email_address",)),
    Column("phone", "text", aliases=("phone_number", "mobile")),
    Column("blacklisted", "flag"),
)
"""What a roster may hold; a column that is not `required` may be missing, other columns are left aside."""

_ARROW: Final = {"text": pa.string(), "list": pa.list_(pa.string()), "flag": pa.bool_(), "count": pa.int32()}

SCHEMA: Final = pa.schema(
    [pa.field(one.name, _ARROW[one.kind], nullable=one.kind in ("flag", "count")) for one in COLUMNS]
)
"""The one Arrow schema of a roster. Texts and lists are empty where nothing is known, `available` and `years` null."""

PRIVATE: Final = frozenset({"email", "phone", "blacklisted"})
"""What validators alone read of a worker: it is never embedded, shown by a search or filtered by."""

_FILTERED: Final = tuple(one.name for one in COLUMNS if one.name not in {"id", "resume_text", *PRIVATE})


def head_of(role: str, city: str, state: str) -> str:
    """Give the first sentence of a worker's text: `Welder in Flint, MI.`"""
    place = ", ".join(part for part in (city, state) if part)
    return f"{role} in {place}." if place else f"{role}."


def text_of(row: Mapping[str, Any]) -> str:
    """Give the text of a worker that is embedded: role and place first, then skills and certificates, then the resume.

    What is said first weighs most in an embedding, and a demand names a role and a place. The name is left out: nobody
    is found by what their name is near to. So are availability and shift, which change daily and are filtered instead.
    """
    said = [head_of(row["role"], row["city"], row["state"])]
    if row["skills"]:
        said.append(f"Skills: {', '.join(row['skills'])}.")
    if row["certs"]:
        said.append(f"Certifications: {', '.join(row['certs'])}.")
    if row["resume_text"]:
        said.append(row["resume_text"])
    return " ".join(said)


def metadata_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Give what a result shows and a filter may ask of a worker: every column but the id, the resume and private ones.

    What is not known is left out.
    """
    return {name: row[name] for name in _FILTERED if row[name] not in (None, "", [])}
