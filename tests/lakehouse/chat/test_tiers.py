"""Tiers: a flag beats the environment beats the file beats what is built in."""

from typing import Any

import pytest

from lakehouse.chat.tiers import BUILT_IN, resolve_model
from lakehouse.errors import UsageError
from lakehouse.settings import Settings

FILE = {"local_judge": "file-judge", "default": "file-default"}
ENVIRON = {"local_judge": "environ-judge", "default": "environ-default"}


@pytest.mark.parametrize(
    ("asked", "environ", "file", "model", "source"),
    [
        ("flag", ENVIRON, FILE, "flag", "as asked"),
        (None, ENVIRON, FILE, "environ-judge", "tier local_judge: the environment"),
        (None, {}, FILE, "file-judge", "tier local_judge: lakehouse.toml [models]"),
        (None, {}, {}, BUILT_IN["local_judge"], "tier local_judge: built in"),
        (None, {"local_judge": ""}, FILE, "file-judge", "tier local_judge: lakehouse.toml [models]"),
        (None, {}, {"local_judge": ""}, BUILT_IN["local_judge"], "tier local_judge: built in"),
        ("default", ENVIRON, FILE, "environ-default", "tier default: the environment"),
        ("mine", {}, {"mine": "x"}, "x", "tier mine: lakehouse.toml [models]"),
        ("mine", {}, {}, "mine", "as asked"),
    ],
)
def test_who_says_so_decides(asked: str | None, environ: Any, file: Any, model: str, source: str) -> None:
    assert resolve_model(Settings(models=file), environ, asked, "local_judge") == (model, source)


def test_a_tier_may_name_another_tier_and_both_are_told() -> None:
    found = resolve_model(Settings(models={"default": "cloud_strong", "cloud_strong": "kimi/k"}), {}, None)
    assert found.model == "kimi/k"
    assert found.source == "tier default: lakehouse.toml [models], tier cloud_strong: lakehouse.toml [models]"


def test_without_anything_a_local_model_is_asked() -> None:
    assert resolve_model(Settings(), {}, None) == (
        "qwen2.5:latest",
        "tier default: built in, tier local_fast: built in",
    )


def test_a_circle_is_an_error_that_shows_it() -> None:
    with pytest.raises(UsageError) as failed:
        resolve_model(Settings(models={"a": "b", "b": "a"}), {}, "a")
    assert failed.value.what == "the tiers lead in a circle: a → b → a"


def test_a_tier_that_nobody_names_is_an_error_that_lists_them() -> None:
    with pytest.raises(UsageError, match=r"no tier 'judge'.*local_judge"):
        resolve_model(Settings(), {}, None, "judge")
