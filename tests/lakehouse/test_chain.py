"""The chain over whole days: one pass or three, one process or two, again or anew: the same bytes."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lakehouse import engine, index
from lakehouse.chain import day as chain
from lakehouse.chain.manifests import read_manifest
from lakehouse.errors import RecordError, UsageError
from lakehouse.lake import Lake
from lakehouse.sample import make_sample

DAY, NEXT = "2026-05-01", "2026-05-02"
LATER = "2026-06-01T02:00:00.000Z"
TODAY = "2026-05-10"


def run(n: int = 0, day: str = DAY, **more: Any) -> dict[str, Any]:
    return {"run_id": f"r{n}", "prompt": f"p{n}", "response": f"a{n}", "passed": True, "ts": f"{day}T10:00:00Z", **more}


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake with every stream and every trap, raw."""
    root = tmp_path_factory.mktemp("raw")
    make_sample(root, seed=5, days=3, rows_per_day=120, last_day=date(2026, 5, 3))
    return root


@pytest.fixture
def sample(raw: Path, new_lab: Any) -> Any:
    """Give a function that makes a lab on a copy of that lake."""

    def make() -> Any:
        lab = new_lab()
        shutil.copytree(raw, lab.root, dirs_exist_ok=True)
        return lab

    return make


def test_one_pass_gives_the_bytes_of_the_three_stages(sample: Any) -> None:
    one, three = sample(), sample()
    one.make()
    three.make(fused=False)
    tree = one.tree()
    assert tree == three.tree()
    assert sum("evidence/" in name for name in tree) > 13


def test_two_processes_give_the_bytes_of_one(sample: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = sample(), sample()
    one.make()
    toml = two.root / "lakehouse.toml"
    lines = [line for line in toml.read_text().splitlines() if not line.startswith("workers")]
    toml.write_text("\n".join(["workers = 2", *lines]) + "\n")
    monkeypatch.setattr(engine, "WORTH_A_PROCESS", 1)
    two.make()
    assert one.tree() == two.tree()


def test_making_a_day_again_changes_no_byte(sample: Any) -> None:
    lab = sample()
    days = [manifest.day for manifest in lab.make()]
    lab.gate(days)
    lab.publish()
    before = lab.tree()
    lab.make(sorted(set(days)), now=LATER)
    assert lab.tree() == before
    lab.make(sorted(set(days)), now=LATER, fused=False)
    lab.gate(sorted(set(days)), now=LATER)
    lab.publish(now=LATER)
    assert lab.tree() == before
    assert lab.stale() == {}


def wipe(lab: Any) -> None:
    for path in lab.root.iterdir():
        if path.is_dir() and path.name != "_kb":
            shutil.rmtree(path)


def test_the_lake_can_be_made_anew_from_its_raw_streams(sample: Any) -> None:
    lab = sample()
    first = lab.night()
    before = lab.tree()
    wipe(lab)
    assert lab.night().run_hash == first.run_hash
    assert lab.tree() == before
    wipe(lab)
    assert lab.night(now=LATER).run_hash == first.run_hash
    assert lab.tree("evidence") != {name: value for name, value in before.items() if name.startswith("evidence/")}


def test_the_order_of_days_does_not_matter(sample: Any) -> None:
    together, apart = sample(), sample()
    together.make()
    apart.index()
    for day in reversed(list(apart.stale())):
        apart.make([day])
    assert together.tree() == apart.tree()


def test_rows_that_arrive_in_pieces_give_the_bytes_of_rows_that_arrive_at_once(new_lab: Any) -> None:
    rows = [run(n, DAY if n % 3 else NEXT) for n in range(20)]
    once, pieces = new_lab(), new_lab()
    once.write("agent_runs", *rows)
    once.make()
    for n in range(0, 20, 6):
        pieces.write("agent_runs", *rows[n : n + 6])
        pieces.make()
    assert once.tree() == pieces.tree()


def stamps(rows: list[dict[str, Any]], key: str) -> dict[int, str]:
    return {row["provenance"]["line_offset"]: row.get(key) or row["provenance"][key] for row in rows}


def test_rows_keep_their_stamps_when_a_late_row_joins_them(lab: Any) -> None:
    lab.write("agent_runs", run(0), run(1))
    lab.make()
    lab.write("agent_runs", run(2))
    lab.make(now=LATER)
    first = "2026-05-10T02:00:00.000Z"
    for rows, key in ((lab.evidence(), "recorded_at"), (lab.scored(), "scored_at"), (lab.samples(), "created_at")):
        assert stamps(rows, key) == {0: first, 1: first, 2: LATER}


def test_rows_keep_their_stamps_when_a_rotated_log_grows(lab: Any) -> None:
    lab.write("agent_runs", run(0))
    lab.index()
    (lab.root / "_kb/agent_runs").mkdir()
    (lab.root / "_kb/agent_runs.jsonl").rename(lab.root / "_kb/agent_runs/1.jsonl")
    lab.write("agent_runs", run(5), run(6))
    lab.make()
    lab.write("agent_runs/1", run(1), run(2))
    lab.make(now=LATER)
    recorded = {record["run_id"]: record["provenance"]["recorded_at"] for record in lab.evidence()}
    first = "2026-05-10T02:00:00.000Z"
    assert recorded == {"r0": first, "r1": LATER, "r2": LATER, "r5": first, "r6": first}


def test_a_row_of_a_day_to_come_waits(lab: Any) -> None:
    lab.write("agent_runs", run(0), run(1, "2026-07-01"))
    assert {manifest.day for manifest in lab.make()} == {DAY}
    from lakehouse.chain.manifests import Staleness

    assert Staleness(lab.lake).waiting_future(TODAY) == 1
    assert lab.stale("2026-07-01") == {"2026-07-01": "it was never collected"}


def test_a_day_is_stale_when_its_rows_change_and_no_other_day_is(lab: Any) -> None:
    lab.write("agent_runs", run(0), run(1, NEXT))
    assert list(lab.stale()) == []
    lab.make()
    assert lab.stale() == {}
    lab.write("agent_runs", run(2, NEXT))
    lab.index()
    assert list(lab.stale()) == [NEXT]


def test_a_day_is_stale_when_the_streams_to_export_change(lab: Any) -> None:
    lab.write("agent_runs", run(0))
    lab.make()
    lab.settings('[sft]\nstreams = ["audits"]')
    assert list(lab.stale()) == [DAY]
    lab.make()
    assert lab.samples() == []


DECLARATION = """
[streams.tickets]
class = "{source_class}"
scorer = "{scorer}"
role = "{role}"
template = "{template}"
timestamp = "{timestamp}"
[streams.tickets.fields]
task_id = "id"
text = "{text}"
"metadata.reward" = "csat"
"""
DECLARED = {
    "source_class": "telemetry",
    "scorer": "outcome",
    "role": "executor",
    "template": "default",
    "timestamp": "at",
    "text": "answer",
}


@pytest.mark.parametrize(
    "change",
    [
        {"text": "other"},
        {"source_class": "extraction"},
        {"scorer": "extraction"},
        {"role": "reviewer"},
        {"template": "agent_runs"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_day_is_stale_when_a_declaration_that_it_was_made_with_changes(lab: Any, change: dict[str, str]) -> None:
    lab.settings(DECLARATION.format(**DECLARED))
    lab.write("tickets", {"id": "1", "answer": "yes", "other": "no", "csat": 1, "at": f"{DAY}T10:00:00Z"})
    lab.make()
    assert lab.stale() == {}
    lab.settings(DECLARATION.format(**{**DECLARED, **change}))
    assert list(lab.stale()) == [DAY]


def test_a_stream_that_was_rewritten_holds_back_no_new_day_of_another(lab: Any) -> None:
    path = lab.write("audits", {"phase": 1, "severity": "low", "reasoning": "a", "ts": f"{DAY}T10:00:00Z"})
    lab.night("first")
    path.write_bytes(path.read_bytes().replace(b"low", b"LOW"))
    lab.write("agent_runs", run(7, NEXT))
    summary = lab.night("second")
    assert "r7" in [sample["source_run_id"] for sample in lab.published()]
    assert NEXT not in summary.held_days


def test_a_stream_that_was_rewritten_takes_nothing_of_what_was_made_before(lab: Any) -> None:
    path = lab.write("audits", {"phase": 1, "severity": "low", "reasoning": "a", "ts": f"{DAY}T10:00:00Z"})
    lab.write("agent_runs", run(1))
    lab.night("first")
    before = lab.tree("evidence", "scored-runs")
    path.write_bytes(path.read_bytes().replace(b"low", b"LOW"))
    lab.night("second")
    assert lab.tree("evidence", "scored-runs") == before
    assert read_manifest(lab.lake, "collect", DAY).records_out == 2


def test_a_stage_asks_for_the_one_before_it(lab: Any) -> None:
    lab.write("agent_runs", run(0))
    lab.index()
    with pytest.raises(UsageError, match=DAY):
        chain.score_days(lab.lake, [DAY], LATER)
    chain.collect(lab.lake, [DAY], LATER)
    with pytest.raises(UsageError, match="score"):
        chain.make_samples(lab.lake, [DAY], LATER)


@pytest.mark.parametrize("day", ["", "2026-5-1", "../../etc", "2026-05-01/x", "\uff12\uff10\uff12\uff16-05-01"])
def test_what_is_no_day_never_becomes_a_path(lab: Any, day: str) -> None:
    lab.index()
    with pytest.raises(UsageError):
        chain.collect(lab.lake, [day], LATER)


@pytest.mark.parametrize(
    ("folder", "damage", "line"),
    [
        ("scored-runs", lambda lines: lines[:1], 2),
        ("scored-runs", lambda lines: [lines[1], lines[0]], 1),
        ("evidence", lambda lines: lines[:1], 2),
        ("evidence", lambda lines: [b"{}", lines[1]], 1),
    ],
    ids=["verdict-missing", "verdicts-swapped", "evidence-missing", "evidence-broken"],
)
def test_samples_are_refused_where_evidence_and_verdicts_do_not_match(
    lab: Any, folder: str, damage: Any, line: int
) -> None:
    lab.write("agent_runs", run(0), run(1))
    lab.make()
    path = lab.root / folder / "2026/05/01/agent_runs.jsonl"
    path.write_bytes(b"".join(text + b"\n" for text in damage(path.read_bytes().splitlines())))
    with pytest.raises(RecordError, match=rf"agent_runs\.jsonl:{line}"):
        chain.make_samples(lab.lake, [DAY], LATER)


def test_leftovers_of_a_killed_run_are_swept(lab: Any) -> None:
    lab.write("agent_runs", run(0))
    lab.make()
    before = lab.tree()
    for folder, name in (
        ("evidence/2026/05/01", ".agent_runs.jsonl.1-0.tmp"),
        ("scored-runs/2026/05/01", ".agent_runs.jsonl.1-0.tmp"),
        ("distilled/sft/parts/2026/05", ".01.agent_runs.part.tmp"),
        ("quarantine/2026/05/01", ".collect.agent_runs.part.tmp"),
    ):
        (lab.root / folder).mkdir(parents=True, exist_ok=True)
        (lab.root / folder / name).write_bytes(b"half")
    lab.make([DAY])
    assert lab.tree() == before


def test_a_worker_reads_the_lake_for_itself(lab: Any) -> None:
    import pickle

    lake = lab.lake
    assert lake.streams
    copy = pickle.loads(pickle.dumps(lake))
    assert copy == lake
    assert "streams" not in vars(copy)


def double(number: int) -> int:
    return number * 2


def test_the_engine_answers_in_the_order_of_the_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    assert engine.run(double, [1, 3, 2], lambda n: n, workers=1, done=ended.append) == [2, 6, 4]
    assert ended == [1, 3, 2]
    assert engine.run(double, [], lambda n: n) == []
    monkeypatch.setattr(engine, "WORTH_A_PROCESS", 0)
    assert engine.run(abs, [-1, 3, -2], abs, workers=2) == [1, 3, 2]


def test_an_error_in_a_process_comes_back_as_it_is(new_lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lab = new_lab()
    lab.settings("workers = 2")
    lab.write("agent_runs", run(0), run(1, NEXT))
    lab.make()
    for day in ("01", "02"):
        (lab.root / f"evidence/2026/05/{day}/agent_runs.jsonl").write_bytes(b"{}\n")
    monkeypatch.setattr(engine, "WORTH_A_PROCESS", 1)
    with pytest.raises(RecordError, match=r"agent_runs\.jsonl:1"):
        chain.score_days(Lake(lab.root), [DAY, NEXT], LATER)


def test_a_manifest_balances_at_every_stage(sample: Any) -> None:
    for manifest in sample().make():
        skipped = sum(manifest.skip_reasons.values())
        assert manifest.records_in == manifest.records_out + skipped + manifest.records_quarantined


def test_evidence_of_a_rebuilt_stream_is_that_of_its_new_rows(lab: Any) -> None:
    path = lab.write("agent_runs", run(0), run(1))
    lab.make()
    path.write_bytes(b"".join(json.dumps(run(n)).encode() + b"\n" for n in (8, 9)))
    lab.index()
    index.rebuild(lab.lake, "agent_runs")
    lab.make()
    assert [record["run_id"] for record in lab.evidence()] == ["r8", "r9"]
