"""What a release rests on: every verdict and every published file, and each reason why there can be none now.

Here: reading them from the lake and judging them, without a word from any check that ran. Not here: the gates
themselves (`gates/`), and what is made of it (`make.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from lakehouse.chain.manifests import STAGES, manifest_days, read_manifest
from lakehouse.errors import RecordError
from lakehouse.files import sha256_of
from lakehouse.gates.verdicts import (
    MISSING,
    OF_THE_LAKE,
    REQUIRED,
    REQUIRED_OF_EXPORTS,
    STALE,
    day_input,
    is_red,
    read_verdicts,
    why_red,
)
from lakehouse.gates.waivers import WAIVABLE, waiver_of
from lakehouse.jsonl import encode
from lakehouse.lake import Lake
from lakehouse.overrides import log_path, read_overrides
from lakehouse.publish.exports import EXPORTS, Export
from lakehouse.publish.gating import file_of
from lakehouse.publish.state import Publication, called_for, path_of, read_publication
from lakehouse.records import FileRef, ReleasedVerdict, Verdict
from lakehouse.release.contents import held
from lakehouse.release.hashing import measure
from lakehouse.similarity.holdout import holdout_path

DISTILLED = "distilled/"


@dataclass(frozen=True)
class Reason:
    """Why there can be no release: where, what is wrong there, what to do about it."""

    where: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} (to mend it: {self.mend})"


@dataclass
class Grounds:
    """What was found. `files` describe the published files as they are now, by their paths relative to the lake."""

    reasons: list[Reason] = field(default_factory=list)
    verdicts: list[ReleasedVerdict] = field(default_factory=list)
    publications: dict[str, Publication] = field(default_factory=dict)
    files: dict[str, FileRef] = field(default_factory=dict)


def grounds(lake: Lake, connection: Any, done: Callable[[str], None] = lambda what: None) -> Grounds:
    """Look at every gate of every day that was made, at every publication, and at every byte that is published.

    Writes nothing; hold the locks of all publications. `done` hears of every export. Memory: that of hashing a file, and
    the verdicts.
    """
    found = Grounds()
    days = sorted({day for stage in _stages() for day in manifest_days(lake, stage)})
    for day in days:
        for asset in REQUIRED:
            _look_at_day(lake, found, asset, day)
        for stage in STAGES:
            found.reasons.extend(_changed_files(lake, stage, day))
    for export in EXPORTS.values():
        _look_at_export(lake, found, export, days)
        done(export.asset)
    for asset in OF_THE_LAKE:
        _look_at_whole(lake, found, asset)
    found.reasons.extend(_undone_decisions(lake, connection, found))
    return found


def _stages() -> set[str]:
    return {*STAGES, *(export.made_by for export in EXPORTS.values())}


def _look_at_day(lake: Lake, found: Grounds, asset: str, day: str) -> None:
    again = f"`lakehouse distill --day {day}`"
    where = lake.relative(lake.gate(asset, day))
    try:
        current = day_input(lake, asset, day)
        verdicts = read_verdicts(lake, asset, day)
    except RecordError as error:
        found.reasons.append(Reason(where, error.what, again))
        return
    if current is None:
        if why_red(lake, day) is None:
            found.reasons.append(Reason(where, f"{asset} of {day} was not made yet", again))
        return
    _judge(lake, found, where, asset, day, verdicts, dict.fromkeys(REQUIRED[asset], current), again)


def _look_at_whole(lake: Lake, found: Grounds, asset: str) -> None:
    """Take the verdicts on the lake as a whole as grounds: a red one refuses, a missing one not.

    An audit, acceptance, parity; accepted fills that nobody can be found for; the log of a subject that does not hold.

    A file that somebody changed refuses: it may have held a red one.
    """
    where = lake.relative(lake.gate(asset))
    verdicts = read_verdicts(lake, asset)
    if not verdicts and lake.gate(asset).exists():
        found.reasons.append(Reason(where, f"its verdicts are {MISSING}", "`lakehouse audit`"))
        return
    _judge(lake, found, where, asset, None, verdicts, {}, "`lakehouse audit`")


def _changed_files(lake: Lake, stage: str, day: str) -> Iterator[Reason]:
    """Say which files of a day are not what its gates looked at: a verdict speaks of bytes, so they are hashed here."""
    manifest = read_manifest(lake, stage, day)
    for ref in manifest.outputs if manifest else ():
        path = lake.root / ref.path
        if not path.is_file():
            yield Reason(ref.path, "it is gone", f"`lakehouse distill --day {day}`")
        elif sha256_of(path) != ref.sha256:
            yield Reason(ref.path, "it changed after its gates looked at it", f"`lakehouse distill --day {day}`")


def _look_at_export(lake: Lake, found: Grounds, export: Export, days: list[str]) -> None:
    again = f"publish again, `lakehouse distill --day {days[-1]}`" if days else "`lakehouse distill`"
    where = lake.relative(path_of(lake, export.asset))
    try:
        publication = read_publication(lake, export.asset)
        verdicts = read_verdicts(lake, export.asset)
        called = publication and called_for(lake, export, publication.asked)
    except RecordError as error:
        found.reasons.append(Reason(where, error.what, again))
        return
    if publication is None:
        found.reasons.append(Reason(where, f"{export.asset} was never published, or publishing was interrupted", again))
        return
    found.publications[export.asset] = publication
    for day, why in publication.held_days.items():
        if why_red(lake, day) is not None:
            # The red verdict is a reason itself, with what mends it: one for all exports.
            continue
        found.reasons.append(
            Reason(where, f"{export.asset} holds back {day}: {why}", f"`lakehouse distill --day {day}`")
        )
    if publication.fingerprint != called:
        found.reasons.append(Reason(where, f"{export.asset} is not what the days call for now", again))
    held_out = holdout_path(lake)
    now = sha256_of(held_out) if held_out.exists() else ""
    if publication.asked.get("holdout", now) != now:
        what = f"the held-out items changed since {export.asset} was published"
        found.reasons.append(Reason(lake.relative(held_out), what, again))
    for ref in publication.outputs:
        found.reasons.extend(_look_at_file(lake, found, ref, again))
    where = lake.relative(lake.gate(export.asset))
    required = {check: _looked_at(lake, found, export, check) for check in REQUIRED_OF_EXPORTS[export.asset]}
    _judge(lake, found, where, export.asset, None, verdicts, required, again)


def _looked_at(lake: Lake, found: Grounds, export: Export, check: str) -> str:
    """Give the SHA-256 that the file of a gate has now; nothing where there is none."""
    ref = found.files.get(lake.relative(file_of(lake, export, check)))
    return ref.sha256 if ref is not None else ""


def _look_at_file(lake: Lake, found: Grounds, ref: FileRef, again: str) -> Iterator[Reason]:
    """Read a published file and say how it differs from what was published."""
    if not ref.path.startswith(DISTILLED) or ".." in PurePosixPath(ref.path).parts:
        yield Reason(ref.path, "a publication names a file that does not lie in distilled/", again)
        return
    path = lake.root / ref.path
    if not path.is_file():
        yield Reason(ref.path, "it was published and is gone", again)
        return
    try:
        found.files[ref.path] = now = measure(path, ref.path)
    except RecordError as error:
        yield Reason(error.where, error.what, again)
        return
    if now.sha256 != ref.sha256:
        yield Reason(ref.path, "it changed after it was published", again)


def _judge(
    lake: Lake,
    found: Grounds,
    where: str,
    asset: str,
    day: str | None,
    verdicts: dict[str, Verdict],
    required: Mapping[str, str],
    again: str,
) -> None:
    """Take the verdicts on one asset (and day) as grounds; required ones must be there, each on the data it names."""
    of_day = f" of {day}" if day else ""
    for check, current in required.items():
        one = verdicts.get(check)
        if one is None:
            found.reasons.append(Reason(where, f"{check}{of_day} is {MISSING}", again))
        elif one.input_sha256 != current and (not is_red(one) or waiver_of(lake, asset, day, one) is not None):
            found.reasons.append(Reason(where, f"{check}{of_day} is {STALE}", again))
    for check, one in sorted(verdicts.items()):
        waiver = waiver_of(lake, asset, day, one) if is_red(one) else None
        if is_red(one) and waiver is None:
            mend = f"read its offenders in that file and docs/gates.md, then {again}"
            if day and check in WAIVABLE:
                mend += f"; or a person says why it may go on, `lakehouse gates waive {check} --day {day}`"
            found.reasons.append(Reason(where, f"{check}{of_day} is red, {one.summary}", mend))
        digest = sha256(encode(one)).hexdigest()
        found.verdicts.append(ReleasedVerdict(asset=asset, partition=day, sha256=digest, verdict=one, waiver=waiver))


def _undone_decisions(lake: Lake, connection: Any, found: Grounds) -> Iterator[Reason]:
    """Say which files claim another verdict of a run than a person did since: their days were not made again yet."""
    decided = read_overrides(lake)[0]
    if not decided:
        return
    files: dict[str, Path] = {name: lake.root / name for name in found.files}
    against: dict[str, list[str]] = {}
    try:
        for one in held(connection, files, signatures=sorted(decided)):
            row = decided.get(one.sig_hash)
            if row is not None and row.category != one.category:
                against.setdefault(one.file, []).append(f"{one.id} is {one.category} and was decided {row.category}")
    except RecordError as error:
        yield Reason(error.where, error.what, "`lakehouse distill`")
    for name, rows in against.items():
        log = lake.relative(log_path(lake))
        yield Reason(name, f"{len(rows)} of its rows are not what {log} says since: {min(rows)}", "`lakehouse distill`")
