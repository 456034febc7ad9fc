"""Passages of a corpus inside a prompt: written by who bundles a context, read again by who answers from it.

Here: the one form. Not here: where passages come from (`lakehouse.replay.retrieval`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

_HEAD = re.compile(r"^\[passage (\S+) from (\S+) at ([0-9.eE+-]+)\]$", re.MULTILINE)
_END = "[end of passages]"
_LAST = re.compile(r"^\[end of passages\]$", re.MULTILINE)


class Passage(NamedTuple):
    """A retrieved text. `distance` as its corpus measures it: smaller is nearer."""

    id: str
    corpus: str
    distance: float
    text: str


Retrieve = Callable[[str, str, int], list[Passage]]
"""From a query, a corpus and k to the nearest passages, nearest first. Raises `LakehouseError` where it cannot."""


def bundle(passages: Sequence[Passage]) -> str:
    """Write passages for a prompt; empty without any."""
    if not passages:
        return ""
    told = [f"[passage {one.id} from {one.corpus} at {one.distance:.6f}]\n{_escaped(one.text)}" for one in passages]
    return "\n\n".join([*told, _END])


def passages_in(text: str) -> list[Passage]:
    """Read the passages that `bundle` wrote into a text, in its order; none where there are none."""
    first = _HEAD.search(text)
    end = _LAST.search(text, first.end()) if first else None
    if first is None or end is None:
        return []
    head = text[: end.start()]
    found = list(_HEAD.finditer(head))
    borders = [*(match.start() for match in found[1:]), len(head)]
    return [
        Passage(match[1], match[2], float(match[3]), _plain(head[match.end() + 1 : border].removesuffix("\n\n")))
        for match, border in zip(found, borders, strict=True)
    ]


def question_in(text: str) -> str:
    """Give what is asked in a text that holds passages: what follows them, else what stands before; else the whole text."""
    first = _HEAD.search(text)
    end = _LAST.search(text, first.end()) if first else None
    if first is None or end is None:
        return text.strip()
    return text[end.end() :].strip() or text[: first.start()].strip()


def _escaped(text: str) -> str:
    r"""Put a backslash before what looks like the borders, so that no passage can end or forge another."""
    return re.sub(r"^(\\*\[(?:passage |end of passages\]))", r"\\\1", text, flags=re.MULTILINE)


def _plain(text: str) -> str:
    return re.sub(r"^\\(\\*\[(?:passage |end of passages\]))", r"\1", text, flags=re.MULTILINE)
