"""Importers: logs of other systems become rows of `agent_runs`, each once, or a reason why not."""

import json
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import UsageError
from lakehouse.importers import IMPORTERS, ImportOptions, ImportReport, import_file
from lakehouse.lake import Lake
from lakehouse.settings import read_settings, set_first_day

AT = datetime(2026, 5, 1, tzinfo=UTC)
GIVEN = ImportOptions(at=AT)
TAU_BENCH = Path(__file__).parents[3] / "shared" / "data" / "tau-bench" / "gpt-4o-airline.json"

ASK = {"role": "user", "content": "Who can weld on Tuesday?"}
ANSWER = {"role": "assistant", "content": "Amara D. can."}


def tau_run(**changes):
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"day": "tue"}'}}
    run = {
        "task_id": 4,
        "trial": 2,
        "reward": 1.0,
        "traj": [ASK, {"role": "assistant", "content": None, "tool_calls": [call]}, ANSWER],
        "info": {"task": {"user_id": "u"}, "source": "user", "user_cost": 0.25, "reward_info": {"reward": 1.0}},
    }
    return {key: value for key, value in {**run, **changes}.items() if value is not ...}


def write(folder, name, *values):
    """Write a JSON list where the name ends in .json, else one line for each value (bytes as they are)."""
    path = Path(folder) / name
    if name.endswith(".json"):
        path.write_text(json.dumps(values))
    else:
        lines = [value if isinstance(value, bytes) else json.dumps(value).encode() for value in values]
        path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def rows_of(lake, name):
    lines = (lake.root / "_kb" / "agent_runs" / f"{name}.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]


def import_one(tmp_path, format_name, value, options=GIVEN):
    """Import one run and give its row."""
    lake = Lake(tmp_path / "lake")
    path = write(tmp_path, "gpt-4o-airline.json" if format_name == "tau-bench" else "log.jsonl", value)
    report = import_file(lake, format_name, path, options)
    assert report.refused == []
    return rows_of(lake, path.stem)[0]


# tau-bench


def test_a_tau_bench_run_becomes_a_row_of_agent_runs(tmp_path):
    assert import_one(tmp_path, "tau-bench", tau_run()) == {
        "run_id": "tau-bench-airline:4#2",
        "task_id": "tau-bench-airline:4",
        "model": "gpt-4o",
        "messages": tau_run()["traj"],
        "reward": 1.0,
        "metadata": {"source": "tau-bench", "domain": "airline", "trial": 2, "user_cost": 0.25, "time_given": True},
        "ts": "2026-05-01T00:00:00.000Z",
    }


def test_fields_that_a_row_has_no_place_for_are_counted(tmp_path):
    path = write(tmp_path, "gpt-4o-airline.json", tau_run(), tau_run(trial=3, seed=1))
    report = import_file(Lake(tmp_path / "lake"), "tau-bench", path, GIVEN)
    assert report.left_out == {"info.task": 2, "info.source": 2, "info.reward_info": 2, "seed": 1}


@pytest.mark.parametrize(
    ("name", "options", "task_id", "model"),
    [
        ("gpt-4o-airline.json", ImportOptions(at=AT), "tau-bench-airline:4", "gpt-4o"),
        ("sonnet-35-new-retail.json", ImportOptions(at=AT), "tau-bench-retail:4", "sonnet-35-new"),
        ("results.json", ImportOptions(at=AT, domain="airline", model="m"), "tau-bench-airline:4", "m"),
        ("gpt-4o-airline.json", ImportOptions(at=AT, domain="retail", model="m"), "tau-bench-retail:4", "m"),
        ("gpt-4o-banking.json", ImportOptions(at=AT, domain="banking"), "tau-bench-banking:4", "gpt-4o"),
    ],
)
def test_domain_and_model_come_from_the_options_or_the_file_name(tmp_path, name, options, task_id, model):
    lake = Lake(tmp_path / "lake")
    path = write(tmp_path, name, tau_run())
    import_file(lake, "tau-bench", path, options)
    (row,) = rows_of(lake, path.stem)
    assert (row["task_id"], row["model"]) == (task_id, model)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("results.json", GIVEN),
        ("gpt-4o.json", GIVEN),
        ("airline.json", GIVEN),
        ("results.json", ImportOptions(at=AT, domain="airline")),
        ("results.json", ImportOptions(at=AT, model="gpt-4o")),
    ],
)
def test_a_tau_bench_file_that_does_not_say_model_and_domain_is_a_usage_error(tmp_path, name, options):
    path = write(tmp_path, name, tau_run())
    with pytest.raises(UsageError, match="--model gpt-4o --domain airline"):
        import_file(Lake(tmp_path / "lake"), "tau-bench", path, options)


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        ("a string", "no JSON object"),
        (tau_run(task_id=...), "task_id is missing"),
        (tau_run(task_id=True), "task_id is missing"),
        (tau_run(trial=...), "trial is missing"),
        (tau_run(traj=...), "traj is missing"),
        (tau_run(traj="hello"), "traj is missing"),
        (tau_run(traj=[ASK, "hello"]), "traj is missing"),
        (tau_run(traj=[{"content": "no role"}]), "a message needs a role"),
        (tau_run(reward="high"), "reward"),
    ],
)
def test_an_unusable_tau_bench_run_is_refused_with_its_position_and_the_others_go_on(tmp_path, run, reason):
    path = write(tmp_path, "gpt-4o-airline.json", tau_run(), run, tau_run(trial=9))
    report = import_file(Lake(tmp_path / "lake"), "tau-bench", path, GIVEN)
    (refused,) = report.refused
    assert refused.where == f"{path}[1]"
    assert reason in refused.reason
    assert (report.read, report.added) == (3, 2)


@pytest.mark.parametrize("content", [b"{", b'{"task_id": 1}', b"\xff\xfe"])
def test_a_tau_bench_file_that_is_no_list_is_a_usage_error(tmp_path, content):
    path = tmp_path / "gpt-4o-airline.json"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"gpt-4o-airline\.json"):
        import_file(Lake(tmp_path / "lake"), "tau-bench", path, GIVEN)


@pytest.mark.skipif(not TAU_BENCH.exists(), reason="the tau-bench results lie beside the checkout, in ../shared/data")
def test_the_real_airline_runs_are_all_imported_with_their_tool_calls_untouched(tmp_path):
    lake = Lake(tmp_path)
    report = import_file(lake, "tau-bench", TAU_BENCH, GIVEN)
    rows = rows_of(lake, "gpt-4o-airline")
    assert (report.read, report.added, report.refused) == (200, 200, [])
    assert sum(row["reward"] == 1.0 for row in rows) == 84
    assert [row["messages"] for row in rows] == [run["traj"] for run in json.loads(TAU_BENCH.read_bytes())]
    calls = [call for row in rows for message in row["messages"] for call in message.get("tool_calls") or []]
    assert calls
    assert {type(call["function"]["arguments"]) for call in calls} == {str}
    assert len({row["run_id"] for row in rows}) == 200


# openai-chat


def flat(**changes):
    log = {
        "messages": [ASK],
        "choices": [{"index": 0, "message": ANSWER, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 5},
        "model": "gpt-4o-2024-08-06",
        "id": "chatcmpl-1",
        "created": 1777629600,
    }
    return {key: value for key, value in {**log, **changes}.items() if value is not ...}


def nested(**changes):
    response = {key: value for key, value in flat().items() if key != "messages"}
    return {"request": {"messages": [ASK], "model": "gpt-4o"}, "response": response, **changes}


def test_a_request_with_its_response_becomes_a_row(tmp_path):
    row = import_one(tmp_path, "openai-chat", flat())
    task_id = row.pop("task_id")
    assert row == {
        "run_id": "chatcmpl-1",
        "model": "gpt-4o-2024-08-06",
        "messages": [ASK, ANSWER],
        "prompt_tokens": 12,
        "completion_tokens": 5,
        "metadata": {"source": "openai-chat", "finish_reason": "stop"},
        "ts": "2026-05-01T10:00:00.000Z",
    }
    assert task_id.startswith("openai-chat:")


def test_request_and_response_may_be_nested(tmp_path):
    lake = Lake(tmp_path / "lake")
    report = import_file(lake, "openai-chat", write(tmp_path, "log.jsonl", flat(), nested()))
    assert (report.added, report.already_there) == (1, 1)


def test_a_fine_tuning_line_is_a_run_whose_id_is_made_of_its_content(tmp_path):
    row = import_one(tmp_path, "openai-chat", {"messages": [ASK, ANSWER]})
    assert row["messages"] == [ASK, ANSWER]
    assert row["run_id"].startswith("openai-chat-")
    assert row["metadata"] == {"source": "openai-chat", "time_given": True}


def test_retries_of_one_prompt_share_a_task(tmp_path):
    other = {"role": "user", "content": "And on Friday?"}
    lake = Lake(tmp_path / "lake")
    path = write(tmp_path, "log.jsonl", flat(), flat(id="chatcmpl-2", model="o3"), flat(id="3", messages=[other]))
    import_file(lake, "openai-chat", path)
    first, retry, third = (row["task_id"] for row in rows_of(lake, "log"))
    assert first == retry != third


@pytest.mark.parametrize(
    ("log", "field", "value"),
    [
        (flat(metadata={"task_id": "t-1"}), "task_id", "t-1"),
        (flat(task_id=17), "task_id", "17"),
        (flat(reward=0.5), "reward", 0.5),
        (flat(metadata={"reward": 1}), "reward", 1),
        (flat(passed=False), "passed", False),
        (flat(metadata={"verdict": "reject"}), "verdict", "reject"),
        (nested(verdict="accept"), "verdict", "accept"),
        (flat(latency_ms=120), "latency_ms", 120),
        (flat(duration_ms=7.5), "latency_ms", 7.5),
        (flat(cost_usd=0.001), "cost_usd", 0.001),
        (flat(response_cost=0), "cost_usd", 0),
        (flat(created=1777629600.25), "ts", "2026-05-01T10:00:00.250Z"),
        (flat(created=..., timestamp="2026-05-02T03:04:05.678901+02:00"), "ts", "2026-05-02T03:04:05.678901+02:00"),
    ],
)
def test_what_a_log_says_of_a_run_is_passed_through(tmp_path, log, field, value):
    assert import_one(tmp_path, "openai-chat", log)[field] == value


def test_an_epoch_of_zero_is_no_time(tmp_path):
    row = import_one(tmp_path, "openai-chat", flat(created=0))
    assert (row["ts"], row["metadata"]["time_given"]) == ("2026-05-01T00:00:00.000Z", True)


@pytest.mark.parametrize("arguments", [{"day": "tue", "people": 3}, '{"day": "tue",  "people": 3}'])
def test_tool_call_arguments_become_json_strings_and_strings_stay_untouched(tmp_path, arguments):
    call = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    row = import_one(tmp_path, "openai-chat", {"messages": [ASK, message]})
    found = row["messages"][1]["tool_calls"][0]["function"]["arguments"]
    assert found == (arguments if isinstance(arguments, str) else '{"day":"tue","people":3}')


def test_tools_are_kept_in_metadata_as_a_json_string(tmp_path):
    tools = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]
    row = import_one(tmp_path, "openai-chat", flat(tools=tools))
    assert json.loads(row["metadata"]["tools"]) == tools


def test_integers_of_any_size_survive(tmp_path):
    row = import_one(tmp_path, "openai-chat", flat(metadata={"span": 2**53 + 1, "trace": 2**70}))
    assert (row["metadata"]["span"], row["metadata"]["trace"]) == (2**53 + 1, 2**70)


def test_what_a_chat_log_says_beyond_a_row_is_counted(tmp_path):
    log = flat(temperature=0.2, usage={"prompt_tokens": 1, "total_tokens": 3}, seed=None)
    log["choices"].append({"index": 1, "message": ANSWER, "finish_reason": "stop"})
    log["choices"][0]["logprobs"] = {"content": []}
    path = write(tmp_path, "log.jsonl", log)
    report = import_file(Lake(tmp_path / "lake"), "openai-chat", path)
    assert report.left_out == {"temperature": 1, "usage.total_tokens": 1, "choices[0].logprobs": 1, "choices[1:]": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"messages": [', "no JSON"),
        (b'{"messages": "caf\xe9"}', "no JSON"),
        (b"[1, 2]", "no JSON object"),
        ({"prompt": "hi"}, "messages is missing"),
        ({"messages": []}, "messages is missing"),
        ({"messages": ["hi"]}, "messages is missing"),
        ({"messages": [{"content": "no role"}]}, "a message needs a role"),
        (flat(choices=[]), "no choices[0].message"),
        (nested(response={"error": {"code": 500}}), "no choices[0].message"),
        (nested(response="hi"), "no JSON object"),
        (flat(id="x", reward="high"), "reward"),
        (flat(id="x", created="yesterday"), "yesterday"),
        (flat(id="x", created=-5), "-5"),
        (b'{"messages": "' + b"x" * (16 << 20) + b'"}', "longer than 16 MiB"),
    ],
)
def test_a_bad_line_is_refused_with_file_and_line_and_the_others_go_on(tmp_path, line, reason):
    path = write(tmp_path, "log.jsonl", flat(), line, flat(id="chatcmpl-2"))
    report = import_file(Lake(tmp_path / "lake"), "openai-chat", path, GIVEN)
    (refused,) = report.refused
    assert refused.where == f"{path}:2"
    assert reason in refused.reason
    assert (report.read, report.added) == (3, 2)


def test_a_byte_order_mark_blank_lines_and_a_missing_last_newline_do_no_harm(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(flat()).encode() + b"\r\n\n  \n" + json.dumps(flat(id="2")).encode())
    report = import_file(Lake(tmp_path / "lake"), "openai-chat", path)
    assert (report.read, report.added, report.refused) == (2, 2, [])


# every format


def test_runs_without_a_time_are_spread_one_second_apart_in_file_order(tmp_path):
    lake = Lake(tmp_path / "lake")
    path = write(tmp_path, "log.jsonl", {"messages": [ASK, ANSWER]}, flat(), {"messages": [ASK]})
    report = import_file(lake, "openai-chat", path, GIVEN)
    rows = rows_of(lake, "log")
    assert [row["ts"] for row in rows] == [
        "2026-05-01T00:00:00.000Z",
        "2026-05-01T10:00:00.000Z",
        "2026-05-01T00:00:01.000Z",
    ]
    assert ["time_given" in row["metadata"] for row in rows] == [True, False, True]
    assert report.without_time == 2


def test_runs_without_a_time_and_no_time_given_write_nothing(tmp_path):
    lake = Lake(tmp_path / "lake")
    path = write(tmp_path, "log.jsonl", {"messages": [ASK]}, {"messages": [ASK, ANSWER]})
    with pytest.raises(UsageError, match="--at 2026-05-01T00:00:00Z"):
        import_file(lake, "openai-chat", path)
    assert not (lake.root / "_kb").exists()


def test_a_run_without_a_time_among_others_is_refused_and_the_others_go_on(tmp_path):
    lake = Lake(tmp_path / "lake")
    path = write(tmp_path, "log.jsonl", {"messages": [ASK, ANSWER]}, flat())
    report = import_file(lake, "openai-chat", path)
    assert (report.added, [refused.where for refused in report.refused]) == (1, [f"{path}:1"])


def test_a_given_time_without_offset_is_a_usage_error(tmp_path):
    path = write(tmp_path, "log.jsonl", flat())
    with pytest.raises(UsageError, match="offset"):
        import_file(Lake(tmp_path), "openai-chat", path, ImportOptions(at=AT.replace(tzinfo=None)))


def test_an_unknown_format_is_a_usage_error_that_lists_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match=", ".join(IMPORTERS)):
        import_file(Lake(tmp_path), "parquet", write(tmp_path, "log.jsonl"))


@pytest.mark.parametrize("format_name", IMPORTERS)
def test_a_file_that_is_not_there_is_a_usage_error_that_names_it(tmp_path, format_name):
    with pytest.raises(UsageError, match=r"gpt-4o-airline\.json"):
        import_file(Lake(tmp_path / "lake"), format_name, tmp_path / "gpt-4o-airline.json", GIVEN)


@pytest.mark.parametrize(
    ("stem", "name"),
    [("log", "log"), ("my log (1)", "my_log_1_"), (".hidden", "hidden"), ("..", "import"), ("größe", "gr_e")],
)
def test_rows_go_to_a_file_with_a_safe_name(tmp_path, stem, name):
    report = import_file(Lake(tmp_path / "lake"), "openai-chat", write(tmp_path, f"{stem}.jsonl", flat()))
    assert report.file == f"_kb/agent_runs/{name}.jsonl"
    assert (tmp_path / "lake" / report.file).is_file()


@pytest.mark.parametrize(
    ("before", "after"), [(None, "2026-05-01"), ("2026-06-01", "2026-05-01"), ("2026-04-01", "2026-04-01")]
)
def test_the_first_day_is_set_to_the_oldest_row_and_never_moved_later(tmp_path, before, after):
    lake = Lake(tmp_path / "lake")
    if before:
        set_first_day(lake.toml, before)
    path = write(tmp_path, "log.jsonl", flat(created=1777899600), flat(id="2"))
    report = import_file(lake, "openai-chat", path)
    assert report.first_day == read_settings(lake.toml).first_day == after


def test_a_run_that_is_there_with_other_content_is_added_and_counted_as_changed(tmp_path):
    lake = Lake(tmp_path / "lake")
    import_file(lake, "openai-chat", write(tmp_path, "log.jsonl", flat()))
    report = import_file(lake, "openai-chat", write(tmp_path, "log.jsonl", flat(), flat(reward=1.0)))
    assert (report.already_there, report.added, report.changed) == (1, 1, 1)


def test_a_run_that_another_file_brought_is_not_added_again(tmp_path):
    lake = Lake(tmp_path / "lake")
    import_file(lake, "openai-chat", write(tmp_path, "monday.jsonl", flat()))
    report = import_file(lake, "openai-chat", write(tmp_path, "week.jsonl", flat(), flat(id="2")))
    assert (report.already_there, report.added) == (1, 1)


def test_the_same_runs_under_another_given_time_are_already_there(tmp_path):
    lake = Lake(tmp_path / "lake")
    path = write(tmp_path, "gpt-4o-airline.json", tau_run())
    import_file(lake, "tau-bench", path, GIVEN)
    report = import_file(lake, "tau-bench", path, ImportOptions(at=datetime(2026, 1, 1, tzinfo=UTC)))
    assert (report.already_there, report.added, report.first_day) == (1, 0, "2026-05-01")


def test_a_line_that_a_killed_writer_tore_spoils_no_import(tmp_path):
    lake = Lake(tmp_path / "lake")
    path = write(tmp_path, "log.jsonl", flat(), flat(id="2"))
    report = import_file(lake, "openai-chat", path)
    target = lake.root / report.file
    target.write_bytes(target.read_bytes()[:-20])
    again = import_file(lake, "openai-chat", path)
    assert (again.already_there, again.added) == (1, 1)
    assert json.loads(target.read_bytes().splitlines()[-1])["run_id"] == "2"


def test_progress_hears_how_many_runs_were_read(tmp_path):
    heard: list[int] = []
    path = write(tmp_path, "log.jsonl", flat(), b"[]", flat(id="2"))
    import_file(Lake(tmp_path / "lake"), "openai-chat", path, progress=heard.append)
    assert heard == [1, 2, 3]


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
_LOG = st.fixed_dictionaries(
    {"messages": st.lists(st.fixed_dictionaries({"role": st.just("user"), "content": _TEXT}), min_size=1, max_size=3)},
    optional={
        "id": st.sampled_from(["a", "b", "c"]),
        "reward": st.floats(0, 1) | st.integers(0, 1),
        "created": st.integers(1, 2_000_000_000),
        "metadata": st.dictionaries(_TEXT, st.integers() | _TEXT | st.none(), max_size=3),
        "choices": st.just([{"message": ANSWER}]),
    },
)


@given(logs=st.lists(_LOG, max_size=6))
def test_importing_twice_adds_nothing(logs):
    with TemporaryDirectory() as folder:
        lake = Lake(Path(folder) / "lake")
        path = write(folder, "log.jsonl", *logs)
        first = import_file(lake, "openai-chat", path, GIVEN)
        target = lake.root / first.file
        before = target.read_bytes() if target.exists() else b""
        second = import_file(lake, "openai-chat", path, GIVEN)
        assert second.added == 0
        assert second.already_there == first.added + first.already_there
        assert (target.read_bytes() if target.exists() else b"") == before
        assert balanced(first)
        assert balanced(second)


def balanced(report: ImportReport) -> bool:
    return report.read == report.added + report.already_there + len(report.refused)
