"""The table of names: which provider a model's name means, and the name that goes upstream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.chat.providers import PROVIDERS
from lakehouse.chat.routing import PREFIXES, route
from lakehouse.errors import UsageError


@pytest.mark.parametrize(
    ("name", "provider", "upstream"),
    [
        ("qwen3.5", "ollama", "qwen3.5"),
        ("qwen3.5:latest", "ollama", "qwen3.5:latest"),
        ("ollama/qwen3.5:latest", "ollama", "qwen3.5:latest"),
        ("ollama/hf.co/vendor/model", "ollama", "hf.co/vendor/model"),
        ("ollama_cloud/deepseek-v3.2", "ollama_cloud", "deepseek-v3.2"),
        ("kimi-k2.6:cloud", "ollama_cloud", "kimi-k2.6"),
        ("openrouter/vendor/model", "openrouter", "vendor/model"),
        ("opencode/claude-opus-4-7", "opencode", "claude-opus-4-7"),
        ("kimi/kimi-for-coding", "kimi", "kimi-for-coding"),
        ("extractive/rag", "extractive", "rag"),
        # Both, and a prefix with another's suffix: the prefix decides.
        ("ollama_cloud/x:cloud", "ollama_cloud", "x"),
        ("ollama/x:cloud", "ollama", "x:cloud"),
        ("openrouter/a/b:free", "openrouter", "a/b:free"),
        ("openrouter/a/b:cloud", "openrouter", "a/b:cloud"),
        ("kimi/x:cloud", "kimi", "x:cloud"),
        # An unknown prefix belongs to the name.
        ("hf.co/vendor/model", "ollama", "hf.co/vendor/model"),
        ("unknown/x", "ollama", "unknown/x"),
        ("unknown/x:cloud", "ollama_cloud", "unknown/x"),
        ("OLLAMA/x", "ollama", "OLLAMA/x"),
        ("cloud", "ollama", "cloud"),
        ("gpt-oss:120b-cloud", "ollama", "gpt-oss:120b-cloud"),
        ("x:cloud:cloud", "ollama_cloud", "x:cloud"),
        ("kimi", "ollama", "kimi"),
        ("ollama/kimi/x", "ollama", "kimi/x"),
    ],
)
def test_the_name_says_the_provider_and_what_goes_upstream(name: str, provider: str, upstream: str) -> None:
    assert route(name) == (provider, upstream)


@pytest.mark.parametrize("name", ["", " ", "ollama/", "openrouter/", ":cloud", "ollama_cloud/:cloud", "extractive/ "])
def test_a_name_without_a_model_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="names no model"):
        route(name)


def test_passages_without_their_corpus_are_told_how_to_be_named() -> None:
    with pytest.raises(UsageError, match="write `extractive/rag`"):
        route("extractive")


@given(st.text(min_size=1).filter(lambda text: bool(text.strip())))
def test_any_other_name_is_local_and_unchanged(name: str) -> None:
    if name.partition("/")[0] not in PREFIXES and not name.endswith(":cloud"):
        assert route(name) == ("ollama", name)


def test_every_prefix_has_its_provider() -> None:
    assert sorted(PREFIXES) == sorted(PROVIDERS)
