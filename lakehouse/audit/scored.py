"""Phase 3: every evidence record has its scored run, and every scored run a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from lakehouse.audit.evidence import NOTHING
from lakehouse.audit.model import AuditCheck, Offender, looked, offender, skipped
from lakehouse.audit.scope import Scope
from lakehouse.gates.daily import CATEGORIES, one_verdict_each
from lakehouse.gates.verdicts import STAGE_OF, why_held


class _Judged(msgspec.Struct, gc=False):
    """A scored run, as far as its verdict."""

    category: str
    reasons: list[str]


def scored(scope: Scope) -> Iterator[AuditCheck]:
    """Match evidence and scored runs one to one, by the gate that does so, and read every reason."""
    if not scope.days:
        yield skipped(3, "every_evidence_scored", NOTHING)
        yield skipped(3, "reasons_present", NOTHING)
        return
    reasonless, categories = _reasons(scope)
    places = {(one["file"], one["line"]) for one in reasonless}
    unmatched: list[Offender] = []
    stopped: list[Offender] = []
    rows = 0
    for day in scope.days:
        if not scope.lake.manifest(STAGE_OF["scored_runs"], day).exists():
            folder = f"scored-runs/{day.replace('-', '/')}"
            why = why_held(scope.lake, day, ("evidence",))
            if why is None:
                unmatched.append(offender(folder, 0, "the day was collected and never scored"))
            else:
                # Its run ended at the gate, as it must: the day is held back, and the others go on.
                stopped.append(offender(folder, 0, f"the day was not scored: {why}"))
            continue
        found = one_verdict_each(scope.lake, day, scope.now)
        rows += found.rows_checked
        unmatched += [one for one in found.offenders if (one["file"], one["line"]) not in places]
    total = categories.total()
    observed = {"rows": rows, **{f"rows.{name}": number for name, number in sorted(categories.items())}}
    yield looked(3, "every_evidence_scored", unmatched, f"{rows} evidence records, one verdict each", observed=observed)
    yield looked(3, "days_scored", stopped, "every day was scored", required=False)
    yield looked(3, "reasons_present", reasonless, f"{total} verdicts give a reason", observed={"rows": total})


def _reasons(scope: Scope) -> tuple[list[Offender], Counter[str]]:
    """Name the verdicts without a reason in words, and count the verdicts by category."""
    decode = msgspec.json.Decoder(_Judged).decode
    found: list[Offender] = []
    categories: Counter[str] = Counter()
    for day in scope.days:
        for path in sorted(scope.lake.scored(day).glob("[!.]*.jsonl")):
            with path.open("rb", buffering=1 << 18) as file:
                for number, line in enumerate(file, start=1):
                    try:
                        judged = decode(line)
                    except (msgspec.DecodeError, UnicodeDecodeError):
                        continue  # named by the other check
                    categories[judged.category if judged.category in CATEGORIES else "no_category"] += 1
                    if not any(reason.strip() for reason in judged.reasons):
                        found.append(offender(scope.lake.relative(path), number, "the verdict gives no reason"))
    return found, categories
