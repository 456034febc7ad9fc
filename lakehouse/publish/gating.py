"""The gates on what is published, by export: the one list that checks, audits and tests go by.

Here: the registry, and letting a gate look at the published file again. Not here: what a gate looks at
(`lakehouse.gates`), and the candidate, which each publisher gates before it is moved into place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lakehouse.gates import contamination, contracts, holdout, preference, rag, splits, verdict_balance
from lakehouse.gates.registry import red
from lakehouse.gates.verdicts import LOOKS_AT, is_red, read_verdicts, record
from lakehouse.lake import Lake
from lakehouse.publish.exports import PREFERENCE, RAG, SFT, Export
from lakehouse.publish.preference import KTO
from lakehouse.publish.splits import split_files
from lakehouse.publish.state import read_publication
from lakehouse.publish.state import standing as still_standing
from lakehouse.records import Verdict


@dataclass(frozen=True)
class ExportGate:
    """A gate on what an export has published: the candidate passed it, and the published file is looked at again.

    `pure` is the code version of a gate that looks at nothing but the published files and the held-out items: where
    these hash to what the candidate passed with, its verdict stands. `blocks` is false for a gate that only warns.
    """

    export: Export
    name: str
    look: Callable[[Lake, Any, str], Verdict]
    description: str
    pure: str | None = None
    blocks: bool = True


EXPORT_GATES = (
    ExportGate(
        SFT,
        "contamination_firewall",
        lambda lake, connection, now: contamination.contamination_firewall(
            lake, SFT.main(lake), connection, now, include_partial=bool(_asked(lake, SFT, "include_partial"))
        ),
        "Every sample of the published file is joined back to the scored runs by provenance: none may come from a "
        "rejected run, from one that waits for a person, from an extraction, from a run without a verdict or with "
        "another one than it claims.",
    ),
    ExportGate(
        SFT,
        "no_holdout_overlap",
        lambda lake, _, now: holdout.no_holdout_overlap(lake, SFT.main(lake), now),
        "No sample is of a held-out task, or shares half of either text's 13-grams with a held-out item.",
        pure=holdout.VERSION,
    ),
    ExportGate(
        SFT,
        "splits_disjoint",
        lambda lake, connection, now: splits.splits_disjoint(lake, SFT.main(lake), split_files(lake), connection, now),
        "No task is in two splits, every sample is in one, and no two samples anywhere are near-duplicates.",
        pure=splits.VERSION,
    ),
    ExportGate(
        SFT,
        "contract",
        lambda lake, _, now: contracts.sft_contract(lake, SFT.main(lake), now),
        "The samples keep to their suite of expectations, and the files for trainers beside them load.",
        pure=contracts.VERSION,
    ),
    ExportGate(
        SFT,
        "verdict_balance",
        lambda lake, _, now: verdict_balance.verdict_balance(lake, SFT.main(lake), now),
        "No stream of reviews gives nearly always the same answer: one-sided data teaches one answer.",
        blocks=False,
    ),
    ExportGate(
        RAG,
        "never_rejected",
        lambda lake, connection, now: rag.never_rejected(
            lake, RAG.main(lake), connection, now, include_review=bool(_asked(lake, RAG, "include_review"))
        ),
        "No chunk comes from a rejected run, or from one without the verdict that it claims; unreviewed ones are tagged.",
    ),
    ExportGate(
        RAG,
        "chunks_rebuild_text",
        lambda lake, connection, now: rag.chunks_rebuild_text(lake, RAG.main(lake), connection, now),
        "Each chunk is the slice of its run's text that it names, and the chunks of a run give its whole text.",
    ),
    ExportGate(
        RAG,
        "contract",
        lambda lake, _, now: contracts.rag_contract(lake, RAG.main(lake), now),
        "The chunks keep to their suite of expectations.",
        pure=contracts.VERSION,
    ),
    ExportGate(
        PREFERENCE,
        "strict_order",
        lambda lake, connection, now: preference.strict_order(lake, PREFERENCE.main(lake), connection, now),
        "In every pair the chosen run outranks the rejected one by their verdicts, in one task, with different texts.",
    ),
    ExportGate(
        PREFERENCE,
        "kto_labels",
        lambda lake, connection, now: preference.kto_labels(lake, PREFERENCE.folder(lake) / KTO, connection, now),
        "Every line of kto.jsonl is of an accepted run and labelled true, or of a rejected one and labelled false.",
    ),
    ExportGate(
        PREFERENCE,
        "contract",
        lambda lake, _, now: contracts.preference_contract(lake, PREFERENCE.main(lake), now),
        "The pairs keep to their suite of expectations.",
        pure=contracts.VERSION,
    ),
)


def file_of(lake: Lake, export: Export, check: str) -> Path:
    """Give the published file that a gate looks at."""
    native = export.main(lake)
    return native.with_name(LOOKS_AT.get(check, native.name))


def look_at_export(gate: ExportGate, lake: Lake, connection: Any, now: str) -> Verdict:
    """Let a gate look at what is published and keep its verdict.

    Nothing published is red; where that is because the candidate was refused, the verdict on the candidate stays.
    """
    if gate.export.main(lake).exists():
        standing = gate.pure and still_standing(lake, gate.export, gate.name, gate.pure)
        return record(lake, gate.export.asset, None, standing or gate.look(lake, connection, now))
    kept = read_verdicts(lake, gate.export.asset).get(gate.name)
    if kept is not None and is_red(kept):
        return kept
    return record(
        lake, gate.export.asset, None, red(gate.name, now, "nothing is published: there is no file to look at")
    )


def look_at_exports(lake: Lake, connection: Any, now: str) -> list[tuple[str, Verdict]]:
    """Let every gate look at what is published; give asset and verdict of each."""
    return [(gate.export.asset, look_at_export(gate, lake, connection, now)) for gate in EXPORT_GATES]


def _asked(lake: Lake, export: Export, name: str) -> object:
    """Say what the publication that is there was asked for: by its own record."""
    last = read_publication(lake, export.asset)
    return last.asked.get(name) if last else None
