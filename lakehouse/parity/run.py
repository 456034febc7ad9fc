"""Asking: every fixture of a probe to us and to each peer, with a verdict for each pair of answers.

Here: the verdicts and their count. Not here: how a peer is reached (`peers.py`), what people read of it (`report.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from lakehouse.errors import LakehouseError
from lakehouse.parity.peers import Answer, NoAnswer, Patient, Peer, Reply
from lakehouse.parity.probe import Fixture, Probe

Word = Literal["match", "differ", "invalid", "unavailable"]
WORDS: tuple[Word, ...] = get_args(Word)
BAD: frozenset[Word] = frozenset({"differ", "invalid"})
"""Verdicts that fail a run: the answers differ, or one of them cannot count, whatever the other is."""


@dataclass(frozen=True)
class Result:
    """What came of one fixture with one peer. `reached` is false where the peer could not be asked at all."""

    probe: str
    peer: str
    fixture: str
    verdict: Word
    reason: str
    ours: Any
    theirs: Any
    reached: bool = True


def compare(probe: Probe, peers: Sequence[Peer]) -> list[Result]:
    """Put every fixture of a probe to us, once, and to each peer; results by peer, in order of the fixtures.

    A peer that could not be reached three times in a row is not asked again; a `Patient` remembers that beyond this probe.
    """
    ours = _side(probe, {fixture.name: _ours(probe, fixture) for fixture in probe.fixtures})
    results = []
    for peer in (one if isinstance(one, Patient) else Patient(one) for one in peers):
        theirs = _side(probe, {fixture.name: peer.ask(probe, fixture) for fixture in probe.fixtures})
        results += [_result(probe, peer, name, ours[name], theirs[name]) for name in ours]
    return results


def count(results: Iterable[Result]) -> dict[str, int]:
    """Count results by verdict, in the order of `WORDS`."""
    found = Counter(result.verdict for result in results)
    return {word: found[word] for word in WORDS}


def silent(results: Iterable[Result]) -> dict[str, str]:
    """Name the peers that answered nothing at all or could not be reached once, with the first reason of each."""
    by_peer: dict[str, list[Result]] = {}
    for result in results:
        by_peer.setdefault(result.peer, []).append(result)
    found: dict[str, str] = {}
    for peer, held in by_peer.items():
        missing = [result for result in held if result.verdict == "unavailable"]
        unreached = [result for result in missing if not result.reached]
        if unreached or len(missing) == len(held):
            found[peer] = (unreached or missing)[0].reason
    return found


def _ours(probe: Probe, fixture: Fixture) -> Reply:
    try:
        return Answer(probe.ours(fixture.input))
    except LakehouseError as error:
        return NoAnswer("failed", error.what)
    except (ArithmeticError, AttributeError, LookupError, OSError, RecursionError, TypeError, ValueError) as error:
        # A fault of ours on one fixture is a verdict on it, not the end of the comparison.
        return NoAnswer("failed", f"{type(error).__name__}: {error}")


_Judged = tuple[Reply, str | None]
"""A reply, and why it cannot count."""


def _side(probe: Probe, replies: dict[str, Reply]) -> dict[str, _Judged]:
    """Judge the replies of one side, each by itself and those that then count together."""
    faults = {fixture.name: _fault(probe, fixture, replies[fixture.name]) for fixture in probe.fixtures}
    counting = {
        name: reply.value for name, reply in replies.items() if isinstance(reply, Answer) and faults[name] is None
    }
    faults.update(probe.faults_together(counting))
    return {name: (reply, faults[name]) for name, reply in replies.items()}


def _result(probe: Probe, peer: Peer, fixture: str, ours: _Judged, theirs: _Judged) -> Result:
    (mine, my_fault), (other, other_fault) = ours, theirs

    def result(verdict: Word, reason: str = "", *, reached: bool = True) -> Result:
        held = [reply.value if isinstance(reply, Answer) else None for reply in (mine, other)]
        return Result(probe.name, peer.name, fixture, verdict, reason, held[0], held[1], reached)

    if my_fault is not None:
        return result("invalid", f"ours: {my_fault}")
    if isinstance(other, NoAnswer) and other.kind != "failed":
        return result("unavailable", other.why, reached=other.kind == "unsupported")
    if other_fault is not None:
        return result("invalid", f"theirs: {other_fault}")
    assert isinstance(mine, Answer)
    assert isinstance(other, Answer)
    found = probe.difference(probe.normalise(mine.value), probe.normalise(other.value))
    return result("match") if found is None else result("differ", found)


def _fault(probe: Probe, fixture: Fixture, reply: Reply) -> str | None:
    return reply.why if isinstance(reply, NoAnswer) else probe.fault(fixture, reply.value)
