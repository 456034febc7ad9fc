"""The jobs: which assets run together, with all their checks.

Here: selections. Not here: when they run (`schedules.py`, `evidence_sensor.py`, `roster_sensor.py`) and what they do (`assets`).
"""

from typing import Any

import dagster as dg

from assets.agents import REPLAYS, SESSIONS, SUBJECTS
from assets.audit import ANEW_TAG, BASELINE, DEEP_TAG
from assets.audit_checks import ACCEPTANCE, PARITY
from assets.corpora import CORPUS_ASSETS
from assets.distillation import DAILY
from assets.releases import RELEASE
from assets.streams import LINE_INDEX
from lakehouse.publish.exports import EXPORTS

NIGHTLY = "nightly_distillation"
BACKFILL = "backfill_distillation"
RELEASE_JOB = "make_release"
REINDEX = "reindex"
AUDIT_JOB, ACCEPTANCE_JOB, PARITY_JOB = "audit", "acceptance", "parity"
REPLAY_JOB = "replay"
AGENTS = (SESSIONS, SUBJECTS, REPLAYS)
CHAIN = (LINE_INDEX, *(daily.name for daily in DAILY), *EXPORTS, "run_summary", *AGENTS, BASELINE)
"""From new rows to the baseline: what one run makes, so that one run id has all receipts."""

# The name of this type is not exported by Dagster.
AssetJob = Any


def release_job() -> AssetJob:
    """Make the job that releases what is published; a person starts it and signs it off."""
    return dg.define_asset_job(
        RELEASE_JOB,
        dg.AssetSelection.assets(RELEASE),
        description="An immutable release of what is published. Give your name as `by`.",
    )


def jobs() -> list[AssetJob]:
    """Make the jobs that process days. Both hold the same assets: they differ in how the UI and its filters show their runs."""
    return [
        dg.define_asset_job(
            NIGHTLY,
            dg.AssetSelection.assets(*CHAIN),
            description="One day from its rows through to the audit baseline, with every gate.",
        ),
        dg.define_asset_job(
            BACKFILL,
            dg.AssetSelection.assets(*CHAIN),
            description="Many days in one run, from their rows through to the audit baseline, with every gate.",
        ),
    ]


def reindex_job() -> AssetJob:
    """Make the job that builds the corpora; sensors ask it for one at a time.

    It stands apart from the chain, which runs without the extra `retrieval` too.
    """
    return dg.define_asset_job(
        REINDEX,
        dg.AssetSelection.assets(*CORPUS_ASSETS),
        description="Every corpus brought to what its source holds, embedding only what is new, with every gate.",
    )


def replay_job() -> AssetJob:
    """Make the job that does accepted tasks again, for whoever wants another model or more of them than each night."""
    return dg.define_asset_job(
        REPLAY_JOB,
        dg.AssetSelection.assets(REPLAYS),
        description="The newest accepted tasks, done again and compared; the models and their number are as you say.",
    )


def audit_jobs() -> list[AssetJob]:
    """Make the jobs that look and make nothing but reports: each looks anew, whatever verdict stands."""
    return [
        dg.define_asset_job(
            AUDIT_JOB,
            dg.AssetSelection.assets(SESSIONS, SUBJECTS, BASELINE),
            tags={DEEP_TAG: "true"},
            description="Audit every day, every run, what is published and what agents leave, and append the baseline.",
        ),
        dg.define_asset_job(
            ACCEPTANCE_JOB,
            dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey(BASELINE), ACCEPTANCE)),
            tags={ANEW_TAG: "true"},
            description="Hold the 22 invariants against the fixture lake.",
        ),
        dg.define_asset_job(
            PARITY_JOB,
            dg.AssetSelection.checks(*(dg.AssetCheckKey(dg.AssetKey(BASELINE), name) for name in PARITY)),
            tags={ANEW_TAG: "true"},
            description="Compare our answers to the probes with the pinned ones and with a peer in another language.",
        ),
    ]
