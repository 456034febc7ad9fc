"""Whether the verdicts on disk still stand: of the days that an audit looks at, and of what is published.

Here: red, missing and stale verdicts, for information; phase 4 shows them. Not here: what follows from them
(`lakehouse.gates.verdicts`, publishing, releases).
"""

from __future__ import annotations

from collections.abc import Iterator

from lakehouse.audit.model import AuditCheck, Offender, looked, offender, skipped
from lakehouse.audit.scope import Scope
from lakehouse.files import sha256_of
from lakehouse.gates.verdicts import (
    MISSING,
    REQUIRED,
    REQUIRED_OF_EXPORTS,
    STALE,
    day_input,
    is_red,
    read_verdicts,
)
from lakehouse.gates.waivers import waiver_of
from lakehouse.publish.exports import EXPORTS
from lakehouse.publish.gating import file_of
from lakehouse.records import Verdict


def verdicts_green(scope: Scope) -> AuditCheck:
    """List every verdict that holds something back: red, missing or on other data than is there."""
    seen = [*_daily(scope), *_exported(scope)]
    if not seen:
        return skipped(4, "verdicts_green", "nothing was made yet: there is no verdict", required=False)
    found = [one for _, one in seen if one is not None]
    good = f"{len(seen)} verdicts are green and on what is there"
    return looked(4, "verdicts_green", found, good, observed={"verdicts": len(seen)}, required=False)


def _daily(scope: Scope) -> Iterator[tuple[str, Offender | None]]:
    for day in sorted({*scope.days, *scope.held}):
        for asset, required in REQUIRED.items():
            data = day_input(scope.lake, asset, day)
            if data is None:
                continue
            verdicts = read_verdicts(scope.lake, asset, day)
            where = scope.lake.relative(scope.lake.gate(asset, day))
            for check in dict.fromkeys([*required, *verdicts]):
                one = verdicts.get(check)
                waived = one is not None and is_red(one) and waiver_of(scope.lake, asset, day, one) is not None
                yield check, None if waived else _why(where, check, one, data)


def _exported(scope: Scope) -> Iterator[tuple[str, Offender | None]]:
    for asset, required in REQUIRED_OF_EXPORTS.items():
        export = EXPORTS[asset]
        if not export.main(scope.lake).is_file():
            continue
        verdicts = read_verdicts(scope.lake, asset)
        where = scope.lake.relative(scope.lake.gate(asset))
        for check in required:
            path = file_of(scope.lake, export, check)
            yield check, _why(where, check, verdicts.get(check), sha256_of(path) if path.is_file() else "")


def _why(where: str, check: str, one: Verdict | None, data: str) -> Offender | None:
    if one is None:
        return offender(where, 0, f"{check}: {MISSING}")
    if one.input_sha256 != data:
        return offender(where, 0, f"{check}: {STALE}")
    return offender(where, 0, f"{check}: red, {one.summary}") if is_red(one) else None
