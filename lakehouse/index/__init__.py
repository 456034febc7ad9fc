"""The line index: where each day's rows lie in the append-only streams, so that a night reads only what is new.

`files.py` finds a stream's files and follows them through rotation, `scan.py` reads new lines for their time and nothing
else, `store.py` keeps the result as Parquet, `update.py` does one after the other. A day's evidence is a pure function
of the byte ranges that the index gives.
"""

from lakehouse.index.store import LineIndex, Segment, load
from lakehouse.index.update import IndexReport, StreamUpdate, rebuild, update_all, update_stream

__all__ = [
    "IndexReport",
    "LineIndex",
    "Segment",
    "StreamUpdate",
    "load",
    "rebuild",
    "update_all",
    "update_stream",
]
