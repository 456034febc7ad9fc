"""OpenInference: spans from OTLP or from Phoenix become the same run."""

import json
from pathlib import Path

import pytest

from lakehouse.importers import ImportedRun, ImportOptions, Refused, import_file, openinference
from lakehouse.messages import clean

FIXTURES = Path(__file__).parent / "fixtures"
TRACE = "7bf92f3577b34da6a3ce929d0e0e4736"
CONVERSATION = [
    {"role": "system", "content": "You schedule welders."},
    {"role": "user", "content": "Who can weld on Tuesday?"},
    {
        "role": "assistant",
        "content": None,
        "reasoning_content": "Look it up.",
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": '{"day": "tue"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "Amara, Björn"},
    {"role": "assistant", "content": "Amara D. can."},
]
IN, OUT = "llm.input_messages.0.message", "llm.output_messages.0.message"
SAID = {f"{IN}.role": "user", f"{IN}.content": "Hi", f"{OUT}.role": "assistant", f"{OUT}.content": "Ho"}


def span(number=1, attributes=None, **changes):
    made = {
        "name": "llm",
        "context": {"trace_id": "t-1", "span_id": f"s-{number}"},
        "parent_id": None,
        "start_time": "2026-05-01T10:00:00.123456+00:00",
        "end_time": "2026-05-01T10:00:01.123456+00:00",
        "status_code": "OK",
        "attributes": {"openinference.span.kind": "LLM", **(SAID if attributes is None else attributes)},
    }
    return {key: value for key, value in {**made, **changes}.items() if value is not ...}


def read(tmp_path, *documents, name="spans.jsonl"):
    path = tmp_path / name
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in documents]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return list(openinference.read(path, ImportOptions()))


def one(tmp_path, *spans):
    (run,) = read(tmp_path, *spans)
    assert isinstance(run, ImportedRun), run
    return run


@pytest.mark.parametrize(
    ("name", "ts", "service"),
    [
        ("openinference_otlp.jsonl", "2026-05-01T10:00:00.000000010Z", {"service": "roster"}),
        ("phoenix.jsonl", "2026-05-01T10:00:00.000000000Z", {}),
    ],
)
def test_a_trace_becomes_a_row_from_otlp_and_from_phoenix(name, ts, service):
    (run,) = openinference.read(FIXTURES / name, ImportOptions())
    row = run.row
    assert row.pop("messages") == CONVERSATION
    metadata = row.pop("metadata")
    assert row == {
        "run_id": TRACE,
        "task_id": "weld-1",
        "model": "gpt-5",
        "provider": "openai",
        "reward": 1,
        "passed": True,
        "cost_usd": 0.03,
        "latency_ms": 2500,
        "prompt_tokens": 250,
        "completion_tokens": 25,
        "ts": ts,
    }
    assert json.loads(metadata.pop("tools")) == [
        {"type": "function", "function": {"name": "search", "parameters": {"type": "object"}}}
    ]
    assert metadata == {
        "source": "openinference",
        "team": "roster",
        "task_id": "weld-1",
        "session_id": "s-1",
        "agent": "roster",
        "spans": {"AGENT": 1, "LLM": 2, "TOOL": 1},
        "evaluations": [{"name": "correctness", "score": 1, "label": "correct"}],
        **service,
    }
    assert run.left_out == ("llm.invocation_parameters",)


@pytest.mark.parametrize("name", ["openinference_otlp.jsonl", "phoenix.jsonl"])
def test_a_judged_trace_comes_through_the_chain_as_a_sample_with_its_conversation(lab, name):
    report = import_file(lab.lake, "openinference", FIXTURES / name)
    assert (report.added, report.refused) == (1, [])
    lab.make()
    (sample,) = lab.samples()
    assert sample["messages"] == [clean(message) for message in CONVERSATION]
    assert (sample["instruction"], sample["task_id"]) == ("Who can weld on Tuesday?", "weld-1")


def test_lists_of_spans_and_the_answers_of_the_api_are_read_too(tmp_path):
    spans = [json.loads(line) for line in (FIXTURES / "phoenix.jsonl").read_bytes().splitlines()]
    forms = (spans, {"data": spans, "next_cursor": None}, [{"traceId": TRACE, "spans": spans}])
    rows = [read(tmp_path, json.dumps(form, indent=1).encode(), name="spans.json")[0].row for form in forms]
    assert rows[0] == rows[1] == rows[2]
    assert rows[0]["messages"] == CONVERSATION


def test_the_columns_of_a_data_frame_are_read(tmp_path):
    flat = {**span(context=..., start_time=1777629600000), "attributes": None}
    flat |= {"context.trace_id": "t-1", "context.span_id": "s-1", "attributes.openinference.span.kind": "LLM"}
    flat |= {
        "attributes.llm.input_messages": [{"message.role": "user", "message.content": "Hi"}],
        "attributes.llm.output_messages": [{"message.role": "assistant", "message.content": "Ho"}],
        "attributes.llm.tools": None,
    }
    row = one(tmp_path, flat).row
    assert [message["content"] for message in row["messages"]] == ["Hi", "Ho"]
    assert row["ts"] == "2026-05-01T10:00:00.000000000Z"


@pytest.mark.parametrize(
    ("attributes", "messages"),
    [
        ({"input.value": "Hi", "output.value": "Ho"}, ["Hi", "Ho"]),
        ({"llm.prompts.0.prompt.text": "Hi", "llm.choices.0.completion.text": "Ho"}, ["Hi", "Ho"]),
        ({**SAID, "input.value": "{}", "input.mime_type": "application/json"}, ["Hi", "Ho"]),
    ],
)
def test_plain_input_and_output_stand_in_for_messages_that_are_not_there(tmp_path, attributes, messages):
    assert [message["content"] for message in one(tmp_path, span(attributes=attributes)).row["messages"]] == messages


def test_content_items_that_are_no_text_stay_as_they_are(tmp_path):
    item = f"{IN}.contents"
    said = {key: value for key, value in SAID.items() if key != f"{IN}.content"}
    attributes = said | {
        f"{item}.0.message_content.type": "text",
        f"{item}.0.message_content.text": "What is it?",
        f"{item}.1.message_content.type": "image",
        f"{item}.1.message_content.image.image.url": "https://example.org/a.png",
    }
    assert one(tmp_path, span(attributes=attributes)).row["messages"][0]["content"] == [
        {"type": "text", "text": "What is it?"},
        {"type": "image", "image": {"image": {"url": "https://example.org/a.png"}}},
    ]


@pytest.mark.parametrize("place", ["tool_calls", "contents", "function_call"])
def test_a_tool_call_is_found_wherever_it_stands(tmp_path, place):
    said = {key: value for key, value in SAID.items() if key != f"{OUT}.content"}
    if place == "function_call":
        said |= {f"{OUT}.function_call_name": "f", f"{OUT}.function_call_arguments_json": '{"a": 1}'}
    else:
        said |= {
            f"{OUT}.{place}.0.tool_call.function.name": "f",
            f"{OUT}.{place}.0.tool_call.function.arguments": '{"a": 1}',
        }
        said |= {f"{OUT}.contents.0.message_content.type": "tool_use"} if place == "contents" else {}
    (call,) = one(tmp_path, span(attributes=said)).row["messages"][1]["tool_calls"]
    assert call["function"] == {"name": "f", "arguments": '{"a": 1}'}


def test_more_than_ten_messages_keep_their_order(tmp_path):
    asked = {
        f"llm.input_messages.{n}.message.{key}": value
        for n in range(12)
        for key, value in (("role", "user"), ("content", str(n)))
    }
    attributes = {**asked, f"{OUT}.role": "assistant", f"{OUT}.content": "Ho"}
    run = one(tmp_path, span(attributes=attributes))
    assert [message["content"] for message in run.row["messages"]] == [*map(str, range(12)), "Ho"]


def test_annotations_beside_the_attributes_judge_the_root(tmp_path):
    noted = [{"name": "correctness", "annotator_kind": "HUMAN", "result": {"score": 0.0, "label": "incorrect"}}]
    row = one(tmp_path, span(annotations=noted)).row
    assert (row["reward"], row["passed"]) == (0.0, False)


def test_a_failed_span_is_told_and_does_not_judge(tmp_path):
    row = one(tmp_path, span(status_code="ERROR", status_message="timeout")).row
    assert row["metadata"]["errors"] == [{"span": "llm", "message": "timeout"}]
    assert not {"reward", "passed", "verdict"} & row.keys()


def test_personal_ids_are_named_and_not_carried_over(tmp_path):
    run = one(tmp_path, span(attributes={**SAID, "user.id": "u-1"}))
    assert run.left_out == ("user.id",)
    assert "u-1" not in json.dumps(run.row)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"context": ', "it is no JSON"),
        (b"[]", "it is no JSON object"),
        (span(9, context=...), "the span has no trace_id"),
        (span(9, context={"trace_id": "t-9"}), "the span has no span_id"),
        (span(9, context={"trace_id": 5, "span_id": 6}), "the span has no trace_id"),
        (span(9, start_time="yesterday"), "no RFC 3339 time"),
        (span(9, start_time=[1]), "start_time is no time"),
        (span(9, start_time=10**40), "no epoch"),
        (span(9, events=3), "events is no list"),
        (span(9, {**SAID, "llm.input_messages": "Hi"}), "llm.input_messages is no list"),
        (span(9, {"llm.input_messages": [1], f"{OUT}.content": "Ho"}), "is no message"),
        (span(9, {}, context={"trace_id": "t-9", "span_id": "s"}), "no message of a model is in its spans (1 LLM)"),
        ({"data": [4]}, "it is no JSON object"),
    ],
)
def test_an_unusable_span_is_refused_and_the_others_go_on(tmp_path, bad, reason):
    found = read(tmp_path, span(), bad)
    refused = [item for item in found if isinstance(item, Refused)]
    assert len(refused) == 1
    assert reason in refused[0].reason
    assert [item.row["run_id"] for item in found if isinstance(item, ImportedRun)] == ["t-1"]
