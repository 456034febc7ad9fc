"""OpenTelemetry GenAI: the spans of a trace become one run, whatever their order and whichever generation they are of."""

import json
from itertools import permutations
from pathlib import Path

import pytest

from lakehouse.errors import UsageError
from lakehouse.importers import ImportedRun, ImportOptions, Refused, import_file, otel_genai
from lakehouse.messages import clean

FIXTURES = Path(__file__).parent / "fixtures"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
START = 1777629600 * 10**9
ASK = {"role": "user", "parts": [{"type": "text", "content": "Who can weld?"}]}
ANSWER = {"role": "assistant", "parts": [{"type": "text", "content": "Amara."}]}
SYSTEM = {"role": "system", "content": "You schedule welders."}
CONVERSATION = [
    {"role": "user", "content": "Who can weld on Tuesday?"},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": '{"day": "tue"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "Amara, Björn"},
    {"role": "assistant", "content": "Amara D. can."},
]
THOUGHT = [
    SYSTEM,
    CONVERSATION[0],
    {
        "role": "assistant",
        "content": None,
        "reasoning_content": "Look it up.",
        "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "search", "arguments": '{"day":"tue"}'}}
        ],
    },
    *CONVERSATION[2:],
]


def value(plain):
    """Give an OTLP AnyValue."""
    if isinstance(plain, dict):
        return {"kvlistValue": {"values": [{"key": key, "value": value(item)} for key, item in plain.items()]}}
    if isinstance(plain, list):
        return {"arrayValue": {"values": list(map(value, plain))}}
    kinds = ((bool, "boolValue"), (int, "intValue"), (float, "doubleValue"), (str, "stringValue"))
    kind = next(name for kind, name in kinds if isinstance(plain, kind))
    return {kind: str(plain) if kind == "intValue" else plain}


def attributes(plain):
    return [{"key": key, "value": value(item)} for key, item in plain.items()]


def span(number, plain, *, start=0, end=1000, parent=None, **more):
    made = {
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "name": f"span {number}",
        "startTimeUnixNano": str(START + start),
        "endTimeUnixNano": str(START + end),
        "attributes": attributes(plain),
    }
    made |= {} if parent is None else {"parentSpanId": f"{parent:016x}"}
    return {key: item for key, item in {**made, **more}.items() if item is not ...}


def chat(number, asked=(ASK,), told=(ANSWER,), **more):
    plain = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages": json.dumps(list(asked)),
        "gen_ai.output.messages": json.dumps(list(told)),
    }
    return span(number, plain | more.pop("plain", {}), **more)


def agent(number, **more):
    return span(number, {"gen_ai.operation.name": "invoke_agent"} | more.pop("plain", {}), **more)


def export(*spans):
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


def read(tmp_path, *documents, name="spans.jsonl"):
    path = tmp_path / name
    lines = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in documents]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return list(otel_genai.read(path, ImportOptions()))


def one(tmp_path, *spans):
    (run,) = read(tmp_path, export(*spans))
    assert isinstance(run, ImportedRun), run
    return run


def texts(run):
    return [message["content"] for message in run.row["messages"]]


# The generations of the convention


@pytest.mark.parametrize(
    ("name", "messages"),
    [("otel_current.json", THOUGHT), ("otel_events.jsonl", CONVERSATION), ("otel_indexed.jsonl", CONVERSATION)],
)
def test_messages_of_each_generation_become_the_conversation(name, messages):
    (run,) = otel_genai.read(FIXTURES / name, ImportOptions())
    assert run.row["messages"] == messages


def test_a_trace_becomes_a_row_with_its_sums_its_judgement_and_what_else_it_says():
    (run,) = otel_genai.read(FIXTURES / "otel_current.json", ImportOptions())
    row = run.row
    del row["messages"]
    metadata = row.pop("metadata")
    assert row.pop("task_id").startswith("otel-genai:")
    assert row == {
        "run_id": TRACE,
        "model": "gpt-5-2026",
        "provider": "openai",
        "reward": 1.0,
        "passed": True,
        "latency_ms": 2500,
        "prompt_tokens": 250,
        "completion_tokens": 25,
        "ts": "2026-05-01T10:00:00.000000010Z",
    }
    assert json.loads(metadata.pop("tools")) == [
        {
            "type": "function",
            "function": {"name": "search", "description": "Find people.", "parameters": {"type": "object"}},
        }
    ]
    assert metadata == {
        "source": "otel-genai",
        "service": "roster",
        "agent": "roster",
        "conversation_id": "conv-9",
        "finish_reason": "stop",
        "spans": {"chat": 2, "execute_tool": 1, "invoke_agent": 1, "other": 1},
        "errors": [{"span": "execute_tool search", "message": "slow disk"}],
        "evaluations": [{"name": "correctness", "score": 1.0, "label": "pass", "explanation": "She can."}],
    }
    assert run.left_out == ("gen_ai.request.temperature", "spans of another kind")


def test_a_judged_trace_comes_through_the_chain_as_a_sample_with_its_conversation(lab):
    report = import_file(lab.lake, "otel-genai", FIXTURES / "otel_current.json")
    assert (report.added, report.refused) == (1, [])
    lab.make()
    (sample,) = lab.samples()
    assert sample["messages"] == [clean(message) for message in THOUGHT]
    assert (sample["instruction"], sample["response"]) == ("Who can weld on Tuesday?", "Amara D. can.")
    assert sample["source_run_id"] == TRACE


@pytest.mark.parametrize("name", ["otel_events.jsonl", "otel_indexed.jsonl"])
def test_a_trace_that_nothing_judges_waits_for_a_person(lab, name):
    import_file(lab.lake, "otel-genai", FIXTURES / name)
    lab.make()
    assert [run["category"] for run in lab.scored()] == ["needs_human_review"]
    assert lab.quarantined() == []


@pytest.mark.parametrize(
    ("plain", "messages"),
    [
        (
            {"gen_ai.prompt": '[{"role": "user", "content": "Hi"}]', "gen_ai.completion": '[{"content": "Ho"}]'},
            [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}],
        ),
        (
            {"gen_ai.prompt": "Hi", "gen_ai.completion": "Ho"},
            [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}],
        ),
        (
            {"gen_ai.input.messages": '[{"role": "human", "content": "Hi"}]', "gen_ai.output.messages": "[]"}
            | {"gen_ai.output.messages": '[{"role": "model", "parts": [{"type": "text", "content": "Ho"}]}]'},
            [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}],
        ),
    ],
)
def test_older_and_looser_spellings_are_taken(tmp_path, plain, messages):
    assert one(tmp_path, span(1, plain)).row["messages"] == messages


def test_parts_that_are_no_text_stay_as_they_are(tmp_path):
    image = {"type": "uri", "modality": "image", "uri": "https://example.org/a.png"}
    asked = {"role": "user", "parts": [{"type": "text", "content": "What is it?"}, image]}
    content = one(tmp_path, chat(1, [asked])).row["messages"][0]["content"]
    assert content == [{"type": "text", "text": "What is it?"}, image]


def test_tool_results_inside_a_user_message_become_messages_of_their_own(tmp_path):
    call = {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f"}]}
    both = {"role": "user", "parts": [{"type": "tool_call_response", "id": "c", "result": {"a": 1}}, *ASK["parts"]]}
    assert one(tmp_path, chat(1, [ASK, call, both])).row["messages"][2:4] == [
        {"role": "tool", "tool_call_id": "c", "content": '{"a":1}'},
        {"role": "user", "content": "Who can weld?"},
    ]


# Which conversation is the run's


def test_the_order_of_spans_in_a_file_does_not_matter(tmp_path):
    spans = [agent(1, end=9000), chat(2, parent=1), chat(3, [ASK, ANSWER, ASK], parent=1, start=2), chat(4, start=9)]
    rows = [one(tmp_path, *order).row for order in permutations(spans)]
    assert all(row == rows[0] for row in rows)
    assert len(rows[0]["messages"]) == 4


def test_the_longest_conversation_is_the_runs_and_of_equal_ones_the_last(tmp_path):
    other = {"role": "assistant", "parts": [{"type": "text", "content": "Björn."}]}
    run = one(tmp_path, chat(1, start=5, end=50), chat(2, told=[other], start=6, end=60))
    assert texts(run) == ["Who can weld?", "Björn."]
    assert run.row["metadata"]["other_model_calls"] == 1
    assert "model calls outside the conversation" in run.left_out


def test_a_subagents_conversation_is_not_the_runs_however_long(tmp_path):
    inner = chat(4, [ASK, ANSWER, ASK, ANSWER, ASK], parent=3)
    run = one(tmp_path, agent(1), chat(2, told=[ANSWER], parent=1), agent(3, parent=1), inner)
    assert texts(run) == ["Who can weld?", "Amara."]


def test_tool_calls_that_no_message_answers_get_the_result_of_their_span(tmp_path):
    told = {"role": "assistant", "parts": [{"type": "tool_call", "id": "c1", "name": "f", "arguments": {}}]}
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.id": "c1", "gen_ai.tool.call.result": {"n": 2}}
    run = one(tmp_path, chat(1, told=[told]), span(2, tool))
    assert run.row["messages"][-1] == {"role": "tool", "tool_call_id": "c1", "content": '{"n":2}'}


def test_spans_delivered_twice_count_once(tmp_path):
    paid = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 1}
    once = one(tmp_path, chat(1, plain=paid))
    twice = one(tmp_path, chat(1, plain=paid), chat(1, plain=paid))
    assert twice.row == once.row
    assert twice.row["prompt_tokens"] == 10
    assert twice.left_out == ("spans delivered twice",)


def test_spans_in_a_circle_end(tmp_path):
    assert texts(one(tmp_path, chat(1, parent=2), agent(2, parent=1))) == ["Who can weld?", "Amara."]


def test_only_the_first_choice_is_kept_and_the_others_are_named(tmp_path):
    run = one(tmp_path, chat(1, told=[ANSWER, ANSWER]))
    assert texts(run) == ["Who can weld?", "Amara."]
    assert run.left_out == ("choices[1:]",)


def test_nanoseconds_that_end_in_zero_are_kept(tmp_path):
    assert one(tmp_path, chat(1, start=120)).row["ts"] == "2026-05-01T10:00:00.000000120Z"


# What judges a run


def evaluated(**fields):
    names = {"name": "name", "value": "score.value", "label": "score.label"}
    plain = {f"gen_ai.evaluation.{names[key]}": item for key, item in fields.items()}
    return {"name": "gen_ai.evaluation.result", "timeUnixNano": str(START), "attributes": attributes(plain)}


@pytest.mark.parametrize(
    ("events", "judged"),
    [
        ([evaluated(name="Task Success", value=0.5)], {"reward": 0.5}),
        ([evaluated(name="reward", value=1), evaluated(name="correctness", value=0.25)], {"reward": 0.25}),
        ([evaluated(name="reward", value=4.0)], {}),
        ([evaluated(name="toxicity", value=1.0)], {}),
        ([evaluated(name="safety", label="Pass")], {"passed": True}),
        ([evaluated(name="safety", label="pass"), evaluated(name="style", label="fail")], {"passed": False}),
        ([evaluated(name="relevance", label="relevant")], {}),
        ([evaluated(name="verdict", label="accept")], {"verdict": "accept"}),
    ],
)
def test_an_evaluation_judges_where_its_meaning_is_beyond_doubt(tmp_path, events, judged):
    row = one(tmp_path, chat(1, events=events)).row
    assert {key: row[key] for key in ("reward", "passed", "verdict") if key in row} == judged
    assert len(row["metadata"]["evaluations"]) == len(events)


def test_an_evaluation_of_another_span_is_kept_and_does_not_judge(tmp_path):
    inner = chat(2, parent=1, end=1, events=[evaluated(name="reward", value=0.0)])
    row = one(tmp_path, agent(1), inner, chat(3, [ASK, ANSWER, ASK], parent=1)).row
    assert "reward" not in row
    assert row["metadata"]["evaluations"] == [{"name": "reward", "score": 0.0}]


@pytest.mark.parametrize("name", ["task_id", "passed", "reward", "verdict"])
def test_an_attribute_of_that_name_on_the_root_is_taken(tmp_path, name):
    given = {"task_id": "t-1", "passed": False, "reward": 0.5, "verdict": "accept"}[name]
    assert one(tmp_path, agent(1, plain={name: given}), chat(2, parent=1)).row[name] == given


# Bad input


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (chat(9, traceId=...), "traceId is missing"),
        (chat(9, traceId="0" * 32), "traceId is missing"),
        (chat(9, traceId=7), "traceId is missing"),
        (chat(9, spanId=""), "spanId is missing"),
        (chat(9, startTimeUnixNano="soon"), "startTimeUnixNano is no time"),
        (chat(9, startTimeUnixNano="9" * 40), "startTimeUnixNano is no time"),
        (chat(9, endTimeUnixNano=-1), "endTimeUnixNano is no time"),
        (chat(9, endTimeUnixNano=[1]), "endTimeUnixNano is no time"),
        (chat(9, attributes={"a": 1}), "attributes is no list"),
        (chat(9, attributes=[{"value": {}}]), "an attribute has no key"),
        (chat(9, events="none"), "events is no list"),
        (chat(9, events=[1]), "an event is no JSON object"),
        (chat(9, plain={"gen_ai.input.messages": '[{"role": "us'}), "gen_ai.input.messages is no JSON"),
        (chat(9, plain={"gen_ai.output.messages": "[3]"}), "holds a message that is no JSON object"),
        (chat(9, plain={"gen_ai.input.messages": '[{"role": "user", "parts": 3}]'}), "parts are no list"),
        ("span", "it is no JSON object"),
    ],
)
def test_an_unusable_span_is_refused_with_its_place_and_the_others_go_on(tmp_path, bad, reason):
    refused, run = read(tmp_path, export(bad, chat(1)))
    assert isinstance(refused, Refused)
    assert refused.where.startswith(f"{tmp_path / 'spans.jsonl'}:1 resourceSpans[0] scopeSpans[0] spans[0]")
    assert reason in refused.reason
    assert texts(run) == ["Who can weld?", "Amara."]


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b'{"resourceSpans": [', "it is no JSON"),
        ({"resourceMetrics": []}, "it is no OTLP export"),
        ({"resourceSpans": 3}, "resourceSpans is no list"),
        ({"resourceSpans": [3]}, "it is no JSON object"),
        ({"resourceSpans": [{"scopeSpans": {}}]}, "scopeSpans is no list"),
        ({"resourceSpans": [{"scopeSpans": [{"spans": 1}]}]}, "spans is no list"),
        ({"resourceSpans": [{"resource": {"attributes": 3}}]}, "attributes is no list"),
        (export(span(9, {"http.method": "GET"}, traceId="a" * 32)), "no message of a model is in its spans (1 other)"),
        (export(chat(9, told=[], traceId="a" * 32)), "no message of a model is in its spans (1 chat)"),
        ({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId": "b" * 32}]}]}]}, "1 log records and no span"),
        ({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {}}]}]}]}, "the log record has no traceId"),
    ],
)
def test_what_is_no_usable_export_is_refused_and_the_others_go_on(tmp_path, document, reason):
    found = read(tmp_path, export(chat(1)), document)
    (refused,) = [item for item in found if isinstance(item, Refused)]
    assert reason in refused.reason
    assert [item.row["run_id"] for item in found if isinstance(item, ImportedRun)] == [TRACE]


def test_a_text_cut_short_is_a_usage_error_that_names_the_file(tmp_path):
    path = tmp_path / "cut.json"
    path.write_bytes(json.dumps(export(chat(1)), indent=1).encode()[:-20])
    with pytest.raises(UsageError, match=r"cut\.json"):
        list(otel_genai.read(path, ImportOptions()))


@pytest.mark.parametrize("count", ["many", -1, 10**30, 1.5, True])
def test_a_count_that_is_none_is_named_and_not_added(tmp_path, count):
    run = one(tmp_path, chat(1, plain={"gen_ai.usage.input_tokens": count}))
    assert "prompt_tokens" not in run.row
    assert run.left_out == ("gen_ai.usage.input_tokens (no count)",)


def test_deep_large_and_foreign_values_come_through_the_lake(lab, tmp_path):
    deep = 1
    for _ in range(150):
        deep = {"a": deep}
    arguments = {"deep": deep, "large": 10**40, "sign": "\U0001f9d1"}
    told = {"role": "assistant", "parts": [{"type": "tool_call", "id": "ü", "name": "f", "arguments": arguments}]}
    path = tmp_path / "hostile.jsonl"
    path.write_text(json.dumps(export(chat(1, told=[told], plain={"a" + ".a" * 5000: 1, "gen_ai.prompt.x": "y"}))))
    report = import_file(lab.lake, "otel-genai", path)
    assert (report.added, report.refused) == (1, [])
    lab.make()
    (evidence,) = lab.evidence()
    assert json.loads(evidence["messages"][1]["tool_calls"][0]["function"]["arguments"]) == arguments


def test_structured_values_too_deep_to_be_read_are_refused(tmp_path):
    deep = {"stringValue": "x"}
    for _ in range(150):
        deep = {"arrayValue": {"values": [deep]}}
    (refused,) = read(tmp_path, export(chat(1, attributes=[{"key": "a", "value": deep}])))
    assert isinstance(refused, Refused)
    assert "nested deeper than 200 levels" in refused.reason
