"""The sample lake: the same bytes from the same seed, rows as the streams want them, traps where the list says."""

import json
from collections import defaultdict
from datetime import date
from itertools import combinations

import msgspec
import orjson
import pytest

from lakehouse import timestamps
from lakehouse.canonical import duplicate_keys, parse, read, sig_hash
from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.records import OverrideRow, Provenance
from lakehouse.sample import TRAPS, make_sample, read_traps
from lakehouse.sample.draw import Draw
from lakehouse.sample.rows import MAKERS
from lakehouse.scoring import judge
from lakehouse.secrets import scan
from lakehouse.settings import read_settings
from lakehouse.stream_check import check
from lakehouse.streams import BUILT_IN, Seen

LAST = date(2026, 5, 3)
STREAMS = {stream.name: stream for stream in BUILT_IN}
OPTIONS = {"seed": 7, "days": 3, "rows_per_day": 300, "last_day": LAST}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    return make_sample(tmp_path_factory.mktemp("sample"), **OPTIONS)


def files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def lines_of(sample, source_file):
    return (sample.root / source_file).read_bytes().split(b"\n")


def line_of(sample, trap):
    return lines_of(sample, trap.source_file)[trap.line_offset]


def trap_line(sample, trap_id):
    return line_of(sample, next(trap for trap in sample.traps if trap.id == trap_id))


def evidence_of(stream_name, line):
    stream = STREAMS[stream_name]
    row = msgspec.convert(parse(line), stream.row_type)
    stamp = str(next(value for key in stream.timestamp_keys if (value := getattr(row, key)) is not None))
    source = f"_kb/{stream_name}.jsonl"
    place = Provenance(
        source_file=source, line_offset=0, sig_hash=sig_hash(line), recorded_at="2026-06-01T00:00:00.000Z"
    )
    return stream.transform(row, Seen(stream, place, stamp))


def clean_rows(sample):
    """Give `(stream, line)` of every row that is no trap."""
    planted = {(trap.source_file, trap.line_offset) for trap in sample.traps}
    for source_file, rows in sample.rows.items():
        stream = source_file.split("/")[1].removesuffix(".jsonl")
        for offset, line in enumerate(lines_of(sample, source_file)[:rows]):
            if (source_file, offset) not in planted:
                yield stream, line


def test_the_same_options_give_the_same_bytes(sample, tmp_path):
    make_sample(tmp_path, **OPTIONS)
    assert files(tmp_path) == files(sample.root)


def test_rosters_are_the_same_bytes_too_and_no_undeclared_streams(sample, tmp_path):
    first, second = (make_sample(tmp_path / name, **OPTIONS, rosters=True) for name in ("one", "two"))
    assert files(first.root) == files(second.root)
    assert set(files(first.root)) - set(files(sample.root)) == set(first.rosters)
    assert first.rosters == {
        "_kb/workers.parquet": 2000,
        "_kb/ethereal_workers.parquet": 500,
        "_kb/fill_events.parquet": 48,
    }
    assert list(check(Lake(first.root))) == []


def test_a_roster_that_is_there_is_not_written_over(tmp_path):
    roster = tmp_path / "_kb" / "workers.csv"
    roster.parent.mkdir()
    roster.write_text("id,name,role\n")
    with pytest.raises(UsageError, match="there is a roster already"):
        make_sample(tmp_path, **OPTIONS, rosters=True)
    assert roster.read_text() == "id,name,role\n"


def test_another_seed_gives_other_rows(sample, tmp_path):
    make_sample(tmp_path, **{**OPTIONS, "seed": 8})
    mine, others = files(tmp_path), files(sample.root)
    assert mine.keys() == others.keys()
    assert all(mine[name] != others[name] for name in sample.rows)


def test_every_built_in_stream_has_rows(sample):
    assert {stream for stream, _ in clean_rows(sample)} == set(STREAMS)
    assert sum(1 for _ in clean_rows(sample)) == 3 * 300


@pytest.mark.parametrize("rows_per_day", [13, 14, 25, 99, 400])
def test_a_day_has_the_rows_that_were_asked_for(tmp_path, rows_per_day):
    report = make_sample(tmp_path, seed=1, days=1, rows_per_day=rows_per_day, last_day=LAST)
    assert sum(report.rows.values()) - len(report.traps) == rows_per_day


def test_the_report_counts_the_lines_and_bytes_of_the_streams(sample):
    sizes = {name: (sample.root / name).read_bytes() for name in sample.rows}
    assert sum(map(len, sizes.values())) == sample.bytes
    ends = {name: data.count(b"\n") + (not data.endswith(b"\n")) for name, data in sizes.items()}
    assert ends == sample.rows


def test_the_settings_say_the_first_day(sample):
    assert read_settings(sample.root / "lakehouse.toml").first_day == "2026-05-01"


def test_a_folder_with_streams_is_not_overwritten(sample):
    with pytest.raises(UsageError, match="empty folder"):
        make_sample(sample.root, **OPTIONS)


@pytest.mark.parametrize("wrong", [{"days": 0}, {"rows_per_day": 12}])
def test_a_sample_too_small_for_every_stream_is_a_usage_error(tmp_path, wrong):
    with pytest.raises(UsageError, match="at least"):
        make_sample(tmp_path, **{**OPTIONS, **wrong})


# Clean rows


@pytest.mark.parametrize("stream", MAKERS)
def test_every_row_gets_the_verdict_that_it_was_made_for(stream):
    maker, draw = MAKERS[stream], Draw(f"verdicts/{stream}")
    for category in maker.can:
        for number in range(40):
            row = {**maker.make(draw, category, f"k{number}"), maker.stamp: "2026-05-01T00:00:00.000Z"}
            evidence = evidence_of(stream, orjson.dumps(row))
            assert judge(evidence, STREAMS[stream].scorer).category == category


@pytest.mark.parametrize("stream", MAKERS)
def test_every_verdict_that_a_stream_can_get_occurs_in_it(sample, stream):
    found = {
        judge(evidence_of(name, line), STREAMS[name].scorer).category
        for name, line in clean_rows(sample)
        if name == stream
    }
    assert found == set(MAKERS[stream].can)


def test_clean_rows_hold_no_secret_and_no_key_twice(sample):
    for _, line in clean_rows(sample):
        assert scan(line) is None
        assert duplicate_keys(line, read(line)[1]) == []


def test_accepted_clean_rows_have_text_and_no_two_rows_the_same(sample):
    seen = set()
    for stream, line in clean_rows(sample):
        evidence = evidence_of(stream, line)
        category = judge(evidence, STREAMS[stream].scorer).category
        assert category != "accepted" or evidence.text.strip()
        if evidence.text:
            key = (stream, evidence.task_id, evidence.text)
            assert key not in seen
            seen.add(key)


def test_run_ids_are_unique_in_their_stream(sample):
    ids = [(stream, evidence_of(stream, line).run_id) for stream, line in clean_rows(sample)]
    assert len(set(ids)) == len(ids)


def test_texts_resemble_each_other_and_are_no_near_copies(sample):
    grams = defaultdict(list)
    for stream, line in clean_rows(sample):
        words = evidence_of(stream, line).text.lower().split()
        if len(words) >= 5:
            grams[stream].append({tuple(words[at : at + 5]) for at in range(len(words) - 4)})
    worst = max(len(a & b) / len(a | b) for texts in grams.values() for a, b in combinations(texts, 2))
    assert worst < 0.5


def test_rows_are_of_a_realistic_size(sample):
    sizes = sorted(len(line) for _, line in clean_rows(sample))
    assert 500 < sum(sizes) / len(sizes) < 2_000
    assert sizes[-1] < 8_000


def test_rows_lie_in_time_order_but_for_the_late_one(sample):
    for source_file, rows in sample.rows.items():
        placed = {trap.line_offset: trap for trap in sample.traps if trap.source_file == source_file}
        days = []
        for offset, line in enumerate(lines_of(sample, source_file)[:rows]):
            if offset in placed:
                days += [placed[offset].day] if placed[offset].day and placed[offset].id != "late_row" else []
            else:
                row = json.loads(line)
                stamp = next(row[key] for key in ("ts", "reviewed_at") if key in row)
                days.append(timestamps.read(stamp).day)
        assert days == sorted(days)


def test_tries_of_one_task_share_their_question(sample):
    asked = defaultdict(set)
    for stream, line in clean_rows(sample):
        if stream == "agent_runs":
            row = json.loads(line)
            asked[row["task_id"]].add(json.dumps(row["messages"][:2]))
    assert all(len(questions) == 1 for questions in asked.values())


def test_tool_call_arguments_are_json_strings(sample):
    calls = [
        call
        for stream, line in clean_rows(sample)
        if stream == "agent_runs"
        for message in json.loads(line)["messages"]
        for call in message.get("tool_calls", [])
    ]
    assert calls
    assert all(isinstance(json.loads(call["function"]["arguments"]), dict) for call in calls)


# Traps


def test_every_kind_of_trap_is_planted_and_listed(sample):
    kinds = {trap.id.partition("/")[0] for trap in sample.traps}
    assert kinds == set(TRAPS) - {"huge_line"}
    assert len({trap.id for trap in sample.traps}) == len(sample.traps)
    assert read_traps(sample.root) == sample.traps
    table = (sample.root / "TRAPS.md").read_text()
    for trap in sample.traps:
        assert f"| `{trap.id}` | `{trap.source_file}:{trap.line_offset}` |" in table


def test_a_folder_without_traps_is_no_sample_lake(tmp_path):
    with pytest.raises(UsageError, match="no sample lake"):
        read_traps(tmp_path)


def test_the_traps_fit_into_a_single_day_too(tmp_path):
    report = make_sample(tmp_path, seed=3, days=1, rows_per_day=13, last_day=LAST)
    days = {trap.day for trap in report.traps if trap.id not in ("waiting_future",)}
    assert days == {"2026-05-03", None}


def _no_stamp(line):
    return not {"ts", "timestamp", "created_at"} & json.loads(line).keys()


PLANTED = {
    "not_json": lambda line: line.startswith(b'{"file"') and not line.endswith(b"}"),
    "not_object": lambda line: isinstance(json.loads(line), list),
    "not_utf8": lambda line: b"caf\xe9" in line,
    "no_timestamp": _no_stamp,
    "bad_timestamp": lambda line: "Tuesday" in json.loads(line)["ts"],
    "before_first_day": lambda line: json.loads(line)["ts"] < "2026",
    "blank_line": lambda line: line and not line.strip(),
    "lone_surrogate": lambda line: b"\\ud83d " in line,
    "infinite_number": lambda line: line.endswith(b":1e999}"),
    "missing_field": lambda line: "cluster_id" not in json.loads(line),
    "bad_value": lambda line: json.loads(line)["patches_applied"] == "three",
    "late_row": lambda line: json.loads(line)["ts"].startswith("2026-05-01"),
    "waiting_future": lambda line: json.loads(line)["ts"].startswith("2999-01-01"),
    "torn_last_line": lambda line: line.startswith(b"{") and not line.endswith(b"}"),
    "epochs/s": lambda line: 1e9 < json.loads(line)["ts"] < 1e10,
    "epochs/ms": lambda line: 1e12 < json.loads(line)["ts"] < 1e13,
    "epochs/us": lambda line: 1e15 < json.loads(line)["ts"] < 1e16,
    "epochs/ns": lambda line: 1e18 < json.loads(line)["ts"] < 1e19,
    "stamp_without_offset": lambda line: timestamps.lacks_offset(json.loads(line)["ts"]),
    "offset_day_before": lambda line: json.loads(line)["ts"].endswith("T00:30:00+02:00"),
    "nanoseconds": lambda line: json.loads(line)["ts"].endswith(".123456780Z"),
    "duplicate_keys": lambda line: duplicate_keys(line, read(line)[1]) == ["phase"],
    "big_integer": lambda line: json.loads(line)["metadata"]["trace"] == 2**63 - 1,
    "unicode_text": lambda line: "⭐ 你好" in json.loads(line)["suggestions"],
    "accepted_extraction": lambda line: json.loads(line)["confidence"] >= 0.8,
    "not_instructable": lambda line: "patch" not in json.loads(line),
    "partial_run": lambda line: "messages" in json.loads(line),
    "holdout/task": lambda line: json.loads(line)["task_id"] == "staffing:9000",
}


@pytest.mark.parametrize("trap_id", PLANTED)
def test_a_trap_stands_at_its_file_and_line(sample, trap_id):
    assert PLANTED[trap_id](trap_line(sample, trap_id))


def test_only_the_torn_line_has_no_end(sample):
    (torn,) = [name for name in sample.rows if not (sample.root / name).read_bytes().endswith(b"\n")]
    trap = next(trap for trap in sample.traps if trap.id == "torn_last_line")
    assert (trap.source_file, trap.line_offset) == (torn, sample.rows[torn] - 1)


def test_a_huge_line_is_planted_on_request(tmp_path):
    report = make_sample(tmp_path, seed=1, days=1, rows_per_day=13, last_day=LAST, huge_line=True)
    line = trap_line(report, "huge_line")
    assert len(line) == (16 << 20) + 1
    assert json.loads(line)["ok"] is True


def test_every_trap_with_a_day_has_a_time_on_that_day(sample):
    for trap in sample.traps:
        if trap.day:
            # JSON by the standard library, which also reads the line with the number that is too large.
            row = json.loads(line_of(sample, trap))
            stamp = next(row[key] for key in ("ts", "reviewed_at") if key in row)
            assert timestamps.read(stamp).day == trap.day, trap.id


@pytest.mark.parametrize("pair", ["duplicate_row", "duplicate_content"])
def test_what_is_planted_twice_is_the_same_twice(sample, pair):
    first, again = trap_line(sample, f"{pair}/first"), trap_line(sample, f"{pair}/again")
    if pair == "duplicate_row":
        assert sig_hash(first) == sig_hash(again)
    else:
        assert {**json.loads(first), "ts": 0} == {**json.loads(again), "ts": 0}
        assert json.loads(first)["ts"] < json.loads(again)["ts"]


def test_conflicting_runs_share_their_id_or_their_content(sample):
    good, bad = (json.loads(trap_line(sample, f"same_run_two_verdicts/{way}")) for way in ("accepted", "rejected"))
    assert good["run_id"] == bad["run_id"]
    good, bad = (
        evidence_of("scrum_reviews", trap_line(sample, f"same_content_two_verdicts/{way}"))
        for way in ("accepted", "rejected")
    )
    assert (good.text, good.task_id, good.model_name) == (bad.text, bad.task_id, bad.model_name)


def test_traps_of_scoring_get_the_verdict_and_the_reason_that_are_expected(sample):
    rows = (sample.root / "_kb" / "human_overrides.jsonl").read_bytes().splitlines()
    overrides = {
        row.sig_hash: row
        for row in sorted((msgspec.json.decode(row, type=OverrideRow) for row in rows), key=lambda row: row.at)
    }
    traps = [trap for trap in sample.traps if trap.expected.stage == "score"]
    assert traps
    for trap in traps:
        line = line_of(sample, trap)
        judgement = judge(
            evidence_of(trap.stream, line), STREAMS[trap.stream].scorer, overrides.pop(sig_hash(line), None)
        )
        assert judgement.category == trap.expected.outcome, trap.id
        assert trap.expected.reason_code in judgement.reasons, trap.id
    assert overrides == {}


def test_an_override_decides_against_the_rules(sample):
    for trap_id, by_the_rules in (("override_up", "rejected"), ("override_down", "accepted")):
        trap = next(trap for trap in sample.traps if trap.id == trap_id)
        evidence = evidence_of(trap.stream, line_of(sample, trap))
        assert judge(evidence, STREAMS[trap.stream].scorer).category == by_the_rules


def test_traps_of_the_export_have_the_verdict_that_brings_them_there(sample):
    reasons = {"rejected": "rejected", "needs_human_review": "needs_human_review"}
    reasons["partial_not_requested"] = "partially_accepted"
    for trap in sample.traps:
        if trap.expected.stage == "export-sft":
            judgement = judge(evidence_of(trap.stream, line_of(sample, trap)), STREAMS[trap.stream].scorer)
            assert judgement.category == reasons.get(trap.expected.reason_code, "accepted"), trap.id


def test_secrets_and_personal_data_are_where_the_list_says_and_nowhere_else(sample):
    for trap in sample.traps:
        if trap.expected.stage in ("export-sft", "score") or trap.expected.outcome == "evidence":
            finding = scan(line_of(sample, trap))
            planted = trap.expected.outcome == "quarantined"
            assert (finding and finding.reason_code) == (trap.expected.reason_code if planted else None), trap.id


def test_held_out_items_name_a_task_a_conversation_and_a_text(sample):
    items = [json.loads(line) for line in (sample.root / "_kb" / "holdout.jsonl").read_bytes().splitlines()]
    assert items == [
        {"task_id": json.loads(trap_line(sample, "holdout/task"))["task_id"]},
        {"messages": json.loads(trap_line(sample, "holdout/messages"))["messages"]},
        {"text": json.loads(trap_line(sample, "holdout/text"))["analysis"]},
    ]
