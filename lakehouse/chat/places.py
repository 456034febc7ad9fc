"""A provider with the settings of a lake: its address, its key, and what it lacks.

Here: putting these together. Not here: asking it (`registry.py`), looking a key up (`keys.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lakehouse.addresses import HOST_VARIABLE, checked_host, checked_url, readable_by_others, without_secret
from lakehouse.chat.keys import Key, look_up
from lakehouse.chat.providers.ollama import NAME as LOCAL
from lakehouse.chat.providers.spec import ProviderSpec
from lakehouse.embedding.source import installed
from lakehouse.errors import UsageError
from lakehouse.settings import ProviderSettings


@dataclass(frozen=True)
class Place:
    """A provider as it is configured here. `why_not` is empty where it can be asked; else `mend` says what to do.

    `mistake` names the setting that is wrong, where nothing is merely missing.
    """

    spec: ProviderSpec
    url: str
    key: Key | None
    why_not: str = ""
    mend: str = ""
    mistake: str = ""

    @property
    def where(self) -> str:
        """Where it answers, for people to see."""
        return without_secret(self.url) if self.url else "here"

    @property
    def told(self) -> str:
        """Where it answers, and where its key was found."""
        return f"{self.where}, {self.key.where}" if self.key else self.where

    @property
    def warning(self) -> str:
        """Say what should be known before it is asked; empty where nothing is."""
        if self.key is None or self.why_not or not readable_by_others(self.url):
            return ""
        return f"{self.spec.name} gets its key and every prompt unencrypted, at {self.where}: use https"


def placed(
    spec: ProviderSpec, given: ProviderSettings, default: str, environ: Mapping[str, str], files: Sequence[Path]
) -> Place:
    """Say where a provider is, with which key, and what it lacks. Raises `UsageError` where the lake's address is none.

    An address of the environment that is none keeps nobody from asking another provider.
    """
    name = given.key_env or spec.key_env
    url = checked_url(given.url, f"[chat.providers.{spec.name}] url", key_env=name) if given.url else default
    found = look_up(name, environ, files) if name else None
    key = found.key if found else None
    if spec.name == LOCAL and not given.url:
        try:
            checked_host(url)
        except UsageError as error:
            return Place(spec, url, key, error.what, error.mend, HOST_VARIABLE)
    missing = [package for package in spec.packages if not installed(package)]
    if missing:
        lacks = f"it needs the package {' and '.join(missing)}, which this installation lacks"
        return Place(spec, url, key, lacks, "pip install 'lakehouse-dagster[chat]'")
    if found is None or key is not None:
        return Place(spec, url, key)
    or_file = f", or write `{name}=…` into {files[0]}" if files else ""
    return Place(spec, url, None, found.why_not, f"export {name}=…{or_file}")
