"""Probe `canonical_json`: the bytes that are signed, and the signature.

Input `{json}`, the text of one JSON value as a row holds it; answer `{canonical, sig_hash}`. Source of the vectors: RFC
8785, with integers beyond ±(2⁵³ − 1) written as their digits.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from lakehouse import canonical
from lakehouse.parity.probe import Fixture, Probe, load_fixtures


def ours(question: Any) -> Any:
    """Answer as `collect` signs a row."""
    line = canonical.read(question["json"].encode())[1]
    return {"canonical": line.decode(), "sig_hash": sha256(line).hexdigest()}


def fault(fixture: Fixture, answer: Any) -> str | None:  # noqa: ARG001 - every probe is asked alike
    """Say what is wrong with an answer: its shape, or a signature that is not of its own bytes."""
    held = answer if isinstance(answer, dict) else {}
    text, signature = held.get("canonical"), held.get("sig_hash")
    if not isinstance(text, str) or not isinstance(signature, str) or not text:
        return "the answer has no text `canonical` and text `sig_hash`"
    if sha256(text.encode(errors="surrogatepass")).hexdigest() != signature:
        return "the signature is not the SHA-256 of the canonical bytes"
    return None


CANONICAL_JSON = Probe(
    name="canonical_json",
    description="The canonical bytes of a JSON value and their SHA-256: what every signature in the lake rests on.",
    fixtures=load_fixtures("canonical_json"),
    ours=ours,
    fault=fault,
)
