"""One night of the chain without Dagster: index, days, daily gates, the three exports, their gates, receipts, summary.

Here: calling the domain in the order in which the assets do. Not here: any step itself, and which copies of a lake a
night runs over (`copies.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from lakehouse import index, summary
from lakehouse.chain import day as chain
from lakehouse.chain.manifests import Staleness, read_manifest
from lakehouse.errors import GateFailed
from lakehouse.gates import registry
from lakehouse.gates.verdicts import REQUIRED, STAGE_OF, day_input, read_verdicts, record
from lakehouse.lake import Lake
from lakehouse.publish import gating, preference, rag, sft
from lakehouse.publish.exports import PREFERENCE, RAG, SFT
from lakehouse.records import RunSummary, Verdict
from lakehouse.run import NO_COMMIT, Run, Stage
from lakehouse.sql import connect

DEAR = frozenset({"contract", "scorer_parity", "scorer_drift", "score_distribution_psi"})
"""Gates that look at nothing but the lines of days, and take most of a night over a few rows."""


class Looked(NamedTuple):
    """What a gate said: of an asset, on a day where it has days."""

    asset: str
    day: str | None
    verdict: Verdict


@dataclass
class Night:
    """What a night left: the lake, its run, the days it made, and what the gates said of them."""

    lake: Lake
    run: Run
    days: list[str]
    summary: RunSummary
    verdicts: list[Looked] = field(default_factory=list)


def begin(root: Path, now: str, name: str) -> Run:
    """Begin a run whose clock stands still, with its reports inside the lake's folder."""
    moment = datetime.fromisoformat(now)
    return Run(name, lambda: moment, NO_COMMIT, root / "reports")


def night(lake: Lake, run: Run, days: Sequence[str] | None = None, after: Night | None = None) -> Night:
    """Run the chain stage by stage over days (the stale ones up to today without any), and publish.

    A candidate that a gate refuses stops the publishing, not the night: its receipt and the summary say so. Every gate
    looks, and at the published files again. `after` another night over the same rows only those look that publishing asks
    for, and what the dear ones said of the same lines is taken from there.
    """
    now = run.now()
    index.update_all(lake)
    wanted = sorted(Staleness(lake).stale(now[:10])) if days is None else list(days)
    with Stage(run, "collect") as stage:
        stage.days(chain.collect(lake, wanted, now))
    with Stage(run, "score") as stage:
        stage.days(chain.score_days(lake, wanted, now))
    samples = chain.make_samples(lake, wanted, now)
    chunks = chain.make_chunks(lake, wanted, now)
    looked = _look_at_days(lake, wanted, now, after)
    refused: list[str] = []
    for which, publishing, parts in (
        (SFT, sft.publish, samples),
        (RAG, rag.publish, chunks),
        (PREFERENCE, preference.publish, []),
    ):
        # Each has a connection of its own, as each asset does: their temporary tables share names.
        with closing(connect(lake)) as connection:
            try:
                with Stage(run, which.stage, preference.VERSION if which is PREFERENCE else None) as stage:
                    stage.days(parts)
                    found = publishing(lake, connection, now)
                    stage.published(found, [ref for manifest in parts for ref in manifest.outputs])
            except GateFailed as error:
                # What its gates said of the candidate stands: there is no newer file to look at.
                refused.append(str(error))
                looked += [Looked(which.asset, None, one) for one in read_verdicts(lake, which.asset).values()]
                continue
            gates = [gate for gate in gating.EXPORT_GATES if gate.export is which and after is None]
            looked += [Looked(which.asset, None, gating.look_at_export(gate, lake, connection, now)) for gate in gates]
    told = summary.summarize(lake, run, sorted(wanted), error="; ".join(refused) or None)
    return Night(lake, run, wanted, told, looked)


def backwards(lake: Lake, days: Sequence[str], now: str) -> None:
    """Make days in another order: the last stream is indexed first, the last day made first, each in one fused pass.

    Nothing is published: that sees no order but that of the files, which are compared.
    """
    for name in reversed(lake.streams):
        index.update_stream(lake, name)
    index.update_all(lake)
    for day in sorted(days, reverse=True):
        chain.distill(lake, [day], now)
        chain.make_chunks(lake, [day], now)


def _look_at_days(lake: Lake, days: Sequence[str], now: str, after: Night | None) -> list[Looked]:
    said = {} if after is None else {(one.asset, one.day, one.verdict.check): one.verdict for one in after.verdicts}
    looked = []
    for day in days:
        for gate in registry.DAILY_GATES:
            if after is not None and gate.name not in REQUIRED.get(gate.asset, ()):
                continue
            held = said.get((gate.asset, day, gate.name)) if gate.name in DEAR else None
            if after is not None and held is not None and _same_lines(after.lake, lake, gate.asset, day):
                verdict = replace(held, input_sha256=day_input(lake, gate.asset, day) or "")
            else:
                verdict = registry.look(gate, lake, day, now)
            looked.append(Looked(gate.asset, day, record(lake, gate.asset, day, verdict)))
    return looked


def _same_lines(one: Lake, other: Lake, asset: str, day: str) -> bool:
    """Say whether two lakes hold the same lines of a day but for their stamps, by what their manifests say."""
    made = [read_manifest(lake, STAGE_OF[asset], day) for lake in (one, other)]
    lines = [
        manifest and [(ref.path, ref.content_sha256 or ref.sha256) for ref in manifest.outputs] for manifest in made
    ]
    return lines[0] is not None and lines[0] == lines[1]
