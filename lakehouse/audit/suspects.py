"""What can be known of a changed file that cannot be made again: lines that contradict themselves or their neighbours.

Here: lines that do not decode, ids and signatures that do not recompute, published lines that stand in no day part, and
forms that are no rendering of their native line. Not here: files that can be made again (`rebuild.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import orjson

from lakehouse.audit.files import Written
from lakehouse.audit.lines import digests
from lakehouse.canonical import content_id, text_id
from lakehouse.chain.manifests import read_manifest
from lakehouse.files import sha256_of
from lakehouse.lake import Lake
from lakehouse.publish.exports import PREFERENCE, RAG, SFT, Export
from lakehouse.publish.forms import chat, messages_line, prompt_completion_line
from lakehouse.publish.preference import TRL, trl_line
from lakehouse.publish.sft import MESSAGES, PROMPT_COMPLETION
from lakehouse.publish.state import made_days, read_publication
from lakehouse.records import EvidenceRecord, PreferencePair, QuarantinedRow, RagChunk, Record, ScoredRun, SftSample
from lakehouse.scoring import signature

UNDECODED = "the line is not the record that it should be"
NO_PART = "the line stands in no day part: it changed after it was published"
NO_FORM = "the line is not the form of its line in the native file"
_KINDS: Mapping[str, type[Record]] = {
    "evidence": EvidenceRecord,
    "scored-runs": ScoredRun,
    "quarantine": QuarantinedRow,
    "distilled/sft/parts": SftSample,
    "distilled/rag/parts": RagChunk,
    "distilled/sft/sft_export.jsonl": SftSample,
    "distilled/rag/rag_export.jsonl": RagChunk,
    "distilled/preference/preference_export.jsonl": PreferencePair,
}
_FORMS: Mapping[str, tuple[Export, Callable[[Any], bytes]]] = {
    MESSAGES: (SFT, lambda sample: messages_line(chat(sample), sample.tools)),
    PROMPT_COMPLETION: (SFT, lambda sample: prompt_completion_line(chat(sample), sample.tools)),
    TRL: (PREFERENCE, trl_line),
}


def kind_of(path: str) -> type[Record] | None:
    """Give the record type of a file's lines, by its path in the lake; `None` for the forms that trainers take."""
    return next((kind for start, kind in _KINDS.items() if path == start or path.startswith(f"{start}/")), None)


def suspects(lake: Lake, written: Written) -> list[tuple[int, str]]:
    """Name the lines (from 1) of a changed file that cannot be what was written; nothing where none shows."""
    path = lake.root / written.ref.path
    if path.suffix != ".jsonl":
        return []
    kind = kind_of(written.ref.path)
    found = list(_contradictions(path, kind))
    for export, part in ((SFT, lake.part), (RAG, lake.rag_part)):
        if written.ref.path == lake.relative(export.main(lake)):
            known = {number for number, _ in found}
            found += [(number, NO_PART) for number in _in_no_part(lake, export, part, path) if number not in known]
    if path.name in _FORMS:
        known = {number for number, _ in found}
        export, form = _FORMS[path.name]
        found += [(n, NO_FORM) for n in _not_their_form(lake, export, form, path) if n not in known]
    return sorted(found)


def _contradictions(path: Path, kind: type[Record] | None) -> Iterator[tuple[int, str]]:
    decode: Callable[[bytes], Any] = msgspec.json.Decoder(kind).decode if kind else orjson.loads
    with path.open("rb", buffering=1 << 18) as file:
        for number, line in enumerate(file, start=1):
            try:
                why = _contradiction(decode(line))
            except (msgspec.DecodeError, UnicodeDecodeError, orjson.JSONDecodeError):
                why = UNDECODED
            if not line.endswith(b"\n"):
                why = "the end of the line is gone"
            if why is not None:
                yield number, why


def _contradiction(record: Any) -> str | None:
    """Recompute what a record says of itself."""
    if isinstance(record, ScoredRun):
        place = record.provenance.sig_hash
        made = signature(place, record.category, record.reasons, record.sub_scores, record.scorer_version)
        return None if made == record.sig_hash else "its sig_hash is not that of what it says"
    if isinstance(record, SftSample):
        texts = {"instruction": record.instruction, "context": record.context, "response": record.response}
        messages = record.messages
        made = text_id("sft", texts) if messages is None else content_id("sft", {**texts, "messages": messages})
    elif isinstance(record, RagChunk):
        made = text_id("rag", {"content": record.content})
    elif isinstance(record, PreferencePair):
        sides = {"prompt": record.prompt, "chosen": record.chosen, "rejected": record.rejected}
        made = content_id("pref", sides)
    else:
        return None
    return None if made == record.id else "its id is not that of its content"


def _in_no_part(lake: Lake, export: Export, part: Callable[[str], Path], path: Path) -> list[int]:
    """Give the lines that are, byte by byte, in no day part; none where a part changed too, for that would blame others.

    Where most lines are in no part, the parts were made again since: that tells nothing. Memory: a number for each line.
    """
    known: set[int] = set()
    for day in made_days(lake, export):
        manifest = read_manifest(lake, export.made_by, day)
        name = lake.relative(part(day))
        for ref in manifest.outputs if manifest else ():
            if ref.path == name:
                if not part(day).exists() or sha256_of(part(day)) != ref.sha256:
                    return []
                known.update(digests(part(day)))
    lines = digests(path)
    found = [number for number, one in enumerate(lines, start=1) if one not in known]
    return found if len(found) * 2 <= len(lines) else []


def _not_their_form(lake: Lake, export: Export, form: Callable[[Any], bytes], path: Path) -> Iterator[int]:
    """Give the lines that are not the form of their line in the native file, where that is as it was published."""
    native = export.main(lake)
    last = read_publication(lake, export.asset)
    said = next((ref for ref in last.outputs if ref.path == lake.relative(native)), None) if last else None
    if said is None or not native.exists() or sha256_of(native) != said.sha256:
        return
    decode = msgspec.json.Decoder(_KINDS[said.path]).decode
    with native.open("rb", buffering=1 << 18) as records, path.open("rb", buffering=1 << 18) as lines:
        for number, (record, line) in enumerate(zip(records, lines, strict=False), start=1):
            if form(decode(record)) + b"\n" != line:
                yield number
