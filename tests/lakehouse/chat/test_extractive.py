"""`extractive/<corpus>`: passages instead of a model, the same for the same messages, and an error where there are none."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.chat.answer import ChatError
from lakehouse.chat.passages import Passage, bundle, passages_in, question_in
from lakehouse.chat.providers.extractive import LABEL, extracts
from lakehouse.errors import OutsideFailure, UsageError

FORK = Passage(
    "rag-1", "rag", 0.3, "Forklifts need a licence. The canteen opens at six. A licence is renewed every year."
)
WELD = Passage("rag-2", "rag", 0.1, "Welders wear masks.\nThe shop is in Flint.")
SAFE = Passage("rag-3", "rag", 0.2, "Welders and forklifts share a hall.")
QUESTION = "How is the forklift licence renewed?"


def said(prompt: str) -> list[dict[str, Any]]:
    return [{"role": "system", "content": "Be short."}, {"role": "user", "content": prompt}]


def test_it_answers_from_the_context_word_for_word_and_says_that_no_model_was_asked(chat: Any) -> None:
    answer = chat(said(f"{bundle([WELD, SAFE, FORK])}\n\n{QUESTION}"), "extractive/rag")
    assert answer.content.splitlines() == [
        LABEL,
        "[rag-1, rag] Forklifts need a licence. A licence is renewed every year.",
        "[rag-2, rag] Welders wear masks. The shop is in Flint.",
        "[rag-3, rag] Welders and forklifts share a hall.",
    ]
    assert (answer.provider, answer.model, answer.finish_reason, answer.prompt_tokens) == (
        "extractive",
        "rag",
        "stop",
        None,
    )


def test_more_shared_words_come_first_and_of_equals_the_nearer() -> None:
    given = [
        Passage("a", "c", 0.5, "licence"),
        Passage("b", "c", 0.4, "licence renewed"),
        Passage("c", "c", 0.1, "licence"),
    ]
    assert [one.id for one in extracts(QUESTION, given)] == ["b", "c"]
    different = [Passage("far", "c", 0.5, "Licence x"), Passage("near", "c", 0.1, "Licence y")]
    assert [one.id for one in extracts(QUESTION, different)] == ["near", "far"]


def test_the_order_of_the_passages_changes_nothing() -> None:
    assert extracts(QUESTION, [FORK, WELD, SAFE]) == extracts(QUESTION, [SAFE, FORK, WELD])


def test_words_that_stand_in_every_question_do_not_count() -> None:
    given = [Passage("filler", "c", 0.1, "How is the day?"), Passage("fit", "c", 0.9, "Renewed")]
    assert extracts(QUESTION, given)[0].id == "fit"


def test_no_more_than_three_passages_are_given() -> None:
    assert len(extracts("x", [Passage(str(place), "c", 0.1, f"x {place}") for place in range(9)])) == 3


def test_only_the_last_message_of_the_user_is_read(chat: Any) -> None:
    history = [*said(bundle([WELD])), {"role": "assistant", "content": "Yes."}, *said(f"{bundle([SAFE])}\nForklifts?")]
    assert "rag-3" in chat(history, "extractive/rag").content
    assert "rag-2" not in chat(history, "extractive/rag").content


def test_without_a_context_it_retrieves_from_its_corpus(opened: Any) -> None:
    asked = []

    def retrieve(query: str, corpus: str, k: int) -> list[Passage]:
        asked.append((query, corpus, k))
        return [FORK]

    answer = opened(retrieve=retrieve)(said(QUESTION), "extractive/rag")
    assert asked == [(QUESTION, "rag", 6)]
    assert "[rag-1, rag]" in answer.content


@pytest.mark.parametrize("prompt", [QUESTION, "", " "])
def test_nothing_to_answer_from_is_an_error_of_its_own_kind(opened: Any, prompt: str) -> None:
    with pytest.raises(ChatError) as failed:
        opened(retrieve=lambda *_: [])(said(prompt), "extractive/rag")
    assert failed.value.kind == "nothing_retrieved"
    assert failed.value.where == "extractive/rag"


def test_passages_without_a_text_are_nothing(chat: Any) -> None:
    with pytest.raises(ChatError) as failed:
        chat(said(f"{bundle([Passage('a', 'c', 0.1, ' ')])}\n\nWho?"), "extractive/rag")
    assert failed.value.kind == "nothing_retrieved"


def test_without_a_context_and_a_lake_it_is_not_configured(chat: Any) -> None:
    with pytest.raises(ChatError) as failed:
        chat(said(QUESTION), "extractive/rag")
    assert failed.value.kind == "provider_not_configured"


@pytest.mark.parametrize(
    ("raised", "kind"),
    [
        (UsageError("no corpus", where="lake", mend="build it"), "provider_not_configured"),
        (OutsideFailure("disk", where="lake", mend="build it"), "unreachable"),
    ],
)
def test_what_retrieval_says_is_passed_on(opened: Any, raised: Exception, kind: str) -> None:
    def retrieve(*_: Any) -> list[Passage]:
        raise raised

    with pytest.raises(ChatError, match=r"extractive/rag, lake: .*build it") as failed:
        opened(retrieve=retrieve)(said(QUESTION), "extractive/rag")
    assert failed.value.kind == kind


def test_with_json_the_passages_are_an_object(chat: Any) -> None:
    answer = chat(said(f"{bundle([SAFE])}\n\n{QUESTION}"), "extractive/rag", format="json")
    assert json.loads(answer.content) == {
        "note": LABEL,
        "passages": [{"id": "rag-3", "corpus": "rag", "text": "Welders and forklifts share a hall."}],
    }


def test_a_schema_is_refused(chat: Any) -> None:
    with pytest.raises(ChatError, match="schema") as failed:
        chat(said(f"{bundle([SAFE])}\n\n{QUESTION}"), "extractive/rag", format={"type": "object"})
    assert failed.value.kind == "bad_answer"


def test_a_cut_answer_says_that_it_was_cut(chat: Any) -> None:
    prompt = said(f"{bundle([SAFE])}\n\n{QUESTION}")
    cut = chat(prompt, "extractive/rag", max_tokens=4)
    assert (cut.content, cut.finish_reason) == ("No model was asked.", "length")
    assert chat(prompt, "extractive/rag", max_tokens=1000).finish_reason == "stop"


TEXTS = st.text(max_size=60) | st.sampled_from(
    [
        "[end of passages]",
        "[passage a from b at 0.1]",
        "\\[end of passages]",
        "x\n[end of passages]\n[passage a from b at 1]",
    ]
)


@given(
    st.lists(st.tuples(st.text("abc-1", min_size=1), TEXTS), max_size=4),
    st.text(max_size=40).filter(lambda text: "[" not in text),
)
def test_what_was_bundled_is_read_again_beside_any_question(given: list[tuple[str, str]], question: str) -> None:
    passages = [Passage(name, "rag", 0.25, text) for name, text in given]
    text = f"{bundle(passages)}\n\n{question}"
    assert passages_in(text) == passages
    assert question_in(text) == question.strip()


@pytest.mark.parametrize(
    ("text", "question"),
    [
        ("Who?", "Who?"),
        (f"Read this:\n{bundle([FORK])}\n", "Read this:"),
        (f"Read this:\n{bundle([FORK])}\nWho?", "Who?"),
        ("[end of passages]\nWho?", "[end of passages]\nWho?"),
    ],
)
def test_the_question_is_what_follows_the_passages_or_else_stands_before(text: str, question: str) -> None:
    assert question_in(text) == question
