"""Whether a corpus can be built from its source now.

Here: finding the source's file, and the gates that its rows must have passed. Not here: reading it (`sources.py`), the gates
on the corpus itself (`lakehouse.gates.corpora`).
"""

from __future__ import annotations

from pathlib import Path

from lakehouse.corpora.registry import Corpus
from lakehouse.files import sha256_of
from lakehouse.gates.verdicts import REQUIRED_OF_EXPORTS, is_red, read_verdicts
from lakehouse.lake import Lake
from lakehouse.publish.exports import EXPORTS
from lakehouse.roster.reading import find_roster


def source_file(lake: Lake, corpus: Corpus) -> Path | None:
    """Give the file that a corpus is built from, `None` where there is none. Raises `UsageError` where there are two."""
    path = lake.root / corpus.source
    return path if path.is_file() else find_roster(path.parent, path.name)


def why_held(lake: Lake, corpus: Corpus, published: str = "") -> str | None:
    """Say which gate of its source keeps a corpus from being built: red, missing, or of another file than is there.

    `published` is the SHA-256 of the file where the caller knows it; else the file is read. `None` where all gates are green
    or only warn, where nothing is published, and where no export is the source.
    """
    export = EXPORTS.get(corpus.asset)
    if export is None or not export.main(lake).is_file():
        return None
    there, verdicts = published or sha256_of(export.main(lake)), read_verdicts(lake, export.asset)
    for check in REQUIRED_OF_EXPORTS[export.asset]:
        found = verdicts.get(check)
        if found is None:
            return f"{export.asset}/{check} is missing: the gate has not looked yet"
        if found.input_sha256 != there:
            return f"{export.asset}/{check} is stale: the file changed after the gate looked at it; `lakehouse distill --day` of any day publishes it anew"
        if is_red(found):
            return f"{export.asset}/{check} is red: {found.summary}"
    return None
