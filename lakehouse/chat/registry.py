"""The registry: every provider that can be asked, and one call over all of them.

Here: asking with retries, and saying who can be asked. Not here: requests (`providers/`), the table of names (`routing.py`),
what a provider lacks (`places.py`), the words of errors (`failures.py`), reading the environment (`resources/chat.py`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple

from lakehouse.chat import failures
from lakehouse.chat.answer import ChatAnswer, ChatError, Messages
from lakehouse.chat.passages import Retrieve
from lakehouse.chat.places import Place, placed
from lakehouse.chat.providers import PROVIDERS
from lakehouse.chat.providers.ollama import NAME as LOCAL
from lakehouse.chat.providers.spec import Ask, Opening, Provider
from lakehouse.chat.questions import checked
from lakehouse.chat.routing import route
from lakehouse.chat.tiers import DEFAULT, Resolved, mistaken, names, resolve_model
from lakehouse.errors import UsageError
from lakehouse.settings import ProviderSettings, Settings
from lakehouse.upstream import Failed, retried

_PROBE = 5.0
"""Seconds that a look at a server may take."""


class ProviderState(NamedTuple):
    """A provider as people see it: `where` it answers and where its key was found; why it cannot be asked, and what to do.

    `warning` says what should be known of one that can.
    """

    name: str
    title: str
    configured: bool
    where: str
    why_not: str = ""
    mend: str = ""
    warning: str = ""


class Reach(NamedTuple):
    """What a server answered to being asked for its models."""

    ok: bool
    found: str
    mend: str = ""


class Chatter:
    """Asks models; a `Chat`. Safe to call from many threads. Close it yourself."""

    def __init__(
        self,
        settings: Settings,
        models: Mapping[str, str],
        places: Mapping[str, Place],
        retrieve: Retrieve | None,
        sleep: Callable[[float], None],
        jitter: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._models = models
        self._places = places
        self._retrieve = retrieve
        self._sleep, self._jitter, self._monotonic = sleep, jitter, monotonic
        self._opened: dict[str, Provider] = {}
        self._lock = Lock()

    def __call__(
        self,
        messages: Messages,
        model: str,
        *,
        format: str | Mapping[str, Any] | None = None,  # noqa: A002 - the name that every API has for it
        temperature: float = 0.0,
        max_tokens: int | None = None,
        think: bool = False,
    ) -> ChatAnswer:
        """Give the answer to messages; `model` is a name, or a tier. `latency_ms` counts every try and the waits between.

        Raises `ChatError`, and `UsageError` for what can be asked of nobody.
        """
        name = self.resolve(model).model
        provider, upstream = route(name)
        ask = checked(Ask(messages, upstream, format, temperature, max_tokens, think))
        place = self._place(provider)
        opened = self._open(place)
        tries = self._settings.chat.tries
        started = self._monotonic()
        failed = None
        try:
            said = retried(lambda: opened.ask(ask), tries=tries, sleep=self._sleep, jitter=self._jitter)
        except Failed as given:
            failed = given
        if failed is not None:
            meant = mistaken(name, names(self._settings, self._models))
            raise failures.error(failed, place.spec, place.where, place.key, upstream, meant)
        return ChatAnswer(
            content=said.content,
            model=upstream,
            provider=provider,
            finish_reason=said.finish_reason,
            prompt_tokens=said.prompt_tokens,
            completion_tokens=said.completion_tokens,
            latency_ms=round((self._monotonic() - started) * 1000),
        )

    def __enter__(self) -> Chatter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give all connections back."""
        with self._lock:
            opened, self._opened = self._opened, {}
        for provider in opened.values():
            provider.close()

    def resolve(self, asked: str | None = None, tier: str = DEFAULT) -> Resolved:
        """Give the model that a name, a tier or nothing means, and who says so."""
        return resolve_model(self._settings, self._models, asked, tier)

    def tiers(self) -> dict[str, Resolved]:
        """Give every tier with its model."""
        return {name: self.resolve(name) for name in names(self._settings, self._models)}

    def available(self, provider: str) -> bool:
        """Say whether a provider can be asked, by its own name; nobody is asked. Unknown ones cannot."""
        place = self._places.get(provider)
        return place is not None and not place.why_not

    def providers(self) -> list[ProviderState]:
        """Give every provider and what it lacks; nobody is asked."""
        return [
            ProviderState(name, one.spec.title, not one.why_not, one.told, one.why_not, one.mend, one.warning)
            for name, one in self._places.items()
        ]

    def require(self, model: str) -> str:
        """Give the provider of a model or tier; nobody is asked. Raises as a call does where it is not configured."""
        return self._place(route(self.resolve(model).model).provider).spec.name

    def probe(self, provider: str) -> Reach:
        """Ask a provider once for its models, for at most five seconds."""
        place = self._places[provider]
        if place.why_not:
            return Reach(False, place.why_not, place.mend)
        if not place.spec.url:
            return Reach(True, "asks no server")
        opened = place.spec.open(self._opening(place, min(_PROBE, self._settings.chat.timeout)))
        try:
            models = opened.models()
        except Failed as failed:
            told = failures.error(failed, place.spec, place.where, place.key, "")
            return Reach(False, told.what, told.mend)
        finally:
            opened.close()
        if not models and place.spec.name == LOCAL:
            return Reach(False, "answers, and holds no model", "`ollama pull qwen2.5`")
        some = ", ".join(sorted(models)[:5]) + (", …" if len(models) > 5 else "")
        return Reach(True, f"answers, lists {len(models)} models: {some}")

    def _place(self, provider: str) -> Place:
        place = self._places[provider]
        if place.mistake:
            raise UsageError(place.why_not, where=place.mistake, mend=place.mend)
        if place.why_not:
            raise ChatError.of(
                "provider_not_configured",
                f"the provider cannot be asked: {place.why_not}",
                where=f"{provider} at {place.where}",
                mend=place.mend,
            )
        return place

    def _open(self, place: Place) -> Provider:
        """Open a provider when it is first asked: its client takes a part of a second to import."""
        with self._lock:
            if place.spec.name not in self._opened:
                opening = self._opening(place, self._settings.chat.timeout)
                self._opened[place.spec.name] = place.spec.open(opening)
            return self._opened[place.spec.name]

    def _opening(self, place: Place, timeout: float) -> Opening:
        return Opening(place.url, place.key, timeout, self._monotonic, self._retrieve)


def open_chat(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    env_file: Path | None,
    ollama_host: str,
    sleep: Callable[[float], None],
    jitter: Callable[[], float],
    models: Mapping[str, str] | None = None,
    retrieve: Retrieve | None = None,
    folder: Path | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Chatter:
    """Open the registry; asks nobody, and imports no client.

    Keys come from `environ`, then from the provider's own `env_file` (relative to `folder`, that of the settings), then from
    `env_file`. `models` names a model per tier as the environment does, `retrieve` gives passages to `extractive`. Raises
    `UsageError` for a setting of a provider that does not exist, and for an address that is none.
    """
    for name in settings.chat.providers:
        if name not in PROVIDERS:
            raise UsageError(
                f"there is no provider {name!r}",
                where=f"[chat.providers.{name}]",
                mend=f"the providers are {', '.join(PROVIDERS)}",
            )
    places = {}
    for name, spec in PROVIDERS.items():
        given = settings.chat.providers.get(name, ProviderSettings())
        own = (folder or Path()) / Path(given.env_file).expanduser() if given.env_file else None
        files = [file for file in (own, env_file) if file is not None]
        default = ollama_host if name == LOCAL and ollama_host else spec.url
        places[name] = placed(spec, given, default, environ, files)
    return Chatter(settings, models or {}, places, retrieve, sleep, jitter, monotonic)
