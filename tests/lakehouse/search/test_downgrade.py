"""Mode downgrade: strong models go without retrieval, the weak list keeps it."""

import pytest

from lakehouse.errors import UsageError
from lakehouse.search.downgrade import ModeChoice, downgrade

WEAK = ["qwen3.5:latest", "ollama/gemma3:4b"]


@pytest.mark.parametrize(
    ("mode", "model", "weak", "chosen"),
    [
        ("lakehouse", "grok-4.1-fast", WEAK, ModeChoice("isolation", "lakehouse")),
        ("lakehouse", "x-ai/grok-4.1-fast", WEAK, ModeChoice("isolation", "lakehouse")),
        ("lakehouse", "qwen3.5:latest", WEAK, ModeChoice("lakehouse")),
        ("lakehouse", "ollama/qwen3.5:latest", WEAK, ModeChoice("lakehouse")),
        ("lakehouse", "ollama/gemma3:4b", WEAK, ModeChoice("lakehouse")),
        ("lakehouse", "gemma3:4b", WEAK, ModeChoice("isolation", "lakehouse")),
        ("lakehouse", "qwen3.5", WEAK, ModeChoice("isolation", "lakehouse")),
        ("lakehouse", "never-heard-of-it", WEAK, ModeChoice("isolation", "lakehouse")),
        ("lakehouse", "qwen3.5:latest", [], ModeChoice("isolation", "lakehouse")),
        ("isolation", "grok-4.1-fast", WEAK, ModeChoice("isolation")),
        ("staffing", "grok-4.1-fast", WEAK, ModeChoice("staffing")),
    ],
)
def test_a_model_outside_the_weak_list_is_strong(mode, model, weak, chosen):
    assert downgrade(mode, model, weak) == chosen


@pytest.mark.parametrize(
    ("mode", "model", "weak", "field"),
    [
        ("", "grok-4.1-fast", WEAK, "mode"),
        (None, "grok-4.1-fast", WEAK, "mode"),
        ("lakehouse", " ", WEAK, "model"),
        ("lakehouse", None, WEAK, "model"),
        ("lakehouse", "grok-4.1-fast", None, "weak_models"),
        ("lakehouse", "grok-4.1-fast", "qwen3.5:latest", "weak_models"),
    ],
)
def test_a_missing_field_is_an_error_that_names_it(mode, model, weak, field):
    with pytest.raises(UsageError, match=f"the field {field} is"):
        downgrade(mode, model, weak)
