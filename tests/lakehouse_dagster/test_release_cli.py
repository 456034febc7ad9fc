"""`lakehouse release` and `lakehouse recall`: what they say to people and to machines, and how they end."""

import json
import shutil
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from lakehouse.gates.verdicts import read_verdicts, record
from lakehouse.gates.waivers import waive
from lakehouse.lake import Lake
from lakehouse.records import Release
from lakehouse.release import store
from lakehouse.release.make import make, publishing_run
from lakehouse.sql import connect
from lakehouse_dagster.commands import release as commands
from lakehouse_dagster.commands.shell import Out
from tests.lakehouse.conftest import Lab
from tests.lakehouse.releasing import NOW, decide, publish_all
from tests.lakehouse_dagster.conftest import Shell, stand_alone

DAY, NEXT = "2026-05-01", "2026-05-02"


def make_in_domain(out: Out, lake: Lake, reports: Path, by: str) -> Release:
    """Make a release without Dagster, and without cards: the rows of these tests are no real publications."""
    with closing(connect(lake)) as connection:
        return make(lake, connection, NOW, by=by, git_commit="c" * 40, run_folder=publishing_run(lake, reports))


@pytest.fixture
def shell(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """`lakehouse` on a lake of its own, where a release is made without Dagster."""
    monkeypatch.setattr(commands, "make", make_in_domain)
    return shell


def run(n: int, day: str = DAY, **more: Any) -> dict[str, Any]:
    base = {"run_id": f"r{n}", "task_id": "t", "prompt": "p", "response": f"a{n}", "passed": True}
    return {**base, "ts": f"{day}T10:00:00Z", **more}


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake of two days, published and green; tests work on copies."""
    found = Lab(tmp_path_factory.mktemp("published"))
    found.write("agent_runs", run(1), run(2, passed=False), run(3, NEXT))
    publish_all(found)
    return found.root


@pytest.fixture
def lab(tmp_path: Path, published: Path) -> Lab:
    """A copy of that lake in ./data."""
    shutil.copytree(published, tmp_path / "data")
    return Lab(tmp_path / "data")


@pytest.fixture
def released(lab: Lab, shell: Shell) -> str:
    """The hash of a release of that lake."""
    done = shell("release", "create", "--by", "ann", "--json")
    assert done.code == 0
    return str(done.json["release_hash"])


def test_a_release_is_made_and_named(lab: Lab, shell: Shell) -> None:
    done = shell("release", "create", "--by", "ann")
    assert (done.code, done.err) == (0, "")
    made = store.hashes(lab.lake)[0]
    assert f"Released {made} (2 samples, 2 chunks, 2 pairs)" in done.out
    assert str(store.path_of(lab.lake, made)) in done.out


def test_a_lake_that_is_not_green_is_refused_with_every_reason(lab: Lab, shell: Shell) -> None:
    lab.lake.gate("evidence", DAY).unlink()
    lab.lake.gate("scored_runs", NEXT).unlink()
    done = shell("release", "create")
    assert done.code == 1
    assert f"gates/evidence/{DAY}.json" in done.err
    assert f"gates/scored_runs/{NEXT}.json" in done.err
    assert store.hashes(lab.lake) == []


def test_a_release_that_is_there_does_not_claim_a_waiver_given_since(lab: Lab, shell: Shell, released: str) -> None:
    one = read_verdicts(lab.lake, "evidence", DAY)["provenance_resolves"]
    red = record(lab.lake, "evidence", DAY, msgspec.structs.replace(one, passed=False, summary="a row is gone"))
    waive(lab.lake, "evidence", DAY, red, by="bob", reason="read it", at=NOW)
    done = shell("release", "create")
    assert done.code == 0
    assert f"the waiver of evidence/provenance_resolves of {DAY} by bob" in done.out
    assert "the release that is there names its own verdicts" in done.out
    told = shell("release", "create", "--json").json
    assert (told["created"], [row["by"] for row in told["waivers_since"]]) == (False, ["bob"])


def test_releases_are_listed(lab: Lab, shell: Shell, released: str) -> None:
    done = shell("release", "list")
    assert done.code == 0
    assert released[:12] in done.out
    assert " ok " in done.out
    row = shell("release", "list", "--json").json["releases"][0]
    assert (row["release"], row["state"], row["samples"]) == (released, "ok", 2)


def test_a_lake_without_releases_says_how_to_make_one(lab: Lab, shell: Shell) -> None:
    assert "lakehouse release create" in shell("release", "list").out
    assert shell("release", "verify").code == 0


def test_a_prefix_is_enough_to_show_a_release(lab: Lab, shell: Shell, released: str) -> None:
    done = shell("release", "show", released[:6])
    assert done.code == 0
    assert f"{released} is ok" in done.out
    assert "sft/sft_export.jsonl" in done.out
    assert "signed off by ann" in done.out
    shown = shell("release", "show", released[:6], "--json").json
    assert (shown["release"]["release_hash"], shown["state"], shown["recalls"]) == (released, "ok", [])
    assert shown["signed"]["signed_off_by"] == "ann"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["release", "show", "abc"], "too short"),
        (["release", "show", "00000000"], "no release has"),
        (["release", "verify", "../../etc"], "no release has"),
        (["release", "diff", "00000000", "11111111"], "no release has"),
        (["recall", "--run", "r99"], "no run has the id"),
        (["recall", "--run", "r1"], "decide first"),
        (["recall", "--run", "r1", "--stream", "nope"], "there is no stream"),
    ],
)
def test_wrong_usage_ends_with_two_and_says_what_to_do(
    lab: Lab, shell: Shell, released: str, arguments: list[str], says: str
) -> None:
    done = shell(*arguments)
    assert (done.code, done.out) == (2, "")
    assert says in done.err


def test_a_whole_release_verifies_and_a_changed_one_ends_with_one(lab: Lab, shell: Shell, released: str) -> None:
    assert "every hash as it was" in shell("release", "verify", released[:8]).out
    path = store.path_of(lab.lake, released) / "sft/sft_messages.jsonl"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes().replace(b"a1", b"b1"))
    done = shell("release", "verify", "--json")
    assert done.code == 1
    found = done.json["releases"][0]
    assert (found["release"], found["ok"]) == (released, False)
    assert {"path": "sft/sft_messages.jsonl", "what": "was changed"} in found["problems"]


def test_two_releases_are_compared(lab: Lab, shell: Shell, released: str) -> None:
    lab.write("agent_runs", run(4, NEXT))
    publish_all(lab)
    other = shell("release", "create", "--json").json["release_hash"]
    done = shell("release", "diff", released[:8], other[:8], "--json")
    assert done.code == 0
    counts = {(one["export"], one["change"]): one["rows"] for one in done.json["counts"]}
    assert counts == {("sft_export", "added"): 1, ("rag_export", "added"): 1, ("preference_export", "added"): 1}
    assert {"rag-r4-a4", "pref-r4-r2"} < {one["id"] for one in done.json["changes"]}
    assert "3 more ids" in shell("release", "diff", released[:8], other[:8], "--limit", "0").out
    assert "the same samples" in shell("release", "diff", other[:8], other[:8]).out
    assert [row["state"] for row in shell("release", "list", "--json").json["releases"]] == ["ok", "superseded"]


@pytest.fixture
def distilling(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for the job that makes the stale days before the next release."""
    monkeypatch.setattr(commands, "catch_up", lambda *_: publish_all(lab))


def test_a_recall_says_where_the_run_lies_marks_it_and_makes_the_next_release(
    lab: Lab, shell: Shell, released: str, distilling: None
) -> None:
    decide(lab, "r1", "rejected")
    done = shell("recall", "--run", "r1", "--by", "bob", "--json")
    assert done.code == 0
    answer = done.json
    assert {one["release_hash"] for one in answer["found"]} == {released}
    assert {(row["by"], row["reason"]) for row in answer["marked"]} == {("bob", "read it")}
    assert answer["release_hash"] != released
    states = {row["release"]: row["state"] for row in shell("release", "list", "--json").json["releases"]}
    assert states == {released: "recalled", answer["release_hash"]: "ok"}
    shown = shell("release", "show", released)
    assert "is recalled" in shown.out
    assert "read it" in shown.out
    again = shell("recall", "--run", "r1", "--json").json
    assert (again["marked"], again["release_hash"]) == ([], answer["release_hash"])


def test_a_recall_that_only_looks_changes_nothing(lab: Lab, shell: Shell, released: str) -> None:
    decide(lab, "r1", "rejected")
    before = lab.tree("distilled")
    done = shell("recall", "--run", "r1", "--dry-run")
    assert done.code == 0
    assert "preference/preference_export.jsonl" in done.out
    assert lab.tree("distilled") == before


def test_a_recall_whose_days_are_not_made_again_marks_and_ends_with_one(
    lab: Lab, shell: Shell, released: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "catch_up", lambda *_: None)
    decide(lab, "r1", "rejected")
    done = shell("recall", "--run", "r1")
    assert done.code == 1
    assert "was decided rejected" in done.err
    assert "lakehouse distill" in done.err
    assert store.state_of(lab.lake, released).state == "recalled"


def test_a_run_in_no_release_needs_no_recall(lab: Lab, shell: Shell) -> None:
    done = shell("recall", "--run", "r1")
    assert done.code == 0
    assert "It lies in no release" in done.out
    assert store.hashes(lab.lake) == []


@pytest.mark.parametrize(
    "command", [["release", name] for name in ("list", "show", "diff", "verify", "create")] + [["recall"]]
)
def test_every_command_explains_itself_with_an_example(shell: Shell, command: list[str]) -> None:
    done = shell(*command, "--help")
    assert done.code == 0
    assert "Example: lakehouse" in " ".join(done.out.split())
    assert "--json" in done.out


def test_a_release_is_made_recalled_and_made_again_by_the_real_job(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    stand_alone(tmp_path, monkeypatch)
    rows = [run(n, task_id=f"t{n}", response=f"answer {n} of its own words {n} and {n + 9}") for n in range(3)]
    folder = Path("data/_kb/agent_runs")
    folder.mkdir(parents=True)
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert shell("distill").code == 0
    first = shell("release", "create", "--by", "ann", "--json").json["release_hash"]
    assert {path.name for path in Path(f"data/distilled/releases/{first}").iterdir()} >= {"README.md", "metadata.json"}
    assert shell("release", "verify", first).code == 0
    unchanged = shell("recall", "--run", "r1")
    assert (unchanged.code, "triage decide" in unchanged.err) == (2, True)
    scored = json.loads(Path("data/scored-runs/2026/05/01/agent_runs.jsonl").read_text().splitlines()[1])
    signature = scored["provenance"]["sig_hash"]
    assert shell("triage", "decide", signature, "rejected", "--reason", "wrong after all").code == 0
    done = shell("recall", "--run", "r1", "--by", "bob", "--json").json
    assert done["release_hash"] != first
    states = {row["release"]: row["state"] for row in shell("release", "list", "--json").json["releases"]}
    assert states == {first: "recalled", done["release_hash"]: "ok"}
