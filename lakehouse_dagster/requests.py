"""From stale days to runs: which days go together, by what a run is known again, and when one is tried again.

Here: pure functions on days, fingerprints and the states of earlier runs. Not here: who asks (`schedules.py`,
`evidence_sensor.py`).
"""

from collections.abc import Sequence
from hashlib import sha256

import dagster as dg

from assets.days import tags_of
from lakehouse.chain.manifests import VERSIONS, Staleness, collect_fingerprint, fingerprint
from lakehouse.lake import Lake
from lakehouse.overrides import log_path
from lakehouse_dagster.jobs import BACKFILL, NIGHTLY

BYTES_TAG = "lakehouse/bytes"
"""What a run was asked for: its days and everything that their data depends on."""

ATTEMPTS = 3


def bytes_key(lake: Lake, staleness: Staleness, days: Sequence[str]) -> str:
    """Name what a run over these days would read: days, rows, overrides, settings, code. Other bytes, another key."""
    rows = [collect_fingerprint(lake, day, staleness.indexes) for day in days]
    log = log_path(lake)
    people = sha256(log.read_bytes()).hexdigest() if log.exists() else ""
    templates = {name: stream.template for name, stream in lake.streams.items()}
    whole = fingerprint(rows, people, VERSIONS, lake.settings.sft.streams, templates)
    span = days[0] if len(days) == 1 else f"{days[0]}...{days[-1]}"
    return f"{span}:{whole[:24]}"


def run_request(days: Sequence[str], key: str, run_key: str, job: str | None = None) -> dg.RunRequest:
    """Ask for one run over days without gaps. `run_key` is what Dagster never launches twice."""
    tags = {BYTES_TAG: key}
    if len(days) == 1:
        return dg.RunRequest(run_key=run_key, job_name=job or NIGHTLY, partition_key=days[0], tags=tags)
    return dg.RunRequest(run_key=run_key, job_name=job or BACKFILL, tags={**tags, **tags_of(days)})


def next_attempt(states: Sequence[dg.DagsterRunStatus]) -> int | None:
    """Give the number of the next try, from the states of the runs that had the same key; `None` where there is none.

    A run that waits, runs, succeeded or was cancelled by a person is not repeated; a failed one is, until the third.
    """
    if any(state is not dg.DagsterRunStatus.FAILURE for state in states):
        return None
    return len(states) + 1 if len(states) < ATTEMPTS else None


def in_flight(states: Sequence[dg.DagsterRunStatus]) -> bool:
    """Say whether what was asked for is still to come: no run yet, or one that has not ended."""
    ended = {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}
    return not states or any(state not in ended for state in states)


def states_of(instance: dg.DagsterInstance, key: str) -> list[dg.DagsterRunStatus]:
    """Give the states of all runs with this key, whoever asked for them."""
    runs = instance.get_runs(filters=dg.RunsFilter(tags={BYTES_TAG: key}))
    return [run.status for run in runs]
