"""Which files are not what the manifest of their day, or the publication of their export, says was written.

Here: hashing. Not here: which line it is (`locate.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lakehouse import engine
from lakehouse.chain.manifests import STAGES, read_manifest
from lakehouse.files import sha256_of
from lakehouse.lake import Lake
from lakehouse.publish.exports import EXPORTS
from lakehouse.publish.state import path_of, read_publication
from lakehouse.records import FileRef


@dataclass(frozen=True)
class Written:
    """A file as its stage or its export wrote it; `day` is `None` for a file of an export, `asset` for one of a day."""

    ref: FileRef
    stage: str
    day: str | None = None
    asset: str | None = None

    def said_by(self, lake: Lake) -> str:
        """Name the manifest, or the record of the publication, that says so."""
        path = lake.manifest(self.stage, self.day) if self.day else path_of(lake, self.asset or "")
        return lake.relative(path)


@dataclass(frozen=True)
class Changed:
    """A file that is not what was written: what is there now, by its hash; `None` where nothing is."""

    written: Written
    sha256: str | None


def written_on(lake: Lake, days: Iterable[str]) -> list[Written]:
    """List the files of days, by the manifests of all stages."""
    found = []
    for day in days:
        for stage in STAGES:
            manifest = read_manifest(lake, stage, day)
            found += [Written(ref, stage, day=day) for ref in (manifest.outputs if manifest else ())]
    return found


def published(lake: Lake) -> list[Written]:
    """List the files that are published, by the records of the publications."""
    found = []
    for asset, export in EXPORTS.items():
        last = read_publication(lake, asset)
        found += [Written(ref, export.stage, asset=asset) for ref in (last.outputs if last else ())]
    return found


def changed(lake: Lake, files: list[Written]) -> list[Changed]:
    """Hash files, in as many processes as are worth it, and give those that are not what was written."""
    paths = [lake.root / one.ref.path for one in files]
    hashes = engine.run(_hash, paths, _size, workers=lake.settings.workers)
    return [Changed(one, found) for one, found in zip(files, hashes, strict=True) if found != one.ref.sha256]


def _hash(path: Path) -> str | None:
    return sha256_of(path) if path.is_file() else None


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
