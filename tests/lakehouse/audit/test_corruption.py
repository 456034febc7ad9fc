"""One bit flipped anywhere: the next audit fails and names the file and the line."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from lakehouse.audit.files import Changed, published, written_on
from lakehouse.audit.locate import locate
from lakehouse.files import sha256_of

NOW = "2030-01-01T00:00:00.000Z"
ODD = "2026/05/02"
EVIDENCE, SCORED = f"evidence/{ODD}/scrum_reviews.jsonl", f"scored-runs/{ODD}/scrum_reviews.jsonl"
SFT, RAG, PREFERENCE = "distilled/sft", "distilled/rag", "distilled/preference"
FLIPS = [
    (EVIDENCE, 2, '"text":"'),
    ("evidence/2026/05/01/scrum_reviews.jsonl", 3, '"schema_version'),
    ("evidence/2026/05/01/observer_reviews.jsonl", 1, '"recorded_at":"'),
    ("evidence/2026/05/03/scrum_reviews.jsonl", 2, '"source_file":"_kb/scrum_reviews.jsonl","line_offset":'),
    ("evidence/2026/05/03/agent_runs.jsonl", 1, "}}"),  # the newline
    (SCORED, 2, '"category":"'),
    ("scored-runs/2026/05/03/scrum_reviews.jsonl", 1, '"scored_at":"2026-05-10T02:00:00.00'),
    ("scored-runs/2026/05/04/scrum_reviews.jsonl", 3, '"recorded_at":"2026-05-10T02:00:00.00'),
    (f"quarantine/{ODD}/collect.jsonl", 1, '"reason":"'),
    (f"quarantine/{ODD}/export-sft.jsonl", 1, '"stream":"'),
    (f"{SFT}/parts/{ODD}.jsonl", 2, '"response":"'),
    (f"{SFT}/parts/2026/05/05.jsonl", 1, '"created_at":"2026-05-10T02:00:00.00'),
    (f"{RAG}/parts/{ODD}.jsonl", 3, '"content":"'),
    (f"{SFT}/sft_export.jsonl", 3, '"instruction":"'),
    (f"{SFT}/sft_messages.jsonl", 4, '"content":"'),
    (f"{SFT}/sft_prompt_completion.jsonl", 5, '"role":"'),
    (f"{RAG}/rag_export.jsonl", 6, '"title":"'),
    (f"{PREFERENCE}/preference_export.jsonl", 2, '"reason":"'),
    (f"{PREFERENCE}/preference_trl.jsonl", 3, '"chosen":[{"role":"'),
    (f"{PREFERENCE}/preference_openai.jsonl", 1, '"parallel_tool_calls'),
    (f"{PREFERENCE}/kto.jsonl", 2, '"label":'),
    ("reports/distillation/first/receipts/score.json", 4, '"stage": "'),
    ("reports/distillation/second/receipts/collect.json", 5, '"started_at": "'),
    ("reports/distillation/second/receipts/export-rag.json", 6, '"finished_at": "'),
]
ALONE = [
    FLIPS[0],
    FLIPS[5],
    (f"{SFT}/sft_export.jsonl", 7, '"created_at":"2026-05-10T02:00:00.00'),
    (f"{SFT}/sft_messages.jsonl", 4, '"content":"'),
    FLIPS[21],
]


@pytest.fixture(scope="module")
def damaged(pattern: Path, tmp_path_factory: pytest.TempPathFactory, helpers: Any) -> dict[str, list[int]]:
    """Flip a bit in a file of every kind, audit once, and give the lines that are named by file."""
    lake = helpers.copy(pattern, tmp_path_factory.mktemp("damaged") / "lake")
    for path, line, after in FLIPS:
        lake.flip(path, line, after)
    report = lake.audit()
    assert not report.passed
    found: dict[str, list[int]] = {}
    for file, line in helpers.places(helpers.one(report, "receipts_valid")):
        found.setdefault(file, []).append(line)
    return found


@pytest.mark.parametrize(("path", "line"), [(path, line) for path, line, _ in FLIPS])
def test_a_flipped_bit_in_every_kind_of_file_is_named_by_file_and_line(
    damaged: dict[str, list[int]], path: str, line: int
) -> None:
    assert damaged[path] == [line]


def test_no_other_file_is_blamed(damaged: dict[str, list[int]]) -> None:
    assert set(damaged) == {path for path, _, _ in FLIPS}


@pytest.mark.parametrize(("path", "line", "after"), ALONE)
def test_a_single_flipped_bit_fails_the_audit(finished: Any, helpers: Any, path: str, line: int, after: str) -> None:
    finished.flip(path, line, after)
    report = finished.audit()
    assert not report.passed
    assert helpers.places(helpers.one(report, "receipts_valid")) == [(path, line)]


def test_a_changed_row_of_a_parquet_file_is_named_with_its_column(finished: Any, helpers: Any) -> None:
    path = finished.root / SFT / "data" / "train.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    rows[4]["source_run_id"] += "x"
    pq.write_table(table.from_pylist(rows, table.schema), path)
    (found,) = helpers.one(finished.audit(), "receipts_valid").offenders
    assert (found["file"], found["line"]) == (f"{SFT}/data/train.parquet", 5)
    assert "column source_run_id" in found["why"]


@pytest.mark.parametrize(("place", "words"), [(6, "rows 1 to "), (-2, "footer")])
def test_a_parquet_file_that_cannot_be_read_says_which_rows_are_lost(
    finished: Any, helpers: Any, place: int, words: str
) -> None:
    path = finished.root / SFT / "data" / "train.parquet"
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)
    found = helpers.one(finished.audit(), "receipts_valid").offenders
    assert {(found[0]["file"], found[0]["line"])} == {(f"{SFT}/data/train.parquet", 0)}
    assert words in found[0]["why"]


def changed(finished: Any, path: str) -> list[Changed]:
    held = [*written_on(finished.lake, ["2026-05-02"]), *published(finished.lake)]
    return [Changed(one, sha256_of(finished.root / path)) for one in held if one.ref.path == path]


def located(finished: Any, path: str) -> list[tuple[int, str]]:
    return [(one["line"], one["why"]) for one in locate(finished.lake, changed(finished, path), NOW)]


@pytest.mark.parametrize(
    ("edit", "line", "word"),
    [
        (lambda lines: lines[:1] + lines[2:], 2, "gone"),
        (lambda lines: [*lines[:2], lines[0], *lines[2:]], 3, "put in"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], 1, "order"),
        (lambda lines: lines[:-1], 3, "gone"),
    ],
)
def test_lines_that_went_or_came_are_named(finished: Any, edit: Any, line: int, word: str) -> None:
    finished.write(SCORED, edit(finished.lines(SCORED)))
    ((found, why),) = located(finished, SCORED)
    assert found == line
    assert word in why


def test_the_fields_that_differ_are_told_and_never_what_stands_in_them(finished: Any) -> None:
    finished.change(EVIDENCE, 2, text="secret words", task_id="secret task")
    ((line, why),) = located(finished, EVIDENCE)
    assert (line, why) == (2, "the line changed after it was written (field task_id, text)")


def test_looking_for_lines_changes_nothing_in_the_lake(finished: Any) -> None:
    finished.flip(*FLIPS[0])
    finished.flip(*FLIPS[5])
    before = tree(finished.root)
    assert not finished.audit().passed
    assert tree(finished.root) == before


def tree(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file() and "locks" not in path.parts)
    return {str(path.relative_to(root)): sha256_of(path) for path in files}


def lose_rows(finished: Any) -> None:
    for path in (finished.root / "_kb").glob("*.jsonl"):
        if path.stem not in ("human_overrides", "holdout"):
            path.unlink()


SUSPECTS = [
    (EVIDENCE, 2, '"schema_version', "not the record"),
    (SCORED, 2, '"category":"', "not the record"),
    (f"{SFT}/parts/{ODD}.jsonl", 2, '"response":"', "id"),
    (f"{RAG}/parts/{ODD}.jsonl", 3, '"content":"', "id"),
    (f"{PREFERENCE}/preference_export.jsonl", 2, '"content":"', "id"),
]
FORMS = [
    (f"{SFT}/sft_messages.jsonl", 4, '"content":"', "native"),
    (f"{SFT}/sft_prompt_completion.jsonl", 5, '"content":"', "native"),
    (f"{PREFERENCE}/preference_trl.jsonl", 3, '"content":"', "native"),
    (f"{RAG}/rag_export.jsonl", 3, '"task_id":"', "no day part"),
]
NATIVE = [(f"{SFT}/sft_export.jsonl", 3, '"task_id":"', "no day part")]


@pytest.mark.parametrize("flips", [SUSPECTS, FORMS, NATIVE], ids=["records", "forms", "native"])
def test_where_nothing_can_be_made_again_what_contradicts_itself_is_named(finished: Any, flips: Any) -> None:
    lose_rows(finished)
    shutil.rmtree(finished.root / "index" / "lines")
    finished.flip(f"evidence/{ODD}/audits.jsonl", 1, '"schema_version')
    for path, line, after, _ in flips:
        finished.flip(path, line, after)
    files = [one for path, *_ in flips for one in changed(finished, path)]
    found = {one["file"]: (one["line"], one["why"]) for one in locate(finished.lake, files, NOW)}
    assert {path: line for path, (line, _) in found.items()} == {path: line for path, line, *_ in flips}
    assert all(word in found[path][1] for path, _, _, word in flips)


def test_a_published_line_is_not_blamed_for_a_part_that_changed(finished: Any) -> None:
    lose_rows(finished)
    shutil.rmtree(finished.root / "index" / "lines")
    finished.flip(f"{SFT}/parts/{ODD}.jsonl", 2, '"response":"')
    finished.flip(f"{SFT}/sft_export.jsonl", 3, '"task_id":"')
    ((line, why),) = located(finished, f"{SFT}/sft_export.jsonl")
    assert line == 0
    assert "not known" in why


def test_a_scored_run_whose_signature_does_not_recompute_is_named(finished: Any) -> None:
    lose_rows(finished)
    finished.change(SCORED, 2, reasons=["other words"])
    shutil.rmtree(finished.root / "index" / "lines")
    assert located(finished, SCORED) == [(2, "its sig_hash is not that of what it says")]


def test_where_nothing_can_be_known_the_line_is_0_and_says_why(finished: Any) -> None:
    lose_rows(finished)
    finished.change(EVIDENCE, 2, model_role="other")
    ((line, why),) = located(finished, EVIDENCE)
    assert line == 0
    assert "which line is not known: it could not be made again" in why


def test_rows_that_changed_since_do_not_blame_the_wrong_line(finished: Any) -> None:
    """What is made again is compared only where its content hash is that of what was written."""
    path = finished.root / "_kb" / "scrum_reviews.jsonl"
    path.write_bytes(path.read_bytes().replace(b"w02a0", b"w02a9"))
    finished.change(EVIDENCE, 2, model_role="other")
    ((line, why),) = located(finished, EVIDENCE)
    assert line == 0
    assert "made again it is not what was written" in why


def test_a_changed_stamp_that_no_other_line_has_is_named_as_malformed(finished: Any) -> None:
    for line in (1, 2):
        finished.change(SCORED, line, scored_at=f"yesterday {line}")
    found = located(finished, SCORED)
    assert [line for line, _ in found] == [1, 2]
    assert all("scored_at" in why for _, why in found)
