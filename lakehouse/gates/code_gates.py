"""The gates on the code itself: the acceptance of its fixture lake, and parity with other implementations.

Here: the registry, and letting a green verdict stand as long as nothing that it looked at changed. Not here: what they
look at (`acceptance.py`, `parity.py`). They are kept under `audit_baseline`, as every gate on the lake as a whole.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from lakehouse.acceptance.fixture import code_and_fixture_hash
from lakehouse.errors import LakehouseError, OutsideFailure
from lakehouse.gates import acceptance, parity
from lakehouse.gates.registry import red
from lakehouse.gates.verdicts import read_verdicts, record
from lakehouse.lake import Lake
from lakehouse.parity.probes import PROBES
from lakehouse.records import Verdict

ASSET = "audit_baseline"


@dataclass(frozen=True)
class CodeGate:
    """A gate on the code: `current` names what it would look at now, as `input_sha256` of its verdict."""

    name: str
    current: Callable[[], str]
    look: Callable[[Lake, str], Verdict]
    description: str


CODE_GATES: dict[str, CodeGate] = {
    "acceptance": CodeGate(
        "acceptance",
        code_and_fixture_hash,
        acceptance.acceptance,
        "The 22 invariants of the chain hold on the fixture lake; a green verdict stands until the code changes.",
    ),
    **{
        f"parity_{probe.name}": CodeGate(
            f"parity_{probe.name}",
            partial(parity.looked_at, probe),
            partial(parity.parity, probe),
            f"Probe {probe.name}: the answers are the pinned ones, and those of the peer in Node where node is there.",
        )
        for probe in PROBES
    },
}


def standing(lake: Lake, name: str, now: str, *, anew: bool = False) -> Verdict:
    """Give the verdict of a gate on the code: the green one that is kept, where it saw the same; else look and keep."""
    gate = CODE_GATES[name]
    kept = read_verdicts(lake, ASSET).get(name)
    if not anew and kept is not None and kept.passed and kept.input_sha256 == gate.current():
        return kept
    try:
        found = gate.look(lake, now)
    except OutsideFailure:
        raise
    except LakehouseError as error:
        found = red(name, now, str(error), {"file": error.where, "line": 0, "why": error.what})
    return record(lake, ASSET, None, found)
