"""The logs that corpora are rebuilt from: `_kb/playbooks.jsonl` and `_kb/fresh_workers.jsonl`.

Here: reading them down to what holds now. Other runtimes append to the same files: a line that cannot be used is refused by
name and its neighbours go on; a torn last line is not there yet. Not here: appending (`playbooks.py`, `fresh.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from lakehouse.jsonl import raw_lines
from lakehouse.lake import Lake
from lakehouse.quarantine import quarantined
from lakehouse.records import FreshWorker, PlaybookEntry, QuarantinedRow, Record

STAGE: Final = "index"
MEMORY: Final = "playbook_memory"
PLAYBOOKS: Final = "playbook_"

ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9_]{0,48}")

Refuse = Callable[[QuarantinedRow], None]
R = TypeVar("R", bound=Record)


def playbooks_path(lake: Lake) -> Path:
    """Where playbooks are appended."""
    return lake.raw / "playbooks.jsonl"


def fresh_path(lake: Lake) -> Path:
    """Where fresh workers are appended."""
    return lake.raw / "fresh_workers.jsonl"


def playbook_lines(lake: Lake, refuse: Refuse) -> Iterator[tuple[int, PlaybookEntry]]:
    """Give every usable line of the playbooks, with its place from 0."""
    return _lines(lake, playbooks_path(lake), PlaybookEntry, _playbook_fault, refuse)


def fresh_lines(lake: Lake, refuse: Refuse) -> Iterator[tuple[int, FreshWorker]]:
    """Give every usable line of the fresh workers, with its place from 0."""
    return _lines(lake, fresh_path(lake), FreshWorker, fresh_fault, refuse)


def ignored(_: QuarantinedRow) -> None:
    """Take a refused line and do nothing: for readers beside the build, which quarantines it."""


def corpus_of(entry: PlaybookEntry) -> str:
    """Give the corpus that an entry belongs to."""
    return PLAYBOOKS + entry.namespace if entry.namespace else MEMORY


def playbooks_of(lake: Lake, name: str, refuse: Refuse = ignored) -> dict[str, tuple[int, PlaybookEntry]]:
    """Give the latest line of each playbook of a corpus by id, retired ones too."""
    return {entry.id: (line, entry) for line, entry in playbook_lines(lake, refuse) if corpus_of(entry) == name}


def namespaces(lake: Lake) -> set[str]:
    """Give the namespaces that the playbooks name."""
    return {entry.namespace for _, entry in playbook_lines(lake, ignored) if entry.namespace}


def fresh_of(lake: Lake, refuse: Refuse = ignored) -> dict[str, tuple[int, FreshWorker]]:
    """Give the latest line of each fresh worker by id, those that moved on too."""
    return {worker.id: (line, worker) for line, worker in fresh_lines(lake, refuse)}


def fresh_fault(worker: FreshWorker) -> str | None:
    """Say why a fresh worker cannot be used; `None` where they can."""
    if not ID.fullmatch(worker.id):
        return "the id is no id: write letters, digits and . _ : - (at most 128)"
    if not ((worker.role or "").strip() or (worker.resume_text or "").strip()):
        return "there is neither a role nor a resume_text, so nothing to find them by"
    return None


def _playbook_fault(entry: PlaybookEntry) -> str | None:
    if not (entry.id.startswith("pb-") and ID.fullmatch(entry.id)):
        return "the id does not begin with pb-, or is no id"
    if not entry.query_text.strip():
        return "query_text is empty"
    if not 0 <= entry.score <= 1:
        return "the score is outside 0..1"
    if not _NAMESPACE.fullmatch(entry.namespace or ""):
        return "the namespace is not made of letters, digits and _ (at most 48)"
    return None


def _lines(
    lake: Lake, path: Path, kind: type[R], fault_of: Callable[[R], str | None], refuse: Refuse
) -> Iterator[tuple[int, R]]:
    decode = msgspec.json.Decoder(kind).decode
    name = lake.relative(path)
    for number, _, line in raw_lines(path):
        try:
            record = decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            code, why = "bad_line", f"this is no {kind.__name__} ({error})"
        else:
            fault = fault_of(record)
            if fault is None:
                yield number - 1, record
                continue
            code, why = "bad_row", fault
        refuse(quarantined(STAGE, path.stem, name, number - 1, code, why, line.rstrip()))
