"""The fixture lake: every trap that its page names is there, every line has an expectation, and all of them come true."""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from lakehouse import code
from lakehouse.acceptance import fixture
from lakehouse.acceptance.copies import Copies
from lakehouse.acceptance.fixture import Expected, code_and_fixture_hash, fixture_path, read_expected
from lakehouse.acceptance.raw import read_raw
from lakehouse.errors import RecordError, UsageError
from lakehouse.lake import Lake
from lakehouse.secrets import find

ROOT = Path(__file__).parents[3]
HERE = ROOT / "tests" / "fixtures" / "acceptance"
TRAP = re.compile(r"^\| `(_kb/[^`:]+):(\d+)` \| (.+?) \| (.+?) \|$", re.M)
TRAPS = TRAP.findall((HERE / "README.md").read_text(encoding="utf-8"))


def lines(file: str) -> list[bytes]:
    return (HERE / file).read_bytes().splitlines(keepends=True)


def expected() -> list[Expected]:
    return read_expected(HERE) or []


def test_the_page_lists_traps_and_each_stands_where_it_says() -> None:
    assert len(TRAPS) > 50
    for file, line, _, _ in TRAPS:
        assert 1 <= int(line) <= len(lines(file)), f"{file}:{line}"


def test_every_trap_in_a_stream_has_an_expectation() -> None:
    known = {(one.file, one.line) for one in expected()}
    of_streams = {(file, int(line)) for file, line, _, _ in TRAPS if file.count("holdout") + file.count("human_") == 0}
    assert of_streams <= known


def test_every_raw_line_has_exactly_one_expectation() -> None:
    held = Counter((one.file, one.line) for one in expected())
    streams = {one.file for one in expected()}
    assert held == Counter({(file, number): 1 for file in streams for number in range(1, len(lines(file)) + 1)})
    found = {f"_kb/{path.relative_to(HERE / '_kb').as_posix()}" for path in (HERE / "_kb").rglob("*.jsonl")}
    assert found - streams == {"_kb/human_overrides.jsonl", "_kb/holdout.jsonl"}


@pytest.mark.parametrize(
    ("fate", "least"),
    [
        ("becomes:duplicate", 1),
        ("becomes:torn", 1),
        ("becomes:waiting_future", 1),
        ("becomes:undated:not_json", 1),
        ("becomes:undated:not_utf8", 1),
        ("becomes:undated:not_object", 1),
        ("becomes:undated:no_timestamp", 1),
        ("becomes:undated:bad_timestamp", 1),
        ("becomes:undated:before_first_day", 1),
        ("becomes:quarantined:missing_field", 1),
        ("becomes:quarantined:bad_value", 1),
        ("becomes:rejected", 8),
        ("becomes:needs_human_review", 8),
        ("sft:published", 20),
        ("sft:extraction_class", 8),
        ("sft:conflicting_verdicts", 1),
        ("sft:duplicate_content", 1),
        ("sft:near_duplicate", 1),
        ("sft:holdout_overlap", 2),
        ("sft:pii_ssn", 1),
        ("sft:secret", 1),
        ("sft:not_instructable", 1),
    ],
)
def test_every_kind_of_trap_is_planted(fate: str, least: int) -> None:
    fates = Counter(f"becomes:{one.becomes}" for one in expected()) + Counter(f"sft:{one.sft}" for one in expected())
    assert fates[fate] >= least


def test_every_built_in_stream_and_a_declared_one_has_rows() -> None:
    streams = {row.stream for row in read_raw(Lake(HERE))}
    assert streams == set(Lake(HERE).streams)
    assert "support_tickets" in streams


def test_no_day_has_a_fifth_of_its_rows_quarantined(copies: Copies) -> None:
    for day in copies.first.days:
        manifest = json.loads(copies.first.lake.manifest("collect", day).read_bytes())
        assert manifest["records_quarantined"] / manifest["records_in"] < 0.2


def test_what_is_planted_is_found_by_the_scan_and_is_plainly_fake() -> None:
    planted = [value for one in expected() for value in one.planted]
    assert len(planted) == 3
    for value in planted:
        assert find(value) is not None
        assert "EXAMPLE" in value or value == "078-05-1120"


def test_a_line_ends_in_crlf_and_a_file_is_torn() -> None:
    assert lines("_kb/auto_apply.jsonl")[6].endswith(b"}\r\n")
    assert not lines("_kb/observer_escalations.jsonl")[-1].endswith(b"\n")


def test_runs_are_left_out_for_the_reasons_that_were_written_down(copies: Copies) -> None:
    lake = copies.first.lake
    places = {row.sig: row.place for row in read_raw(lake)}
    # Equal rows share a signature, and none of those left out has an equal.
    left_out = {
        places[row["sig_hash"]]: row["reason"]
        for row in map(json.loads, (lake.sft / "left_out.jsonl").read_bytes().splitlines())
    }
    quarantined = {
        (row["source_file"], row["line_offset"]): row["reason_code"]
        for path in lake.root.glob("quarantine/*/*/*/export-sft.jsonl")
        for row in map(json.loads, path.read_bytes().splitlines())
    }
    publishing = {"conflicting_verdicts", "duplicate_content", "near_duplicate", "holdout_overlap"}
    assert left_out == {one.place: one.sft for one in expected() if one.sft in publishing}
    assert quarantined == {one.place: one.sft for one in expected() if one.sft in ("pii_ssn", "secret")}


def test_what_is_quarantined_for_a_secret_does_not_hold_it(copies: Copies) -> None:
    planted = [value for one in expected() for value in one.planted]
    for path in copies.first.lake.root.glob("quarantine/**/*.jsonl"):
        assert not any(value in path.read_text(encoding="utf-8") for value in planted)


def test_the_wheel_ships_the_fixture_where_it_is_looked_for() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]["targets"]
    assert wheel["wheel"]["force-include"]["tests/fixtures/acceptance"] == "lakehouse/acceptance/fixture"
    packaged = Path(fixture.__file__).parent / "fixture"
    assert (packaged, HERE) == fixture._PLACES
    assert fixture_path() == HERE


def test_a_missing_fixture_is_a_clear_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(fixture, "_PLACES", (tmp_path / "one", tmp_path / "two"))
    with pytest.raises(UsageError, match=r"not installed.*install the wheel"):
        fixture_path()


def test_an_expectation_that_is_none_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "expected.jsonl").write_text('{"file":"a","line":1,"becomes":"accepted"}\n{"file":"a"}\n')
    with pytest.raises(RecordError, match=r"expected\.jsonl:2"):
        read_expected(tmp_path)


def test_the_hash_covers_the_fixture_and_the_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(code, "PACKAGE", tmp_path / "package")
    for name in ("package/a.py", "package/b.sql", "package/c.txt", "fixture/_kb/d.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    before = code_and_fixture_hash(tmp_path / "fixture")
    assert before == code_and_fixture_hash(tmp_path / "fixture")
    seen = {before}
    for name in ("package/a.py", "package/b.sql", "fixture/_kb/d.jsonl"):
        (tmp_path / name).write_text("2")
        seen.add(code_and_fixture_hash(tmp_path / "fixture"))
    assert len(seen) == 4
    (tmp_path / "package/c.txt").write_text("2")
    assert code_and_fixture_hash(tmp_path / "fixture") in seen
