"""A provider with the settings of a lake: its address, its key, and what it lacks.

Here: putting these together. Not here: asking it (`registry.py`), looking a key up (`keys.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lakehouse.chat.keys import Key, look_up
from lakehouse.chat.providers import http
from lakehouse.chat.providers.spec import ProviderSpec
from lakehouse.embedding.source import installed
from lakehouse.settings import ProviderSettings
from lakehouse.upstream import without_secret


@dataclass(frozen=True)
class Place:
    """A provider as it is configured here. `why_not` is empty where it can be asked; else `mend` says what to do."""

    spec: ProviderSpec
    url: str
    key: Key | None
    why_not: str = ""
    mend: str = ""

    @property
    def where(self) -> str:
        """Where it answers, for people to see."""
        return without_secret(self.url) if self.url else "here"

    @property
    def told(self) -> str:
        """Where it answers, and where its key was found."""
        return f"{self.where}, {self.key.where}" if self.key else self.where


def placed(
    spec: ProviderSpec, given: ProviderSettings, default: str, environ: Mapping[str, str], files: Sequence[Path]
) -> Place:
    """Say where a provider is, with which key, and what it lacks. Raises `UsageError` where its address is none."""
    url = http.checked(given.url, spec.name) if given.url else default
    name = given.key_env or spec.key_env
    found = look_up(name, environ, files) if name else None
    key = found.key if found else None
    missing = [package for package in spec.packages if not installed(package)]
    if missing:
        lacks = f"it needs the package {' and '.join(missing)}, which this installation lacks"
        return Place(spec, url, key, lacks, "pip install 'lakehouse-dagster[chat]'")
    if found is None or key is not None:
        return Place(spec, url, key)
    or_file = f", or write `{name}=…` into {files[0]}" if files else ""
    return Place(spec, url, None, found.why_not, f"export {name}=…{or_file}")
