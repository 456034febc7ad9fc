"""The providers by name. A new one is a file here that ends with its `SPEC`, a line in this list and a prefix in `../routing.py`."""

from __future__ import annotations

from lakehouse.chat.providers import extractive, kimi, ollama, ollama_cloud, opencode, openrouter
from lakehouse.chat.providers.spec import ProviderSpec

PROVIDERS: dict[str, ProviderSpec] = {
    spec.name: spec
    for spec in (ollama.SPEC, ollama_cloud.SPEC, openrouter.SPEC, opencode.SPEC, kimi.SPEC, extractive.SPEC)
}
