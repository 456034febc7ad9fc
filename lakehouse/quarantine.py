"""Rows that could not be used: where they are, why, and the line itself.

Here: making such an entry. Not here: who refuses a row (the index, `collect.py`, `sft.py`) and where its file lies
(`lake.py`).
"""

from __future__ import annotations

import base64
import codecs

from lakehouse.records import QuarantinedRow

RAW_LIMIT = 64 * 1024


def quarantined(
    stage: str,
    stream: str,
    source_file: str,
    line_offset: int,
    code: str,
    reason: str,
    raw: bytes,
    *,
    sig_hash: str | None = None,
    field: str | None = None,
    masked: bool = False,
) -> QuarantinedRow:
    """Describe a refused row; `raw` is cut at 64 KiB and kept as base64 where it is not UTF-8."""
    try:
        # Not the end: a character that the cut splits is left out, instead of making good text look broken.
        text: str | None = codecs.getincrementaldecoder("utf-8")().decode(raw[:RAW_LIMIT], len(raw) <= RAW_LIMIT)
        encoded = None
    except UnicodeDecodeError:
        text, encoded = None, base64.b64encode(raw[:RAW_LIMIT]).decode()
    return QuarantinedRow(
        schema_version=1,
        stage=stage,
        stream=stream,
        source_file=source_file,
        line_offset=line_offset,
        sig_hash=sig_hash,
        field=field,
        reason_code=code,
        reason=reason,
        raw=text,
        raw_b64=encoded,
        raw_masked=masked or None,
    )
