"""Phase 7, the live replay: done where a chat is given, kept nowhere, and never a reason to fail the audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lakehouse.errors import RecordError, UsageError
from lakehouse.files import append
from lakehouse.replay.live import live_replay
from lakehouse.replay.replaying import Replayer
from lakehouse.replay.retrieval import open_retrieve
from tests.lakehouse.replay.conftest import FakeChat, failing

LOG = b'{"schema":"replay_run.v1","producer":"go"}\n'


def live(finished: Any, chat: Any) -> Callable[[], Any]:
    """Make the live replay of a finished lake, with what a command would open."""

    @contextmanager
    def opened() -> Iterator[Replayer]:
        clock = finished.run("x").clock
        with open_retrieve(finished.lake) as retrieve:
            yield Replayer(
                chat,
                retrieve,
                None,
                "m",
                None,
                3,
                clock=clock,
                monotonic=lambda: 0.0,
                new_id=lambda: "r",
                session_id="s",
            )

    return live_replay(finished.lake, opened)


def phase(report: Any) -> tuple[str, Any]:
    """Give the status of phase 7 and its check of the live replay."""
    return report.phases[7].status, next(one for one in report.phases[7].checks if one.check == "live_replay")


def test_one_task_is_answered_and_nothing_is_recorded(finished: Any) -> None:
    path = finished.lake.replays
    path.write_bytes(LOG)
    chat = FakeChat(m="an answer")
    status, check = phase(finished.audit(live_replay=live(finished, chat)))
    assert (status, check.status, check.required) == ("passed", "passed", False)
    assert check.observed["escalated"] == 0
    assert len(chat.asked) == 1
    assert path.read_bytes() == LOG


def test_without_a_log_the_phase_looked_all_the_same(finished: Any) -> None:
    report = finished.audit(live_replay=live(finished, FakeChat(m="an answer")))
    assert [one.status for one in report.phases[7].checks] == ["skipped", "passed"]
    assert report.phases[7].status == "passed"


def test_the_same_lake_gives_the_same_words(finished: Any) -> None:
    found = [phase(finished.audit(live_replay=live(finished, FakeChat(m="an answer"))))[1] for _ in range(2)]
    assert found[0] == found[1]


def test_without_a_chat_it_is_skipped_and_says_why(finished: Any) -> None:
    status, check = phase(finished.audit())
    assert (status, check.status) == ("skipped", "skipped")
    assert check.why == "no chat was given to this audit: nobody to ask"


def raising(error: Exception) -> Callable[[], Any]:
    def ask() -> Any:
        raise error

    return ask


@pytest.mark.parametrize(
    ("error", "status", "why"),
    [
        (failing("provider_not_configured"), "skipped", "fake at 127.0.0.1:1: provider_not_configured it is"),
        (failing("nothing_retrieved"), "skipped", "fake at 127.0.0.1:1: nothing_retrieved it is"),
        (failing("unreachable"), "failed", "fake at 127.0.0.1:1: unreachable it is"),
        (UsageError("the RAG export is not published"), "skipped", "the RAG export is not published"),
        (RecordError("no record", where="x.jsonl:1"), "failed", "x.jsonl:1: no record"),
        (OSError(13, "Permission denied"), "failed", "Permission denied"),
    ],
)
def test_what_keeps_it_from_an_answer_informs_and_fails_nothing(
    finished: Any, error: Exception, status: str, why: str
) -> None:
    finished.lake.replays.write_bytes(LOG)
    report = finished.audit(live_replay=raising(error))
    _, check = phase(report)
    assert check.status == status
    assert why in check.why
    assert report.phases[7].status == "passed"


def test_an_answer_that_is_not_valid_informs(finished: Any) -> None:
    report = finished.audit(live_replay=live(finished, FakeChat(m="")))
    _, check = phase(report)
    assert (check.status, check.why) == (
        "failed",
        f"lakehouse.toml:0: fake/m gave no valid answer to {check.why.split()[-1]}",
    )


def test_a_lake_with_nothing_to_ask_is_skipped(finished: Any) -> None:
    for day in finished.lake.root.glob("scored-runs/*/*/*"):
        for path in day.glob("*.jsonl"):
            path.write_text("")
    with pytest.raises(UsageError, match="no accepted task"):
        live(finished, FakeChat())()


def log_check(report: Any) -> Any:
    return next(one for one in report.phases[7].checks if one.check == "replay_log_valid")


def test_a_line_of_the_log_that_cannot_be_read_says_what_to_do_and_moving_it_out_mends_it(finished: Any) -> None:
    finished.lake.replays.write_bytes(LOG + b"no json\n" + LOG)
    check = log_check(finished.audit())
    assert (check.status, check.required) == ("failed", True)
    assert check.why == (
        "_kb/replay_runs.jsonl:2: the line is no JSON; move the line out of the log: nothing else refers to it (docs/replay.md)"
    )
    finished.lake.replays.write_bytes(LOG + LOG)
    assert log_check(finished.audit()).status == "passed"


def test_a_torn_last_line_is_not_there_yet_and_is_a_line_once_another_was_appended(finished: Any) -> None:
    finished.lake.replays.write_bytes(LOG + b'{"schema":"replay_r')
    check = log_check(finished.audit())
    assert (check.status, check.observed["looked_at"]) == ("passed", 1)
    append(finished.lake.replays, [LOG.strip()])
    (found,) = log_check(finished.audit()).offenders
    assert found["line"] == 2
