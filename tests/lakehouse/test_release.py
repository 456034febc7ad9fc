"""Releases: refused while anything is not green, immutable, the same hash for the same rows, and recalled run by run."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import closing
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakehouse.errors import GateFailed, LakehouseError, RecordError, UsageError
from lakehouse.files import sha256_of
from lakehouse.gates.verdicts import MISSING, REQUIRED, REQUIRED_OF_EXPORTS, read_verdicts, record
from lakehouse.jsonl import encode
from lakehouse.publish.exports import EXPORTS, PREFERENCE, RAG, SFT
from lakehouse.publish.state import path_of
from lakehouse.records import Release
from lakehouse.release import compare, store
from lakehouse.release import recall as recalling
from lakehouse.release.hashing import Multiset, content, measure, release_hash
from lakehouse.release.make import publishing_run
from lakehouse.release.verify import verify
from lakehouse.sql import connect
from tests.lakehouse.conftest import reseal
from tests.lakehouse.releasing import (
    COMMIT,
    NOW,
    chunks,
    decide,
    folder,
    green,
    green_exports,
    pairs,
    publish_all,
    publish_rows,
    release,
)

DAY, NEXT, THIRD = DAYS = ["2026-05-01", "2026-05-02", "2026-05-03"]
LATER = "2026-05-11T02:00:00.000Z"
NATIVE = "distilled/sft/sft_export.jsonl"


def run(n: Any, day: str = DAY, at: str = "10:00:00", **more: Any) -> dict[str, Any]:
    base = {"run_id": f"r{n}", "task_id": "t", "prompt": "p", "response": f"a{n}", "passed": True}
    return {**base, "ts": f"{day}T{at}Z", **more}


def bad(n: Any, **more: Any) -> dict[str, Any]:
    return run(n, passed=False, **more)


@pytest.fixture(scope="module")
def published(new_lab: Callable[[], Any]) -> Any:
    """A lake of two days, published and green; tests work on copies."""
    lab = new_lab()
    lab.write("agent_runs", run(1), bad(2), run(3, NEXT))
    publish_all(lab)
    return lab


@pytest.fixture
def ready(published: Any, lab: Any) -> Any:
    """A copy of that lake."""
    shutil.copytree(published.root, lab.root, dirs_exist_ok=True)
    return lab


def why(lab: Any) -> str:
    """Say why there is no release."""
    with pytest.raises(GateFailed) as refused:
        release(lab)
    assert store.hashes(lab.lake) == []
    return str(refused.value)


def tree(path: Path) -> dict[str, tuple[str, int]]:
    return {
        one.relative_to(path).as_posix(): (sha256_of(one), one.stat().st_mtime_ns)
        for one in sorted(path.rglob("*"))
        if one.is_file()
    }


def test_a_green_lake_is_released_with_all_that_is_published(ready: Any) -> None:
    made = release(ready)
    inside = folder(ready, made)
    for export in EXPORTS.values():
        native = export.main(ready.lake)
        assert (inside / native.relative_to(ready.root / "distilled")).read_bytes() == native.read_bytes()
    data = {ref.path: ref.rows for ref in made.files if ref.content_sha256 is not None}
    assert data["sft/sft_export.jsonl"] == data["sft/sft_messages.jsonl"] == 2
    assert data["preference/preference_export.jsonl"] == 2
    assert made.release_hash == inside.name == release_hash(made.files)
    assert (made.git_commit, made.created_at) == (COMMIT, NOW)
    assert made.settings["sft_export"]["include_partial"] is False
    assert made.left_out["sft_export"]["rejected"] == 1
    assert store.read_release(ready.lake, made.release_hash) == made


def test_a_release_is_a_copy_and_no_link(ready: Any) -> None:
    made = release(ready)
    with (ready.root / NATIVE).open("ab") as file:
        file.write(b"edited by hand\n")
    assert verify(folder(ready, made)).problems == []


def test_its_files_cannot_be_written(ready: Any) -> None:
    inside = folder(ready, release(ready))
    assert {path.stat().st_mode & 0o777 for path in inside.rglob("*") if path.is_file()} == {0o444}


def test_it_lists_every_verdict_that_it_rests_on_and_who_signed_them_off(ready: Any) -> None:
    made = release(ready, by="bob")
    signed = store.read_signed(ready.lake, made.release_hash)
    assert signed is not None
    assert (signed.signed_off_by, signed.signed_off_at, signed.release_hash) == ("bob", NOW, made.release_hash)
    found = {(one.asset, one.partition, one.verdict.check) for one in signed.verdicts}
    assert found >= {(asset, day, check) for asset in REQUIRED for check in REQUIRED[asset] for day in (DAY, NEXT)}
    assert found >= {(asset, None, check) for asset, checks in REQUIRED_OF_EXPORTS.items() for check in checks}
    assert all(one.verdict.passed for one in signed.verdicts if one.verdict.severity == "ERROR")
    assert all(one.sha256 == sha256(encode(one.verdict)).hexdigest() for one in signed.verdicts)


def test_nobody_signs_off_anonymously(ready: Any) -> None:
    with pytest.raises(UsageError, match="signs it off"):
        release(ready, by=" ")


def test_the_sums_are_what_sha256sum_reads(ready: Any) -> None:
    inside = folder(ready, release(ready))
    done = subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=inside, check=False)
    assert done.returncode == 0
    names = {line.partition("  ")[2] for line in (inside / "SHA256SUMS").read_text().splitlines()}
    assert names == {p.relative_to(inside).as_posix() for p in inside.rglob("*") if p.is_file()} - {"SHA256SUMS"}


def test_the_receipts_of_the_run_that_published_lie_in_it(lab: Any) -> None:
    lab.write("agent_runs", run(1))
    lab.night("earlier")
    publish_all(lab)
    found = publishing_run(lab.lake, lab.root / "reports")
    assert found is not None
    assert found.name == "earlier"
    made = release(lab, run_folder=found)
    inside = folder(lab, made) / "receipts"
    assert (inside / "export-sft.json").read_bytes() == (found / "receipts/export-sft.json").read_bytes()
    assert (inside / "summary.json").exists()
    assert (made.run_id, made.receipts_absent) == ("earlier", None)
    assert made.run_hash == json.loads((inside / "summary.json").read_text())["run_hash"]


def test_a_release_without_receipts_says_why(ready: Any) -> None:
    assert publishing_run(ready.lake, ready.root / "reports") is None
    made = release(ready, run_folder=ready.root / "reports/distillation/lost")
    assert (made.run_id, made.receipts_absent) == ("lost", "the reports hold no receipts of run lost")


def test_cards_are_written_before_it_is_closed_and_do_not_change_its_hash(ready: Any) -> None:
    made = release(ready)
    shutil.rmtree(folder(ready, made))
    seen = []

    def cards(inside: Path, facts: Any) -> None:
        seen.append(facts)
        (inside / "README.md").write_text(f"# {facts.release_hash}\n")

    again = release(ready, cards=cards)
    assert again.release_hash == made.release_hash == seen[0].release_hash
    assert {ref.path for ref in seen[0].files} == {ref.path for ref in made.files} - {"verdicts.json"}
    assert {ref.path for ref in again.files} - {ref.path for ref in made.files} == {"README.md"}
    assert verify(folder(ready, again)).problems == []


def test_the_same_data_is_the_same_release_and_no_byte_changes(ready: Any) -> None:
    made = release(ready)
    before = tree(folder(ready, made).parent)
    assert release(ready, LATER, by="bob", git_commit="d" * 40) == made
    assert tree(folder(ready, made).parent) == before


@pytest.mark.parametrize("asset", sorted(REQUIRED))
@pytest.mark.parametrize("fault", ["missing", "stale", "red", "unreadable", "green by hand"])
def test_a_daily_gate_that_is_not_green_refuses(ready: Any, asset: str, fault: str) -> None:
    path = ready.lake.gate(asset, NEXT)
    held = json.loads(path.read_text())
    if fault == "missing":
        del held["verdicts"][0]
    elif fault == "stale":
        held["verdicts"][0]["input_sha256"] = "0" * 64
    else:
        held["verdicts"][0] |= {"passed": False, "summary": "a row is wrong"}
    reseal(path, held)
    if fault == "unreadable":
        path.write_text("{")
    elif fault == "green by hand":
        path.write_text(path.read_text().replace('"passed": false', '"passed": true'))
    said = why(ready)
    assert f"gates/{asset}/{NEXT}.json" in said
    assert {"unreadable": MISSING, "green by hand": MISSING}.get(fault, fault) in said
    assert f"lakehouse distill --day {NEXT}" in said


EXPORT_CHECKS = [(asset, check) for asset, checks in REQUIRED_OF_EXPORTS.items() for check in checks]


@pytest.mark.parametrize(("asset", "check"), EXPORT_CHECKS)
@pytest.mark.parametrize("fault", ["missing", "stale", "red"])
def test_a_gate_on_an_export_that_is_not_green_refuses(ready: Any, asset: str, check: str, fault: str) -> None:
    path = ready.lake.gate(asset)
    held = json.loads(path.read_text())
    one = next(found for found in held["verdicts"] if found["check"] == check)
    if fault == "missing":
        held["verdicts"].remove(one)
    else:
        one |= {"input_sha256": "0" * 64} if fault == "stale" else {"passed": False, "severity": "ERROR"}
    reseal(path, held)
    said = why(ready)
    assert f"gates/{asset}.json: {check} is {fault}" in said


def test_verdicts_on_the_lake_as_a_whole_that_were_changed_by_hand_refuse(ready: Any) -> None:
    record(ready.lake, "audit_baseline", None, green("audit_full", "", passed=False, summary="a receipt is gone"))
    assert "audit_full is red, a receipt is gone" in why(ready)
    path = ready.lake.gate("audit_baseline")
    path.write_text(path.read_text().replace('"passed": false', '"passed": true'))
    assert f"gates/audit_baseline.json: its verdicts are {MISSING} (to mend it: `lakehouse audit`)" in why(ready)


def test_a_red_day_is_one_reason_for_all_exports(ready: Any) -> None:
    for day in (DAY, NEXT):
        one = read_verdicts(ready.lake, "evidence", day)["provenance_resolves"]
        record(ready.lake, "evidence", day, msgspec.structs.replace(one, passed=False, summary="a row is gone"))
    ready.publish()
    ready.publish_rag()
    ready.publish_preference()
    assert why(ready).count("lakehouse gates waive provenance_resolves") == 2
    assert "holds back" not in why(ready)


def test_a_red_gate_that_is_not_required_refuses_too(ready: Any) -> None:
    record(ready.lake, RAG.asset, None, green("contract", "", passed=False, summary="a field is null"))
    assert "contract is red, a field is null" in why(ready)


def test_a_warning_is_listed_and_does_not_refuse(ready: Any) -> None:
    native = sha256_of(ready.root / NATIVE)
    record(ready.lake, SFT.asset, None, green("verdict_balance", native, passed=False, summary="odd", severity="WARN"))
    signed = store.read_signed(ready.lake, release(ready).release_hash)
    assert signed is not None
    assert ("verdict_balance", "odd") in {(one.verdict.check, one.verdict.summary) for one in signed.verdicts}


@pytest.mark.parametrize("name", [NATIVE, "distilled/sft/sft_messages.jsonl", "distilled/rag/rag_export.jsonl"])
def test_a_published_file_that_changed_by_one_byte_refuses(ready: Any, name: str) -> None:
    path = ready.root / name
    data = bytearray(path.read_bytes())
    place = data.index(b'"a1"') + 1 if b'"a1"' in data else data.index(b"a1")
    data[place] ^= 1
    path.write_bytes(data)
    assert f"{name}: it changed after it was published" in why(ready)


@pytest.mark.parametrize("folder", ["evidence", "scored-runs", "distilled/sft/parts", "distilled/rag/parts"])
def test_a_file_that_changed_by_one_byte_after_its_gates_refuses(ready: Any, folder: str) -> None:
    path = sorted((ready.root / folder).rglob("*.jsonl"))[0]
    data = path.read_bytes()
    path.write_bytes(data[:-3] + bytes([data[-3] ^ 1]) + data[-2:])
    said = why(ready)
    assert f"{path.relative_to(ready.root)}: it changed after its gates looked at it" in said
    assert "lakehouse distill --day" in said


def test_a_published_file_that_is_gone_refuses(ready: Any) -> None:
    (ready.root / "distilled/sft/sft_prompt_completion.jsonl").unlink()
    assert "sft_prompt_completion.jsonl: it was published and is gone" in why(ready)


def test_a_publication_that_names_a_file_outside_refuses(ready: Any) -> None:
    path = path_of(ready.lake, RAG.asset)
    path.write_text(path.read_text().replace("distilled/rag/rag_export.jsonl", "distilled/../lakehouse.toml"))
    assert "does not lie in distilled/" in why(ready)


@pytest.mark.parametrize("asset", list(EXPORTS))
def test_an_export_that_was_never_published_refuses(ready: Any, asset: str) -> None:
    path_of(ready.lake, asset).unlink()
    assert f"{asset} was never published" in why(ready)


def test_a_held_day_refuses(ready: Any) -> None:
    gate = ready.lake.gate("evidence", NEXT)
    kept = gate.read_bytes()
    gate.unlink()
    ready.publish()
    record(ready.lake, SFT.asset, None, ready.firewall())
    gate.write_bytes(kept)
    said = why(ready)
    assert f"sft_export holds back {NEXT}: evidence/" in said
    assert "sft_export is not what the days call for now" in said


def test_a_publication_that_is_older_than_its_days_refuses(ready: Any) -> None:
    ready.write("agent_runs", run(4, THIRD))
    ready.make()
    assert ready.gate([THIRD]) == []
    said = why(ready)
    assert "index/publications/sft_export.json: sft_export is not what the days call for now" in said


def test_held_out_items_that_came_after_publishing_refuse(ready: Any) -> None:
    ready.write("holdout", {"text": "what evaluations ask"})
    assert "_kb/holdout.jsonl: the held-out items changed since sft_export was published" in why(ready)


def test_a_day_that_was_not_made_to_its_end_refuses(ready: Any) -> None:
    ready.lake.manifest("score", NEXT).unlink()
    assert f"scored_runs of {NEXT} was not made yet" in why(ready)


def test_a_decision_that_is_not_carried_out_yet_refuses(ready: Any) -> None:
    decide(ready, "r1", "rejected")
    said = why(ready)
    assert f"{NATIVE}: 1 of its rows are not what _kb/human_overrides.jsonl says since" in said
    assert "is accepted and was decided rejected" in said


def test_a_decision_that_says_the_same_does_not_refuse(ready: Any) -> None:
    decide(ready, "r1", "accepted")
    assert release(ready).files


def test_every_reason_is_told_at_once(ready: Any) -> None:
    ready.lake.gate("evidence", DAY).unlink()
    path_of(ready.lake, PREFERENCE.asset).unlink()
    (ready.root / "distilled/sft/sft_messages.jsonl").unlink()
    said = why(ready)
    assert {"evidence/2026-05-01.json", "preference_export.json", "sft_messages.jsonl"} <= {
        word.rstrip(":").removeprefix("gates/").removeprefix("index/publications/").removeprefix("distilled/sft/")
        for word in said.split()
    }


def test_a_killed_release_leaves_none_and_is_swept_up(ready: Any) -> None:
    class Killed(BaseException):
        pass

    def cards(inside: Path, facts: Any) -> None:
        raise Killed

    with pytest.raises(Killed):
        release(ready, cards=cards)
    leftover = store.folder_of(ready.lake) / ".making.tmp/sft"
    leftover.mkdir(parents=True)
    (leftover / "half.jsonl").write_text("{")
    made = release(ready)
    assert sorted(path.name for path in store.folder_of(ready.lake).iterdir()) == sorted([made.release_hash, "latest"])
    assert verify(folder(ready, made)).problems == []


def rows_of_three_days() -> list[dict[str, Any]]:
    good = [run(n, DAYS[n % 3], f"1{n}:00:00", response=f"answer {n % 5}") for n in range(8)]
    return [*good, *(bad(n, ts=f"{DAYS[n % 3]}T09:00:00Z") for n in range(10, 13))]


@pytest.fixture(scope="module")
def original(new_lab: Callable[[], Any]) -> Release:
    """The release of some rows in one file."""
    lab = new_lab()
    lab.write("agent_runs", *rows_of_three_days())
    publish_all(lab, by_hand=False)
    made = release(lab)
    assert {ref.path: ref.rows for ref in made.files}.items() >= {
        ("sft/sft_export.jsonl", 5),
        ("preference/preference_export.jsonl", 5),
    }
    return made


@given(st.permutations(rows_of_three_days()), st.lists(st.integers(1, 10), max_size=3), st.permutations(DAYS))
@settings(max_examples=5, deadline=None)
def test_the_same_rows_in_other_files_and_another_order_are_the_same_release(
    original: Release, new_lab: Any, rows: list[Any], cuts: list[int], days: list[str]
) -> None:
    lab = new_lab()
    borders = [0, *sorted(cuts), len(rows)]
    for number, (start, end) in enumerate(pairwise(borders)):
        lab.write(f"agent_runs/{number}", *rows[start:end])
    lab.index()
    for day in days:
        lab.make([day], now=LATER)
        lab.gate([day])
        lab.publish(LATER)
    publish_all(lab, LATER, by_hand=False)
    made = release(lab, LATER)
    assert {ref.path: ref.content_sha256 for ref in made.files if ref.content_sha256} == {
        ref.path: ref.content_sha256 for ref in original.files if ref.content_sha256
    }
    assert made.release_hash == original.release_hash


def test_another_row_is_another_release(original: Release, lab: Any) -> None:
    rows = rows_of_three_days()
    rows[0] |= {"response": "another answer"}
    lab.write("agent_runs", *rows)
    publish_all(lab, by_hand=False)
    assert release(lab).release_hash != original.release_hash


SAMPLE = {
    "id": "a",
    "text": "t",
    "created_at": "1",
    "provenance": {"source_file": "f", "line_offset": 1, "sig_hash": "s"},
}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"created_at": "2"}, True),
        ({"provenance": {"source_file": "g", "line_offset": 7, "sig_hash": "s", "recorded_at": "3"}}, True),
        ({"provenance": {"source_file": "f", "line_offset": 1, "sig_hash": "other"}}, False),
        ({"text": "u"}, False),
        ({"id": "b"}, False),
        ({"metadata": {"created_at": "1"}}, False),
    ],
)
def test_what_counts_of_a_row(change: dict[str, Any], same: bool) -> None:
    one, other = (json.dumps(row).encode() for row in (SAMPLE, {**SAMPLE, **change}))
    assert (content(one) == content(other)) is same


def test_a_stamp_inside_metadata_counts() -> None:
    one, other = ({**SAMPLE, "metadata": {"created_at": stamp}} for stamp in "12")
    assert content(json.dumps(one).encode()) != content(json.dumps(other).encode())


@given(st.lists(st.binary(max_size=8)), st.randoms(use_true_random=False))
def test_a_multiset_hashes_without_regard_to_order_and_counts_repeats(items: list[bytes], random: Any) -> None:
    def hashed(some: list[bytes]) -> str:
        with Multiset() as found:
            for item in some:
                found.add(item)
            return found.hexdigest()

    shuffled = list(items)
    random.shuffle(shuffled)
    assert hashed(items) == hashed(shuffled)
    assert hashed(items) != hashed([*items, items[0] if items else b""])


def test_the_parquet_of_another_writer_has_the_same_content(tmp_path: Path) -> None:
    ids = {"id": ["b", "a", "c"], "n": [1, 2, 3]}
    pq.write_table(pa.table(ids), tmp_path / "one.parquet", compression="none")
    pq.write_table(pa.table(ids).take([2, 0, 1]), tmp_path / "two.parquet", compression="zstd", row_group_size=1)
    one, two = (measure(tmp_path / f"{name}.parquet", "x") for name in ("one", "two"))
    assert (one.content_sha256, one.rows) == (two.content_sha256, 3)
    assert one.sha256 != two.sha256


def test_a_file_that_is_no_parquet_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "one.parquet").write_bytes(b"PAR1 not")
    with pytest.raises(RecordError, match=r"one\.parquet"):
        measure(tmp_path / "one.parquet", "x")


def writable(path: Path) -> Path:
    path.chmod(0o644)
    return path


def flip(path: Path) -> None:
    data = bytearray(writable(path).read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("name", "tamper", "says"),
    [
        ("sft/sft_export.jsonl", lambda path: path.write_bytes(path.read_bytes().replace(b"a1", b"b1")), "was changed"),
        ("sft/sft_messages.jsonl", Path.unlink, "is missing"),
        ("sft/more.jsonl", lambda path: path.write_text("{}\n"), "is extra"),
        ("notes.txt", lambda path: path.write_text("x"), "is extra"),
        ("verdicts.json", flip, "was changed"),
        ("verdicts.json", Path.unlink, "is missing"),
        ("release.json", lambda path: path.write_text("{"), "cannot be read"),
        ("release.json", Path.unlink, "is missing"),
        ("SHA256SUMS", Path.unlink, "is missing"),
        ("SHA256SUMS", lambda path: path.write_text("nonsense\n"), "line 1 is no sum"),
    ],
)
def test_verifying_names_every_file_that_is_not_as_it_was(ready: Any, name: str, tamper: Any, says: str) -> None:
    inside = folder(ready, release(ready))
    if (inside / name).exists():
        writable(inside / name)
    tamper(inside / name)
    assert [one for one in verify(inside).problems if one.path == name and says in one.what]


def test_a_change_that_mends_sums_and_page_is_found_by_the_release_hash(ready: Any) -> None:
    inside = folder(ready, release(ready))
    path = writable(inside / "sft/sft_export.jsonl")
    before = measure(path, "x")
    path.write_bytes(path.read_bytes().replace(b"a1", b"b1"))
    after = measure(path, "x")
    for page in ("release.json", "SHA256SUMS"):
        text = writable(inside / page).read_text().replace(before.sha256, after.sha256)
        (inside / page).write_text(text.replace(str(before.content_sha256), str(after.content_sha256)))
    sums = writable(inside / "SHA256SUMS").read_text().splitlines()
    mended = [f"{sha256_of(inside / line[66:])}  {line[66:]}" for line in sums]
    (inside / "SHA256SUMS").write_text("\n".join(mended) + "\n")
    assert [one.path for one in verify(inside).problems] == ["."]


def test_a_damaged_release_is_not_made_again_silently(ready: Any) -> None:
    inside = folder(ready, release(ready))
    writable(inside / "sft/sft_messages.jsonl").unlink()
    with pytest.raises(GateFailed, match=r"damaged: sft/sft_messages\.jsonl is missing"):
        release(ready)


def test_the_newest_release_is_ok_and_older_ones_are_superseded(ready: Any) -> None:
    first = release(ready)
    ready.write("agent_runs", run(4, THIRD))
    publish_all(ready, LATER)
    second = release(ready, LATER)
    states = [(one.release_hash, one.state) for one in store.listed(ready.lake)]
    assert states == [(second.release_hash, "ok"), (first.release_hash, "superseded")]


@pytest.mark.parametrize(("prefix", "says"), [("abc", "too short"), ("0" * 64, "no release has"), ("", "too short")])
def test_a_prefix_that_names_no_release_is_a_usage_error(ready: Any, prefix: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        store.find(ready.lake, prefix)


def test_a_prefix_must_name_one_release(lab: Any) -> None:
    for name in ("abcd" + "0" * 60, "abcd" + "1" * 60):
        (store.folder_of(lab.lake) / name).mkdir(parents=True)
    assert store.find(lab.lake, "abcd0") == "abcd" + "0" * 60
    with pytest.raises(UsageError, match="2 releases have"):
        store.find(lab.lake, "abcd")


def difference(lab: Any, one: Release, other: Release) -> list[compare.Change]:
    with closing(connect(lab.lake)) as connection:
        found = []
        for counts, changes in compare.changes(connection, folder(lab, one), folder(lab, other)):
            listed = list(changes)
            assert sum(count.rows for count in counts) == len(listed)
            found.extend(listed)
        return found


def test_a_difference_names_what_came_went_and_changed(ready: Any) -> None:
    first = release(ready)
    ready.write("agent_runs/more", run(4, THIRD))
    decide(ready, "r1", "rejected")
    publish_all(ready, LATER)
    second = release(ready, LATER)
    found = difference(ready, first, second)
    assert {(one.export, one.change, one.id) for one in found if one.export != SFT.asset} == {
        ("rag_export", "removed", "rag-r1-a1"),
        ("rag_export", "added", "rag-r4-a4"),
        ("preference_export", "removed", "pref-r1-r2"),
        ("preference_export", "added", "pref-r3-r1"),
        ("preference_export", "added", "pref-r4-r1"),
        ("preference_export", "added", "pref-r4-r2"),
    }
    samples = [one for one in found if one.export == SFT.asset]
    assert sorted((one.change, one.stream, one.category) for one in samples) == [
        ("added", "agent_runs", "accepted"),
        ("removed", "agent_runs", "accepted"),
    ]
    assert {one.category for one in found if one.export == PREFERENCE.asset} == {"accepted over rejected"}
    assert difference(ready, second, second) == []


def test_a_difference_tells_splits_apart_where_parquet_files_say_them(ready: Any) -> None:
    rows = chunks(ready)
    ids = [row["id"] for row in rows]
    made = []
    for split_of_first in ("train", "test"):
        publish_rows(ready.lake, RAG.asset, rows)
        beside = {"train": ids[1:], "test": []}
        beside[split_of_first] = [*beside[split_of_first], ids[0]]
        data = {}
        for split, held in beside.items():
            path = ready.root / f"{split}.parquet"
            pq.write_table(pa.table({"id": pa.array(held, pa.string())}), path)
            data[f"data/{split}.parquet"] = path.read_bytes()
        (ready.root / "distilled/rag/data").mkdir(exist_ok=True)
        publish_rows(ready.lake, RAG.asset, rows, data)
        made.append(release(ready))
    assert [(one.change, one.id, one.split) for one in difference(ready, *made)] == [
        ("changed", ids[0], "train to test")
    ]


def test_settings_that_changed_are_named(ready: Any) -> None:
    first = release(ready)
    ready.settings("workers = 1\n[sft]\ninclude_partial = true")
    ready.write("agent_runs", run(4, passed=None, reward=0.5))
    publish_all(ready, LATER)
    ready.publish(LATER, include_partial=True)
    record(ready.lake, SFT.asset, None, ready.firewall(include_partial=True))
    green_exports(ready.lake)
    changed = compare.settings_changed(first, release(ready, LATER))
    assert [(one.name, one.before, one.after) for one in changed] == [("sft_export.include_partial", False, True)]


def recall(lab: Any, run_id: str, at: str = LATER, **options: Any) -> recalling.Recall:
    lake = lab.lake
    with closing(connect(lake)) as connection:
        return recalling.recall(lake, connection, run_id, **{"by": "ann", "at": at, **options})


def gone(lab: Any, recalled: recalling.Recall, made: Release) -> None:
    lake = lab.lake
    with closing(connect(lake)) as connection:
        recalling.check_gone(lake, connection, recalled, made.release_hash)


def test_a_run_whose_verdict_changed_is_found_in_every_release_and_every_export(ready: Any) -> None:
    first = release(ready)
    ready.write("agent_runs", run(4, THIRD))
    publish_all(ready, LATER)
    second = release(ready, LATER)
    sig_hash = decide(ready, "r1", "rejected", reason="it is wrong")
    found = recall(ready, "r1")
    assert {(one.release_hash, one.file) for one in found.changed} == {
        (made.release_hash, f"{export.asset.removesuffix('_export')}/{export.asset}.jsonl")
        for made in (first, second)
        for export in EXPORTS.values()
    }
    assert {(row.release_hash, row.sig_hash, row.verdict_then, row.verdict_now) for row in found.marked} == {
        (made.release_hash, sig_hash, "accepted", "rejected") for made in (first, second)
    }
    assert {(row.reason, row.by, row.at, row.stream) for row in found.marked} == {
        ("it is wrong", "ann", LATER, "agent_runs")
    }
    assert {one.state for one in store.listed(ready.lake)} == {"recalled"}


def test_the_next_release_is_without_it(ready: Any) -> None:
    first = release(ready)
    decide(ready, "r1", "rejected")
    recalled = recall(ready, "r1")
    with pytest.raises(GateFailed, match="was decided rejected"):
        release(ready)
    publish_all(ready, LATER)
    second = release(ready, LATER)
    gone(ready, recalled, second)
    assert {one.release_hash: one.state for one in store.listed(ready.lake)} == {
        first.release_hash: "recalled",
        second.release_hash: "ok",
    }
    with pytest.raises(GateFailed, match="still holds run r1"):
        gone(ready, recalled, first)


def test_a_rejected_run_may_be_the_rejected_side_of_a_pair(ready: Any) -> None:
    release(ready)
    decide(ready, "r1", "rejected")
    recalled = recall(ready, "r1")
    publish_all(ready, LATER)
    assert "pref-r3-r1" in {pair["id"] for pair in pairs(ready)}
    gone(ready, recalled, release(ready, LATER))


def test_a_rejected_side_that_was_accepted_since_is_recalled_too(ready: Any) -> None:
    release(ready)
    decide(ready, "r2", "accepted")
    assert {(one.file, one.verdict_then, one.verdict_now) for one in recall(ready, "r2").changed} == {
        ("preference/preference_export.jsonl", "rejected", "accepted")
    }


def test_recalling_again_marks_nothing_new(ready: Any) -> None:
    release(ready)
    decide(ready, "r1", "rejected")
    recall(ready, "r1")
    log = store.recalls_path(ready.lake).read_bytes()
    again = recall(ready, "r1", "2026-05-12T00:00:00.000Z")
    assert (again.marked, len(again.changed)) == ([], 3)
    assert store.recalls_path(ready.lake).read_bytes() == log


def test_a_run_whose_verdict_did_not_change_is_not_recalled(ready: Any) -> None:
    release(ready)
    with pytest.raises(UsageError, match=r"triage decide [0-9a-f]{16} rejected"):
        recall(ready, "r1")
    assert not store.recalls_path(ready.lake).exists()


def test_a_run_that_was_never_released_has_nothing_to_recall(ready: Any) -> None:
    ready.write("agent_runs", run(5))
    ready.make()
    release_less = recall(ready, "r5")
    assert (release_less.found, release_less.marked) == ([], [])


def test_a_run_that_nobody_knows_is_a_usage_error(ready: Any) -> None:
    with pytest.raises(UsageError, match="no run has the id 'r99'"):
        recall(ready, "r99")


def forget(lab: Any, run_id: str) -> None:
    """Take a run out of the scored runs."""
    for path in (lab.root / "scored-runs").glob("*/*/*/*.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(line for line in lines if f'"{run_id}"'.encode() not in line))


def test_a_run_whose_row_is_gone_from_the_lake_is_recalled(ready: Any) -> None:
    made = release(ready)
    forget(ready, "r1")
    found = recall(ready, "r1")
    assert {row.verdict_now for row in found.marked} == {recalling.GONE}
    assert {row.release_hash for row in found.marked} == {made.release_hash}


def test_a_run_that_another_of_its_rows_rejects_is_recalled(ready: Any) -> None:
    release(ready)
    ready.write("agent_runs", bad(1, day=THIRD, response="another"))
    publish_all(ready, LATER)
    found = recall(ready, "r1")
    assert {(row.verdict_then, row.verdict_now) for row in found.marked} == {("accepted", recalling.CONFLICT)}


def test_only_the_run_of_the_named_stream_is_recalled(lab: Any) -> None:
    lab.write("agent_runs", run(1), bad(2))
    outcome = {"run_id": "r1", "scenario": "s", "total_events": 2, "ok_events": 2, "ts": f"{DAY}T10:00:00Z"}
    lab.write("outcomes", outcome)
    publish_all(lab)
    release(lab)
    decide(lab, "r1", "rejected")
    found = recall(lab, "r1", stream="agent_runs")
    assert {row.stream for row in found.rows} == {"agent_runs"}
    assert len({one.sig_hash for one in found.found}) == 1
    with pytest.raises(UsageError, match="still is"):
        recall(lab, "r1", stream="outcomes")
    with pytest.raises(LakehouseError, match="there is no stream"):
        recall(lab, "r1", stream="nope")


def test_a_verdict_that_came_back_ends_the_recall_when_the_release_is_made_again(ready: Any) -> None:
    first = release(ready)
    decide(ready, "r1", "rejected")
    recall(ready, "r1")
    publish_all(ready, LATER)
    release(ready, LATER)
    decide(ready, "r1", "accepted", at="2026-05-10T00:00:00.000Z")
    publish_all(ready, LATER)
    assert release(ready, LATER) == first
    assert next((one.release_hash, one.state) for one in store.listed(ready.lake)) == (first.release_hash, "ok")


@pytest.mark.parametrize(("run_id", "now", "then"), [("r1", "rejected", "accepted"), ("r2", "accepted", "rejected")])
def test_a_labelled_run_is_found_by_what_it_says(ready: Any, run_id: str, now: str, then: str) -> None:
    ready.publish_preference()
    green_exports(ready.lake)
    release(ready)
    decide(ready, run_id, now)
    found = [one for one in recall(ready, run_id).changed if one.file == "preference/kto.jsonl"]
    assert [(one.verdict_then, one.verdict_now) for one in found] == [(then, now)]
    line = (ready.root / "distilled/preference/kto.jsonl").read_text().splitlines()[int(found[0].id.split()[1]) - 1]
    assert json.loads(line)["completion"][0]["content"] == run_id.replace("r", "a")


def test_labels_cannot_be_searched_for_a_run_that_is_gone(ready: Any) -> None:
    ready.publish_preference()
    green_exports(ready.lake)
    made = release(ready)
    forget(ready, "r1")
    found = recall(ready, "r1")
    assert found.silent == [f"{made.release_hash}/preference/kto.jsonl"]
    assert found.marked
