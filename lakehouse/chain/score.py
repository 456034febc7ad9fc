"""Stage `score`: one evidence record gets one verdict.

Here: the step that takes evidence and writes its scored run. Not here: the rules (`scoring/`) and the queue of what
needs a person (`triage.py`).
"""

from __future__ import annotations

from collections import Counter

from lakehouse.chain.prior import PriorStamps
from lakehouse.chain.task import StreamDay, StreamResult
from lakehouse.jsonl import JsonlWriter, encode
from lakehouse.records import EvidenceRecord, ScoredRun
from lakehouse.scoring import SCORER_VERSION, score
from lakehouse.stamps import cut_scored

STAGE = "score"
VERSION = f"score-1/{SCORER_VERSION}"


class ScoreStep:
    """Writes the scored runs of one stream's day, in the order of the evidence."""

    def __init__(self, task: StreamDay) -> None:
        lake = task.lake
        self._stream = lake.stream(task.stream)
        self._now = task.now
        self._overrides = task.overrides
        path = lake.scored(task.day, task.stream)
        self._path = lake.relative(path)
        self._prior = PriorStamps(path, task.sources)
        self.categories: Counter[str] = Counter()
        self._applied: list[str] = []
        self.out = JsonlWriter(path, cut_scored)

    def take(self, evidence: EvidenceRecord) -> ScoredRun:
        """Write the verdict on an evidence record and give it."""
        place = evidence.provenance
        override = self._overrides.get(place.sig_hash) if self._overrides else None
        if override is not None:
            self._applied.append(place.sig_hash)
        scored = score(evidence, self._stream, self._now, override)
        first = self._prior.scored_at(place.source_file, place.line_offset, scored.sig_hash)
        if first is not None:
            scored.scored_at = first
        self.categories[scored.category] += 1
        self.out.add(encode(scored))
        return scored

    def result(self) -> StreamResult:
        """Say what was read and written; call after the file is closed."""
        return StreamResult(
            stream=self._stream.name,
            inputs=[],
            output=self.out.ref(self._path),
            records_in=self.out.rows,
            skipped={},
            quarantined=0,
            counts=dict(self.categories),
            overrides_applied=self._applied,
        )
