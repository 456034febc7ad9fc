"""A gate on something that a lake has once: a log, a report.

Here: the shape that registries of such gates share. Not here: any gate.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lakehouse.lake import Lake
from lakehouse.records import Verdict


class LakeGate(NamedTuple):
    """A gate that looks at a lake at a time. `blocks` says that red stops what comes after it."""

    name: str
    look: Callable[[Lake, str], Verdict]
    description: str
    blocks: bool
