"""OpenCode: its address and its key. Not here: what it is asked (`openai_compatible.py`)."""

from __future__ import annotations

from lakehouse.chat.providers.openai_compatible import OpenAICompatible
from lakehouse.chat.providers.spec import ProviderSpec

SPEC = ProviderSpec(
    "opencode",
    "models of OpenCode Zen",
    "https://opencode.ai/zen/v1",
    "OPENCODE_API_KEY",
    ("openai",),
    "see whether opencode.ai can be reached from here",
    "its models are listed on https://opencode.ai/docs/zen",
    OpenAICompatible,
)
