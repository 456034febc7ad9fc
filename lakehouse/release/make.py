"""Making a release: an immutable folder of what is published, with the verdicts and receipts that it rests on.

Here: refusing, the folder and its pages. Not here: what it rests on (`grounds.py`), its hash (`hashing.py`), cards
(`publish/cards/`, by the hook `cards`).

The folder is made under another name, synced, and renamed to its hash: a killed run leaves no release, and the next one
sweeps up. The same data is the same release, whose bytes stay those of the first time, stamps included.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from lakehouse.chain.manifests import VERSIONS
from lakehouse.errors import GateFailed, OutsideFailure, UsageError
from lakehouse.files import Staged, locked, sha256_of, sync_folder
from lakehouse.gates.verdicts import REQUIRED, is_red, read_verdicts
from lakehouse.gates.waivers import read_waivers, waiver_of
from lakehouse.jsonl import encode, read_json, write_json
from lakehouse.lake import Lake
from lakehouse.publish.exports import EXPORTS
from lakehouse.publish.state import Publication
from lakehouse.records import FileRef, GateWaiver, RecallRow, Receipt, Release, ReleasedVerdict, ReleasedVerdicts
from lakehouse.release.grounds import DISTILLED, Grounds, grounds
from lakehouse.release.hashing import DATA, release_hash
from lakehouse.release.store import (
    RECEIPTS,
    RELEASE,
    SUMS,
    VERDICTS,
    folder_of,
    holding,
    mark,
    path_of,
    point_to,
    read_release,
    read_signed,
)
from lakehouse.release.verify import verify
from lakehouse.run import run_hash

VERSION = "release-1"
_MAKING = ".making.tmp"
_CHUNK = 1 << 20


@dataclass(frozen=True)
class ReleaseFacts:
    """What is known of a release when its cards are written. `files` are its data, paths relative to its folder."""

    release_hash: str
    created_at: str
    git_commit: str
    run_id: str | None
    run_hash: str | None
    publications: dict[str, Publication]
    files: list[FileRef]
    verdicts: list[ReleasedVerdict]


Cards = Callable[[Path, ReleaseFacts], None]
"""Writes cards into the folder of a release before it is closed. They are listed and summed, and not in its hash."""


def make(
    lake: Lake,
    connection: Any,
    now: str,
    *,
    by: str,
    git_commit: str,
    run_folder: Path | None = None,
    cards: Cards | None = None,
    done: Callable[[str], None] = lambda what: None,
) -> Release:
    """Release what is published, signed off by `by`; give the release that is there where the data is the same.

    `run_folder` is the reports folder of the run that published last (`publishing_run` finds it); `connection` a bounded
    DuckDB connection. Raises `GateFailed`, naming every reason, where a gate is red, stale or missing, a day is held
    back, a publication is not what the days call for, a published file changed, or a person's decision is not carried
    out yet. Memory: that of hashing (`hashing.Multiset`) and the verdicts.
    """
    if not by.strip():
        raise UsageError("a release needs somebody who signs it off", where="by", mend="give a name")
    with ExitStack() as stack:
        for export in EXPORTS.values():
            stack.enter_context(locked(lake.lock(f"publish-{export.asset}")))
        stack.enter_context(locked(lake.lock("releases")))
        found = grounds(lake, connection, done)
        if found.reasons:
            raise _refused(found)
        files = [_within(ref) for ref in found.files.values()]
        named = release_hash(files)
        if path_of(lake, named).exists():
            release = _again(lake, named, by, now)
        else:
            with _folder(lake, named) as folder:
                release = _fill(lake, folder, named, found, by, now, git_commit, run_folder, cards)
        point_to(lake, named)
    return release


def publishing_run(lake: Lake, reports: Path) -> Path | None:
    """Give the reports folder of the newest run that wrote the SFT export that is published; `None` where none did."""
    native = EXPORTS["sft_export"].main(lake)
    if not native.exists():
        return None
    name, digest = lake.relative(native), sha256_of(native)
    best: tuple[str, Path] | None = None
    for path in sorted((reports / "distillation").glob(f"*/{RECEIPTS}/export-sft.json")):
        receipt = read_json(path, Receipt)
        if receipt is None or not any(ref.path == name and ref.sha256 == digest for ref in receipt.outputs):
            continue
        if best is None or receipt.finished_at >= best[0]:
            best = receipt.finished_at, path.parent.parent
    return best[1] if best else None


def unnamed_waivers(lake: Lake, release: Release) -> list[GateWaiver]:
    """Give the waivers that stand now and that a release does not name: they were given after it was made.

    Equal data is the same release, whose bytes stay those of the first time.
    """
    signed = read_signed(lake, release.release_hash)
    named = {encode(one.waiver) for one in signed.verdicts if one.waiver is not None} if signed else set()
    standing = []
    for asset, day, check in sorted(read_waivers(lake)[0]):
        one = read_verdicts(lake, asset, day).get(check) if asset in REQUIRED else None
        waiver = waiver_of(lake, asset, day, one) if one is not None and is_red(one) else None
        if waiver is not None and encode(waiver) not in named:
            standing.append(waiver)
    return standing


def _refused(found: Grounds) -> GateFailed:
    lines = "".join(f"\n  {reason}" for reason in found.reasons)
    number = f"{len(found.reasons)} reasons" if len(found.reasons) > 1 else "a reason"
    return GateFailed(
        f"nothing is released, for {number}:{lines}\n",
        mend="mend each of them; the releases that are there still stand",
    )


def _within(ref: FileRef) -> FileRef:
    """Describe a published file by its path within the release. Only data counts in the release hash."""
    counts = ref.path.endswith(DATA)
    return FileRef(
        path=ref.path.removeprefix(DISTILLED),
        rows=ref.rows,
        bytes=ref.bytes,
        sha256=ref.sha256,
        content_sha256=ref.content_sha256 if counts else None,
    )


def _again(lake: Lake, named: str, by: str, now: str) -> Release:
    """Give a release that is there already, when it is whole; recalls of it that the verdicts took back end here."""
    found = verify(path_of(lake, named))
    if found.problems:
        raise GateFailed(
            f"this release is there and is damaged: {found.problems[0].path} {found.problems[0].what}",
            where=lake.relative(path_of(lake, named)),
            mend="move that folder away and make the release again; tell whoever took it to run sha256sum -c SHA256SUMS",
        )
    # Its runs passed every gate just now with the verdicts that they have in it: what spoke against them no longer does.
    back = [
        RecallRow(
            release_hash=named,
            run_id=row.run_id,
            stream=row.stream,
            sig_hash=row.sig_hash,
            reason="the verdict is again what it was; the release was made again with every gate green",
            verdict_then=row.verdict_then,
            verdict_now=row.verdict_then,
            by=by,
            at=now,
        )
        for row in holding(lake).get(named, [])
    ]
    if back:
        mark(lake, back)
    return read_release(lake, named)


@contextmanager
def _folder(lake: Lake, named: str) -> Iterator[Path]:
    """Give an empty folder that becomes the release when the block ends without an error; its files become read-only."""
    final = path_of(lake, named)
    making = folder_of(lake) / _MAKING
    try:
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        yield making
        for path in sorted(making.rglob("*")):
            if path.is_dir():
                sync_folder(path)
            else:
                path.chmod(0o444)
        sync_folder(making)
        making.rename(final)
        sync_folder(final.parent)
    except OSError as error:
        raise OutsideFailure(
            f"the release cannot be written ({error.strerror or error})",
            where=str(final),
            mend="look at the disk's free space and rights",
        ) from error
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _fill(
    lake: Lake,
    folder: Path,
    named: str,
    found: Grounds,
    by: str,
    now: str,
    git_commit: str,
    run_folder: Path | None,
    cards: Cards | None,
) -> Release:
    """Write everything that a release holds into its folder."""
    data = [_copied(lake.root / ref.path, folder, _within(ref)) for ref in found.files.values()]
    run_id, hashed, absent = _receipts(run_folder, folder / RECEIPTS)
    if cards is not None:
        facts = ReleaseFacts(named, now, git_commit, run_id, hashed, found.publications, data, found.verdicts)
        cards(folder, facts)
    write_json(
        folder / VERDICTS,
        ReleasedVerdicts(
            schema_version=1,
            release_hash=named,
            signed_off_by=by,
            signed_off_at=now,
            verdicts=found.verdicts,
        ),
    )
    known = {ref.path for ref in data}
    beside = [path for path in _files(folder) if path.relative_to(folder).as_posix() not in known]
    assert not any(path.name.endswith(DATA) for path in beside), "cards speak about data; they hold none"
    release = Release(
        schema_version=1,
        release_hash=named,
        created_at=now,
        run_id=run_id,
        run_hash=hashed,
        git_commit=git_commit,
        code_versions={**VERSIONS, "release": VERSION},
        files=sorted([*data, *(_described(folder, path) for path in beside)], key=lambda ref: ref.path),
        settings={asset: publication.asked for asset, publication in found.publications.items()},
        counts={asset: publication.counts for asset, publication in found.publications.items()},
        left_out={
            asset: {**publication.skip_reasons, "quarantined": publication.records_quarantined}
            for asset, publication in found.publications.items()
        },
        receipts_absent=absent,
    )
    write_json(folder / RELEASE, release)
    summed = sums(folder)
    with Staged(folder / SUMS) as out:
        out.write(summed)
    return release


def sums(folder: Path) -> bytes:
    """Give the lines of `SHA256SUMS`, as `sha256sum -c` reads them: every file of a folder but that one."""
    lines = ((path.relative_to(folder).as_posix(), sha256_of(path)) for path in _files(folder))
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(lines) if name != SUMS).encode()


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _copied(source: Path, folder: Path, ref: FileRef) -> FileRef:
    """Copy a file and see that it is what the gates looked at; not a link, for a person may edit the published one."""
    digest = sha256()
    with source.open("rb") as data, Staged(folder / ref.path) as out:
        while chunk := data.read(_CHUNK):
            digest.update(chunk)
            out.write(chunk)
    if digest.hexdigest() != ref.sha256:
        raise GateFailed("it changed while it was released", where=str(source), mend="publish again, then release")
    return ref


def _described(folder: Path, path: Path) -> FileRef:
    name = path.relative_to(folder).as_posix()
    return FileRef(path=name, rows=0, bytes=path.stat().st_size, sha256=sha256_of(path))


def _receipts(run_folder: Path | None, target: Path) -> tuple[str | None, str | None, str | None]:
    """Copy a run's summary and receipts; give its id and hash, or why there are none."""
    if run_folder is None:
        return None, None, "no run was named"
    found = sorted((run_folder / "receipts").glob("*.json"))
    if not found:
        return run_folder.name, None, f"the reports hold no receipts of run {run_folder.name}"
    receipts = []
    for path in found:
        receipt = read_json(path, Receipt)
        assert receipt is not None, "it was just listed"
        receipts.append(receipt)
    for path in (*found, run_folder / "summary.json"):
        if path.exists():
            with Staged(target / path.name) as out:
                out.write(path.read_bytes())
    return run_folder.name, run_hash(receipts), None
