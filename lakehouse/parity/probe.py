"""What a probe is: fixtures, our answer to them, and how two answers are compared.

Here: the one shape that every probe has, reading fixtures, the usual comparator. Not here: the probes (`probes/`), who
else answers (`peers.py`). Inputs and answers are JSON values, so that any program in any language can take part.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from lakehouse.lake import Lake

FIXTURES = Path(__file__).parent / "fixtures"
SHOWN = 120
"""How many characters of a value are shown."""


@dataclass(frozen=True)
class Fixture:
    """One question with its pinned answer."""

    name: str
    input: Any
    expected: Any


@dataclass(frozen=True)
class HttpAdapter:
    """How a probe speaks to an HTTP peer that has its own interface: `path` below the base URL, both bodies.

    `refused` makes an answer of a status 400 and its body, for interfaces of which a refusal is an answer.
    """

    path: str
    request: Callable[[Any], Any]
    answer: Callable[[Any], Any]
    refused: Callable[[int, Any], Any] | None = None


def same(answer: Any) -> Any:
    """Normalise nothing."""
    return answer


def no_fault(answers: Mapping[str, Any]) -> dict[str, str]:  # noqa: ARG001 - all are called alike
    """Find nothing wrong with answers side by side."""
    return {}


def first_difference(ours: Any, theirs: Any) -> str | None:
    """Name the first place where two JSON values differ and what stands there; `None` where they are equal.

    Numbers compare by value (`1` is `1.0`), but no number is a boolean. The order of keys does not count.
    """
    return _difference(ours, theirs, "$")


def _difference(ours: Any, theirs: Any, place: str) -> str | None:
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in [*ours, *(key for key in theirs if key not in ours)]:
            where = f"{place}.{key}"
            if key not in theirs:
                return f"{where} is missing in theirs"
            if key not in ours:
                return f"{where} is missing in ours"
            found = _difference(ours[key], theirs[key], where)
            if found is not None:
                return found
        return None
    if isinstance(ours, list) and isinstance(theirs, list):
        for position, (one, other) in enumerate(zip(ours, theirs, strict=False)):
            found = _difference(one, other, f"{place}[{position}]")
            if found is not None:
                return found
        return None if len(ours) == len(theirs) else f"{place} has {len(ours)} items in ours, {len(theirs)} in theirs"
    if isinstance(ours, str) and isinstance(theirs, str) and ours != theirs:
        return f"{place} differs at character {_first_unequal(ours, theirs)}: {_around(ours, theirs)}"
    if isinstance(ours, bool) == isinstance(theirs, bool) and ours == theirs:
        return None
    return f"{place} is {shown(ours)} in ours, {shown(theirs)} in theirs"


def _first_unequal(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return next((place for place, (left, right) in enumerate(pairs) if left != right), min(len(one), len(other)))


def _around(ours: str, theirs: str) -> str:
    start = max(_first_unequal(ours, theirs) - 20, 0)
    return f"{shown(ours[start : start + 40])} in ours, {shown(theirs[start : start + 40])} in theirs"


def shown(value: Any, most: int = SHOWN) -> str:
    """Write a value as JSON for a person, cut to `most` characters."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else f"{text[: most - 1]}…"


@dataclass(frozen=True)
class Probe:
    """The same questions to two implementations.

    `ours` answers an input. `fault` says why an answer to a fixture cannot count: it is not of the right shape, or
    trivial (nothing found where there is something); two answers that are equal because both failed are no match.
    `faults_together` says it of all answers of one side, by fixture: what shows only side by side.
    `normalise` takes out what may legitimately differ, `difference` names what then still does. `http` holds the
    interfaces of servers that do not speak the plain exchange of `peers.py`, tried in this order. `ours_in` is for a probe
    whose answers may come from what a lake holds; `packages` names the distributions that they depend on.
    """

    name: str
    description: str
    fixtures: tuple[Fixture, ...]
    ours: Callable[[Any], Any]
    fault: Callable[[Fixture, Any], str | None]
    normalise: Callable[[Any], Any] = same
    difference: Callable[[Any, Any], str | None] = first_difference
    http: tuple[HttpAdapter, ...] = ()
    faults_together: Callable[[Mapping[str, Any]], dict[str, str]] = no_fault
    ours_in: Callable[[Lake, Any], Any] | None = None
    packages: tuple[str, ...] = ()

    def within(self, lake: Lake | None) -> Probe:
        """Give the probe as a lake answers it."""
        return replace(self, ours=partial(self.ours_in, lake)) if lake is not None and self.ours_in else self

    @property
    def path(self) -> Path:
        """The file with its fixtures."""
        return fixtures_path(self.name)


def fixtures_path(name: str) -> Path:
    """Where the fixtures of a probe lie."""
    return FIXTURES / f"{name}.json"


def load_fixtures(name: str) -> tuple[Fixture, ...]:
    """Read the fixtures of a probe: a JSON list of `{name, input, expected}`."""
    found = json.loads(fixtures_path(name).read_text(encoding="utf-8"))
    return tuple(Fixture(one["name"], one["input"], one["expected"]) for one in found)
