"""Probe `validator`: what is wrong with a proposal, in the words that callers read.

Input `{kind, payload, roster, exclude_ids}`; the roster's rows are `{id, name, role?, city?, state?, available?, blacklisted?,
email?, phone?}`. Answer `{status, body}` as `POST /v1/validate` gives it: 200 and `{ok, errors}` for a payload of a known
kind, 400 and the same shape for an unknown one. Errors carry their tag; reasons are part of the wire (docs/validators.md).
"""

from __future__ import annotations

from typing import Any, Final

from lakehouse.errors import RecordError
from lakehouse.parity.probe import Fixture, HttpAdapter, Probe, load_fixtures
from lakehouse.validators.kinds import answer
from lakehouse.validators.roster import of_rows
from lakehouse.validators.wire import TAGS, read_error

_STATUS: Final = frozenset({200, 400})


def ours(question: Any) -> Any:
    """Answer with our own validators over the question's roster."""
    roster = of_rows(question["roster"]).excluding(question["exclude_ids"])
    status, body = answer(question["kind"], question["payload"], roster)
    return {"status": status, "body": body}


def fault(fixture: Fixture, answer: Any) -> str | None:
    """Say what is wrong with an answer: its shape, or that it calls good what has errors or gives none."""
    body = answer.get("body") if isinstance(answer, dict) else None
    if not isinstance(body, dict) or type(answer.get("status")) is not int or answer["status"] not in _STATUS:
        return "the answer has no `status` of 200 or 400 and no object `body`"
    ok, errors = body.get("ok"), body.get("errors")
    if not isinstance(ok, bool) or not isinstance(errors, list):
        return "the body has no boolean `ok` and list `errors`"
    if ok == bool(errors):
        return "the body is ok with errors, or not ok without"
    for error in errors:
        if not isinstance(error, dict) or not all(tag in TAGS for tag in error):
            return "an error is not in its tagged form"
        try:
            read_error(error)
        except RecordError as why:
            return why.what
    if ok != fixture.expected["body"]["ok"]:
        return "what has errors is called good, or what has none is called bad"
    return None


def _asked(question: Any) -> Any:
    return {name: question[name] for name in ("kind", "payload", "roster", "exclude_ids")}


VALIDATOR = Probe(
    name="validator",
    description="Six proposals of workers for a contract: one that is valid, one with errors of each kind, one of a kind "
    "that nobody knows; status, errors in their tagged form, and their reasons.",
    fixtures=load_fixtures("validator"),
    ours=ours,
    fault=fault,
    http=(
        HttpAdapter(
            "/v1/validate",
            _asked,
            lambda body: {"status": 200, "body": body},
            # An unknown kind is refused, and what stands in the refusal is compared as well.
            refused=lambda status, body: {"status": status, "body": body},
        ),
    ),
)
