"""Ollama Cloud: models of ollama.com, asked by `/api/generate` with a key.

Here: the request, for which messages become one prompt. Not here: reading answers, which is as in `ollama.py`.
Source: Ollama's API documentation, "Generate a completion".
"""

from __future__ import annotations

from typing import NamedTuple

from lakehouse.chat.answer import Messages
from lakehouse.chat.providers.ollama import Ollama, options, said
from lakehouse.chat.providers.spec import Ask, ProviderSpec, Said

NAME = "ollama_cloud"


class Flat(NamedTuple):
    """Messages as `/api/generate` takes them."""

    system: str
    prompt: str


class OllamaCloud(Ollama):
    """The cloud of Ollama."""

    def ask(self, ask: Ask) -> Said:
        """Ask once; see `Provider`."""
        flat = flatten(ask.messages)
        given = self.call(
            lambda: self.client.generate(
                ask.model,
                flat.prompt,
                system=flat.system,
                think=ask.think,
                format=ask.format,
                options=options(ask),
            )
        )
        return said(given, given.response)


def flatten(messages: Messages) -> Flat:
    """Make one prompt of messages: a single one as it is, several each under the name of who speaks, the answer's last."""
    system = "\n\n".join(str(one["content"]) for one in messages if one["role"] == "system")
    turns = [one for one in messages if one["role"] != "system"]
    if len(turns) == 1 and turns[0]["role"] == "user":
        return Flat(system, str(turns[0]["content"]))
    spoken = [f"{str(one['role']).capitalize()}: {one['content']}" for one in turns]
    return Flat(system, "\n\n".join([*spoken, "Assistant:"]))


SPEC = ProviderSpec(
    NAME,
    "models of Ollama Cloud",
    "https://ollama.com",
    "OLLAMA_API_KEY",
    ("ollama",),
    "see whether ollama.com can be reached from here",
    "its models are listed on https://ollama.com/search?c=cloud",
    OllamaCloud,
)
