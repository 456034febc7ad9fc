"""Probe `subject_audit`: what a row of a subject's log signs, and what is wrong with a log.

Input by what is to be done: `sign` `{line, key}` asks for the signed bytes of a line and their HMAC: `{canonical, hmac}`;
`verify` `{log, keys, anchor?, subject?}` asks whether a log holds: `{count, tip, verified, error}` with `error` null or
`{line, kind}`. Keys are hex, logs and anchors are text. docs/subjects.md says what is signed and how faults are named.
"""

from __future__ import annotations

from typing import Any

from lakehouse.parity.probe import Fixture, Probe, load_fixtures
from lakehouse.subjects.chain import ZEROS, signed_part
from lakehouse.subjects.keys import Key
from lakehouse.subjects.verify import verify


def ours(question: Any) -> Any:
    """Answer with our own canonical bytes, HMAC and verification."""
    if question["do"] == "sign":
        body = signed_part(question["line"].encode())[2]
        return {"canonical": body.decode(), "hmac": Key("probe", bytes.fromhex(question["key"])).sign(body)}
    keys = _Given(question["keys"])
    anchor = question.get("anchor")
    found = verify(
        question["log"].encode(),
        keys,
        None if anchor is None else anchor.encode(),
        subject=question.get("subject"),
    )
    error = {"line": found.error.line, "kind": found.error.kind} if found.error else None
    return {"count": found.count, "tip": found.tip, "verified": found.verified, "error": error}


class _Given(dict[str, Key]):
    """The keys of a question, each made when it is asked for: a short one is a fault of the log that needs it."""

    def __init__(self, secrets: dict[str, str]) -> None:
        super().__init__()
        self._secrets = secrets

    def __missing__(self, key_id: str) -> Key:
        return Key(key_id, bytes.fromhex(self._secrets[key_id]))


def fault(fixture: Fixture, answer: Any) -> str | None:
    """Say what is wrong with an answer: that it lacks what the fixture asks for, is empty, or contradicts itself."""
    if not isinstance(answer, dict):
        return "the answer is no object"
    if fixture.input["do"] == "sign":
        if not isinstance(answer.get("canonical"), str) or len(answer["canonical"]) < 3:
            return "the answer has no canonical bytes"
        return None if _hex(answer.get("hmac")) else "the answer has no hmac of 64 hex digits"
    count, error = answer.get("count"), answer.get("error", "")
    if type(count) is not int or not _hex(answer.get("tip")):
        return "the answer has no count, or no tip of 64 hex digits"
    if (count == 0) != (answer["tip"] == ZEROS):
        return "count and tip contradict each other"
    if count == 0 and fixture.expected["count"]:
        return "no row holds, where there are some that do"
    if error is not None and not (isinstance(error, dict) and type(error.get("line")) is int and error.get("kind")):
        return "the error is neither null nor a line and a kind"
    return None if answer.get("verified") is (error is None) else "verified and error contradict each other"


def _hex(text: Any) -> bool:
    return isinstance(text, str) and len(text) == 64 and set(text) <= set("0123456789abcdef")


def normalise(answer: Any) -> Any:
    """Leave of an error its line and kind: why it is that is told in each runtime's own words."""
    error = answer.get("error")
    return {**answer, "error": {key: error.get(key) for key in ("line", "kind")}} if error else answer


SUBJECT_AUDIT = Probe(
    name="subject_audit",
    description="What a row of another runtime signs, byte for byte, and five logs: whole, edited, cut, torn, and with a key "
    "that nobody announced.",
    fixtures=load_fixtures("subject_audit"),
    ours=ours,
    fault=fault,
    normalise=normalise,
)
