"""Opening what a replay needs, all at once: retrieval, validators, the models that the settings or the caller name.

Here: putting a `Replayer` together. Not here: opening the chat and the embedder, the environment: who calls passes them in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

from lakehouse.chat.answer import Chat
from lakehouse.chat.tiers import resolve_model
from lakehouse.lake import Lake
from lakehouse.records import ValidationError
from lakehouse.replay.checks import Validate
from lakehouse.replay.memory import Setting, own_setting
from lakehouse.replay.replaying import Replayer
from lakehouse.replay.retrieval import EmbedderOpener, open_retrieve
from lakehouse.replay.similar import BY_WORDS, Similar, by_embedder


class Clocks(NamedTuple):
    """The time (aware), seconds that only grow, and ids that were never given."""

    clock: Callable[[], datetime]
    monotonic: Callable[[], float]
    new_id: Callable[[], str]


class Asked(NamedTuple):
    """What the caller wants other than the settings say: models (names or tiers) and the number of passages."""

    model: str | None = None
    stronger: str | None = None
    passages: int | None = None


@contextmanager
def open_replayer(
    lake: Lake,
    chat: Chat,
    clocks: Clocks,
    *,
    asked: Asked = Asked(),  # noqa: B008 - it cannot be changed
    environ_models: Mapping[str, str] = {},
    embedder: EmbedderOpener | None = None,
) -> Iterator[Replayer]:
    """Open retrieval and give a replayer; what is not asked for is as `[replay]` of the settings says.

    `chat` is to retrieve nothing by itself (`nothing_more`): else it would read what was left out. `environ_models` are models
    per tier from the environment, `embedder` opens that of the corpus `rag`; without one, or without the corpus, full text is
    searched. Raises `UsageError` for an unknown tier and where nothing is published.
    """
    said = lake.settings.replay
    model = resolve_model(lake.settings, environ_models, asked.model or said.model).model
    second = asked.stronger or said.stronger
    stronger = resolve_model(lake.settings, environ_models, second).model if second else None
    # The same model gives the same answer: nothing would be stronger about it.
    setting = Setting(model, None if stronger == model else stronger, asked.passages or said.passages)
    with open_retrieve(lake, embedder) as retrieve:
        yield Replayer(
            chat=chat,
            retrieve=retrieve,
            validate=validator_of(lake),
            model=setting.model,
            stronger=setting.stronger,
            passages=setting.passages,
            clock=clocks.clock,
            monotonic=clocks.monotonic,
            new_id=clocks.new_id,
            session_id=clocks.new_id(),
            settings=str(own_setting(lake)) if setting == own_setting(lake, environ_models) else None,
        )


def similar_of(replayer: Replayer) -> Similar:
    """Give the measure of similarity: by the embedder where passages are found by vectors, else by words."""
    embedder = replayer.retrieve.embedder
    return BY_WORDS if embedder is None else by_embedder(embedder)


def validator_of(lake: Lake) -> Validate:
    """Give the validators with the lake's roster, which is read when the first payload comes."""

    @cache
    def roster() -> Any:
        from lakehouse.validators.roster import workers_of

        return workers_of(lake)

    def judge(kind: str, payload: Any) -> Sequence[ValidationError]:
        from lakehouse.validators.kinds import validate

        return validate(kind, payload, roster())

    return judge
