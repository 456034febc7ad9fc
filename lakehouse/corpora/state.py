"""What is remembered beside the table of a corpus: `lance/<corpus>.json`.

Here: the record. The embedder in it is what a writer is held to without opening LanceDB; every version of the table carries
it too, and that one counts where the two differ. Not here: when it changes (`store.py`).
"""

from __future__ import annotations

from pathlib import Path

from lakehouse.embedding.identity import EmbedderIdentity
from lakehouse.jsonl import read_json, write_json
from lakehouse.lake import Lake
from lakehouse.records import Record


class CorpusState(Record, kw_only=True):
    """One corpus. The numbers are versions of its table.

    `changing` says that its table is being made (anew). Readers of a version below `rewound` cannot follow, `tidied` is that
    of the last compaction, `built` that of the last build, which `built_at` and `run_hash` belong to.
    """

    embedder: EmbedderIdentity
    changing: bool
    rewound: int
    tidied: int
    built: int
    built_at: str
    run_hash: str


def state_path(lake: Lake, name: str) -> Path:
    """Where the state of a corpus lies."""
    return lake.root / "lance" / f"{name}.json"


def read_state(lake: Lake, name: str) -> CorpusState | None:
    """Give the state of a corpus; `None` where there is none."""
    return read_json(state_path(lake, name), CorpusState)


def write_state(lake: Lake, name: str, state: CorpusState) -> None:
    """Write the state of a corpus, atomically."""
    write_json(state_path(lake, name), state)
