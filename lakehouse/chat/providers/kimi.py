"""Kimi: its address and its key. Not here: what it is asked (`openai_compatible.py`)."""

from __future__ import annotations

from lakehouse.chat.providers.openai_compatible import OpenAICompatible
from lakehouse.chat.providers.spec import ProviderSpec

SPEC = ProviderSpec(
    "kimi",
    "Kimi For Coding",
    "https://api.kimi.com/coding/v1",
    "KIMI_API_KEY",
    ("openai",),
    "see whether api.kimi.com can be reached from here",
    "its models are listed on https://www.kimi.com/code/docs",
    OpenAICompatible,
)
