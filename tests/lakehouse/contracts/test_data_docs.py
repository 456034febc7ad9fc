"""Data Docs show suites and newest results, hold no value of the data, tell nobody who reads them, replace old ones whole."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lakehouse.contracts.data_docs import write_data_docs
from lakehouse.gates.contracts import evidence_contract, sft_contract
from lakehouse.gates.verdicts import record
from tests.lakehouse.contracts.planting import DAY, NOW, SSN, Fault, day_of, evidence, lines, sample

pytestmark = pytest.mark.contracts


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a lake in which an SSN stands wherever a text may stand, in rows that fail."""
    root = tmp_path_factory.mktemp("lake")
    faults: list[Fault] = [
        ("", {"source_class": SSN, "run_id": SSN, "text": SSN}, []),
        ("", {"timestamp": SSN, "provenance.sig_hash": SSN}, []),
        ("", {"provenance.source_file": SSN, "task_id": SSN}, []),
        ("", f'{{"run_id": "{SSN}", "text": 5}}'.encode(), []),
    ]
    lake = day_of(root, audits=lines(evidence, faults))
    path = root / "sft_export.jsonl"
    path.write_bytes(lines(sample, [("", {"id": SSN, "category": SSN, "response": ""}, [])]))
    record(lake, "evidence", DAY, evidence_contract(lake, DAY, NOW))
    record(lake, "sft_export", None, sft_contract(lake, path, NOW))
    old = root / "reports" / "data_docs" / "old.html"
    old.parent.mkdir(parents=True)
    old.write_text("old")
    return write_data_docs(lake, root / "reports").parent


def text(docs: Path, pattern: str) -> str:
    (page,) = docs.glob(pattern)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.read_text()))


def test_no_file_of_the_pages_or_verdicts_holds_a_value(docs: Path) -> None:
    root = docs.parent.parent
    files = [path for folder in (docs, root / "gates") for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 8
    assert [path for path in files if SSN.encode() in path.read_bytes()] == []


def test_the_results_count_what_failed(docs: Path) -> None:
    page = text(docs, "validations/evidence/*/*/*.html")
    assert "source_class must be one of verdict, telemetry, extraction 1 unexpected values found" in page
    assert "every line must decode into the types of its record" in page
    assert "Status: Failed" in page
    assert DAY in page


def test_a_suite_without_a_verdict_is_shown_alone(docs: Path) -> None:
    assert "chunk_count must be above chunk_index" in text(docs, "expectations/rag_export.html")
    assert list(docs.glob("validations/rag_export/**/*.html")) == []


def test_the_start_page_lists_every_page_without_a_script(docs: Path) -> None:
    links = re.findall(r'<li><a href="([^"]+)">(?:Results|Suite)', (docs / "index.html").read_text())
    assert sorted(links) == sorted(
        path.relative_to(docs).as_posix() for path in docs.rglob("*.html") if path.name != "index.html"
    )


def test_no_page_tells_a_server_that_it_is_read(docs: Path) -> None:
    pages = [*docs.rglob("*.html"), *docs.rglob("*.css")]
    assert not any("great-expectations-web-assets" in page.read_text() for page in pages)
    for page in docs.rglob("*.html"):
        for logo in re.findall(r'src="([^"]*logo-long.png)"', page.read_text()):
            assert (page.parent / logo).exists()


def test_old_pages_are_replaced_whole(docs: Path) -> None:
    assert not (docs / "old.html").exists()
    assert [path.name for path in docs.parent.iterdir()] == ["data_docs"]
