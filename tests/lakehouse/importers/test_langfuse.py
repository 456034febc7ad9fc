"""Langfuse exports: which files are complete, which rows make a run, which messages and which scores count."""

from __future__ import annotations

import gzip
import json
import random
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.errors import UsageError
from lakehouse.importers import IMPORTERS, ImportedRun, ImportOptions, Refused, import_file
from lakehouse.messages import clean

FIXTURES = Path(__file__).parent / "fixtures" / "langfuse"
BLOB = FIXTURES / "blob"
Row = dict[str, Any]

ASK = {"role": "user", "content": "Who can weld?"}
ANSWER = {"role": "assistant", "content": "Amara D. can."}
CALL = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"day":"tue"}'}}
BOOKED = [
    {"role": "system", "content": "You book meeting rooms."},
    {"role": "user", "content": "Ein Raum für 6, bitte – 会議室 🪑"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "find_room", "arguments": '{"people": 6}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": '{"room": "Ada"}'},
    {"role": "assistant", "content": "Room Ada is yours."},
]


def generation(**changes: Any) -> Row:
    row = {"id": "g", "traceId": "t", "type": "GENERATION", "startTime": "2026-05-01T10:00:00Z", "model": "m"}
    row |= {"endTime": "2026-05-01T10:00:01Z", "input": [ASK], "output": ANSWER}
    return {key: value for key, value in {**row, **changes}.items() if value is not ...}


def score(name: str = "correctness", value: Any = 1, **changes: Any) -> Row:
    row = {"id": f"s-{name}", "traceId": "t", "name": name, "value": value, "dataType": "NUMERIC"}
    return {key: value for key, value in {**row, **changes}.items() if value is not ...}


def write(path: Path, *rows: Row | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [row if isinstance(row, bytes) else json.dumps(row, ensure_ascii=False).encode() for row in rows]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def read(path: Path, **options: Any) -> tuple[list[ImportedRun], list[Refused]]:
    items = list(IMPORTERS["langfuse"].read(path, ImportOptions(**options)))
    return (
        [item for item in items if isinstance(item, ImportedRun)],
        [item for item in items if isinstance(item, Refused)],
    )


def one(tmp_path: Path, *rows: Row | bytes, **options: Any) -> ImportedRun:
    """Read rows of one trace, of which nothing is refused."""
    runs, refused = read(write(tmp_path / "export.jsonl", *rows), **options)
    assert refused == []
    (run,) = runs
    return run


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    """A copy of the export, to be spoilt."""
    return shutil.copytree(BLOB, tmp_path / "blob") / "p-1"


# end to end


def test_a_blob_export_becomes_samples_with_the_messages_of_its_longest_generation(lab: Any) -> None:
    report = import_file(lab.lake, "langfuse", BLOB)
    assert (report.read, report.added, report.file) == (3, 2, "_kb/agent_runs/blob.jsonl")
    lab.night()
    assert {run["evidence_task_id"].split(":")[0] for run in lab.scored()} == {"langfuse"}
    assert {run["evidence_run_id"]: run["category"] for run in lab.scored()} == {
        "trace-a": "accepted",
        "trace-b": "rejected",
    }
    assert [sample["messages"] for sample in lab.published()] == [[clean(message) for message in BOOKED]]


def test_a_blob_export_becomes_these_rows(lab: Any) -> None:
    import_file(lab.lake, "langfuse", BLOB)
    booked, refused = lab.all("_kb/agent_runs/blob.jsonl")
    tools = json.loads(booked["metadata"].pop("tools"))
    assert [tool["function"]["name"] for tool in tools] == ["find_room"]
    booked.pop("task_id")
    assert booked == {
        "run_id": "trace-a",
        "model": "gpt-4o-2024-08-06",
        "provider": "openai",
        "messages": BOOKED,
        "reward": 1,
        "cost_usd": 0.006,
        "latency_ms": 9000,
        "prompt_tokens": 300,
        "completion_tokens": 30,
        "metadata": {
            "source": "langfuse",
            "team": "facilities",
            "trace_name": "book",
            "session_id": "sess-1",
            "user_id": "u-7",
            "release": "1.2",
            "environment": "production",
            "tags": ["beta"],
            "scores": [
                {"name": "Correctness", "value": 1, "data_type": "NUMERIC", "source": "EVAL"},
                {"name": "Toxicity", "value": 0.9, "data_type": "NUMERIC", "source": "EVAL"},
            ],
        },
        "ts": "2026-05-01T10:00:00.000Z",
    }
    assert (refused["passed"], refused["ts"]) == (False, "2026-05-01T10:00:11.000Z")


def test_what_a_blob_export_says_beyond_its_runs_is_counted_or_refused(lab: Any) -> None:
    report = import_file(lab.lake, "langfuse", BLOB)
    assert report.left_out == {
        "observation (older rows of one id)": 1,
        "observation of type SPAN": 1,
        "observation of type TOOL": 1,
        "observation.metadata": 1,
        "score (older rows of one id)": 1,
    }
    (session,) = report.refused
    assert session.where.endswith("scores/2026-05-01T12-00-00.jsonl:2")
    assert "no trace id" in session.reason


def test_a_trace_downloaded_from_the_ui_becomes_a_run(lab: Any) -> None:
    report = import_file(lab.lake, "langfuse", FIXTURES / "trace.json")
    assert (report.added, report.refused) == (1, [])
    (row,) = lab.all("_kb/agent_runs/trace.jsonl")
    assert row == {
        "run_id": "trace-c",
        "task_id": "faq-3",
        "model": "claude-sonnet-4-5",
        "messages": [
            {"role": "user", "content": "Why is the sky blue?"},
            {"role": "assistant", "content": "Rayleigh scattering."},
        ],
        "verdict": "accept",
        "cost_usd": 0.0005,
        "latency_ms": 1500,
        "prompt_tokens": 12,
        "completion_tokens": 4,
        "metadata": {
            "source": "langfuse",
            "task_id": "faq-3",
            "trace_name": "ask",
            "user_id": "u-1",
            "scores": [
                {
                    "name": "verdict",
                    "value": "Accept",
                    "data_type": "CATEGORICAL",
                    "source": "ANNOTATION",
                    "comment": "fine",
                }
            ],
        },
        "ts": "2026-05-02T08:00:00.000Z",
    }
    lab.night()
    assert [sample["messages"] for sample in lab.published()] == [row["messages"]]


def test_importing_an_export_twice_adds_nothing(lab: Any) -> None:
    import_file(lab.lake, "langfuse", BLOB)
    again = import_file(lab.lake, "langfuse", BLOB)
    assert (again.added, again.already_there, again.changed) == (0, 2, 0)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_rows_and_files_changes_nothing(tmp_path: Path, seed: int) -> None:
    files = sorted(BLOB.glob("p-1/*/*.jsonl"))
    rows = [json.loads(line) for file in files for line in file.read_bytes().splitlines()]
    ordered, _ = read(write(tmp_path / "a.jsonl", *rows))
    random.Random(seed).shuffle(rows)
    shuffled, _ = read(write(tmp_path / "b.jsonl", *rows))
    assert [(run.row, run.left_out) for run in shuffled] == [(run.row, run.left_out) for run in ordered]


# which files are complete


def test_a_gzipped_export_is_read_too(tmp_path: Path, blob: Path) -> None:
    expected, _ = read(blob)
    shutil.rmtree(blob / "manifests")
    for file in list(blob.rglob("*.jsonl")):
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        file.unlink()
    assert [run.row for run in read(blob)[0]] == [run.row for run in expected]


def test_a_file_that_no_manifest_lists_yet_is_refused_and_the_others_go_on(blob: Path) -> None:
    late = write(blob / "observations_v2" / "2026-05-01T13-00-00.jsonl", generation())
    runs, refused = read(blob)
    assert [run.row["run_id"] for run in runs] == ["trace-a", "trace-b"]
    assert [item.reason for item in refused if item.where == str(late)] == [
        "no manifest lists it: its export run is not finished; import again when it is"
    ]


def test_a_file_older_than_every_manifest_counts(blob: Path) -> None:
    write(blob / "observations_v2" / "2026-04-01T00-00-00.jsonl", generation(traceId="old"))
    assert [run.row["run_id"] for run in read(blob)[0]] == ["old", "trace-a", "trace-b"]


def test_an_export_without_the_convention_of_manifests_is_taken_as_it_is(blob: Path) -> None:
    shutil.rmtree(blob / "manifests")
    assert len(read(blob)[0]) == 2


def empty_manifests(blob: Path) -> None:
    for manifest in (blob / "manifests").iterdir():
        manifest.unlink()


def missing_file(blob: Path) -> None:
    (blob / "scores" / "2026-05-01T12-00-00.jsonl").unlink()


def shorter_file(blob: Path) -> None:
    file = blob / "observations_v2" / "2026-05-01T12-00-00.jsonl"
    file.write_bytes(file.read_bytes()[:-300])


def torn_manifest(blob: Path) -> None:
    manifest = blob / "manifests" / "2026-05-01T12-00-00.json"
    manifest.write_bytes(manifest.read_bytes()[:100])


def newer_manifest(blob: Path) -> None:
    (blob / "manifests" / "2026-05-01T12-00-00.json").write_text('{"version": 2, "files": []}')


def manifest_without_keys(blob: Path) -> None:
    (blob / "manifests" / "2026-05-01T12-00-00.json").write_text('{"version": 1, "files": [{"table": "scores"}]}')


def cut_off_gz(blob: Path) -> None:
    shutil.rmtree(blob / "manifests")
    file = blob / "observations_v2" / "2026-05-01T11-00-00.jsonl"
    file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes())[:-40])
    file.unlink()


def no_table(blob: Path) -> None:
    for table in ("observations_v2", "scores"):
        shutil.rmtree(blob / table)


@pytest.mark.parametrize(
    ("spoil", "place", "reason"),
    [
        (empty_manifests, "manifests", "no export run is finished"),
        (missing_file, "2026-05-01T12-00-00.json", "is not there"),
        (shorter_file, "2026-05-01T12-00-00.jsonl", "bytes"),
        (torn_manifest, "2026-05-01T12-00-00.json", "no JSON"),
        (newer_manifest, "2026-05-01T12-00-00.json", "version 2"),
        (manifest_without_keys, "2026-05-01T12-00-00.json", "without a key"),
        (cut_off_gz, "2026-05-01T11-00-00.jsonl.gz", "cut off or damaged"),
        (no_table, "p-1", "observations_v2"),
    ],
)
def test_an_export_that_is_not_complete_is_an_error_that_names_the_file_and_writes_nothing(
    lab: Any, blob: Path, spoil: Any, place: str, reason: str
) -> None:
    spoil(blob)
    with pytest.raises(UsageError) as error:
        import_file(lab.lake, "langfuse", blob)
    assert place in error.value.where
    assert reason in error.value.what
    assert error.value.mend
    assert not (lab.root / "_kb" / "agent_runs").exists()


@pytest.mark.parametrize(
    ("name", "reason"),
    [("scores/x.csv", "CSV and Parquet"), ("traces/x.parquet", "CSV and Parquet"), ("sessions/x.jsonl", "none of the")],
)
def test_a_file_that_cannot_be_used_is_refused_by_name(blob: Path, name: str, reason: str) -> None:
    file = write(blob / name, {"id": "x"})
    assert [item.reason for item in read(blob)[1] if item.where == str(file) and reason in item.reason]


# which rows make a run


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (generation(traceId=...), "the observation g has no trace id"),
        (generation(traceId=None), "no trace id"),
        (generation(traceId=1.5), "no trace id"),
        (generation(id=...), "the observation has no id"),
        (generation(updatedAt="soon"), "updated_at of the observation g"),
        (generation(updatedAt=[1]), "updated_at of the observation g"),
        (score(traceId=...), "the score s-correctness has no trace id"),
        (score(traceId="elsewhere"), "of the trace elsewhere, which is not in the export"),
        ({"hello": "world"}, "no trace, observation or score"),
        (b"[1]", "no JSON object"),
        (b'{"id": ', "no JSON"),
        (generation(traceId="u", startTime="yesterday"), "start_time of g"),
        (generation(traceId="u", usageDetails={"input": "many"}), "usage_details.input of g is no number"),
        (generation(traceId="u", usageDetails=[3]), "usage_details of g is no JSON object"),
        (generation(traceId="u", costDetails={"total": {}}), "cost_details.total of g is no number"),
        (generation(traceId="u", costDetails={"total": 10**305}), "cost_details.total of g is no number"),
        (generation(traceId="u", model=7), "model"),
        (generation(traceId="u", input={"args": [1]}), "g: the input is JSON in a shape that is not known"),
        (generation(traceId="u", output={"candidates": []}), "g: the output is a response in a shape"),
        (generation(traceId="u", input=None, output=None), "no generation, trace or root has an input"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_with_its_place_and_the_others_go_on(
    lab: Any, tmp_path: Path, line: Row | bytes, reason: str
) -> None:
    path = write(tmp_path / "export.jsonl", generation(traceId="v", id="other"), line)
    report = import_file(lab.lake, "langfuse", path)
    (refused,) = report.refused
    assert refused.where == f"{path}:2"
    assert reason in refused.reason
    assert (report.read, report.added) == (2, 1)


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
_KEYS = [
    "role",
    "content",
    "tool_calls",
    "type",
    "messages",
    "choices",
    "message",
    "function",
    "name",
    "output",
    "total",
]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _TEXT,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(_KEYS), inner | st.sampled_from(["assistant", "tool", "function_call"]))
        | inner.map(json.dumps)
    ),
    max_leaves=8,
)


@given(
    row=st.sampled_from([generation(usageDetails={}, metadata={}), score(observationId="g", stringValue="")]),
    data=st.data(),
)
def test_a_field_of_any_value_makes_a_run_or_a_refusal(row: Row, data: st.DataObject) -> None:
    spoilt = {**row, data.draw(st.sampled_from(sorted(row))): data.draw(_JSON)}
    with TemporaryDirectory() as folder:
        runs, refused = read(write(Path(folder) / "x.jsonl", generation(id="other"), spoilt))
    assert runs or refused
    assert all(":" in item.where and item.reason for item in refused)


def test_of_rows_with_one_id_the_newest_counts_and_the_others_are_counted(tmp_path: Path) -> None:
    rows = [
        generation(updatedAt="2026-05-01T10:00:02Z", output="second"),
        generation(updatedAt="2026-05-01T10:00:03.000001Z", output="third"),
        generation(updatedAt="2026-05-01T10:00:03Z", output="not the third"),
        generation(output="undated"),
    ]
    run = one(tmp_path, *rows)
    assert run.row["messages"][-1]["content"] == "third"
    assert run.left_out == ("observation (older rows of one id)",)


def test_a_page_of_the_api_and_a_list_are_read_as_their_items(tmp_path: Path) -> None:
    page, listed = tmp_path / "page.json", tmp_path / "list.json"
    page.write_text(json.dumps({"data": [generation()], "meta": {"page": 1}}))
    listed.write_text(
        json.dumps([generation(), {"id": "t", "timestamp": "2026-05-01T09:00:00Z", "observations": ["g"]}])
    )
    assert [run.row["ts"] for run in read(page)[0]] == ["2026-05-01T10:00:00.000Z"]
    assert [run.row["ts"] for run in read(listed)[0]] == ["2026-05-01T09:00:00.000Z"]


def test_the_columns_of_scores_in_a_table_of_the_ui_are_scores(tmp_path: Path) -> None:
    trace = {
        "id": "t",
        "timestamp": "2026-05-01T09:00:00Z",
        "input": "hi",
        "output": "ho",
        "Correctness": [0.5],
        "x": None,
    }
    run = one(tmp_path, trace)
    assert (run.row["reward"], run.row["messages"][0]) == (0.5, {"role": "user", "content": "hi"})
    assert run.left_out == ()


def test_fields_that_a_row_has_no_place_for_are_counted(tmp_path: Path) -> None:
    metadata = {"attributes": {"a": 1}, "team": "x"}
    run = one(tmp_path, generation(modelParameters={"temperature": 0}, promptName="p", metadata=metadata, public=False))
    assert run.left_out == (
        "metadata.attributes",
        "observation.metadata",
        "observation.model_parameters",
        "observation.prompt_name",
    )
    assert run.row["metadata"]["team"] == "x"


# conversations


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(
    ("asked", "answered", "messages"),
    [
        ([ASK], ANSWER, [ASK, ANSWER]),
        ({"messages": [ASK]}, [ANSWER], [ASK, ANSWER]),
        ({"messages": [ASK]}, {"messages": [ASK, ANSWER]}, [ASK, ANSWER]),
        (ASK, ANSWER, [ASK, ANSWER]),
        ([[ASK]], {"choices": [{"message": ANSWER}]}, [ASK, ANSWER]),
        ({"prompt": "Who can weld?"}, {"content": "Amara D. can."}, [ASK, ANSWER]),
        ([{"role": "human", "content": "Who can weld?"}], {"role": "ai", "content": "Amara D. can."}, [ASK, ANSWER]),
        ([ASK], {"answer": "Amara"}, [ASK, {"role": "assistant", "content": '{"answer":"Amara"}'}]),
        ([ASK], [1, 2], [ASK, {"role": "assistant", "content": "[1,2]"}]),
        ([ASK], None, [ASK]),
        (
            [ASK, {"role": "tool", "content": {"type": "function", "function": {"name": "find"}}}],
            {"role": "assistant", "content": "", "additional_kwargs": {"tool_calls": [CALL]}},
            [ASK, {"role": "assistant", "content": "", "tool_calls": [CALL]}],
        ),
        (
            [ASK],
            {
                "content": None,
                "tool_calls": [{"name": "find", "args": {"day": "tue"}, "id": "c1", "type": "tool_call"}],
            },
            [ASK, {"role": "assistant", "content": None, "tool_calls": [CALL]}],
        ),
        (
            [ASK, {"role": "assistant", "content": "", "tool_calls": [CALL]}, {"role": "find", "content": {"a": 1}}],
            ANSWER,
            [
                ASK,
                {"role": "assistant", "content": "", "tool_calls": [CALL]},
                {"tool_call_id": "c1", "role": "tool", "content": '{"a":1}'},
                ANSWER,
            ],
        ),
        (
            [
                ASK,
                {"type": "function_call", "call_id": "c1", "name": "find", "arguments": '{"day":"tue"}', "id": "fc"},
                {"type": "function_call_output", "call_id": "c1", "output": "found"},
            ],
            {
                "object": "response",
                "output": [
                    {"type": "reasoning", "summary": []},
                    {
                        "type": "message",
                        "id": "m",
                        "role": "assistant",
                        "status": "completed",
                        "content": [{"type": "output_text", "text": "Amara D. can."}],
                    },
                ],
            },
            [
                ASK,
                {"role": "assistant", "content": None, "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": "found"},
                ANSWER,
            ],
        ),
    ],
)
def test_messages_are_found_in_every_shape_that_langfuse_stores(
    tmp_path: Path, asked: Any, answered: Any, messages: list[Row], as_text: bool
) -> None:
    if as_text:
        asked, answered = json.dumps(asked), None if answered is None else json.dumps(answered, separators=(",", ":"))
    assert one(tmp_path, generation(input=asked, output=answered)).row["messages"] == messages


@pytest.mark.parametrize("text", ["{not JSON", '{"score": 7, "why": "ä"}', "[1, 2]", "  spaced\n", "null", "💬"])
def test_an_answer_in_text_stays_as_it_is(tmp_path: Path, text: str) -> None:
    run = one(tmp_path, generation(input="Who can weld?", output=text))
    assert run.row["messages"] == [ASK, {"role": "assistant", "content": text}]


def test_the_longest_generation_carries_the_conversation_and_the_last_of_equals(tmp_path: Path) -> None:
    late = generation(id="b", startTime="2026-05-01T11:00:00Z", input=[ASK], output="late")
    longest = generation(id="c", input=[ASK, ANSWER, ASK], output="longest")
    run = one(tmp_path, longest, late, generation(id="a"))
    assert run.row["messages"][-1]["content"] == "longest"
    assert run.left_out == ("generation (apart from the conversation)",)
    assert one(tmp_path, late, generation(id="a")).row["messages"][-1]["content"] == "late"


def test_a_trace_without_generations_says_its_own_input_and_output(tmp_path: Path) -> None:
    root = generation(id="r", type="SPAN", input="root", output="span")
    trace = {"id": "t", "timestamp": "2026-05-01T09:00:00Z", "input": "Who can weld?", "output": "Amara D. can."}
    assert one(tmp_path, root, trace).row["messages"] == [ASK, ANSWER]
    assert one(tmp_path, root).row["messages"][0]["content"] == "root"


def test_a_generation_without_messages_among_others_is_counted(tmp_path: Path) -> None:
    run = one(tmp_path, generation(), generation(id="b", input={"x": 1}))
    assert run.left_out == ("generation (no messages in it)",)


def test_huge_integers_survive(tmp_path: Path, lab: Any) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"n": 2**70}}}
    output = {"role": "assistant", "content": None, "tool_calls": [call]}
    path = write(tmp_path / "x.jsonl", generation(output=output, usageDetails={"input": 2**70}, metadata={"n": 2**70}))
    report = import_file(lab.lake, "langfuse", path)
    assert report.refused == []
    (row,) = lab.all("_kb/agent_runs/x.jsonl")
    assert (row["prompt_tokens"], row["metadata"]["n"]) == (2**70, 2**70)
    assert row["messages"][1]["tool_calls"][0]["function"]["arguments"] == f'{{"n":{2**70}}}'


# sums


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"usageDetails": {"input": 1, "output": 2, "total": 3}, "costDetails": {"total": 0.5}}, (1, 2, 0.5)),
        (
            {"usageDetails": {"input": "1", "output": "2"}, "costDetails": {"input": "0.25", "output": 0.25}},
            (1, 2, 0.5),
        ),
        ({"promptTokens": 1, "completionTokens": 2, "calculatedTotalCost": 0.5}, (1, 2, 0.5)),
        ({"usage": {"input": 1, "output": 2, "unit": "TOKENS", "totalCost": 0.5}}, (1, 2, 0.5)),
        ({"usage": {"promptTokens": 1, "completionTokens": 2}, "totalCost": 0.5}, (1, 2, 0.5)),
        ({"usage": {"input": 1, "output": 2, "unit": "CHARACTERS"}}, (None, None, None)),
        ({}, (None, None, None)),
    ],
)
def test_tokens_and_cost_are_read_in_every_form(tmp_path: Path, fields: Row, expected: tuple[Any, ...]) -> None:
    row = one(tmp_path, generation(**fields)).row
    assert (row.get("prompt_tokens"), row.get("completion_tokens"), row.get("cost_usd")) == expected


def test_tokens_and_cost_are_added_up_over_generations_alone(tmp_path: Path) -> None:
    costs = {"usageDetails": {"input": 3, "output": 1}, "costDetails": {"total": 0.25}}
    rows = [generation(id=str(number), **costs) for number in range(3)]
    row = one(tmp_path, *rows, generation(id="agent", type="AGENT", **costs)).row
    assert (row["prompt_tokens"], row["completion_tokens"], row["cost_usd"]) == (9, 3, 0.75)


# scores


@pytest.mark.parametrize(
    ("scores", "judged"),
    [
        ([score()], {"reward": 1}),
        ([score("Correctness", 0.25)], {"reward": 0.25}),
        ([score("passed", 1, dataType="BOOLEAN", stringValue="True")], {"passed": True}),
        ([score("success", False, dataType=...)], {"passed": False}),
        ([score("verdict", 2, dataType="CATEGORICAL", stringValue=" REJECT ")], {"verdict": "reject"}),
        ([score("quality", "fail", dataType=...)], {"verdict": "fail"}),
        ([score("user feedback")], {"reward": 1}),
        ([score("reward", 1), score("passed", 0, dataType="BOOLEAN")], {"reward": 1, "passed": False}),
        ([score("quality", 0), score("correctness", 1)], {"reward": 1}),
        ([score("correctness", 4), score("quality", 0.5)], {"reward": 0.5}),
        ([score("verdict", 0, dataType="CATEGORICAL", stringValue="meh")], {}),
        ([score("correctness", 0, dataType="TEXT", stringValue="1")], {}),
        ([score("correctness", "high")], {}),
        ([score("correctness", None)], {}),
        ([score("Toxicity", 1)], {}),
        ([score("Hallucination", 1)], {}),
        ([score(observationId="g")], {"reward": 1}),
        ([score(observationId="elsewhere")], {}),
        ([score(), score(id="s2", value=0, observationId="g")], {"reward": 1}),
        ([score(), score(id="s2")], {"reward": 1}),
    ],
)
def test_a_score_judges_by_its_name_and_its_type(tmp_path: Path, scores: list[Row], judged: Row) -> None:
    run = one(tmp_path, generation(), *scores)
    assert {key: run.row[key] for key in ("reward", "passed", "verdict") if key in run.row} == judged
    assert len(run.row["metadata"]["scores"]) == len(scores)


@pytest.mark.parametrize(
    "scores",
    [
        [score(), score(id="s2", value=0)],
        [score("reward", 1), score("passed", 0)],
        [score("reward"), score("reward", 0, id="s2"), score("passed", 1, dataType="BOOLEAN")],
    ],
)
def test_scores_that_differ_judge_nothing_and_leave_it_to_a_person(lab: Any, tmp_path: Path, scores: list[Row]) -> None:
    import_file(lab.lake, "langfuse", write(tmp_path / "x.jsonl", generation(), *scores))
    (row,) = lab.all("_kb/agent_runs/x.jsonl")
    assert row["metadata"]["scores_differ"] == sorted({one["name"] for one in scores})
    lab.make()
    assert [run["category"] for run in lab.scored()] == ["needs_human_review"]


def test_the_names_that_the_user_gives_judge_alone_and_in_their_order(tmp_path: Path) -> None:
    rows = [generation(), score("correctness", 0), score("helpful", 1), score("polite", 0.5)]
    assert one(tmp_path, *rows, scores=("kind", "polite", "helpful")).row["reward"] == 0.5
    assert "reward" not in one(tmp_path, *rows, scores=("kind",)).row
