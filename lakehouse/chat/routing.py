"""Which provider a model's name means, and what that provider calls the model.

Here: the table, as a pure function. Not here: whether the provider is configured (`registry.py`), tiers (`tiers.py`).

A prefix says more than a suffix: `openrouter/a/b:cloud` is a model of OpenRouter, and `ollama/x:cloud` one that the local
server knows by that very name (it passes such models on itself). Only the provider that a name leads to decides what is
taken off it; whatever has no known prefix and no `:cloud` is a local model's name, unchanged.
"""

from __future__ import annotations

from typing import NamedTuple

from lakehouse.errors import UsageError

LOCAL = "ollama"
CLOUD = "ollama_cloud"
PASSAGES = "extractive"
CLOUD_SUFFIX = ":cloud"
PREFIXES = (LOCAL, CLOUD, "openrouter", "opencode", "kimi", PASSAGES)


class Route(NamedTuple):
    """A provider and the model's name there."""

    provider: str
    model: str


def route(name: str) -> Route:
    """Read a model's name. Raises `UsageError` where it names no model, or passages without their corpus."""
    prefix, slash, rest = name.partition("/")
    if name == PASSAGES:
        raise UsageError(f"{name!r} names no corpus to answer from", where="model", mend=f"write `{PASSAGES}/rag`")
    if slash and prefix in PREFIXES:
        found = Route(prefix, rest.removesuffix(CLOUD_SUFFIX) if prefix == CLOUD else rest)
    elif name.endswith(CLOUD_SUFFIX):
        found = Route(CLOUD, name.removesuffix(CLOUD_SUFFIX))
    else:
        found = Route(LOCAL, name)
    if not found.model.strip():
        raise UsageError(
            f"{name!r} names no model",
            where="model",
            mend="write it as in `qwen3.5:latest` or `openrouter/vendor/model`",
        )
    return found
