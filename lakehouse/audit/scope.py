"""What one audit looks at: the lake, the newest finished run, the days; and what several phases share.

Here: choosing days, hashing once, the times. Not here: any check.

Each night it is the days of the newest finished run and the newest three, without those that a gate holds back, so that
the cost follows new work; a deep audit takes every day. What is published is looked at as a whole either way: every run publishes it as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from lakehouse.audit import newest
from lakehouse.audit.files import Written, changed, published, written_on
from lakehouse.audit.locate import locate
from lakehouse.audit.model import Offender
from lakehouse.audit.receipts import read_receipt
from lakehouse.chain.manifests import manifest_days
from lakehouse.errors import RecordError
from lakehouse.gates.verdicts import why_red
from lakehouse.lake import Lake
from lakehouse.records import FileRef, Receipt, ReplayRun, RunSummary, Verdict
from lakehouse.run import STAGES, Run

NEWEST_DAYS = 3
_DAY = re.compile(r"(?:evidence|scored-runs)/(\d{4})/(\d\d)/(\d\d)/")


class Scope:
    """One audit's view of a lake.

    `acceptance` gives a standing verdict of the acceptance gate, `live_replay` asks one task now; `None` where none was given.
    """

    def __init__(
        self,
        lake: Lake,
        run: Run,
        *,
        deep: bool,
        acceptance: Callable[[], Verdict] | None = None,
        live_replay: Callable[[], ReplayRun] | None = None,
    ) -> None:
        self.lake = lake
        self.run = run
        self.deep = deep
        self.acceptance = acceptance
        self.live_replay = live_replay
        self.now = run.now()

    @cached_property
    def summaries(self) -> newest.Summaries:
        """Every run's summary."""
        return newest.find_summaries(self.run.reports)

    @cached_property
    def newest(self) -> tuple[Path, RunSummary] | None:
        """The newest finished run."""
        return self.summaries.newest

    @cached_property
    def receipts(self) -> dict[str, Receipt]:
        """The receipts of the newest finished run that can be read, by stage."""
        if self.newest is None:
            return {}
        folder = self.newest[0].parent / "receipts"
        found = {stage: read_receipt(folder / f"{stage}.json") for stage in STAGES}
        return {stage: receipt for stage, receipt in found.items() if receipt is not None}

    @cached_property
    def made(self) -> list[str]:
        """Every day that has evidence, in order."""
        return manifest_days(self.lake, "collect")

    @cached_property
    def days(self) -> list[str]:
        """The days that this audit looks at."""
        return self.made if self.deep else [day for day in self._newest if day not in self.held]

    @cached_property
    def held(self) -> dict[str, str]:
        """The days that a night leaves to the gates that hold them back, with the reason.

        What is wrong there is known, and named by the verdict; a night that fails over it again would hide what is new.
        """
        if self.deep:
            return {}
        found = {}
        for day in self._newest:
            # A verdict file that does not decode holds nothing: a check of this audit names it.
            with suppress(RecordError):
                found[day] = why_red(self.lake, day)
        return {day: why for day, why in found.items() if why is not None}

    @cached_property
    def _newest(self) -> list[str]:
        of_run = {
            "-".join(found.groups())
            for receipt in self.receipts.values()
            for ref in receipt.outputs
            if (found := _DAY.match(ref.path))
        }
        return sorted(of_run & set(self.made) | set(self.made[-NEWEST_DAYS:]))

    @cached_property
    def newest_days(self) -> list[str]:
        """The newest days, of which every file is decoded."""
        return [day for day in self.made[-NEWEST_DAYS:] if day not in self.held]

    @cached_property
    def current(self) -> dict[str, FileRef]:
        """Every file of the days and of the exports, by its path, as it was written last."""
        return {one.ref.path: one.ref for one in self._written}

    @cached_property
    def offenders_by_file(self) -> dict[str, list[Offender]]:
        """Every file that is not what was written last, with the lines."""
        found: dict[str, list[Offender]] = {}
        for one in locate(self.lake, changed(self.lake, self._written), self.now):
            found.setdefault(one["file"], []).append(one)
        return found

    @cached_property
    def _written(self) -> list[Written]:
        return [*written_on(self.lake, self.days), *published(self.lake)]
