"""The gates on days, by asset, in the order in which they look: the one list that checks, audits and tests go by.

Here: the registry, and letting a gate look. Not here: what a gate looks at (a module each), keeping verdicts
(`verdicts.py`), the gates on what is published (`lakehouse.publish.gating`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lakehouse.errors import LakehouseError, OutsideFailure
from lakehouse.gates import daily
from lakehouse.gates.verdicts import record, verdict
from lakehouse.lake import Lake
from lakehouse.records import Verdict

Look = Callable[[Lake, str, str], Verdict]
"""From lake, day and the time to a verdict."""


@dataclass(frozen=True)
class DailyGate:
    """A gate on each day of an asset. A verdict says itself how bad red is: `WARN` holds nothing back."""

    asset: str
    name: str
    look: Look
    description: str


def _balances(asset: str) -> DailyGate:
    def look(lake: Lake, day: str, now: str) -> Verdict:
        return daily.receipt_balances(lake, asset, day, now)

    return DailyGate(
        asset,
        "receipt_balances",
        look,
        "Rows read = rows written + skipped + quarantined, and every file still is what was written.",
    )


DAILY_GATES = (
    DailyGate(
        "evidence",
        "provenance_resolves",
        daily.provenance_resolves,
        "The row that each record names is read back, and its signature is the record's (all rows up to 10,000 a day, "
        "else a sample of that size that the day seeds).",
    ),
    _balances("evidence"),
    _balances("scored_runs"),
    DailyGate(
        "scored_runs",
        "one_verdict_each",
        daily.one_verdict_each,
        "Evidence and scored runs match one to one and in order, each with a known category and a reason.",
    ),
    _balances("sft_samples"),
    _balances("rag_chunks"),
)


def look_at_day(lake: Lake, day: str, now: str, assets: Iterable[str] = ()) -> list[tuple[str, Verdict]]:
    """Let every daily gate (of some assets) look at a day and keep its verdict; give asset and verdict of each."""
    wanted = set(assets) or {gate.asset for gate in DAILY_GATES}
    return [
        (gate.asset, record(lake, gate.asset, day, look(gate, lake, day, now)))
        for gate in DAILY_GATES
        if gate.asset in wanted
    ]


def look(gate: DailyGate, lake: Lake, day: str, now: str) -> Verdict:
    """Let a gate look at a day. What it cannot look at is red: a check that raised would let the run go on."""
    try:
        return gate.look(lake, day, now)
    except OutsideFailure:
        raise
    except LakehouseError as error:
        return red(gate.name, now, str(error), {"file": error.where, "line": 0, "why": error.what})


def red(check: str, now: str, why: str, *offenders: dict[str, Any]) -> Verdict:
    """Give the verdict of a gate that had nothing that it could look at: that is no pass."""
    return verdict(
        check,
        passed=False,
        rows_checked=0,
        summary=why,
        offenders=offenders,
        input_sha256="",
        code_version=daily.VERSION,
        checked_at=now,
    )
