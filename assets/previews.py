"""The features of Dagster that are in use although it calls them unfinished.

Here: the two, by name, and the place where their warnings end. Not here: any other warning; those are errors in tests.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg


@contextmanager
def accepted() -> Iterator[None]:
    """Define assets and checks with a backfill policy (many days in one run) and with partitions on checks.

    Both are beta or preview in Dagster 1.13; without them there is no history of a gate by day, and no backfill in one
    run.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Parameter `backfill_policy`", dg.BetaWarning)
        warnings.filterwarnings("ignore", "Specifying a partitions_def on an AssetCheckSpec", dg.PreviewWarning)
        yield
