"""All three steps in one pass over a stream's day: the same steps, the same bytes, without reading anything twice.

Here: the pass that the speed of the chain is measured by, and that `day.py` uses where a day is made from nothing.
Not here: the steps.
"""

from __future__ import annotations

from contextlib import ExitStack

from lakehouse.chain.collect import CollectStep
from lakehouse.chain.duplicates import Duplicates
from lakehouse.chain.score import ScoreStep
from lakehouse.chain.sft import SampleStep
from lakehouse.chain.stages import check_late, twice_if_needed
from lakehouse.chain.task import Source, StreamDay, StreamResult


def distill(task: StreamDay) -> list[StreamResult]:
    """Write evidence, scored runs and samples of a stream's day; give the results of `collect`, `score`, `export-sft`."""

    def once(late: list[int]) -> list[StreamResult]:
        with ExitStack() as stack:
            duplicates = stack.enter_context(Duplicates())
            collect = CollectStep(task, duplicates, late)
            score = ScoreStep(task)
            sample = SampleStep(task)
            for output in (collect.quarantine, collect.out, score.out, sample.quarantine, sample.keys, sample.out):
                stack.enter_context(output)
            source = Source(task)
            for name, lines in source.segments():
                for offset, line in lines:
                    evidence = collect.take(name, offset, line)
                    if evidence is not None:
                        sample.take(evidence, score.take(evidence))
            check_late(duplicates, late)
        return [collect.result(source.refs()), score.result(), sample.result()]

    return twice_if_needed(once)
