"""The receipts of a run against the seals in its summary, and against themselves.

Here: changed, missing, undecodable and unbalanced receipts, with the line. Not here: whether the files that they name
are still there (`files.py`), sealing (`lakehouse.seals`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lakehouse.audit.lines import CHANGED, differing
from lakehouse.audit.model import Offender, offender
from lakehouse.files import sha256_of
from lakehouse.records import Receipt, RunSummary, SealedReceipt
from lakehouse.run import STAGES
from lakehouse.seals import checksums, sealed_checksums

NO_SEALS = "the summary holds no seals: it was written before there were any"
_PLACE = re.compile(r"\(byte (\d+)\)")


def named(reports: Path, path: Path) -> str:
    """Name a file below the reports folder."""
    return f"reports/{path.relative_to(reports).as_posix()}"


def check_receipts(reports: Path, summary_path: Path, summary: RunSummary) -> list[Offender]:
    """Hold every receipt that a summary names against its seal (where there is one) and against itself."""
    found = []
    said = named(reports, summary_path)
    for stage in dict.fromkeys([*summary.stages, *(summary.receipts or ())]):
        if stage not in STAGES:
            found.append(offender(said, 0, "it names a stage that there is not"))
            continue
        path = summary_path.parent / "receipts" / f"{stage}.json"
        sealed = (summary.receipts or {}).get(stage)
        if not path.is_file():
            found.append(offender(named(reports, path), 0, "the receipt is gone"))
            continue
        data = path.read_bytes()
        broken = list(_against_seal(reports, path, data, summary_path, sealed)) if sealed else []
        found += broken or list(_against_itself(reports, path, data, summary, stage))
    return found


def read_receipt(path: Path) -> Receipt | None:
    """Read a receipt; `None` where it is gone or does not decode, which `check_receipts` names."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Receipt)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def _against_seal(
    reports: Path, path: Path, data: bytes, summary_path: Path, sealed: SealedReceipt
) -> Iterator[Offender]:
    """Name the changed lines. Where every line is as it was sealed, the seal itself changed."""
    whole = sealed.sha256 == sha256_of(path)
    said = sealed_checksums(sealed)
    lines = None if said is None else differing(said, checksums(data))
    if whole and lines == []:
        return
    if whole or not lines:
        line = line_with(summary_path, sealed.line_crc32 if whole else sealed.sha256)
        yield offender(named(reports, summary_path), line, f"the seal of {path.stem} changed after it was written")
        return
    for number, why in lines:
        yield offender(named(reports, path), number, why if why != CHANGED else f"{why}: its seal says otherwise")


def _against_itself(reports: Path, path: Path, data: bytes, summary: RunSummary, stage: str) -> Iterator[Offender]:
    name = named(reports, path)
    try:
        receipt = msgspec.json.decode(data, type=Receipt)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        yield offender(name, line_of(data, str(error)), "it does not decode as a receipt")
        return
    if (receipt.run_id, receipt.stage) != (summary.run_id, stage):
        yield offender(
            name,
            line_with(path, f'"{"run_id" if receipt.stage == stage else "stage"}"'),
            "it is of another run or stage",
        )
    skipped = sum(receipt.skip_reasons.values())
    if skipped != receipt.records_skipped:
        why = f"it says {receipt.records_skipped} skipped, its reasons add up to {skipped}"
        yield offender(name, line_with(path, '"records_skipped"'), why)
    accounted = receipt.records_out + receipt.records_skipped + receipt.records_quarantined
    if receipt.records_in != accounted:
        why = f"{receipt.records_in} in, but out + skipped + quarantined = {accounted}"
        yield offender(name, line_with(path, '"records_in"'), why)


def line_of(data: bytes, message: str) -> int:
    """Give the line (from 1) of the byte that a decoder's message names; the last of a cut file; 0 where it names none."""
    place = _PLACE.search(message)
    if place is None and "truncated" in message:
        return data.rstrip(b"\n").count(b"\n") + 1
    return data.count(b"\n", 0, int(place[1])) + 1 if place else 0


def line_with(path: Path, text: str) -> int:
    """Give the first line (from 1) of a file that holds a text; 0 where none does."""
    needle = text.encode()
    lines = enumerate(path.read_bytes().split(b"\n"), start=1)
    return next((number for number, line in lines if needle and needle in line), 0)
