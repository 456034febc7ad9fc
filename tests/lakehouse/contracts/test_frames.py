"""Frames hold plain columns of every row, whatever the size of a batch, and know where each row stands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakehouse.contracts import shapes
from lakehouse.contracts.columns import Shape
from lakehouse.contracts.frames import Frames, Source, decoder
from lakehouse.lake import Lake
from lakehouse.records import EvidenceRecord, PreferencePair, RagChunk, SftSample
from tests.lakehouse.contracts.planting import ABSENT, SSN, Row, changed, chunk, evidence, lines, pair, sample

MAKERS = [
    (shapes.EVIDENCE, evidence),
    (shapes.SFT, sample),
    (shapes.RAG, chunk),
    (shapes.PREFERENCE, pair),
]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("frames")


@given(
    files=st.lists(st.lists(st.sampled_from(["good", "bad"]), max_size=6), max_size=4),
    size=st.integers(min_value=1, max_value=7),
)
def test_every_line_is_a_row_or_a_fault_with_its_place(folder: Path, files: list[list[str]], size: int) -> None:
    sources, good, bad = [], [], []
    for number, kinds in enumerate(files):
        path = folder / f"{number}.jsonl"
        path.write_bytes(
            b"".join(
                (b"{\n" if kind == "bad" else lines(sample, [])[:0] + _line(number * 10 + at))
                for at, kind in enumerate(kinds)
            )
        )
        sources.append(Source(path, path.name))
        good += [(number, at) for at, kind in enumerate(kinds, start=1) if kind == "good"]
        bad += [(number, at) for at, kind in enumerate(kinds, start=1) if kind == "bad"]
    frames = Frames(Lake(folder), shapes.SFT, sources)
    batches = list(frames.batches(size))
    assert [place for batch in batches for place in zip(batch.files, batch.lines, strict=True)] == good
    assert all(len(batch.frame) == len(batch.lines) <= size for batch in batches)
    assert [fault[:2] for fault in frames.faults] == bad
    assert (frames.rows, frames.lost) == (len(good) + len(bad), len(bad))
    keys = frames.keys()
    assert list(zip(keys.files, keys.lines, strict=True)) == good
    assert keys.frame["key"].nunique() == len(good)


def _line(number: int) -> bytes:
    return lines(sample, []).split(b"\n")[0].replace(b"sft-0000000000000001", f"sft-{number:016x}".encode()) + b"\n"


@pytest.mark.parametrize(("shape", "make"), MAKERS)
def test_columns_are_numpy_and_hold_no_text_of_the_record(shape: Shape, make: object, tmp_path: Path) -> None:
    assert callable(make)
    row: Row = make(1)
    for name in (
        "text",
        "instruction",
        "context",
        "response",
        "content",
        "title",
        "reason",
        "task_id",
        "run_id",
        "source_run_id",
    ):
        if name in row:
            row[name] = f"{SSN} {row[name]}"
    (tmp_path / "a.jsonl").write_bytes(lines(lambda _: row, []))
    (batch,) = Frames(Lake(tmp_path), shape, [Source(tmp_path / "a.jsonl", "a")]).batches()
    assert list(batch.frame.columns) == list(shape.columns)
    assert {str(kind) for kind in batch.frame.dtypes} <= {"object", "float64", "bool"}
    assert all(isinstance(batch.frame[name].to_numpy(), np.ndarray) for name in batch.frame)
    assert SSN not in batch.frame.to_csv()


@pytest.mark.parametrize("record", [EvidenceRecord, SftSample, RagChunk, PreferencePair])
def test_any_field_may_be_absent_or_null_and_none_of_another_type(record: type) -> None:
    decode = decoder(record)
    for name in record.__struct_fields__:
        assert getattr(decode(b"{}"), name) is None
        assert getattr(decode(f'{{"{name}":null}}'.encode()), name) is None
        wrong = '"1"' if name in ("schema_version", "line_offset") else "true" if name != "tools" else "1"
        with pytest.raises(ValueError, match="Expected"):
            decode(f'{{"{name}":{wrong}}}'.encode())


def test_rows_without_a_key_equal_nobody(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(lines(lambda number: changed(sample(number), {"id": ABSENT}), []))
    frames = Frames(Lake(tmp_path), shapes.SFT, [Source(tmp_path / "a.jsonl", "a")])
    assert len(list(frames.batches())) == 1
    assert frames.keys().frame["key"].is_unique
