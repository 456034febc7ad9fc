"""`extractive/<corpus>`: no model. It answers with the passages that fit the question best, word for word, and says so.

Here: choosing and writing them down. Not here: retrieving (a `Retrieve` is given at opening), how passages stand in a prompt
(`../passages.py`).

It makes whatever asks a model runnable offline, and always gives the same answer to the same messages. Passages stand in the
last message of the user; where there are none, it retrieves from its corpus. Best are those that share the most words
with the question, of equals the nearer; of each its best sentences, in their order. With `format`, the answer is a JSON object
of passages; to a schema it cannot keep. `max_tokens` counts words here; `temperature` and `think` mean nothing to it.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from lakehouse.chat.answer import ChatError, Kind, Messages
from lakehouse.chat.passages import Passage, Retrieve, passages_in, question_in
from lakehouse.chat.providers.spec import Ask, Opening, ProviderSpec, Said
from lakehouse.errors import LakehouseError, OutsideFailure

NAME = "extractive"
LABEL: Final = "No model was asked. These passages fit the question best, word for word:"
RETRIEVED: Final = 6
"""Passages that it retrieves where the prompt holds none."""
_PASSAGES, _SENTENCES = 3, 3
_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\s*\n+\s*")
_COMMON = frozenset(
    "a an and are as at be been but by can did do does for from had has have how i if in is it its of on or our that the their "
    "them then there these they this to was we were what when where which who whom why will with would you your".split()
)


class Extract(msgspec.Struct, frozen=True):
    """What is given of one passage."""

    id: str
    corpus: str
    text: str


class Extractive:
    """Passages instead of a model."""

    def __init__(self, opening: Opening) -> None:
        self._retrieve: Retrieve | None = opening.retrieve

    def close(self) -> None:
        """Hold nothing."""

    def models(self) -> list[str]:
        """Name nothing: a corpus is named by who asks."""
        return []

    def ask(self, ask: Ask) -> Said:
        """Answer from passages. Raises `ChatError` `nothing_retrieved` where there is nothing to answer from."""
        last = _last_of_user(ask.messages)
        question = question_in(last)
        passages = passages_in(last) or self._retrieved(question, ask.model)
        chosen = extracts(question, passages)
        if not chosen:
            raise ChatError.of(
                "nothing_retrieved",
                "there is nothing to answer from: no passage stands in the prompt, and none was retrieved",
                where=f"{NAME}/{ask.model}",
                mend="ask something that the corpus holds, or another model",
            )
        if ask.format is not None and ask.format != "json":
            raise ChatError.of(
                "bad_answer",
                "passages cannot be made to keep to a schema",
                where=f"{NAME}/{ask.model}",
                mend="ask a model, or ask without a schema",
            )
        return _cut(_as_json(chosen) if ask.format == "json" else _as_text(chosen), ask.max_tokens)

    def _retrieved(self, question: str, corpus: str) -> list[Passage]:
        where = f"{NAME}/{corpus}"
        if self._retrieve is None:
            raise ChatError.of(
                "provider_not_configured",
                "no passage stands in the prompt, and there is nothing here to retrieve from",
                where=where,
                mend="bundle passages into the prompt, or ask where a lake is open",
            )
        try:
            return self._retrieve(question, corpus, RETRIEVED) if question else []
        except LakehouseError as error:
            kind: Kind = "unreachable" if isinstance(error, OutsideFailure) else "provider_not_configured"
            place = f"{where}, {error.where}" if error.where else where
            raise ChatError.of(kind, error.what, where=place, mend=error.mend) from error


def extracts(question: str, passages: list[Passage]) -> list[Extract]:
    """Choose the passages that share the most words with a question, the nearer of equals, and the best sentences of each.

    Where none shares any word, the nearest stand for what the corpus has.
    """
    asked = _words(question)
    order = sorted(
        (one for one in passages if one.text.strip()),
        key=lambda one: (-len(asked & _words(one.text)), one.distance, one.corpus, one.id),
    )
    found: list[Extract] = []
    for one in order:
        held = {given.text for given in found}
        text = _best(asked, one.text)
        if text not in held:
            found.append(Extract(one.id, one.corpus, text))
        if len(found) == _PASSAGES:
            break
    return found


def _best(asked: set[str], text: str) -> str:
    """Give the best sentences of a text in its order, on one line; the first ones where none shares a word."""
    sentences = [one for one in _SENTENCE.split(text.strip()) if one.strip()]
    shared = [len(asked & _words(one)) for one in sentences]
    best = sorted(range(len(sentences)), key=lambda place: (-shared[place], place))[:_SENTENCES]
    if any(shared):
        best = [place for place in best if shared[place]]
    return " ".join(" ".join(sentences[place].split()) for place in sorted(best))


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.lower())) - _COMMON


def _last_of_user(messages: Messages) -> str:
    return next((str(one["content"]) for one in reversed(messages) if one["role"] == "user"), "")


def _as_text(chosen: list[Extract]) -> str:
    return "\n".join([LABEL, *(f"[{one.id}, {one.corpus}] {one.text}" for one in chosen)])


def _as_json(chosen: list[Extract]) -> str:
    return msgspec.json.encode({"note": LABEL, "passages": chosen}).decode()


def _cut(content: str, most: int | None) -> Said:
    """Give an answer of at most so many words, which says that it was cut."""
    ends = [match.end() for match in re.finditer(r"\S+", content)]
    if most is None or len(ends) <= most:
        return Said(content, "stop")
    return Said(content[: ends[most - 1]], "length")


SPEC = ProviderSpec(NAME, "passages of a corpus, no model", "", "", (), "", "", Extractive)
