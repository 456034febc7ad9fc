"""Keeping the stamps of records that were written before, so that a re-run gives the same bytes.

Here: finding a record of the last run while this run goes through the same rows in the same order. Not here: which
stamp a record has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec


class _Place(msgspec.Struct, gc=False):
    source_file: str
    line_offset: int
    sig_hash: str
    recorded_at: str


class _Prior(msgspec.Struct, gc=False):
    """The fields of an EvidenceRecord, ScoredRun or SftSample that tell whether it is the same and when it was made."""

    provenance: _Place
    id: str = ""
    sig_hash: str = ""
    created_at: str = ""
    scored_at: str = ""


class PriorStamps:
    """Looks up when a record was first written, in one pass over the last run's file.

    Both runs go through the files in the order of `sources` and through each file by line, so one record is held at a
    time. A file that is not there, or a record that does not decode, means that nothing is known: the record then
    gets the stamp of this run.
    """

    def __init__(self, path: Path, sources: Sequence[str]) -> None:
        self._order = {source: place for place, source in enumerate(dict.fromkeys(sources))}
        self._records = self._read(path) if path.exists() else iter(())
        self._next: _Prior | None = None
        self._advance()

    def _read(self, path: Path) -> Iterator[_Prior]:
        decode = msgspec.json.Decoder(_Prior).decode
        with path.open("rb", buffering=1 << 18) as file:
            for line in file:
                try:
                    prior = decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    continue
                if prior.provenance.source_file in self._order:
                    yield prior

    def _advance(self) -> None:
        self._next = next(self._records, None)

    def find(self, source_file: str, line_offset: int) -> _Prior | None:
        """Give the last run's record of a row, or `None`; rows must be asked for in order."""
        prior = self._next
        if prior is None:
            return None
        place = self._order[source_file]
        while True:
            held = prior.provenance
            if held.source_file == source_file and held.line_offset == line_offset:
                self._advance()
                return prior
            if (self._order[held.source_file], held.line_offset) > (place, line_offset):
                return None
            self._advance()
            prior = self._next
            if prior is None:
                return None

    def recorded_at(self, source_file: str, line_offset: int, sig_hash: str) -> str | None:
        """Give when a row's evidence was first recorded."""
        prior = self.find(source_file, line_offset)
        return prior.provenance.recorded_at if prior and prior.provenance.sig_hash == sig_hash else None

    def scored_at(self, source_file: str, line_offset: int, sig_hash: str) -> str | None:
        """Give when the verdict with this `sig_hash` was first written."""
        prior = self.find(source_file, line_offset)
        return prior.scored_at if prior and prior.sig_hash == sig_hash else None

    def created_at(self, source_file: str, line_offset: int, sample_id: str) -> str | None:
        """Give when the sample with this id was first written."""
        prior = self.find(source_file, line_offset)
        return prior.created_at if prior and prior.id == sample_id else None
