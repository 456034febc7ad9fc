"""The gates on days, by asset, in the order in which they look: the one list that checks, audits and tests go by.

Here: the registry, and letting a gate look. Not here: what a gate looks at (a module each), keeping verdicts
(`verdicts.py`), the gates on what is published (`lakehouse.publish.gating`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from lakehouse.errors import LakehouseError, OutsideFailure
from lakehouse.gates import contracts, daily, distribution, scorers
from lakehouse.gates.quarantine_rate import quarantine_rate
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
    DailyGate(
        "evidence",
        "contract",
        contracts.evidence_contract,
        "Every record keeps to the suite of expectations: types, ranges, sets, what must be there, signatures that are "
        "unique in a stream, the day of the partition.",
    ),
    DailyGate(
        "evidence",
        "quarantine_rate",
        quarantine_rate,
        "At most 1 % of the day's rows was quarantined; more is a warning, more than 20 % an error.",
    ),
    _balances("scored_runs"),
    DailyGate(
        "scored_runs",
        "one_verdict_each",
        daily.one_verdict_each,
        "Evidence and scored runs match one to one and in order, each with a known category and a reason.",
    ),
    DailyGate(
        "scored_runs",
        "scorer_parity",
        scorers.scorer_parity,
        "A second scorer, in SQL and sharing no code with the first, gives every record of the day the same verdict.",
    ),
    DailyGate(
        "scored_runs",
        "scorer_drift",
        scorers.scorer_drift,
        "The rules as they are now give the stored verdicts, of the day and of the day before it; another verdict under "
        "the same scorer version is an error.",
    ),
    DailyGate(
        "scored_runs",
        "score_distribution_psi",
        distribution.score_distribution_psi,
        "The day's verdicts and sub-scores are distributed as those before: PSI below 0.10, else a warning; from 0.25 on "
        "an error where both sides have 500 rows.",
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
