"""The same chain as others would write it: plain pydantic models, and blocks of a datatrove pipeline.

Here: the peers of `chain.py`. They read the same files, keep the same fields, apply the same scoring rules and templates
and write the same three kinds of file; neither detects duplicates, keeps stamps nor hashes what it writes.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from lakehouse.chain.collect import to_evidence
from lakehouse.firewall import withheld
from lakehouse.jsonl import encode
from lakehouse.lake import Lake
from lakehouse.records import EvidenceRecord, Provenance, ScoredRun, SftSample
from lakehouse.scoring import score
from lakehouse.secrets import scan
from lakehouse.sft import synthesize
from lakehouse.streams import Seen

NOW = "2026-05-02T02:00:00.000Z"


def _model(struct: Any) -> Any:
    """Make the pydantic model of a record: the same fields, nested ones too."""
    import msgspec
    from pydantic import ConfigDict, create_model

    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        kind = field.type
        nested = _nested(kind)
        if nested is not None:
            kind = _model(nested) if kind is nested else _model(nested) | None
        required = field.default is msgspec.NODEFAULT and field.default_factory is msgspec.NODEFAULT
        fields[field.name] = (kind, ... if required else None)
    return create_model(struct.__name__, __config__=ConfigDict(extra="ignore"), **fields)


def _nested(kind: Any) -> Any:
    import typing

    import msgspec

    for one in (kind, *typing.get_args(kind)):
        if isinstance(one, type) and issubclass(one, msgspec.Struct):
            return one
    return None


def pydantic_chain(root: Path) -> None:
    """Rows to evidence, verdicts and samples with pydantic validating and writing each record."""
    import msgspec

    lake = Lake(root)
    evidence_model, scored_model, sample_model = map(_model, (EvidenceRecord, ScoredRun, SftSample))
    out = root / "distilled"
    out.mkdir(exist_ok=True)
    for name, stream in lake.streams.items():
        path = root / "_kb" / f"{name}.jsonl"
        if not path.exists():
            continue
        row_model = _model(stream.row_type)
        with (
            path.open("rb") as rows,
            (out / f"{name}.evidence").open("w") as evidence_file,
            (out / f"{name}.scored").open("w") as scored_file,
            (out / f"{name}.sft").open("w") as sample_file,
        ):
            for offset, line in enumerate(rows):
                row = row_model.model_validate_json(line)
                canonical = json.dumps(json.loads(line), sort_keys=True, separators=(",", ":")).encode()
                place = Provenance(
                    source_file=f"_kb/{name}.jsonl",
                    line_offset=offset,
                    sig_hash=hashlib.sha256(canonical).hexdigest(),
                    recorded_at=NOW,
                )
                record = stream.transform(row, Seen(stream, place, row.ts or row.reviewed_at))
                evidence = evidence_model.model_validate(msgspec.to_builtins(record))
                evidence_file.write(evidence.model_dump_json(exclude_none=True) + "\n")
                verdict = score(record, stream, NOW)
                scored = scored_model.model_validate(msgspec.to_builtins(verdict))
                scored_file.write(scored.model_dump_json(exclude_none=True) + "\n")
                if withheld(verdict, record.source_class, include_partial=True) is None:
                    sample = synthesize(record, verdict, stream, NOW, include_partial=True)
                    if sample is not None and scan(encode(sample)) is None:
                        written = sample_model.model_validate(msgspec.to_builtins(sample))
                        sample_file.write(written.model_dump_json(exclude_none=True) + "\n")


def datatrove_chain(root: Path) -> None:
    """The same functions as blocks of datatrove: its reader, a step per stage, its writer, one local task."""
    import msgspec
    from datatrove.data import Document, DocumentsPipeline
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.base import PipelineStep
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers.jsonl import JsonlWriter

    lake = Lake(root)

    class Evidence(PipelineStep):
        """Rows to evidence."""

        name = "evidence"

        def run(self, data: DocumentsPipeline, *_: int, **__: int) -> DocumentsPipeline:
            for document in data:
                stream = lake.stream(Path(document.metadata["file_path"]).stem)
                line = json.dumps(document.metadata["row"]).encode()
                record = to_evidence(stream, f"_kb/{stream.name}.jsonl", 0, line, NOW)
                document.metadata = {"record": record, "stream": stream, "evidence": msgspec.to_builtins(record)}
                yield document

    class Score(PipelineStep):
        """Evidence to verdicts."""

        name = "score"

        def run(self, data: DocumentsPipeline, *_: int, **__: int) -> DocumentsPipeline:
            for document in data:
                verdict = score(document.metadata["record"], document.metadata["stream"], NOW)
                document.metadata["verdict"] = verdict
                document.metadata["scored"] = msgspec.to_builtins(verdict)
                yield document

    class Samples(PipelineStep):
        """Verdicts to samples; drops what the firewall withholds."""

        name = "samples"

        def run(self, data: DocumentsPipeline, *_: int, **__: int) -> DocumentsPipeline:
            for document in data:
                record, verdict = document.metadata["record"], document.metadata["verdict"]
                if withheld(verdict, record.source_class, include_partial=True) is None:
                    sample = synthesize(record, verdict, document.metadata["stream"], NOW, include_partial=True)
                    if sample is not None and scan(encode(sample)) is None:
                        document.metadata = msgspec.to_builtins(sample)
                        yield document

    def adapt(_: Any, data: dict[str, Any], path: str, number: int) -> dict[str, Any]:
        return {"text": "-", "id": f"{path}/{number}", "metadata": {"row": data}}

    def only(key: str) -> Any:
        def write(_: Any, document: Document) -> dict[str, Any]:
            held: dict[str, Any] = document.metadata[key] if key else document.metadata
            return held

        return write

    out = root / "distilled"
    LocalPipelineExecutor(
        pipeline=[
            JsonlReader(str(root / "_kb"), adapter=adapt, glob_pattern="*.jsonl"),
            Evidence(),
            JsonlWriter(str(out / "evidence"), compression=None, adapter=only("evidence")),
            Score(),
            JsonlWriter(str(out / "scored"), compression=None, adapter=only("scored")),
            Samples(),
            JsonlWriter(str(out / "sft"), compression=None, adapter=only("")),
        ],
        tasks=1,
        workers=1,
        logging_dir=str(out / "logs"),
    ).run()
