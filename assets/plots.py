"""Plots in the UI: pictures in markdown, drawn here as SVG, so that nothing has to be installed to draw them.

Here: from rows of a verdict's table to a picture. Not here: which numbers (`lakehouse.gates`).
"""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from lakehouse.board import table

_BUCKET, _HEIGHT, _LABELS, _BAR = 56, 160, 34, 20
_REFERENCE, _CURRENT, _INK = "#9aa5b1", "#2f6fde", "#5b6570"
_MOST = 24
"""Buckets that are drawn; the table below the picture has all."""


def is_histogram(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Say whether rows compare two series by bucket."""
    return bool(rows) and {"bucket", "reference", "current"} <= rows[0].keys()


def histogram(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    """Draw two series side by side, by bucket, with the numbers below, as markdown."""
    picture = base64.b64encode(_svg(name, rows[:_MOST]).encode()).decode()
    numbers = table(tuple(rows[0]), (tuple(row.values()) for row in rows))
    return f"![{escape(name)}](data:image/svg+xml;base64,{picture})\n\nGrey: the reference. Blue: now.\n\n{numbers}"


def _svg(name: str, rows: Sequence[Mapping[str, Any]]) -> str:
    most = max((float(row[series]) for row in rows for series in ("reference", "current")), default=0) or 1
    width = _BUCKET * len(rows)
    parts = []
    for place, row in enumerate(rows):
        left = place * _BUCKET + (_BUCKET - 2 * _BAR) / 2
        for offset, series, colour in ((0, "reference", _REFERENCE), (_BAR, "current", _CURRENT)):
            high = _HEIGHT * float(row[series]) / most
            parts.append(
                f'<rect x="{left + offset:.1f}" y="{_HEIGHT - high:.1f}" width="{_BAR - 1}" height="{high:.1f}" fill="{colour}"/>'
            )
        label = escape(str(row["bucket"]))
        middle = place * _BUCKET + _BUCKET / 2
        parts.append(
            f'<text x="{middle}" y="{_HEIGHT + 14}" font-size="9" text-anchor="middle" fill="{_INK}">{label[:10]}</text>'
        )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{_HEIGHT + _LABELS}" font-family="sans-serif">'
        f"<title>{escape(name)}</title>{''.join(parts)}</svg>"
    )
