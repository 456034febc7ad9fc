"""The registry: prefixes are never empty and never shared, names are checked before they become paths."""

from __future__ import annotations

import pytest

from lakehouse.corpora import registry
from lakehouse.corpora.playbooks import record
from lakehouse.errors import UsageError
from tests.lakehouse.corpora.conftest import NOW, Room


def test_prefixes_are_never_empty_and_never_shared() -> None:
    prefixes = [corpus.prefix for corpus in registry.CORPORA.values() if corpus.prefix is not None]
    assert sorted(prefixes) == ["e-", "pb-", "rag-", "w-"]
    assert [name for name, corpus in registry.CORPORA.items() if corpus.prefix is None] == ["fresh_workers"]
    assert not [(one, other) for one in prefixes for other in prefixes if one != other and one.startswith(other)]


def test_every_corpus_can_be_asked_for_by_its_name() -> None:
    assert all(registry.corpus(name) is corpus for name, corpus in registry.CORPORA.items())
    assert registry.corpus("playbook_alice_2").prefix == "pb-"


@pytest.mark.parametrize(
    "name",
    [
        *("", "nope", "../workers", "workers/..", "w;drop"),
        *(
            "playbook_",
            "playbook_../x",
            "playbook_a b",
            "playbook_a'",
            "playbook_é",
            f"playbook_{'x' * 49}",
            "playbook_a\n",
        ),
    ],
)
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match="To mend it"):
        registry.corpus(name)


@pytest.mark.parametrize("namespace", ["../x", "a b", "a'", "x" * 49, "a/b", "a.b", "a\n"])
def test_a_namespace_that_is_none_is_refused(namespace: str) -> None:
    with pytest.raises(UsageError, match="namespace"):
        registry.playbook_corpus(namespace)


def test_namespaces_that_were_recorded_are_corpora(room: Room) -> None:
    assert [corpus.name for corpus in registry.corpora(room.lake)] == list(registry.CORPORA)
    record(room.lake, room.embedder, "a query", "w-1", "workers", 1.0, NOW, namespace="alice")
    assert [corpus.name for corpus in registry.corpora(room.lake)] == [*registry.CORPORA, "playbook_alice"]
