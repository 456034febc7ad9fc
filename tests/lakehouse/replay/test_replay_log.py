"""The log of replays: ours and others' rows, lines that cannot be read, and which answer stands."""

from __future__ import annotations

from typing import Any

from lakehouse.replay import log
from lakehouse.replay.replaying import Replayer, replay

OTHERS = b'{"schema":"replay_run.v1","producer":"go","task":"x","extra":{"a":1}}'


def made(bench: Any, helpers: Any, answer: str) -> Any:
    chat = helpers.FakeChat(weak=answer)
    return replay(helpers.task(), Replayer(retrieve=helpers.MadeRetriever(), **bench.given(chat)))


def test_rows_of_other_runtimes_survive_byte_for_byte(bench: Any, helpers: Any) -> None:
    path = bench.lab.write("replay_runs", OTHERS)
    log.record(bench.lake, made(bench, helpers, "mine"))
    first, second = path.read_bytes().splitlines()
    assert first == OTHERS
    assert [run.response for _, _, run in log.ours(bench.lake, lambda _: None)] == ["mine"]
    assert b'"response":"mine"' in second


def test_lines_that_cannot_be_read_are_refused_by_name_and_their_neighbours_go_on(bench: Any, helpers: Any) -> None:
    log.record(bench.lake, made(bench, helpers, "before"))
    bench.lab.write(
        "replay_runs",
        b"{",
        b"",
        b'{"schema":"session.iterate.v1"}',
        b'{"schema":"replay_run.v1","producer":"python"}',
        b"\xff",
        OTHERS,
    )
    log.record(bench.lake, made(bench, helpers, "after"))
    refused: list[Any] = []
    assert [run.response for _, _, run in log.ours(bench.lake, refused.append)] == ["before", "after"]
    assert [(one.source_file, one.line_offset) for one in refused] == [
        ("_kb/replay_runs.jsonl", n) for n in (1, 3, 4, 5)
    ]
    assert "its schema is 'session.iterate.v1', not replay_run.v1" in refused[1].reason


def test_a_torn_last_line_is_not_there_yet_and_spoils_no_later_one(bench: Any, helpers: Any) -> None:
    bench.lab.write("replay_runs", b'{"schema":"replay_run.v1","prod', end=b"")
    assert log.standing(bench.lake).refused == []
    log.record(bench.lake, made(bench, helpers, "mine"))
    found = log.standing(bench.lake)
    assert (len(found.by_fingerprint), len(found.refused)) == (1, 1)


def test_of_two_answers_to_one_question_the_last_stands(bench: Any, helpers: Any) -> None:
    first, second = made(bench, helpers, "first"), made(bench, helpers, "second")
    log.record(bench.lake, first)
    log.record(bench.lake, second)
    found = log.standing(bench.lake)
    assert log.standing_answer(bench.lake, found, first.fingerprint) == second
    assert log.standing_answer(bench.lake, found, "another question") is None


def test_a_log_that_was_rewritten_meanwhile_stands_for_nothing(bench: Any, helpers: Any) -> None:
    log.record(bench.lake, made(bench, helpers, "first"))
    found = log.standing(bench.lake)
    bench.lake.replays.write_bytes(OTHERS + b"\n")
    (fingerprint,) = found.by_fingerprint
    assert log.standing_answer(bench.lake, found, fingerprint) is None


def test_without_a_log_nothing_stands(bench: Any) -> None:
    assert log.standing(bench.lake).by_fingerprint == {}
