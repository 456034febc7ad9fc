"""The page of a run: what went in, what came out, and where the rest went, for people.

`funnel.py` gathers plain data from the lake, the run and its summary, `lengths.py` measures the published samples,
`tables.py` gives it in short, `page.py` turns it into one self-contained HTML file, in the frame of
`frame.py`, with pieces from `charts.py`, elements from `markup.py`, the words of `words.py` and `style.css`.
"""

from __future__ import annotations

from pathlib import Path

from lakehouse.files import write_whole
from lakehouse.lake import Lake
from lakehouse.records import RunSummary
from lakehouse.report.funnel import gather
from lakehouse.report.page import render
from lakehouse.report.tables import tables
from lakehouse.run import Run

__all__ = ["write_page"]


def write_page(lake: Lake, run: Run, summary: RunSummary) -> tuple[Path, dict[str, str]]:
    """Write the page of a run, `index.html` in its reports folder; give its path, and its tables in short by name.

    Raises `RecordError` where a receipt of the run is damaged and `OutsideFailure` where the disk does not take the
    page; whatever else is missing or cannot be read is said on the page.
    """
    path = run.folder / "index.html"
    report = gather(lake, run, summary)
    write_whole(path, render(report))
    return path, tables(report)
