"""The command line: what each command does, says to people and to machines, and how it ends."""

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lakehouse.errors import RecordError
from lakehouse.gates.verdicts import REQUIRED, read_verdicts, record
from lakehouse.jsonl import JsonlReader
from lakehouse.lake import Lake
from lakehouse.records import ScoredRun, SftSample
from lakehouse.sample import make_sample
from lakehouse_dagster.commands.distill import _tell_of_held
from lakehouse_dagster.commands.shell import Out
from lakehouse_dagster.running import run_days
from tests.lakehouse_dagster.conftest import Shell

TAU_BENCH = Path(__file__).resolve().parents[3] / "shared" / "data" / "tau-bench" / "gpt-4o-airline.json"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small sample lake on which the chain ran; tests work on copies."""
    root = tmp_path_factory.mktemp("demo") / "data"
    report = make_sample(root, seed=7, days=2, rows_per_day=40, last_day=date(2026, 5, 2))
    result = run_days(root, root.parent / "reports", [report.first_day.isoformat(), report.last_day.isoformat()])
    assert result.success
    return root


@pytest.fixture
def demo(shell: Shell, finished: Path) -> Shell:
    """A shell beside a small sample lake on which the chain ran."""
    shutil.copytree(finished, "data")
    return shell


def test_a_demo_makes_a_lake_runs_the_chain_and_finds_every_trap(shell: Shell) -> None:
    done = shell("demo", "data", "--days", "2", "--rows", "40", "--last-day", "2026-05-02")
    assert done.code == 0
    assert "Where to look" in done.out
    traps = json.loads(Path("data/traps.json").read_text())
    assert f"Traps: {len(traps)} of {len(traps)} came out as expected" in done.out
    assert Path("data/distilled/sft/sft_messages.jsonl").stat().st_size > 0


def test_a_demo_beside_the_anchors_of_a_deleted_lake_makes_nothing_and_says_what_to_delete(demo: Shell) -> None:
    anchor = Path("data-anchors/WORKER-1/anchor.json")
    anchor.parent.mkdir(parents=True)
    anchor.write_text("{}")
    shutil.rmtree("data")
    done = demo("demo", "data", "--days", "2", "--rows", "40")
    assert done.code == 2
    assert "data-anchors" in done.err
    assert "delete this one if its lake is gone" in done.err
    assert not Path("data/_kb").exists()


def test_the_same_demo_has_the_same_run_hash_elsewhere(shell: Shell) -> None:
    options = ("--days", "2", "--rows", "40", "--last-day", "2026-05-02", "--json")
    first, second = shell("demo", "one", *options), shell("demo", "two", *options)
    assert first.json["summary"]["run_hash"] == second.json["summary"]["run_hash"]


def test_a_second_demo_runs_on_the_lake_that_is_there(demo: Shell) -> None:
    before = Path("data/distilled/sft/sft_export.jsonl").read_bytes()
    done = demo("demo", "data")
    assert done.code == 0
    assert "is there already" in done.out
    assert Path("data/distilled/sft/sft_export.jsonl").read_bytes() == before


def test_new_logs_are_imported_distilled_and_exported(shell: Shell) -> None:
    log = {
        "id": "r1",
        "created": 1777629600,
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Where is my badge?"}],
        "choices": [{"message": {"role": "assistant", "content": "At the desk."}, "finish_reason": "stop"}],
        "passed": True,
    }
    Path("requests.jsonl").write_text(json.dumps(log) + "\n")
    assert shell("init", "data", "--first-day", "2026-05-01").code == 0
    imported = shell("import", "openai-chat", "requests.jsonl", "--json")
    assert (imported.code, imported.json["imports"][0]["added"]) == (0, 1)
    assert shell("import", "openai-chat", "requests.jsonl", "--json").json["imports"][0]["added"] == 0
    done = shell("distill", "--json")
    assert (done.code, done.json["success"]) == (0, True)
    sample = next(JsonlReader(SftSample).records(Path("data/distilled/sft/sft_export.jsonl")))
    assert (sample.instruction, sample.response) == ("Where is my badge?", "At the desk.")
    assert "up to date" in shell("distill").out


@pytest.mark.skipif(not TAU_BENCH.exists(), reason=f"{TAU_BENCH} is not there")
def test_real_agent_runs_give_the_accepted_ones_and_no_other(shell: Shell) -> None:
    shell("init", "data", "--first-day", "2026-05-01")
    done = shell("import", "tau-bench", str(TAU_BENCH), "--at", "2026-05-01T00:00:00Z", "--json")
    assert (done.code, done.json["imports"][0]["added"]) == (0, 200)
    assert shell("distill").code == 0
    scored = list(JsonlReader(ScoredRun).records(Path("data/scored-runs/2026/05/01/agent_runs.jsonl")))
    by_run = {run.evidence_run_id: run.category for run in scored}
    assert sorted(by_run.values()) == ["accepted"] * 84 + ["rejected"] * 116
    samples = list(JsonlReader(SftSample).records(Path("data/distilled/sft/sft_export.jsonl")))
    assert len(samples) == 84
    assert {by_run[sample.source_run_id] for sample in samples} == {"accepted"}
    for sample in samples:
        messages = sample.messages or []
        assert messages[-1]["role"] == "assistant"
        calls = [call for message in messages for call in message.get("tool_calls") or ()]
        assert all(isinstance(call["function"]["arguments"], str) for call in calls)


def test_a_dry_run_counts_and_writes_nothing(shell: Shell) -> None:
    Path("data/_kb").mkdir(parents=True)
    row = {"phase": "p1", "severity": "low", "reasoning": "fine", "ts": "2026-05-01T10:00:00Z"}
    Path("data/_kb/audits.jsonl").write_text(json.dumps(row) + "\n")
    before = sorted(map(str, Path("data").rglob("*")))
    done = shell("distill", "--dry-run", "--json")
    assert done.code == 0
    assert done.json["counts"]["samples.accepted"] == 1
    assert sorted(map(str, Path("data").rglob("*"))) == before


def test_partially_accepted_runs_are_exported_only_on_request(demo: Shell) -> None:
    def categories() -> set[str]:
        return {
            sample.category for sample in JsonlReader(SftSample).records(Path("data/distilled/sft/sft_export.jsonl"))
        }

    assert categories() == {"accepted"}
    assert demo("distill", "--day", "2026-05-02", "--include-partial").code == 0
    assert categories() == {"accepted", "partially_accepted"}
    assert demo("distill", "--day", "2026-05-02").code == 0
    assert categories() == {"accepted"}


def test_a_person_decides_and_only_the_day_of_the_row_is_stale(demo: Shell) -> None:
    waiting = demo("triage", "list", "--json").json["waiting"][0]
    done = demo("triage", "decide", waiting["sig_hash"][:16], "accepted", "--reason", "read it", "--by", "ann")
    assert done.code == 0
    again = demo("distill", "--json").json
    assert [day["day"] for day in again["days"]] == [waiting["day"]]
    left = demo("triage", "list", "--limit", "1000", "--json").json["waiting"]
    assert waiting["sig_hash"] not in {one["sig_hash"] for one in left}


def test_a_rewritten_stream_is_named_with_the_way_out(demo: Shell) -> None:
    path = Path("data/_kb/audits.jsonl")
    path.write_bytes(path.read_bytes()[:-200])
    done = demo("streams", "check")
    assert done.code == 1
    assert "streams rebuild audits" in done.out
    assert demo("distill").code != 0
    assert demo("streams", "rebuild", "audits").code == 0
    assert demo("distill").code == 0
    assert demo("streams", "check", "--full").code == 0


def test_an_edit_in_the_middle_is_found_by_a_full_check(demo: Shell) -> None:
    path = Path("data/_kb/scrum_reviews.jsonl")
    data = path.read_bytes()
    middle = data.index(b"crates/", len(data) // 2)
    path.write_bytes(data[:middle] + b"CRATES/" + data[middle + 7 :])
    done = demo("streams", "check", "--full", "--json")
    assert "_kb/scrum_reviews.jsonl" in {finding["file"] for finding in done.json["findings"]}
    assert done.code == 1


def test_a_red_gate_ends_with_1_and_names_itself(demo: Shell) -> None:
    path = Path("data/_kb/audits.jsonl")
    path.write_bytes(path.read_bytes().replace(b'"phase"', b'"PHASE"', 1))
    done = demo("distill", "--day", "2026-05-01")
    assert done.code == 1
    assert "evidence/provenance_resolves" in done.out
    assert "held back 2026-05-01" in done.out
    assert "Nothing new was published" in done.out


def test_a_day_that_is_held_is_told_although_all_is_up_to_date(demo: Shell) -> None:
    lake = Lake(Path("data"))
    one = read_verdicts(lake, "evidence", "2026-05-01")["provenance_resolves"]
    record(lake, "evidence", "2026-05-01", msgspec.structs.replace(one, passed=False, summary="a row is wrong"))
    assert demo("distill").code == 0
    done = demo("distill")
    assert done.code == 0
    assert "Everything is up to date." in done.out
    assert "held back 2026-05-01 (evidence/provenance_resolves): see `lakehouse gates list`" in done.out
    told = demo("distill", "--json").json
    assert (told["up_to_date"], list(told["held_days"])) == (True, ["2026-05-01"])


def test_at_most_five_held_days_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    _tell_of_held(Out(False), {f"2026-05-{n:02d}": "evidence/contract: red, x" for n in range(1, 9)})
    said = capsys.readouterr().out
    assert (said.count("evidence/contract"), "and 3 more" in said) == (5, True)


def test_a_verdict_that_was_turned_green_by_hand_is_looked_at_again(demo: Shell) -> None:
    lake = Lake(Path("data"))
    path = lake.gate("evidence", "2026-05-01")
    path.write_text(path.read_text().replace('"rows_checked": ', '"rows_checked": 1'))
    assert read_verdicts(lake, "evidence", "2026-05-01") == {}
    assert demo("distill").code == 0
    assert set(read_verdicts(lake, "evidence", "2026-05-01")) == set(REQUIRED["evidence"])
    assert "up to date" in demo("distill").out


def test_a_check_that_stops_a_run_after_publishing_does_not_deny_it(
    demo: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RecordError("a receipt is gone", where="reports", mend="restore it")

    monkeypatch.setattr("assets.audit.audit_once", broken)
    done = demo("distill", "--day", "2026-05-01")
    assert done.code != 0
    assert "Nothing new was published" not in done.out
    assert "Exported " in done.out
    assert "The run was stopped after that; what it published stands." in done.out
    assert "stopped:" in done.out


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["frob"], 2, "No such command"),
        (["distill", "--lake", "nowhere"], 2, "there is no lake here"),
        (["distill", "--day", "2026-13-45"], 2, "YYYY-MM-DD"),
        (["distill", "--day", "2027-01-01"], 2, "outside of the lake"),
        (["distill", "--day", "2026-05-01", "--from", "2026-05-01"], 2, "say two things"),
        (["import", "carrier-pigeon", "data/traps.json"], 2, "carrier-pigeon"),
        (["import", "tau-bench", "missing.json"], 2, "missing.json"),
        (["streams", "rebuild", "nope"], 2, "the streams are"),
        (["triage", "decide", "abc", "accepted", "--reason", "x"], 2, "too short"),
        (["triage", "decide", "0" * 16, "accepted", "--reason", "x"], 2, "no run has"),
        (["triage", "decide", "0" * 16, "great", "--reason", "x"], 2, "is no category"),
        (["triage", "decide", "0" * 16, "accepted", "--reason", " "], 2, "needs a reason"),
        (["triage", "list", "--stream", "nope"], 2, "there is no stream"),
        (["demo", "elsewhere", "--last-day", "tomorrow"], 2, "is no day"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_to_do(demo: Shell, arguments: list[str], code: int, says: str) -> None:
    done = demo(*arguments)
    assert done.code == code
    assert says in " ".join((done.out + done.err).split())
    assert "Traceback" not in done.err


def test_settings_that_cannot_be_read_are_named(demo: Shell) -> None:
    Path("data/lakehouse.toml").write_text("first_day = \n")
    done = demo("distill")
    assert done.code == 2
    assert "lakehouse.toml" in done.err
    assert demo("doctor").code == 2


def samples() -> list[SftSample]:
    return list(JsonlReader(SftSample).records(Path("data/distilled/sft/sft_export.jsonl")))


@pytest.mark.parametrize(
    "lost",
    [
        "distilled",
        "distilled/sft/sft_export.jsonl",
        "distilled/sft/sft_messages.jsonl",
        "distilled/sft/parts/2026/05/01.jsonl",
        "evidence/2026/05/02",
        "scored-runs/2026/05/01/audits.jsonl",
        "gates",
        "index/publications",
    ],
)
def test_what_is_deleted_is_made_again_by_the_next_distill(demo: Shell, lost: str) -> None:
    before = {path: path.read_bytes() for path in Path("data/distilled/sft").glob("*.jsonl")}
    path = Path("data", lost)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert demo("distill").code == 0
    assert path.exists()
    held = demo("distill", "--json")
    assert held.json.get("up_to_date") is True
    found = {path: path.read_bytes().count(b"\n") for path in before}
    assert found == {path: data.count(b"\n") for path, data in before.items()}


def test_a_changed_part_is_held_back_listed_and_then_made_again(demo: Shell) -> None:
    path, whole = Path("data/distilled/sft/parts/2026/05/01.jsonl"), len(samples())
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"instruction":"', b'"instruction":"X', 1)[:-1])
    path.write_bytes(data[:100] + bytes([data[100] ^ 1]) + data[101:])
    done = demo("distill", "--day", "2026-05-02", "--json")
    assert "changed" in done.json["summary"]["held_days"]["2026-05-01"]
    assert len(samples()) < whole
    assert [day["day"] for day in demo("distill", "--json").json["days"]] == ["2026-05-01"]
    assert len(samples()) == whole


def test_partials_can_be_asked_for_when_every_day_is_up_to_date(demo: Shell) -> None:
    accepted = len(samples())
    assert demo("distill", "--include-partial").code == 0
    assert len(samples()) > accepted
    assert demo("distill").code == 0
    assert len(samples()) == accepted


def test_rows_from_before_the_first_day_are_spoken_of(demo: Shell) -> None:
    assert "before first_day = 2026-05-01" in demo("distill", "--day", "2026-05-02").out


def test_rows_that_were_there_before_their_stream_was_declared_are_used(shell: Shell) -> None:
    assert shell("init", "data").code == 0
    Path("data/_kb/tickets.jsonl").write_text(
        '{"id":7,"answer":"At the desk.","good":true,"at":"2026-05-01T10:00:00Z"}\n'
    )
    with Path("data/lakehouse.toml").open("a") as settings:
        settings.write(
            '[streams.tickets]\nclass = "telemetry"\nscorer = "outcome"\ntimestamp = "at"\n[streams.tickets.fields]\n'
            'task_id = "ticket:{id}"\ntext = "answer"\n"metadata.passed" = "good"\n'
        )
    assert shell("distill").code == 0
    assert [sample.task_id for sample in samples()] == ["ticket:7"]


def test_another_timestamp_key_moves_the_rows_to_their_new_day(shell: Shell) -> None:
    Path("data/_kb").mkdir(parents=True)
    row = {"id": 7, "answer": "yes", "good": True, "opened": "2026-04-30T10:00:00Z", "closed": "2026-05-01T10:00:00Z"}
    Path("data/_kb/tickets.jsonl").write_text(json.dumps(row) + "\n")
    declared = (
        '[streams.tickets]\nclass = "telemetry"\nscorer = "outcome"\ntimestamp = "{}"\n[streams.tickets.fields]\n'
        'task_id = "ticket:{{id}}"\ntext = "answer"\n"metadata.passed" = "good"\n'
    )
    for key, day in (("closed", "2026-05-01"), ("opened", "2026-04-30")):
        Path("data/lakehouse.toml").write_text(declared.format(key))
        assert shell("distill").code == 0
        assert [sample.task_id for sample in samples()] == ["ticket:7"]
        evidence = [path for path in Path("data/evidence").rglob("*.jsonl") if path.stat().st_size]
        assert ["-".join(path.parts[-4:-1]) for path in evidence] == [day]


def test_a_decision_counts_although_a_later_dated_one_stands(demo: Shell) -> None:
    waiting = demo("triage", "list", "--json").json["waiting"][0]
    log = Path("data/_kb/human_overrides.jsonl")
    ahead = {
        "sig_hash": waiting["sig_hash"],
        "category": "rejected",
        "by": "bob",
        "reason": "x",
        "at": "2999-01-01T00:00:00Z",
    }
    log.write_text(log.read_text() + json.dumps(ahead) + "\n")
    demo("distill")
    demo("triage", "decide", waiting["sig_hash"], "accepted", "--reason", "read it", "--by", "ann")
    assert [day["day"] for day in demo("distill", "--json").json["days"]] == [waiting["day"]]
    path = Path("data/scored-runs", *waiting["day"].split("-"), f"{waiting['stream']}.jsonl")
    found = {run.provenance.sig_hash: run for run in JsonlReader(ScoredRun).records(path)}
    assert found[waiting["sig_hash"]].reasons[0] == "human_override:ann"


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (b"\xff\xfe", "cannot be read"),
        (b"workers = -1\n", "workers"),
        (b'first_day = "may"\n', "first_day"),
        (b'[sft]\nstreams = ["nope"]\n', "nope"),
        (b"what = 1\n", "what"),
    ],
)
def test_a_bad_setting_is_an_error_that_names_it(demo: Shell, settings: bytes, says: str) -> None:
    Path("data/lakehouse.toml").write_bytes(settings)
    for command in ("distill", "doctor"):
        done = demo(command)
        assert done.code == 2
        assert says in done.out + done.err


def test_a_lake_cannot_be_made_where_a_file_is(shell: Shell) -> None:
    Path("file").write_text("")
    done = shell("init", "file")
    assert done.code == 2
    assert "no lake can be made" in done.err


COMMANDS = [
    ["init"],
    ["demo"],
    ["import"],
    ["streams", "list"],
    ["streams", "check"],
    ["streams", "rebuild"],
    ["distill"],
    ["triage", "list"],
    ["triage", "decide"],
    ["doctor"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_with_an_example_and_speaks_json(shell: Shell, command: list[str]) -> None:
    done = shell(*command, "--help")
    assert done.code == 0
    assert f"Example: lakehouse {' '.join(command)}" in " ".join(done.out.split())
    assert "--json" in done.out


def test_the_doctor_finds_a_good_lake_good(demo: Shell) -> None:
    done = demo("doctor", "--json")
    assert done.code == 0
    assert all(look["ok"] for look in done.json["health"])
    assert "LAKEHOUSE_ROOT" in done.json["environment"]


def test_the_streams_are_listed_with_their_rows(demo: Shell) -> None:
    rows = {row["stream"]: row for row in demo("streams", "list", "--json").json["streams"]}
    assert len(rows) == 13
    assert rows["audits"]["rows"] == Path("data/_kb/audits.jsonl").read_bytes().count(b"\n")


NOBODY = "http://127.0.0.1:9"
"""Nobody listens at the port of the discard service."""

NEEDS_A_MODEL = [
    (("chat", "hello"), "ollama", "ollama serve"),
    (("chat", "hello", "--model", "openrouter/vendor/model"), "openrouter", "OPENROUTER_API_KEY"),
    (("iterate", "fill", "--prompt", "Fill C-1: 1 Welder"), "ollama", "ollama serve"),
    (("iterate", "sms", "--prompt", "Remind w-1", "--model", "kimi/k2"), "kimi", "KIMI_API_KEY"),
    (("replay", "--model", "qwen2.5"), "ollama", "ollama serve"),
    (("replay", "--model", "opencode/model"), "opencode", "OPENCODE_API_KEY"),
    (("models", "--probe"), "ollama", "ollama serve"),
]
NEEDS_NONE = [
    ("distill",),
    ("replay",),
    ("replay", "--text", "What was reviewed?"),
    ("validate", "sms", "payload.json"),
    ("sql", "SELECT count(*) FROM evidence"),
    ("subject", "list"),
    ("subject", "verify", "all"),
    ("gates", "list"),
    ("triage", "list"),
    ("release", "list"),
    ("streams", "list"),
    ("drift",),
    ("models",),
    ("doctor",),
]


@pytest.fixture
def offline(demo: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A sample lake on a machine from which no model can be reached."""
    monkeypatch.setenv("OLLAMA_HOST", NOBODY)
    Path("payload.json").write_text('{"body": "See you at 6"}')
    return demo


@pytest.mark.parametrize(("words", "provider", "mend"), NEEDS_A_MODEL, ids=lambda case: " ".join(case)[:40])
def test_what_needs_a_model_ends_with_3_and_says_which_and_how_to_start_it(
    offline: Shell, words: tuple[str, ...], provider: str, mend: str
) -> None:
    pytest.importorskip("ollama", reason="the extra chat is not installed")
    done = offline(*words)
    told = done.out + done.err
    assert done.code == 3, told
    assert provider in told
    assert mend in told
    if provider == "ollama":
        assert NOBODY in told


@pytest.mark.parametrize("words", NEEDS_NONE, ids=" ".join)
def test_what_needs_no_model_works_without_one(offline: Shell, words: tuple[str, ...]) -> None:
    done = offline(*words)
    assert done.code == 0, done.out + done.err


def test_the_audit_of_the_sample_lake_skips_no_phase(offline: Shell, finished: Path) -> None:
    shutil.copytree(finished.parent / "reports", "reports")
    done = offline("audit", "--json")
    assert {phase["phase"]: phase["status"] for phase in done.json["report"]["phases"]} == dict.fromkeys(
        range(8), "passed"
    )
    assert [
        check["check"]
        for phase in done.json["report"]["phases"]
        for check in phase["checks"]
        if check["status"] == "skipped"
    ] == []


def test_an_ungrounded_fill_is_named_by_the_next_audit_and_refuses_a_release(offline: Shell, finished: Path) -> None:
    shutil.copytree(finished.parent / "reports", "reports")
    log = Path("data/_kb/sessions.jsonl")
    log.write_text(
        '{"schema":"session.iterate.v1","session_id":"s-1","timestamp":"2026-05-02T08:00:00Z","daemon":"gateway",'
        '"kind":"fill","provider":"ollama","model":"m","prompt":"p","max_iterations":3,"iterations":1,'
        '"verdict":"accepted","attempts":[{"iteration":0,"verdict":"accepted","latency_ms":1}],"artifact":{},'
        '"grounded_in_roster":false,"duration_ms":1}\n'
    )
    done = offline("audit")
    assert done.code == 1
    assert "session_audit/accepted_fills_grounded" in done.out
    assert "_kb/sessions.jsonl:1" in done.out
    assert "red session_audit/accepted_fills_grounded" in offline("distill").out
    refused = offline("release", "create", "--by", "ann")
    assert refused.code == 1
    assert "accepted_fills_grounded" in refused.out + refused.err
    log.write_text("")
    assert offline("audit").code == 0
    assert "accepted_fills_grounded" not in offline("distill").out
