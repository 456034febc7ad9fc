"""Taking retrieval away from models that do better without it.

Here: which mode of prompting a model gets. Not here: what a mode does. A strong model that is handed chunks of other
files follows them; alone with the file it reviews better. Weak models need the chunks.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec

from lakehouse.errors import UsageError

WITHOUT_RETRIEVAL: Final = {"lakehouse": "isolation"}
"""The retrieval-heavy modes, and what each becomes for a strong model. Other modes are left as they are."""


class ModeChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """The mode to use; `downgraded_from` is the one that was asked for, where that is another (see `mode_experiments`)."""

    mode: str
    downgraded_from: str | None = None


def downgrade(mode: str | None, model: str | None, weak_models: Collection[str] | None) -> ModeChoice:
    """Choose the mode for a model: those of `weak_models` keep what was asked for, every other model is strong.

    A model may be written `provider/name`; a name in the list means it at every provider. Raises `UsageError` where mode,
    model or list are missing (an empty list is one: then all are strong).
    """
    mode, model = _given("mode", mode), _given("model", model)
    if weak_models is None or isinstance(weak_models, str):
        raise UsageError("the field weak_models is no list", where="downgrade", mend="list the weak models, or give []")
    without = WITHOUT_RETRIEVAL.get(mode)
    if without is None or model in weak_models or model.partition("/")[2] in weak_models:
        return ModeChoice(mode)
    return ModeChoice(without, downgraded_from=mode)


def _given(field: str, value: str | None) -> str:
    if value is None or not value.strip():
        raise UsageError(f"the field {field} is missing", where="downgrade", mend="give mode, model and weak_models")
    return value.strip()
