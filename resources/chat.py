"""Chat with models as a Dagster resource, and the look that `lakehouse doctor` takes at it.

Here: what the environment says about models, the clock and the randomness of retries. Not here: asking (`lakehouse/chat/`).
No key is a field, for fields are shown in Dagster's UI: keys are read when a chat is opened.
"""

import os
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from pydantic import Field

from lakehouse.addresses import asked_host, checked_host
from lakehouse.chat.passages import Retrieve
from lakehouse.chat.registry import Chatter, open_chat
from lakehouse.errors import LakehouseError
from lakehouse.lake import Lake
from resources.environment import value
from resources.look import Look

TIER_VARIABLES = {
    "default": "LAKEHOUSE_MODEL",
    "local_fast": "LAKEHOUSE_MODEL_LOCAL_FAST",
    "local_judge": "LAKEHOUSE_MODEL_LOCAL_JUDGE",
    "cloud_strong": "LAKEHOUSE_MODEL_CLOUD_STRONG",
}
"""The variables that name a model for a tier, before `[models]` of a lake does."""


class ChatResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """Opens the registry of providers with the settings of a lake."""

    env_file: str = Field(default=".env", description="A file with keys, beside the environment; empty: none.")
    ollama_host: str = Field(default="", description="Where local models answer; empty: Ollama's own default.")
    models: dict[str, str] = Field(default={}, description="A model per tier; beats [models] of the lake.")

    @contextmanager
    def open(
        self, lake: Lake, retrieve: Retrieve | None = None, environ: Mapping[str, str] = os.environ
    ) -> Iterator[Chatter]:
        """Give the registry, closed whatever happens; nobody is asked yet.

        `retrieve` gives passages to `extractive/<corpus>`. Raises `UsageError` where the settings of a provider are wrong.
        """
        chatter = open_chat(
            lake.settings,
            environ,
            env_file=Path(self.env_file) if self.env_file else None,
            ollama_host=self.ollama_host,
            models=self.models,
            retrieve=retrieve,
            folder=lake.root,
            sleep=time.sleep,
            jitter=random.random,
        )
        with chatter:
            yield chatter


def from_environment(environ: Mapping[str, str] = os.environ) -> ChatResource:
    """Give the resource that the environment describes."""
    models = {tier: value(name, environ) for tier, name in TIER_VARIABLES.items()}
    return ChatResource(
        env_file=value("LAKEHOUSE_ENV_FILE", environ),
        ollama_host=asked_host(value("OLLAMA_HOST", environ)),
        models={tier: model for tier, model in models.items() if model},
    )


def look(resource: ChatResource, lake: Lake, environ: Mapping[str, str] = os.environ) -> Look:
    """Say which providers are configured, without asking any.

    Something is wrong where the environment or the lake names a model whose provider cannot be: what nobody names may lack
    its key.
    """
    try:
        with resource.open(lake, environ=environ) as chat:
            checked_host(resource.ollama_host)
            settings = lake.settings
            named = {**settings.models, **resource.models}
            used = [settings.replay.model, *([settings.replay.stronger] if settings.replay.stronger else []), *named]
            for one in used:
                chat.require(one)
            able = [state for state in chat.providers() if state.configured]
    except LakehouseError as error:
        return Look(False, f"{error.where}: {error.what}" if error.where else error.what, error.mend)
    found = f"configured: {', '.join(one.name for one in able)}; not asked (`lakehouse models --probe` asks)"
    warned = [one.warning for one in able if one.warning]
    return Look(True, "; ".join([found, *warned]), "`lakehouse models` says what the others lack")
