"""For the tests of replay: a small finished lake, a chat that a test writes by hand, and clocks that tick by themselves."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from lakehouse.chat.answer import ChatAnswer, ChatError
from lakehouse.chat.passages import Passage, passages_in
from lakehouse.lake import Lake
from lakehouse.replay.checks import Validate
from lakehouse.replay.memory import own_setting
from lakehouse.replay.newest import replay_newest
from lakehouse.replay.replaying import Replayer
from lakehouse.replay.report import ReplayReport
from lakehouse.replay.retrieval import NOTHING, LeftOut, open_retrieve
from lakehouse.replay.similar import BY_WORDS
from lakehouse.replay.tasks import Task
from lakehouse.run import NO_COMMIT, Run
from tests.conftest import review
from tests.lakehouse.conftest import Lab

DAYS = ("2026-05-01", "2026-05-02", "2026-05-03")
NOON = datetime(2026, 5, 10, 12, tzinfo=UTC)
Said = str | Exception | Callable[[str], str]


class FakeChat:
    """Says by the model's name what a test wrote: a text, an error, or a function of the last message. Remembers who was asked.

    `endings` are finish reasons by model.
    """

    def __init__(self, **said: Said | Sequence[Said]) -> None:
        self.said = {
            name: [one] if isinstance(one, str) or callable(one) or isinstance(one, Exception) else list(one)
            for name, one in said.items()
        }
        self.endings: dict[str, str] = {}
        self.asked: list[str] = []
        self.messages: list[Any] = []

    def __call__(self, messages: Any, model: str, **options: Any) -> ChatAnswer:
        self.asked.append(model)
        self.messages.append(messages)
        left = self.said[model]
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, BaseException):
            raise one
        text = one if isinstance(one, str) else one(messages[-1]["content"])
        ending = self.endings.get(model, "stop")
        return ChatAnswer(content=text, model=model, provider="fake", finish_reason=ending, latency_ms=1)


def first_passage(text: str) -> str:
    """Answer as the extractive provider does in short: with the best passage."""
    return next((one.text for one in passages_in(text)), "")


def failing(kind: Any) -> ChatError:
    return ChatError.of(kind, f"{kind} it is", where="fake at 127.0.0.1:1", mend="start it")


class MadeRetriever:
    """Gives the passages that a test wrote, whatever is asked; remembers what was to be left out."""

    corpus = "rag_export"
    embedder = None
    note = ""

    def __init__(self, *texts: str) -> None:
        self.passages = [Passage(f"rag-{n}", self.corpus, n / 10, text) for n, text in enumerate(texts)]
        self.asked: list[tuple[str, str, int, LeftOut]] = []

    def __call__(self, query: str, corpus: str, k: int, left_out: LeftOut = NOTHING) -> list[Passage]:
        self.asked.append((query, corpus, k, left_out))
        return self.passages[:k]


class Bench:
    """One finished lake, and replays on it."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.numbers = count(1)

    @property
    def lake(self) -> Lake:
        return self.lab.lake

    @property
    def reports(self) -> Path:
        return self.lab.root / "reports"

    def fill(self, *days: str) -> None:
        """Give each day two accepted reviews and a rejected one, and run the chain with the RAG export."""
        for day in days:
            self.lab.write(
                "scrum_reviews",
                review(f"a{day[-2:]}.rs", day),
                review(f"b{day[-2:]}.rs", day, hour=11),
                review(f"c{day[-2:]}.rs", day, None),
            )
        self.night()

    def night(self) -> None:
        self.lab.night(f"night-{next(self.numbers)}", rag=True)

    def run(self) -> Run:
        return Run(f"replay-{next(self.numbers)}", lambda: NOON, NO_COMMIT, self.reports)

    @contextmanager
    def replayer(self, chat: Any, retrieve: Any = None, **changes: Any) -> Iterator[Replayer]:
        """Give a replayer on the lake's full text, or on passages of a test."""
        given = self.given(chat, **changes)
        if retrieve is not None:
            yield Replayer(retrieve=retrieve, **given)
            return
        with open_retrieve(self.lake) as opened:
            yield Replayer(retrieve=opened, **given)

    def given(self, chat: Any, **changes: Any) -> dict[str, Any]:
        ticks = count()
        given: dict[str, Any] = {
            "validate": None,
            "model": "weak",
            "stronger": None,
            "passages": 3,
            "session_id": "s-1",
        }
        # As `open_replayer` sees it: other models or passages than the lake's own are somebody's try.
        given["settings"] = None if changes.keys() & {"model", "stronger", "passages"} else str(own_setting(self.lake))
        clocks = {
            "clock": lambda: NOON,
            "monotonic": lambda: next(ticks) / 4,
            "new_id": lambda: f"r-{next(self.numbers)}",
        }
        return {"chat": chat, **given, **clocks, **changes}

    def replays(
        self, chat: Any, n: int = 20, *, anew: bool = False, retrieve: Any = None, **changes: Any
    ) -> ReplayReport:
        with self.replayer(chat, retrieve, **changes) as replayer:
            return replay_newest(self.lake, self.run(), replayer, BY_WORDS, n, anew=anew)

    def log(self) -> list[dict[str, Any]]:
        return self.lab.all("_kb/replay_runs.jsonl")


@pytest.fixture
def bench(lab: Lab) -> Bench:
    return Bench(lab)


@pytest.fixture(scope="session")
def pattern(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The lake that is copied: three days with two accepted reviews each."""
    made = Bench(Lab(tmp_path_factory.mktemp("replayed")))
    made.fill(*DAYS)
    return made.lab.root


@pytest.fixture
def filled(pattern: Path, tmp_path: Path) -> Bench:
    made = Bench(Lab(Path(shutil.copytree(pattern, tmp_path / "filled"))))
    made.numbers = count(10)
    return made


class Helpers:
    """What tests share: test folders are no packages, so that a fixture carries it."""

    FakeChat = FakeChat
    MadeRetriever = MadeRetriever
    failing = staticmethod(failing)
    first_passage = staticmethod(first_passage)
    days = DAYS

    @staticmethod
    def task(**changes: Any) -> Task:
        given: dict[str, Any] = {
            "question": "Review a.rs", "context": "model: grok", "task_id": "scrum_review:a.rs", "run_id": "run-1",
            "sig_hash": "s" * 64, "stream": "scrum_reviews", "day": DAYS[0], "accepted": "the lock is held across an await point",
        }  # fmt: skip
        return Task(**{**given, **changes})

    @staticmethod
    def judge(errors: Mapping[str, Sequence[Any]]) -> Validate:
        """Make a validator that finds these errors in payloads of a kind."""
        return lambda kind, payload: errors[kind]


@pytest.fixture(scope="session")
def helpers() -> Helpers:
    return Helpers()
