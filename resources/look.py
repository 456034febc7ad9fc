"""What a look at a resource found, as `lakehouse doctor` shows it.

Here: the shape. Not here: any look; each resource takes its own.
"""

from typing import NamedTuple


class Look(NamedTuple):
    """Whether it works, what was found, and how to mend it."""

    ok: bool
    found: str
    mend: str = ""
