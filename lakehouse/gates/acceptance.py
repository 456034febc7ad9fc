"""The gate `acceptance`: the 22 invariants on the fixture lake, as a verdict on the code that is installed.

Here: from the report to a verdict. Not here: the invariants (`lakehouse.acceptance`).
"""

from __future__ import annotations

from collections.abc import Callable

from lakehouse.acceptance.fixture import code_and_fixture_hash, fixture_path, read_expected
from lakehouse.acceptance.report import first_failure, told
from lakehouse.acceptance.runner import accept_fixture
from lakehouse.gates.verdicts import verdict
from lakehouse.lake import Lake
from lakehouse.records import Verdict

CHECK = "acceptance"
VERSION = "acceptance-1"


def acceptance(_lake: Lake, checked_at: str, done: Callable[[str], None] = lambda what: None) -> Verdict:
    """Hold the 22 invariants against the fixture lake; the lake that is asked for is not looked at.

    `input_sha256` is `code_and_fixture_hash()`: a green verdict stands as long as that is the same. Offenders name files of
    the fixture lake or of what was made of it. Raises `UsageError` where the fixture is not installed.
    """
    report = accept_fixture(checked_at, done)
    offenders = [
        {"file": one.file, "line": one.line, "invariant": invariant.number, "why": f"{invariant.name}: {one.why}"}
        for invariant in report.invariants
        for one in invariant.failures
    ]
    return verdict(
        CHECK,
        passed=report.passed,
        rows_checked=len(read_expected(fixture_path()) or ()),
        summary=told(report),
        offenders=offenders,
        input_sha256=code_and_fixture_hash(),
        code_version=VERSION,
        checked_at=checked_at,
        tables={
            "invariants": [
                {
                    "number": one.number,
                    "invariant": one.name,
                    "verdict": one.status,
                    "rows": one.rows,
                    "found": first_failure(one),
                }
                for one in report.invariants
            ]
        },
    )
