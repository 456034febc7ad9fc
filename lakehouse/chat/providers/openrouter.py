"""OpenRouter: its address and its key. Not here: what it is asked (`openai_compatible.py`)."""

from __future__ import annotations

from lakehouse.chat.providers.openai_compatible import OpenAICompatible
from lakehouse.chat.providers.spec import ProviderSpec

SPEC = ProviderSpec(
    "openrouter",
    "models of many vendors on OpenRouter",
    "https://openrouter.ai/api/v1",
    "OPENROUTER_API_KEY",
    ("openai",),
    "see whether openrouter.ai can be reached from here",
    "its models are listed on https://openrouter.ai/models",
    OpenAICompatible,
)
