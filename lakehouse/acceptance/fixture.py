"""The fixture lake: where it lies, what it says must become of each line, and the hash that a verdict on it stands on.

Here: finding and reading it. Not here: its rows (`tests/fixtures/acceptance/`, shipped in the wheel beside this file).
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from lakehouse.code import sources_sha256
from lakehouse.errors import RecordError, UsageError

NOW = "2026-03-05T02:00:00.000Z"
"""The night in which the fixture is distilled: the one after its last day, whatever the clock says."""
EXPECTED = "expected.jsonl"
TRUTH_TABLE = Path(__file__).with_name("truth_table.jsonl")
_PLACES = (Path(__file__).parent / "fixture", Path(__file__).parents[2] / "tests" / "fixtures" / "acceptance")


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must become of one raw line; lines count from 1.

    `becomes` is a verdict, `duplicate`, `torn`, `waiting_future`, `undated:<reason>` or `quarantined:<reason>`; `sft` is
    `published` or why not. `instruction` and `context` are those of its sample, `beats` names the lines that its pairs
    reject (`file:line`), `planted` is what must stand in no export.
    """

    file: str
    line: int
    becomes: str
    sft: str | None = None
    instruction: str | None = None
    context: str | None = None
    beats: list[str] = []
    planted: list[str] = []

    @property
    def place(self) -> tuple[str, int]:
        """File and line offset, as provenance names a row."""
        return self.file, self.line - 1


def fixture_path() -> Path:
    """Find the fixture lake: packaged, else in the checkout. Raises `UsageError` where it is in neither place."""
    for place in _PLACES:
        if (place / "_kb").is_dir() and (place / EXPECTED).is_file():
            return place
    raise UsageError(
        "the fixture lake of the acceptance gate is not installed",
        where=" or ".join(map(str, _PLACES)),
        mend="install the wheel of lakehouse-dagster, or run in a checkout with its tests/",
    )


def read_expected(root: Path) -> list[Expected] | None:
    """Read what a lake says must become of its lines; `None` where it says nothing. Raises `RecordError`."""
    path = root / EXPECTED
    if not path.is_file():
        return None
    rows: list[Expected] = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            rows.append(msgspec.json.decode(line, type=Expected))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RecordError(
                f"this is no expectation ({error})", where=f"{path}:{number}", mend="correct that line"
            ) from None
    return rows


def code_and_fixture_hash(fixture: Path | None = None) -> str:
    """Hash the fixture's files, the truth table and every source of the package: the same hash, the same verdict."""
    root = fixture or fixture_path()
    return sources_sha256(TRUTH_TABLE, *sorted(path for path in root.rglob("*") if path.is_file()))
