"""Dropping adjacency pollution: chunks that share a query's neighbourhood but not its subject.

Here: scoring chunks against the file that the query is about (the focus). Not here: finding chunks. A vector search for a
file brings what lies near: also chunks on the modules that the file merely imports. What tells the two apart is names:
those that the focus *defines* are its subject, those that it only imports are neighbours.

    symbol = own / (own + foreign)      own: names of the subject in the chunk; foreign: names of neighbours in it
    path   = 1 same file or named in the chunk, 1/2 same folder, 0 elsewhere
    words  = share of the query's words that the chunk has
    score  = 0.6 symbol + 0.3 path + 0.1 words, kept from 0.3 on

The weights say: half of a chunk's names, or the same file, is enough; the query's words alone, which pollution has too,
or the same folder alone, are not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

import msgspec

from lakehouse.errors import UsageError

KEEP_FROM: Final = 0.3
_SYMBOL, _PATH, _WORDS = 0.6, 0.3, 0.1

_NAME: Final = re.compile(r"[A-Za-z_$][\w$]*")
_WORD: Final = re.compile(r"[^\W_]{3,}")
_DEFINED: Final = re.compile(
    r"\b(?:struct|enum|trait|class|interface|type|union|record|fn|func|function|def|mod|macro_rules!|static|const)\s+"
    r"(?:\([^()\n]{0,80}\)\s*)?(?:mut\s+)?([A-Za-z_$][\w$]*)"
)
_IMPORTED: Final = re.compile(
    r"^[ \t]*(?:"
    r"(?:pub(?:\([a-z]+\))?[ \t]+)?use[ \t]+(?P<rust>[^;]{1,2000});"
    r"|from[ \t]+(?P<python>[\w.]+[ \t]+import[ \t]+(?:\([^()]{0,2000}\)|[^\n]+))"
    r"|import[ \t]*\((?P<go>[^()]{0,4000})\)"
    r"|import[ \t]+(?P<script>[^;{}\n]{0,200}(?:\{[^{}]{0,2000}\})?[^;\n]{0,300})"
    r"|.{0,200}\brequire\((?P<required>['\"][^'\"\n]{1,200}['\"])\)"
    r")",
    re.MULTILINE,
)
_NO_NAMES: Final = frozenset(
    "use as from import type crate self super std core alloc init main new default run get set test tests build open close"
    " read write next into iter len push err error result option string vec box arc mod lib index name value data node src"
    " the and for with".split()
)
"""Names that are in every file and tell none apart."""


class Chunk(msgspec.Struct, frozen=True):
    """A piece of text that was retrieved, and the path of the file that it is from (may be empty)."""

    id: str
    text: str
    path: str = ""


class Focus(msgspec.Struct, frozen=True):
    """The file that the query is about."""

    path: str
    text: str


class Judged(msgspec.Struct, frozen=True):
    """A chunk with its score (0..1), the names that speak for and against it, and why it was kept or dropped."""

    chunk: Chunk
    score: float
    own: list[str]
    foreign: list[str]
    why: str


class Relevance(msgspec.Struct, frozen=True):
    """What was kept and what was dropped, each in the order in which it came."""

    kept: list[Judged]
    dropped: list[Judged]


def relevance(query: str, chunks: Sequence[Chunk], focus: Focus, *, keep_from: float = KEEP_FROM) -> Relevance:
    """Judge each chunk by the names and the path of the focus file; nothing is lost, dropped chunks come back too.

    Where the focus defines no names (prose, an empty file) there is nothing to judge by and all are kept, scores as they
    are. Raises `UsageError` for an empty query, a chunk without text or id, and a focus without a path.
    """
    _complete(query, chunks, focus)
    own, foreign = names_of(focus.text)
    asked = _words(query)
    kept: list[Judged] = []
    dropped: list[Judged] = []
    for chunk in chunks:
        found = set(_NAME.findall(chunk.text))
        mine, others = sorted(found & own), sorted(found & foreign)
        symbol = len(mine) / (len(mine) + len(others)) if mine else 0.0
        path, place = _path(chunk, focus.path)
        words = len(asked & _words(chunk.text)) / len(asked) if asked else 0.0
        score = round(_SYMBOL * symbol + _PATH * path + _WORDS * words, 4)
        stays = score >= keep_from or not own
        why = _why(mine, others, place) if own else "the focus defines no names to judge by"
        (kept if stays else dropped).append(Judged(chunk, score, mine, others, why))
    return Relevance(kept, dropped)


def names_of(text: str) -> tuple[set[str], set[str]]:
    """Give the names that a source file defines, and those that it only imports (Rust, Go, TypeScript, Python)."""
    own = _telling(_DEFINED.findall(text))
    imported = [name for found in _IMPORTED.finditer(text) for name in _NAME.findall(found[found.lastgroup or 0])]
    return own, _telling(imported) - own


def _telling(names: Sequence[str]) -> set[str]:
    return {name for name in names if len(name) > 2 and name.lower() not in _NO_NAMES}


def _path(chunk: Chunk, focus: str) -> tuple[float, str]:
    here, there = PurePosixPath(focus), PurePosixPath(chunk.path)
    if chunk.path and here == there:
        return 1.0, "it is of the same file"
    if focus in chunk.text:
        return 1.0, "it names the file"
    if chunk.path and here.parent == there.parent and here.parent.parts:
        return 0.5, "it is of the same folder"
    return 0.0, ""


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower()))


def _why(own: list[str], foreign: list[str], place: str) -> str:
    said = [place] if place else []
    if own:
        said.append(f"it is about {', '.join(own[:3])}")
    if foreign:
        said.append(f"it is about {', '.join(foreign[:3])}, which the focus only imports")
    return "; ".join(said) or "it has no name of the focus"


def _complete(query: str, chunks: Sequence[Chunk], focus: Focus) -> None:
    missing = [("query", query), ("focus.path", focus.path)]
    for place, chunk in enumerate(chunks):
        missing += [(f"chunks[{place}].id", chunk.id), (f"chunks[{place}].text", chunk.text)]
    for field, value in missing:
        if not value.strip():
            raise UsageError(f"the field {field} is missing", where="relevance", mend="give a text that is not empty")
