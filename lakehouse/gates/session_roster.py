"""The gate that holds accepted fills against the roster itself: a line may claim to be grounded and lie.

Here: from the log of sessions and the rosters of today to a verdict. Not here: the claim (`sessions.py`), the validator
(`lakehouse.validators`). It warns and holds nothing back: who left the roster since was in it when the fill was accepted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from lakehouse.chain.manifests import fingerprint
from lakehouse.corpora.logs import fresh_of, fresh_path
from lakehouse.errors import UsageError
from lakehouse.files import sha256_of
from lakehouse.gates.session_claims import NO_FILL, Filled, accepted_fills, place, shown
from lakehouse.gates.verdicts import MOST_OFFENDERS, verdict
from lakehouse.lake import Lake
from lakehouse.records import QuarantinedRow, Verdict
from lakehouse.roster.reading import find_roster, read_roster
from lakehouse.roster.schema import PREFIXES

KNOWN: Final = "accepted_fills_known"
VERSION: Final = "known-1"
_MOST_IDS: Final = 5

_NOTHING: Final = f"{NO_FILL} that says it is grounded"


class _Wanted(NamedTuple):
    """What the log asks for: every id, how many fills, where the first and the last of them stand, how many name nobody."""

    ids: set[str]
    fills: int
    first: int
    last: int
    nameless: int


def accepted_fills_known(lake: Lake, checked_at: str) -> Verdict:
    """Look the workers of accepted fills up in the rosters of today, where the line says that they are grounded.

    A fill that does not say so is red already. The rosters are read only where there is such a fill; without any it passes
    and says so. Rosters that are not there or cannot be read are a warning: nobody could look. Time: two passes over the log,
    one over the rosters. Memory: the ids that fills name, and those of the rosters.
    """
    # First: rosters that change meanwhile make the verdict stale.
    rosters = roster_parts(lake)
    digest = sha256()
    wanted = _wanted(lake, digest.update)
    refused: Counter[str] = Counter()
    offenders: list[dict[str, Any]] = []
    bad = 0
    if not wanted.fills:
        said = _NOTHING
    elif not rosters:
        bad, said = wanted.fills, f"there is no roster: {wanted.fills:,} accepted fills could not be looked up"
        offenders = [place(lake, wanted.first, "there is no roster in which its workers could be looked up")]
    else:
        try:
            unknown = wanted.ids - known_ids(lake, wanted.ids, lambda row: refused.update([row.source_file]))
        except UsageError as error:
            bad, said = wanted.fills, f"the roster cannot be read: {wanted.fills:,} accepted fills were not looked up"
            offenders = [{"file": _named(lake, error.where), "line": 0, "why": error.what}]
        else:
            bad, offenders = _unknown(lake, wanted, unknown)
            said = (
                f"{bad:,} of {wanted.fills:,} accepted fills that say they are grounded name workers whom the roster of today "
                "does not hold"
            )
    if refused:
        said += f"; {refused.total():,} rows of {', '.join(sorted(refused))} cannot be used"
    return verdict(
        KNOWN,
        passed=not bad,
        severity="WARN",
        rows_checked=wanted.fills,
        summary=said,
        offenders=offenders,
        input_sha256=with_parts(digest.hexdigest(), rosters),
        code_version=VERSION,
        checked_at=checked_at,
    )


def roster_parts(lake: Lake) -> list[str]:
    """Name what the rosters of a lake are: each file with its SHA-256; nothing where there is none."""
    files = [lake.raw / f"{name}{suffix}" for name in PREFIXES for suffix in (".parquet", ".csv")]
    return [f"{path.name} {_hash(path)}" for path in (*files, fresh_path(lake)) if path.is_file()]


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        # Who reads it says so.
        return f"cannot be read: {error.strerror}"


def with_parts(log: str, parts: list[str]) -> str:
    """Name an input: the hash of the log, or one of it and what else was looked at."""
    return fingerprint(log, parts) if parts else log


def known_ids(lake: Lake, wanted: set[str], refuse: Callable[[QuarantinedRow], None]) -> set[str]:
    """Give those of some ids that a worker has, as `lakehouse.validators.roster.workers_of` knows them.

    That one would make a lookup of everything: 500 MB for 500,000 workers. Raises `UsageError` for a roster that cannot be read.
    """
    found: set[str] = set()
    for name, prefix in PREFIXES.items():
        path = find_roster(lake.raw, name)
        if path is not None:
            for batch in read_roster(path, prefix, refuse, roster=name, source_file=lake.relative(path)):
                found |= wanted.intersection(batch.column("id").to_pylist())
    return found | (wanted & fresh_of(lake, refuse).keys())


def _wanted(lake: Lake, seen: Callable[[bytes], object]) -> _Wanted:
    ids: set[str] = set()
    fills = first = last = nameless = 0
    for number, _, claim in accepted_fills(lake, Filled, seen):
        if claim is not None and claim.grounded_in_roster is True:
            named, whole = _workers(claim.artifact)
            ids.update(named)
            nameless += not whole
            fills, first, last = fills + 1, first or number, number
    return _Wanted(ids, fills, first, last, nameless)


def _workers(artifact: Any) -> tuple[list[str], bool]:
    """Give the ids that a fill names, and whether every entry names one, of which there is one at least."""
    entries = artifact.get("fills") if isinstance(artifact, dict) else None
    entries = entries if isinstance(entries, list) else []
    ids = [one.get("worker_id") if isinstance(one, dict) else None for one in entries]
    named = [one for one in ids if isinstance(one, str)]
    return named, bool(ids) and len(named) == len(ids)


def _unknown(lake: Lake, wanted: _Wanted, unknown: set[str]) -> tuple[int, list[dict[str, Any]]]:
    """Find the fills that name unknown workers, or nobody: how many, and the first hundred."""
    bad = 0
    offenders: list[dict[str, Any]] = []
    if not unknown and not wanted.nameless:
        return 0, []
    for number, _, claim in accepted_fills(lake, Filled):
        if number > wanted.last:
            # It came since.
            break
        if claim is None or claim.grounded_in_roster is not True:
            continue
        named, whole = _workers(claim.artifact)
        why = _why([one for one in dict.fromkeys(named) if one in unknown], whole)
        if why:
            bad += 1
            if len(offenders) < MOST_OFFENDERS:
                offenders.append(place(lake, number, f"{claim.who}: {why}"))
    return bad, offenders


def _why(unknown: list[str], whole: bool) -> str:
    whys = [] if whole else ["an entry of its fills names no worker, or it has none"]
    if unknown:
        more = f" and {len(unknown) - _MOST_IDS} more" if len(unknown) > _MOST_IDS else ""
        who = ", ".join(map(shown, unknown[:_MOST_IDS])) + more
        whys.append(f"{who} left the roster since, or never was in it")
    return "; ".join(whys)


def _named(lake: Lake, where: str) -> str:
    path = Path(where)
    return lake.relative(path) if path.is_relative_to(lake.root) else where
