"""The gates on the corpora as asset checks.

Here: from verdicts of the domain to check results, and opening what a gate asks: embedders and searchers. Not here: what a
gate looks at (`lakehouse.gates.corpora`, `lakehouse.gates.corpora_search`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from assets.checks import whole_result
from assets.corpora import CORPUS_ASSETS, corpora_of
from assets.failures import told
from lakehouse.chain.manifests import fingerprint
from lakehouse.corpora.reading import version
from lakehouse.corpora.ready import source_file
from lakehouse.corpora.registry import Corpus
from lakehouse.corpora.store import require_lancedb
from lakehouse.errors import LakehouseError, OutsideFailure
from lakehouse.gates import corpora, corpora_search
from lakehouse.gates.verdicts import is_red, record, verdict
from lakehouse.lake import Lake
from lakehouse.records import Verdict
from lakehouse.search.opening import open_searcher
from lakehouse.search.views import View
from resources.embedder import EmbedderResource
from resources.lake import LakeResource

Look = Callable[[Lake, str, str, EmbedderResource], Verdict]
"""From lake, corpus, the time and the embedder to a verdict."""


@dataclass(frozen=True)
class CorpusGate:
    """A gate that every corpus has. `blocks` is false for one that says itself how bad red is."""

    name: str
    look: Look
    description: str
    blocks: bool = True


def _row_parity(lake: Lake, name: str, now: str, _: EmbedderResource) -> Verdict:
    return corpora.row_parity(lake, name, now)


def _embed_parity(lake: Lake, name: str, now: str, embedder: EmbedderResource) -> Verdict:
    with embedder.bare(lake) as bare, embedder.second(lake) as peer:
        return corpora.embed_parity(lake, name, now, bare, peer)


def _recall(lake: Lake, name: str, now: str, _: EmbedderResource) -> Verdict:
    # Folded and with its lists: what is measured is the index, not the layer that is searched exactly until it is made.
    view = open_searcher(lake, name).prepare()
    return corpora_search.recall_at_10(lake, name, now, lambda _, vectors, k: _search(view, vectors, k))


def _fresh(lake: Lake, name: str, now: str, embedder: EmbedderResource) -> Verdict:
    searcher = open_searcher(lake, name)
    with embedder.open(lake) as opened:
        return corpora_search.fresh_is_findable(
            lake, name, now, opened, lambda _, vectors, k: _search(searcher.view(), vectors, k)
        )


def _search(view: View, vectors: Any, k: int) -> tuple[list[list[str]], list[list[float]]]:
    answers = [view.nearest(vector, k) for vector in vectors]
    return [[hit.id for hit in hits] for hits in answers], [[hit.distance for hit in hits] for hits in answers]


CORPUS_GATES = (
    CorpusGate(
        "row_parity",
        _row_parity,
        "The corpus holds the rows of its source, each once and with the text that stands there now, and what was merged "
        "into it.",
    ),
    CorpusGate(
        "embed_parity",
        _embed_parity,
        "Eight texts and a sample of stored rows, embedded again without a cache, give the stored vectors (cosine ≥ "
        "0.99999); with a second backend configured, by both.",
    ),
    CorpusGate(
        "recall_at_10",
        _recall,
        "The first ten of a search are those of brute force over every row, for 200 seeded queries: below 0.98 is a "
        "warning, below 0.95 an error.",
        blocks=False,
    ),
    CorpusGate(
        "fresh_is_findable",
        _fresh,
        "Rows written since the last build, or the newest hundred, are at rank 0 for their own text.",
    ),
)


def corpus_checks() -> list[dg.AssetChecksDefinition]:
    """Make every check of every corpus."""
    return [_check(asset, gate) for asset in CORPUS_ASSETS for gate in CORPUS_GATES]


def _check(asset: str, gate: CorpusGate) -> dg.AssetChecksDefinition:
    @dg.asset_check(asset=asset, name=gate.name, description=gate.description, blocking=gate.blocks)
    def check(
        context: dg.AssetCheckExecutionContext, lake: LakeResource, embedder: EmbedderResource
    ) -> dg.AssetCheckResult:
        domain, run = lake.open(), lake.run(context.run.run_id)
        with told(context.op_execution_context.retry_number):
            require_lancedb()
            found = {one.name: _look(gate, domain, one, run.now(), embedder) for one in corpora_of(domain, asset)}
            return whole_result(record(domain, asset, None, _together(found)))

    return check


def _look(gate: CorpusGate, lake: Lake, corpus: Corpus, now: str, embedder: EmbedderResource) -> Verdict:
    """Let a gate look at a corpus. What it cannot look at is red; that there is nothing to build from is no fault."""
    try:
        if version(lake, corpus.name):
            return gate.look(lake, corpus.name, now, embedder)
        if source_file(lake, corpus) is None:
            say = f"there is no {corpus.source}, so nothing to look at"
            return corpora.verdict_on(lake, gate.name, corpus.name, [], 0, say, now)
        why = f"{corpus.name} was never built from {corpus.source}"
    except OutsideFailure:
        raise
    except LakehouseError as error:
        why = str(error)
    return corpora.verdict_on(lake, gate.name, corpus.name, [why], 0, why, now)


def _together(found: Mapping[str, Verdict]) -> Verdict:
    """Make one verdict of those on the corpora of an asset; of a single one, its own."""
    first, *others = found.values()
    if not others:
        return first
    failed = [f"{name}: {one.summary}" for name, one in found.items() if not one.passed]
    rows = sum(one.rows_checked for one in found.values())
    return verdict(
        first.check,
        passed=not failed,
        severity="WARN" if failed and not any(map(is_red, found.values())) else "ERROR",
        rows_checked=rows,
        summary="; ".join(failed) or f"{len(found)} corpora are green, {rows} rows looked at",
        offenders=[offender for one in found.values() for offender in one.offenders],
        tables={
            "corpora": [
                {"corpus": name, "passed": one.passed, "rows_checked": one.rows_checked, "summary": one.summary}
                for name, one in found.items()
            ]
        },
        input_sha256=fingerprint({name: one.input_sha256 for name, one in found.items()}),
        code_version=first.code_version,
        checked_at=first.checked_at,
    )
