"""A day held against its reference window: the categories of its runs, and each numeric sub-score of each stream.

Here: from the profiles of days to a PSI per thing that is measured. Not here: the index itself (`psi.py`) and whether a
drift holds a day back (`lakehouse.gates.distribution`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lakehouse.drift.chance import chance, enough
from lakehouse.drift.profile import ScoreProfile, Scores, pooled, profile
from lakehouse.drift.psi import Psi, PsiVerdict, categorical_psi, numeric_psi
from lakehouse.drift.window import Window, window
from lakehouse.gates.verdicts import why_red
from lakehouse.lake import Lake

CATEGORY = "category"
ORDER: tuple[PsiVerdict, ...] = ("insufficient_data", "stable", "minor", "major")


@dataclass(frozen=True)
class Comparison:
    """A day against its window. `things`: the PSI of `category` and of each `stream.sub_score`, the category first.

    `chance`: how far each thing of few rows moves by chance alone; what moved no further did not drift. `by_stream` is the PSI of the categories within each stream: it says where a drift comes from and judges nothing.
    """

    day: str
    window: Window
    rows: int
    reference_rows: int
    things: Mapping[str, Psi]
    chance: Mapping[str, float]
    by_stream: Mapping[str, Psi]

    @property
    def verdict(self) -> PsiVerdict:
        """The worst verdict of what drifted, else stable; insufficient where nothing could be compared."""
        if not self.rows or not self.reference_rows:
            return "insufficient_data"
        return max((one.verdict for one in self.drifted.values()), key=ORDER.index, default="stable")

    @property
    def drifted(self) -> dict[str, Psi]:
        """The things that are not stable, and moved further than by chance; the furthest moved first."""
        moved = [(name, one) for name, one in self._moved() if one.worst > self.chance[name]]
        return dict(sorted(moved, key=lambda item: (-item[1].worst, item[0])))

    @property
    def by_chance(self) -> list[str]:
        """The things whose index is not that of a stable one, but that chance alone moves as far."""
        return [name for name, one in self._moved() if one.worst <= self.chance[name]]

    def _moved(self) -> list[tuple[str, Psi]]:
        return [(name, one) for name, one in self.things.items() if one.verdict in ("minor", "major")]

    @property
    def blocks(self) -> bool:
        """Whether something moved far among enough rows on both sides."""
        return any(one.verdict == "major" and enough(one) for one in self.things.values())


class Profiles:
    """The profiles of a lake's days and whether a red gate holds them back, each read once."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._held: dict[str, ScoreProfile | None] = {}
        self._sound: dict[str, bool] = {}

    def of(self, day: str) -> ScoreProfile | None:
        """Give the profile of a day; `None` where it was never scored."""
        if day not in self._held:
            self._held[day] = profile(self._lake, day)
        return self._held[day]

    def sound(self, day: str) -> bool:
        """Say whether no red gate holds a day back."""
        if day not in self._sound:
            self._sound[day] = why_red(self._lake, day) is None
        return self._sound[day]

    def pooled(self, days: Sequence[str]) -> Scores:
        """Add up the days that were scored."""
        return pooled(one for one in map(self.of, days) if one is not None)


def compare(lake: Lake, day: str, profiles: Profiles | None = None) -> Comparison:
    """Hold a day against its window. Raises `RecordError` for a damaged log of baselines, or damaged scored runs."""
    profiles = profiles or Profiles(lake)
    before = window(lake, day, profiles.sound)
    reference, current = profiles.pooled(before.days), profiles.pooled([day])
    things = {CATEGORY: categorical_psi(reference.categories, current.categories)}
    for name in sorted({*reference.values, *current.values}):
        things[".".join(name)] = numeric_psi(reference.sample(name), current.sample(name))
    streams = sorted({*reference.streams, *current.streams})
    by_stream = {
        stream: categorical_psi(reference.streams.get(stream, {}), current.streams.get(stream, {}))
        for stream in streams
    }
    by_chance = {name: chance(psi) for name, psi in things.items()}
    return Comparison(day, before, current.rows, reference.rows, things, by_chance, by_stream)
