"""The reference window of a day: the days that it is compared with.

Here: choosing them from the log of baselines, the days that are scored and the verdicts on them. Not here: what stands in
them (`profile.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

from lakehouse.baseline import log_path, read_baselines
from lakehouse.chain.manifests import manifest_days
from lakehouse.gates.verdicts import why_red
from lakehouse.lake import Lake

DAYS = 30
"""Days before a day that stand for a baseline where there is none."""


@dataclass(frozen=True)
class Window:
    """Scored days before a day, in order, and where they come from, in words."""

    days: tuple[str, ...]
    source: str

    def __str__(self) -> str:
        """Name the window for people: how many days and which. Why these is not said: the same days, the same verdict."""
        if not self.days:
            return f"no day in {self.source}"
        if len(self.days) == 1:
            return f"1 day before it ({self.days[0]})"
        return f"{len(self.days)} days before it ({self.days[0]} to {self.days[-1]})"


def window(lake: Lake, day: str, sound: Callable[[str], bool] | None = None) -> Window:
    """Choose the window of a day: the days of the last baseline, else the 30 days before; only days before it.

    The last baseline is the last one of ours whose days all lie before this one and are scored: a day that is looked at
    again after its own baseline is compared with the same days as the first time. Baselines of other producers name no
    days and are passed over. A day that a red gate holds back is no reference until somebody waives it: a healthy day
    would look wrong beside it. `sound` says whether a day is none of those, where that is known already. Raises `RecordError`
    where the log of baselines is damaged.
    """
    sound = sound or (lambda one: why_red(lake, one) is None)
    scored = [one for one in manifest_days(lake, "score") if one < day]
    for baseline in reversed(read_baselines(log_path(lake))):
        first, _, last = (baseline.get("partition") or "").partition("...")
        held = tuple(one for one in scored if first <= one <= (last or first) < day and sound(one))
        if held:
            return Window(held, "the last baseline")
    start = (date.fromisoformat(day) - timedelta(days=DAYS)).isoformat()
    return Window(tuple(one for one in scored if one >= start and sound(one)), f"the {DAYS} days before")
