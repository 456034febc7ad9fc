"""What a lake's `lakehouse.toml` says: the first day, declared streams and imports, and the settings of the chain.

Here: reading, checking and writing that file. Not here: environment variables (the resources read those) and what the
settings do.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated, Any

import msgspec

from lakehouse.errors import UsageError
from lakehouse.files import write_whole

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class SftSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[sft]`: whether partially accepted runs are exported, and which streams are (all where the list is absent).

    `holdout_overlap` is the share of either text's 13-grams from which on a sample counts as held out; `split_seed`
    deals the tasks to the splits: changing it moves samples.
    """

    include_partial: bool = False
    streams: list[str] | None = None
    holdout_overlap: Annotated[float, msgspec.Meta(gt=0, le=1)] = 0.5
    split_seed: str = "lakehouse"


class RagSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[rag]`: the most tokens of a chunk (the embedder's window may allow fewer) and how many of them the next repeats.

    `include_review` exports runs that a person has not decided on yet, tagged `unreviewed`.
    """

    tokens: Annotated[int, msgspec.Meta(ge=16)] = 400
    overlap: Annotated[int, msgspec.Meta(ge=0)] = 50
    include_review: bool = False


class CardSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[card]`: what the dataset cards call the data and its licence (an identifier of Hugging Face, or a URL)."""

    name: str = "agent-runs"
    title: str = "Judged agent runs"
    licence: Annotated[str, msgspec.Meta(pattern=r"^([A-Za-z0-9][A-Za-z0-9.+_-]*|https?://\S+)$")] = "other"
    language: list[str] = []
    creator: str | None = None
    url: str | None = None


class ProviderSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[chat.providers.<name>]`: where a provider answers, and under which name its key is looked up.

    Absent keys are the provider's own. `env_file` is a `.env` file for its key alone.
    """

    url: str | None = None
    key_env: str | None = None
    env_file: str | None = None


class ChatSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[chat]`: patience of one request in seconds, tries of one call in all, and the providers."""

    timeout: Annotated[float, msgspec.Meta(gt=0)] = 120.0
    tries: Annotated[int, msgspec.Meta(ge=1, le=10)] = 3
    providers: dict[str, ProviderSettings] = {}


class ReplaySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[replay]`: how many of the newest accepted tasks are done again, by which models, with how many passages.

    A model is a name or a tier of `[models]`. Without `stronger` nothing is asked a second time.
    """

    tasks: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 20
    passages: Annotated[int, msgspec.Meta(ge=1, le=100)] = 6
    model: str = "extractive/rag"
    stronger: str | None = None


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of `lakehouse.toml`.

    `workers` is the number of processes for big days (0: one per core), `models` names a model per tier.
    """

    first_day: str | None = None
    workers: Annotated[int, msgspec.Meta(ge=0)] = 0
    sft: SftSettings = SftSettings()
    card: CardSettings = CardSettings()
    rag: RagSettings = RagSettings()
    models: dict[str, str] = {}
    chat: ChatSettings = ChatSettings()
    replay: ReplaySettings = ReplaySettings()
    streams: dict[str, dict[str, Any]] = {}
    imports: dict[str, dict[str, str]] = {}


def read_settings(path: Path) -> Settings:
    """Read `lakehouse.toml`; defaults where there is none. Raises `UsageError` naming the file and the key."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"it cannot be read ({error})", where=str(path), mend="it is a text file in UTF-8") from None
    try:
        table = tomllib.loads(text)
        if "first_day" in table:
            table["first_day"] = str(table["first_day"])
        settings = msgspec.convert(table, Settings)
        if settings.first_day is not None and not _DAY.fullmatch(settings.first_day):
            raise msgspec.ValidationError(f"first_day is {settings.first_day!r}, not a day (YYYY-MM-DD)")
        if settings.rag.overlap > settings.rag.tokens // 2:
            most = settings.rag.tokens // 2
            raise msgspec.ValidationError(f"[rag] overlap is {settings.rag.overlap}, more than half of tokens ({most})")
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise UsageError(str(error), where=str(path), mend="the settings are listed in docs/configuration.md") from None
    return settings


def set_first_day(path: Path, day: str | None) -> None:
    """Write `first_day` into `lakehouse.toml`, leaving every other line as it is; makes the file where none is.

    Without a day only the latter.
    """
    text = path.read_text(encoding="utf-8") if path.exists() else HEADER
    if day is None:
        write_whole(path, text.encode())
        return
    lines = text.splitlines()
    line = f"first_day = {day}"
    for number, old in enumerate(lines):
        if old.split("=")[0].strip() == "first_day":
            lines[number] = line
            break
        if old.lstrip().startswith("["):
            lines.insert(number, line)
            break
    else:
        lines.append(line)
    write_whole(path, ("\n".join(lines) + "\n").encode())


HEADER = """\
# The settings of this lake. Every key has a default; docs/configuration.md lists them all.
# first_day: the oldest day that is processed; older rows are quarantined as before_first_day.
# workers: processes for big days; 0 is one per core.
"""
