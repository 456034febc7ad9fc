"""Phase 4: what is published holds nothing that it must not, and an empty export says why it is empty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

from lakehouse.audit.model import AuditCheck, Offender, looked, offender, skipped
from lakehouse.audit.scope import Scope
from lakehouse.audit.standing import verdicts_green
from lakehouse.chain.manifests import read_manifest
from lakehouse.files import sha256_of
from lakehouse.gates.contamination import contamination_firewall
from lakehouse.gates.verdicts import read_verdicts
from lakehouse.publish.exports import PREFERENCE, RAG, SFT
from lakehouse.publish.state import Publication, made_days, read_publication
from lakehouse.sql import connect

NOTHING = "nothing is published yet"
FIREWALL = "contamination_firewall"


def exports(scope: Scope) -> Iterator[AuditCheck]:
    """Look at the firewall's verdict on what is published, at its rows and counters, and at every other verdict."""
    last = read_publication(scope.lake, SFT.asset)
    if last is None:
        for name in ("zero_contamination", "sft_nonempty_or_explained"):
            yield skipped(4, name, NOTHING)
        yield skipped(4, "firewall_counters", NOTHING, required=False)
    else:
        yield _contamination(scope, last)
        yield _explained(scope, last)
        yield _counters(scope, last)
    yield verdicts_green(scope)


def _contamination(scope: Scope, last: Publication) -> AuditCheck:
    """The firewall's verdict must be there, green, and on the file that is on disk.

    A deep audit asks the gate itself; a night does where the file is not what was published. Which line changed is told by
    `receipts_valid`, whether it may be there is told here.
    """
    lake, path = scope.lake, SFT.main(scope.lake)
    name = lake.relative(path)
    found: list[Offender] = []
    verdict = read_verdicts(lake, SFT.asset).get(FIREWALL)
    where = lake.relative(lake.gate(SFT.asset))
    changed = name in scope.offenders_by_file
    if not path.is_file():
        found.append(offender(name, 0, "the published file is gone"))
    elif verdict is None:
        found.append(offender(where, 0, f"no verdict of {FIREWALL} on what is published"))
    elif verdict.input_sha256 != sha256_of(path) and not changed:
        found.append(offender(name, 0, f"the verdict of {FIREWALL} is on another file: published anew since"))
    elif not verdict.passed:
        found += verdict.offenders or [offender(where, 0, f"{FIREWALL} is red: {verdict.summary}")]
    observed: dict[str, int | float] = {}
    if (scope.deep or changed) and path.is_file():
        with closing(connect(lake)) as connection:
            partial = bool(last.asked["include_partial"])
            looked_again = contamination_firewall(lake, path, connection, scope.now, include_partial=partial)
        known = {(one["file"], one["line"]) for one in found}
        found += [one for one in looked_again.offenders if (one["file"], one["line"]) not in known]
        observed["looked_again"] = looked_again.rows_checked
    rows = verdict.rows_checked if verdict else 0
    good = f"{rows} samples, each of an accepted run"
    if changed:
        good = f"the file is not what was published (receipts_valid names the line); {observed.get('looked_again', 0)} samples "
        good += "were looked at again, each of an accepted run"
    return looked(4, "zero_contamination", found, good, observed={"rows": rows, **observed})


def _explained(scope: Scope, last: Publication) -> AuditCheck:
    """An export that holds samples holds as many as it says; an empty one accounts for every run that it left out."""
    name = scope.lake.relative(SFT.main(scope.lake))
    rows = _lines(scope)
    found: list[Offender] = []
    # A file that changed is named with its lines by `receipts_valid`.
    if rows != last.items_out and (not rows or name not in scope.offenders_by_file):
        found.append(offender(name, 0, f"it holds {rows} samples, {last.items_out} were published"))
    left_out = sum(last.skip_reasons.values()) + last.records_quarantined
    if not last.items_out and last.records_in != left_out:
        why = f"it is empty, and only {left_out} of {last.records_in} runs say why they are not in it"
        found.append(offender(name, 0, why))
    reasons = ", ".join(f"{reason} {number}" for reason, number in last.skip_reasons.items())
    good = f"{rows} samples" if rows else f"empty: {last.records_in} runs ({reasons or 'there are none'})"
    observed = {"sft_rows": rows, "runs_in": last.records_in, "left_out": left_out, "held_days": len(last.held_days)}
    for short, export in (("rag_rows", RAG), ("pref_pairs", PREFERENCE)):
        other = read_publication(scope.lake, export.asset)
        observed[short] = other.items_out if other else 0
    return looked(4, "sft_nonempty_or_explained", found, good, observed=observed)


def _lines(scope: Scope) -> int:
    path = SFT.main(scope.lake)
    if not path.is_file():
        return 0
    with path.open("rb", buffering=1 << 20) as file:
        return sum(1 for _ in file)


def _counters(scope: Scope, last: Publication) -> AuditCheck:
    """The firewall's counters add up again from the manifests of the days that were not held back."""
    counters = last.counts.get("firewall", {})
    again = dict.fromkeys(("rejected", "needs_human_review"), 0)
    for day in made_days(scope.lake, SFT):
        manifest = read_manifest(scope.lake, SFT.made_by, day)
        if manifest is not None and day not in last.held_days:
            for reason in again:
                again[reason] += manifest.skip_reasons.get(reason, 0)
    where = f"index/publications/{SFT.asset}.json"
    found = [
        offender(where, 0, f"{reason}: it counts {counters.get(reason, 0)} runs, the days {number}; publish again")
        for reason, number in again.items()
        if counters.get(reason, 0) != number
    ]
    good = f"the firewall kept {sum(counters.values())} runs out"
    return looked(4, "firewall_counters", found, good, observed=counters, required=False)
