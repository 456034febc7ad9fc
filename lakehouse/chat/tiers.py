"""Tiers: names for what a model is for (`local_judge`, `cloud_strong`), so that a bump is one line in `lakehouse.toml`.

Here: which model a tier means, and who says so. Not here: which provider that model is of (`routing.py`), and the names of
the environment's variables (`resources/environment.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import NamedTuple

from lakehouse.chat.routing import PREFIXES
from lakehouse.errors import UsageError
from lakehouse.settings import Settings

DEFAULT = "default"
BUILT_IN = {
    DEFAULT: "local_fast",
    "local_fast": "qwen2.5:latest",
    "local_judge": "qwen3.5:latest",
    "cloud_strong": "ollama_cloud/kimi-k2.6",
}
"""The tiers that every lake has: the models that the original's notes name for them."""

ASKED, ENVIRONMENT, FILE, BUILT = "as asked", "the environment", "lakehouse.toml [models]", "built in"


_LIKE = 0.8
"""How like a tier's name a slip of the pen is, by `difflib`."""


class Resolved(NamedTuple):
    """A model's name as it is routed, and who named it, in words."""

    model: str
    source: str


def resolve_model(
    settings: Settings, environ_models: Mapping[str, str], asked: str | None, tier: str = DEFAULT
) -> Resolved:
    """Give the model to ask: the one asked for, else that of a tier. A name that equals a tier means the tier.

    The environment (a model per tier) beats the file beats what is built in. A tier may name another one. Raises
    `UsageError` for a tier that nobody names, and for tiers that lead in a circle.
    """
    if asked is not None and asked not in names(settings, environ_models):
        return Resolved(asked, ASKED)
    name, seen, said = tier if asked is None else asked, list[str](), list[str]()
    known = names(settings, environ_models)
    if name not in known:
        raise UsageError(
            f"there is no tier {name!r}", where="[models]", mend=f"name one of {', '.join(known)}, or add it there"
        )
    while name in known:
        if name in seen:
            way = " → ".join([*seen, name])
            raise UsageError(
                f"the tiers lead in a circle: {way}", where="[models]", mend="let one of them name a model"
            )
        seen.append(name)
        name, source = _of(settings, environ_models, name)
        said.append(f"tier {seen[-1]}: {source}")
    return Resolved(name, ", ".join(said))


def mistaken(name: str, known: Sequence[str]) -> str:
    """Say what a name that no server knows may have been meant for: a tier, or a provider; empty where it is like neither.

    It cannot be refused before: any name may be that of a local model.
    """
    if name in PREFIXES:
        return f"a model of {name} is written `{name}/<model>`"
    if "/" in name or ":" in name or not ("_" in name or get_close_matches(name, known, 1, _LIKE)):
        return ""
    return f"there is no tier {name!r} (the tiers are {', '.join(known)})"


def names(settings: Settings, environ_models: Mapping[str, str]) -> list[str]:
    """Name every tier, the built-in ones first."""
    given = [tier for models in (settings.models, environ_models) for tier, model in models.items() if model]
    return list(dict.fromkeys([*BUILT_IN, *given]))


def _of(settings: Settings, environ_models: Mapping[str, str], tier: str) -> Resolved:
    """Give what a tier that somebody names means."""
    if environ_models.get(tier):
        return Resolved(environ_models[tier], ENVIRONMENT)
    if settings.models.get(tier):
        return Resolved(settings.models[tier], FILE)
    return Resolved(BUILT_IN[tier], BUILT)
