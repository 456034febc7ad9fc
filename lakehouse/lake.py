"""Where everything lies: the folders of a lake, its settings and its streams.

Here: paths and the registry of one lake. Not here: reading or writing what lies there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from lakehouse.errors import UsageError
from lakehouse.settings import Settings, read_settings
from lakehouse.streams import Stream, load_streams

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True)
class Lake:
    """A lake at a folder. Cheap to make: settings and streams are read when first asked for, once."""

    root: Path

    def __reduce__(self) -> tuple[type[Lake], tuple[Path]]:
        # A worker process reads settings and streams for itself: declared transforms need not survive a pickle.
        return Lake, (self.root,)

    @cached_property
    def settings(self) -> Settings:
        """What `lakehouse.toml` says."""
        return read_settings(self.toml)

    @cached_property
    def streams(self) -> dict[str, Stream]:
        """Every stream of this lake by name, in the order in which outputs join them."""
        streams = load_streams(self.settings.streams)
        unknown = [name for name in self.settings.sft.streams or () if name not in streams]
        if unknown:
            raise UsageError(
                f"[sft] streams names {unknown[0]!r}, which is no stream",
                where=str(self.toml),
                mend=f"the streams are {', '.join(sorted(streams))}",
            )
        return {name: streams[name] for name in sorted(streams)}

    def stream(self, name: str) -> Stream:
        """Give one stream. Raises `UsageError` that lists the known names."""
        try:
            return self.streams[name]
        except KeyError:
            raise UsageError(
                f"there is no stream {name!r}", mend=f"the streams are {', '.join(self.streams)}"
            ) from None

    @cached_property
    def _by_source(self) -> dict[str, Stream]:
        return {stream.source: stream for stream in self.streams.values()}

    def stream_of(self, source_file: str) -> Stream | None:
        """Give the stream that a file belongs to, by its path or its folder's; `None` where none is declared (any more).

        Other runtimes write the path with `data/` before it.
        """
        name = source_file.removeprefix("data/").removesuffix(".jsonl")
        return self._by_source.get(name) or self._by_source.get(name.rpartition("/")[0])

    @property
    def toml(self) -> Path:
        """The settings file."""
        return self.root / "lakehouse.toml"

    @property
    def raw(self) -> Path:
        """The folder of the raw streams and of our own logs."""
        return self.root / "_kb"

    @property
    def parts(self) -> Path:
        """The folder of the SFT day parts."""
        return self.root / "distilled" / "sft" / "parts"

    @property
    def sft(self) -> Path:
        """The folder of the published SFT export."""
        return self.root / "distilled" / "sft"

    @property
    def sessions(self) -> Path:
        """The log of iterate, one line a call."""
        return self.raw / "sessions.jsonl"

    @property
    def replays(self) -> Path:
        """The log of replays."""
        return self.raw / "replay_runs.jsonl"

    @property
    def subjects(self) -> Path:
        """The folder of the subjects, one folder each."""
        return self.root / "subjects"

    def relative(self, path: Path) -> str:
        """Give a path relative to the lake, as records and receipts name it."""
        return path.relative_to(self.root).as_posix()

    def line_index(self, stream: str) -> Path:
        """The line index of a stream."""
        return self.root / "index" / "lines" / f"{stream}.parquet"

    def manifest(self, stage: str, day: str) -> Path:
        """What a stage made of a day."""
        return self.root / "index" / "days" / stage / f"{_checked(day)}.json"

    def evidence(self, day: str, stream: str = "") -> Path:
        """The evidence of a day: its folder, or one stream's file."""
        return _day_folder(self.root / "evidence", day, stream)

    def scored(self, day: str, stream: str = "") -> Path:
        """The scored runs of a day: their folder, or one stream's file."""
        return _day_folder(self.root / "scored-runs", day, stream)

    def quarantine(self, day: str | None, stage: str) -> Path:
        """The quarantine file of a stage on a day; `None` is for rows without a usable day."""
        if day is None:
            return self.root / "quarantine" / "undated" / f"{stage}.jsonl"
        return _day_folder(self.root / "quarantine", day, stage)

    def part(self, day: str) -> Path:
        """The SFT samples of a day."""
        year, month, number = _checked(day).split("-")
        return self.parts / year / month / f"{number}.jsonl"

    def keys(self, day: str, stream: str = "") -> Path:
        """The keys of the runs of a day, by which publishing finds conflicts and copies: folder, or a stream's file."""
        folder = self.part(day).with_suffix(".keys")
        return folder / f"{stream}.parquet" if stream else folder

    def screen(self, day: str) -> Path:
        """What screening found in the SFT samples of a day."""
        return self.part(day).with_suffix(".screen.parquet")

    def rag_part(self, day: str) -> Path:
        """The RAG chunks of a day."""
        year, month, number = _checked(day).split("-")
        return self.root / "distilled" / "rag" / "parts" / year / month / f"{number}.jsonl"

    def rag_keys(self, day: str, stream: str = "") -> Path:
        """The keys of a day's chunks and of its rejected runs, by which publishing settles: folder, or a stream's file."""
        folder = self.rag_part(day).with_suffix(".keys")
        return folder / f"{stream}.parquet" if stream else folder

    def gate(self, asset: str, day: str | None = None) -> Path:
        """The verdicts of the gates of an asset, on a day where it has days."""
        folder = self.root / "gates"
        return folder / f"{asset}.json" if day is None else folder / asset / f"{_checked(day)}.json"

    def lock(self, name: str) -> Path:
        """The lock file of an output."""
        return self.root / "index" / "locks" / f"{name}.lock"


def _checked(day: str) -> str:
    if not _DAY.fullmatch(day):
        raise UsageError(f"{day!r} is no day", mend="write it as YYYY-MM-DD")
    return day


def _day_folder(base: Path, day: str, name: str) -> Path:
    folder = base.joinpath(*_checked(day).split("-"))
    return folder / f"{name}.jsonl" if name else folder
