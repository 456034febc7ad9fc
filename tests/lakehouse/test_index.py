"""The line index: new bytes only, every line once, and no line of a stream that was rewritten."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lakehouse import index
from lakehouse.errors import RecordError
from lakehouse.index import load
from lakehouse.index.reader import read_segment

DAY, NEXT = "2026-05-01", "2026-05-02"


def row(day: str = DAY, n: int = 0, **more: Any) -> dict[str, Any]:
    return {"phase": n, "severity": "low", "reasoning": f"reason {n}", "ts": f"{day}T10:00:00Z", **more}


def read_day(lab: Any, day: str = DAY, stream: str = "audits") -> list[tuple[str, int, bytes]]:
    """Read the rows of a day as the chain does: file, line number, line."""
    lake = lab.lake
    return [
        (segment.source_file, offset, line)
        for segment in load(lake, stream).segments(day)
        for offset, line in read_segment(lake, segment)
    ]


def phases(lab: Any, day: str = DAY) -> list[int]:
    return [json.loads(line)["phase"] for _, _, line in read_day(lab, day)]


LINES = st.sampled_from(
    [
        json.dumps(row(DAY, 1)).encode(),
        json.dumps(row(DAY, 2)).encode(),
        json.dumps(row(NEXT, 3)).encode(),
        json.dumps(row("2026-04-30", 4, reasoning="é😀" * 30)).encode(),
        b"",
        b"  \r",
        b"{",
        b"[1]",
        b"\xff\xfe",
        b'{"phase":1}',
        b'{"phase":1,"ts":"soon"}',
    ]
)


@settings(deadline=None, max_examples=60)
@given(st.lists(LINES, max_size=25), st.lists(st.integers(0, 4000), max_size=6), st.none() | st.integers(1, 300))
@example([b"", b""], [1], None)
def test_indexing_in_pieces_gives_what_one_scan_gives(
    new_lab: Any, lines: list[bytes], cuts: list[int], limit: int | None
) -> None:
    data = b"".join(line + b"\n" for line in lines)
    whole, pieces = new_lab(), new_lab()
    (whole.root / "_kb/audits.jsonl").write_bytes(data)
    whole.index()
    written = 0
    for cut in [*sorted(min(cut, len(data)) for cut in cuts), len(data)]:
        with (pieces.root / "_kb/audits.jsonl").open("ab") as file:
            file.write(data[written:cut])
        written = cut
        pieces.index(limit)
    while limit is not None and pieces.index(limit).streams["audits"].lines:
        pass
    one, many = load(whole.lake, "audits"), load(pieces.lake, "audits")
    days = one.lines_by_day()
    assert many.lines_by_day() == days
    for day in days:
        assert many.segments(day) == one.segments(day)
        assert many.fingerprint(day) == one.fingerprint(day)
        assert read_day(pieces, day) == read_day(whole, day)
    assert many.undated(None) == one.undated(None)
    assert many.state == one.state
    assert pieces.undated() == whole.undated()
    assert sum(days.values()) + len(whole.undated()) == sum(1 for line in lines if line.strip())


def test_only_new_bytes_are_read(lab: Any) -> None:
    lab.write("audits", row(n=1), row(n=2))
    assert (first := lab.index().streams["audits"]).lines == 2
    assert first.bytes == (lab.root / "_kb/audits.jsonl").stat().st_size
    again = lab.index().streams["audits"]
    assert (again.lines, again.bytes, again.days) == (0, 0, set())
    path = lab.write("audits", row(NEXT, n=3))
    more = lab.index().streams["audits"]
    assert (more.lines, more.days, more.total_lines, more.total_bytes) == (1, {NEXT}, 3, path.stat().st_size)


def test_an_update_without_news_writes_nothing(lab: Any) -> None:
    lab.write("audits", row(), b"{")
    lab.index()
    before = lab.tree()
    lab.index()
    assert lab.tree() == before


def test_the_first_line_is_line_zero(lab: Any) -> None:
    lab.write("audits", row(n=5), row(n=6))
    lab.index()
    assert [(name, offset) for name, offset, _ in read_day(lab)] == [("_kb/audits.jsonl", 0), ("_kb/audits.jsonl", 1)]


def test_a_late_row_reaches_its_own_day(lab: Any) -> None:
    lab.write("audits", row(n=1), row(NEXT, n=2))
    lab.index()
    before = load(lab.lake, "audits")
    lab.write("audits", row(n=3))
    assert lab.index().days == [DAY]
    after = load(lab.lake, "audits")
    assert phases(lab) == [1, 3]
    assert after.fingerprint(DAY) != before.fingerprint(DAY)
    assert after.fingerprint(NEXT) == before.fingerprint(NEXT)


def test_a_row_of_the_future_waits_under_its_day(lab: Any) -> None:
    lab.write("audits", row(), row("2026-06-01", n=9))
    lab.index()
    assert load(lab.lake, "audits").lines_by_day() == {DAY: 1, "2026-06-01": 1}
    assert lab.undated() == []
    assert list(lab.stale("2026-05-10")) == [DAY]
    assert list(lab.stale("2026-06-01")) == [DAY, "2026-06-01"]


def test_a_partial_last_line_waits_for_its_end(lab: Any) -> None:
    line = json.dumps(row(n=2)).encode()
    lab.write("audits", row(n=1))
    lab.write("audits", line[:20], end=b"")
    lab.index()
    assert phases(lab) == [1]
    assert lab.undated() == []
    lab.write("audits", line[20:])
    lab.index()
    assert phases(lab) == [1, 2]


def test_blank_lines_are_passed_over_and_counted_as_lines(lab: Any) -> None:
    lab.write("audits", b"", row(n=1), b"   ", b"\r", row(n=2), b"")
    assert lab.index().streams["audits"].lines == 6
    assert [(offset, json.loads(line)["phase"]) for _, offset, line in read_day(lab)] == [(1, 1), (4, 2)]
    assert lab.undated() == []


UNDATED = [
    (b"{", "not_json"),
    (b"hello", "not_json"),
    (b'{"ts":NaN}', "not_json"),
    (b"[1]", "not_object"),
    (b'"2026-05-01T10:00:00Z"', "not_object"),
    (b"7", "not_object"),
    (b'{"phase":"\xff","ts":"2026-05-01T10:00:00Z"}', "not_utf8"),
    (b"\xff\xfe", "not_utf8"),
    (b'{"phase":1}', "no_timestamp"),
    (b'{"ts":null}', "no_timestamp"),
    (b'{"ts":"soon"}', "bad_timestamp"),
    (b'{"ts":"2026-05-01"}', "bad_timestamp"),
    (b'{"ts":true}', "bad_timestamp"),
    (b'{"ts":{"s":1}}', "bad_timestamp"),
    (b'{"ts":-5}', "bad_timestamp"),
    (b'{"ts":1e400}', "bad_timestamp"),
]


@pytest.mark.parametrize(("line", "code"), UNDATED)
def test_a_line_without_a_day_is_quarantined_once_with_its_reason(lab: Any, line: bytes, code: str) -> None:
    lab.write("audits", row(n=1), line, row(n=2))
    report = lab.index().streams["audits"]
    assert report.reasons == {code: 1}
    lab.index()
    lab.write("audits", row(n=3))
    lab.index()
    (entry,) = lab.undated()
    assert (entry["stage"], entry["stream"], entry["source_file"], entry["line_offset"]) == (
        "index",
        "audits",
        "_kb/audits.jsonl",
        1,
    )
    assert entry["reason_code"] == code
    assert entry["reason"]
    assert entry.get("raw", "").encode() == line or "raw_b64" in entry
    assert phases(lab) == [1, 2, 3]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"at":{"t":{"x":1}}}', "bad_timestamp"),
        (b'{"at":{"t":true}}', "bad_timestamp"),
        (b'{"at":{}}', "no_timestamp"),
        (b"[1]", "not_object"),
        (b"{", "not_json"),
    ],
)
def test_a_dotted_time_is_refused_with_the_same_reasons(lab: Any, line: bytes, code: str) -> None:
    lab.settings('[streams.mine]\nclass="telemetry"\nscorer="outcome"\ntimestamp="at.t"\nfields={task_id="id"}')
    lab.write("mine", line)
    assert lab.index().streams["mine"].reasons == {code: 1}


def test_a_row_with_a_good_time_is_not_refused_for_another_key(lab: Any) -> None:
    lab.settings('[streams.mine]\nclass="telemetry"\nscorer="outcome"\nfields={task_id="id"}')
    lab.write("mine", {"id": "1", "ts": f"{DAY}T10:00:00Z", "created_at": {"by": "someone"}})
    lab.index()
    assert load(lab.lake, "mine").lines_by_day() == {DAY: 1}


def test_a_line_over_sixteen_mebibytes_is_quarantined_and_its_neighbours_go_on(lab: Any) -> None:
    long = b'{"ts":"%sT10:00:00Z","reasoning":"%s"}' % (DAY.encode(), b"x" * (17 << 20))
    lab.write("audits", row(n=1), long, row(n=2))
    lab.index()
    assert phases(lab) == [1, 2]
    (entry,) = lab.undated()
    assert (entry["reason_code"], entry["line_offset"]) == ("too_long", 1)
    assert entry["raw"].encode() == long[: 64 * 1024]


def test_a_long_line_that_arrives_in_pieces_is_one_line(lab: Any) -> None:
    lab.write("audits", row(n=1))
    for piece in (b'{"ts":"', b"x" * (9 << 20), b"x" * (9 << 20)):
        lab.write("audits", piece, end=b"")
        lab.index()
    lab.write("audits", b'"}', row(n=2))
    lab.index()
    assert [entry["reason_code"] for entry in lab.undated()] == ["too_long"]
    assert phases(lab) == [1, 2]


def test_a_row_from_before_the_first_day_is_quarantined(lab: Any) -> None:
    lab.settings(f"first_day = {DAY}")
    lab.write("audits", row("2026-04-30", n=1), row(n=2))
    lab.index()
    (entry,) = lab.undated()
    assert (entry["reason_code"], entry["line_offset"]) == ("before_first_day", 0)
    assert DAY in entry["reason"]
    assert list(lab.stale()) == [DAY]


@pytest.mark.parametrize("bad", [[], [b"{"]])
def test_a_first_day_that_is_set_later_counts_at_the_next_update(lab: Any, bad: list[bytes]) -> None:
    lab.write("audits", row("2026-04-30", n=1), row(n=2), *bad)
    lab.index()
    lab.settings(f"first_day = {DAY}")
    lab.index()
    assert "before_first_day" in [entry["reason_code"] for entry in lab.undated()]


def test_the_files_of_a_folder_belong_to_the_stream_in_name_order(lab: Any) -> None:
    lab.write("audits", row(n=3))
    lab.write("audits/b", row(n=2))
    lab.write("audits/a", row(n=1))
    lab.index()
    assert phases(lab) == [1, 2, 3]


def rotate(lab: Any, to: str) -> None:
    target = lab.root / "_kb" / to
    target.parent.mkdir(parents=True, exist_ok=True)
    (lab.root / "_kb/audits.jsonl").rename(target)


@pytest.mark.parametrize("to", ["audits/2026-05.jsonl", "audits-2026-05.jsonl", "audits.1.jsonl", "audits.jsonl.1"])
def test_a_rotated_log_is_followed_and_its_provenance_resolves(lab: Any, to: str) -> None:
    lab.write("audits", row(n=1), row(n=2))
    lab.index()
    before = load(lab.lake, "audits").fingerprint(DAY)
    rotate(lab, to)
    report = lab.index()
    assert report.broken == {}
    assert load(lab.lake, "audits").fingerprint(DAY) == before
    lab.write("audits", row(n=3))
    assert lab.index().streams["audits"].lines == 1
    assert phases(lab) == [1, 2, 3]
    assert [(name, offset) for name, offset, _ in read_day(lab)] == [
        ("_kb/audits.jsonl", 0),
        ("_kb/audits.jsonl", 1),
        ("_kb/audits.jsonl", 0),
    ]
    files = load(lab.lake, "audits").state.files
    assert [(file.source_file, file.path) for file in files] == [
        ("_kb/audits.jsonl", f"_kb/{to}"),
        ("_kb/audits.jsonl", "_kb/audits.jsonl"),
    ]
    lab.make()
    assert lab.gate([DAY]) == []


def test_a_writer_that_holds_a_rotated_log_may_still_end_it(lab: Any) -> None:
    lab.write("audits", row(n=1))
    lab.index()
    rotate(lab, "audits/1.jsonl")
    lab.write("audits", row(n=3))
    lab.index()
    lab.write("audits/1", row(n=2))
    lab.index()
    assert phases(lab) == [1, 2, 3]


def test_a_log_may_be_rotated_many_times(lab: Any) -> None:
    for n in range(4):
        lab.write("audits", row(n=n))
        lab.index()
        rotate(lab, f"audits/{n}.jsonl")
    lab.index()
    assert phases(lab) == [0, 1, 2, 3]


def test_logs_that_begin_with_the_same_line_are_told_apart(lab: Any) -> None:
    for n in range(1, 4):
        lab.write("audits", {"event": "log opened"}, row(n=n), row(n=10 * n))
        lab.index()
        rotate(lab, f"audits/{n}.jsonl")
    assert lab.index().broken == {}
    assert phases(lab) == [1, 10, 2, 20, 3, 30]
    assert len(lab.undated()) == 3


def test_a_log_that_is_copied_and_truncated_is_followed(lab: Any) -> None:
    path = lab.write("audits", row(n=1), row(n=2))
    lab.index()
    (lab.root / "_kb/audits").mkdir()
    shutil.copy(path, lab.root / "_kb/audits/1.jsonl")
    path.write_bytes(b"")
    assert lab.index().broken == {}
    lab.write("audits", row(n=3))
    lab.index()
    assert phases(lab) == [1, 2, 3]


def test_an_update_between_copy_and_truncation_loses_and_doubles_nothing(lab: Any) -> None:
    path = lab.write("audits", row(n=1), row(n=2))
    lab.index()
    (lab.root / "_kb/audits").mkdir()
    shutil.copy(path, lab.root / "_kb/audits/1.jsonl")
    lab.index()
    path.write_bytes(b"")
    lab.write("audits", row(n=3))
    assert lab.index().broken == {}
    lab.make([DAY])
    assert [record["task_id"] for record in lab.evidence()] == ["phase:1", "phase:2", "phase:3"]


def shrink(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def edit_head(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"reason 1", b"REASON 1"))


def edit_tail(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"reason 2", b"REASON 2"))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def replace(path: Path) -> None:
    path.write_bytes(path.read_bytes()[::-1].replace(b"\n", b"") * 3 + b"\n")


@pytest.mark.parametrize("rewrite", [shrink, edit_head, edit_tail, empty, replace, Path.unlink])
def test_a_rewritten_stream_is_an_error_that_says_where_and_what_to_do(lab: Any, rewrite: Any) -> None:
    path = lab.write("audits", row(n=1), row(n=2))
    committed = path.stat().st_size
    lab.index()
    rewrite(path)
    message = lab.index().broken["audits"]
    assert "_kb/audits.jsonl" in message
    assert str(committed) in message
    assert "lakehouse streams rebuild audits" in message


def test_nothing_is_indexed_from_a_rewritten_stream_and_others_go_on(lab: Any) -> None:
    path = lab.write("audits", row(n=1), row(n=2))
    lab.write("outcomes", {"scenario": "s", "ts": f"{DAY}T10:00:00Z"})
    lab.index()
    edit_tail(path)
    lab.write("audits", row(n=3))
    lab.write("outcomes", {"scenario": "t", "ts": f"{DAY}T10:00:00Z"})
    for _ in range(2):
        report = lab.index()
        assert list(report.broken) == ["audits"]
        assert report.streams["audits"].total_lines == 2
    assert len(read_day(lab, DAY, "outcomes")) == 2


def test_a_restored_stream_goes_on(lab: Any) -> None:
    path = lab.write("audits", row(n=1), row(n=2))
    data = path.read_bytes()
    lab.index()
    edit_tail(path)
    lab.index()
    path.write_bytes(data)
    lab.write("audits", row(n=3))
    assert lab.index().broken == {}
    assert phases(lab) == [1, 2, 3]


def test_a_rebuilt_stream_has_its_new_content(lab: Any) -> None:
    path = lab.write("audits", row(n=1), row(n=2))
    lab.index()
    path.write_bytes(json.dumps(row(NEXT, n=7)).encode() + b"\n{\n")
    lab.index()
    update = index.rebuild(lab.lake, "audits")
    assert (update.error, update.lines) == (None, 2)
    assert load(lab.lake, "audits").lines_by_day() == {NEXT: 1}
    assert phases(lab, NEXT) == [7]
    assert [entry["line_offset"] for entry in lab.undated()] == [1]


@pytest.mark.parametrize("rewrite", [edit_head, edit_tail])
def test_a_day_whose_rows_changed_under_a_rebuild_is_stale(lab: Any, rewrite: Any) -> None:
    path = lab.write("audits", row(n=1), row(n=2))
    lab.make()
    assert lab.stale() == {}
    rewrite(path)
    index.rebuild(lab.lake, "audits")
    assert list(lab.stale()) == [DAY]
    lab.make()
    assert any("REASON" in record["text"] for record in lab.evidence())


def test_a_day_that_has_no_rows_after_a_rebuild_is_stale_and_is_emptied(lab: Any) -> None:
    path = lab.write("audits", row(n=1))
    lab.make()
    path.write_bytes(json.dumps(row(NEXT, n=1)).encode() + b"\n")
    index.rebuild(lab.lake, "audits")
    assert list(lab.stale()) == [DAY, NEXT]
    lab.make()
    assert [record["timestamp"][:10] for record in lab.evidence()] == [NEXT]


def test_a_row_that_is_appended_while_the_file_is_read_waits_for_the_next_update(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lakehouse.index import update

    lab.write("audits", row(n=1))
    scan = update.Scanner.scan

    def scan_while_it_grows(self: Any, *arguments: Any) -> Any:
        lab.write("audits", row(n=2))
        return scan(self, *arguments)

    monkeypatch.setattr(update.Scanner, "scan", scan_while_it_grows)
    assert lab.index().streams["audits"].lines == 1
    monkeypatch.undo()
    assert lab.index().streams["audits"].lines == 1
    assert phases(lab) == [1, 2]


def test_a_limit_is_for_all_streams_together_and_the_rest_follows(lab: Any) -> None:
    for n in range(50):
        lab.write("audits", row(n=n, pad="x" * 60_000))
        lab.write("outcomes", {"scenario": str(n), "ts": f"{DAY}T10:00:00Z", "pad": "x" * 60_000})
    first = lab.index(1_000_000)
    read = sum(update.bytes for update in first.streams.values())
    assert 1_000_000 <= read < 2_200_000
    ticks = 1
    while lab.index(1_000_000).days:
        ticks += 1
    assert ticks > 2
    assert phases(lab) == list(range(50))
    assert len(read_day(lab, DAY, "outcomes")) == 50


def test_an_index_that_cannot_be_read_is_named_with_the_way_out(lab: Any) -> None:
    lab.write("audits", row())
    lab.index()
    path = lab.lake.line_index("audits")
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(RecordError, match=r"audits\.parquet") as error:
        load(lab.lake, "audits")
    assert "streams rebuild audits" in str(error.value)
    path.unlink()
    index.rebuild(lab.lake, "audits")
    assert phases(lab) == [0]
