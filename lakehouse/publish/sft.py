"""Publishing the SFT export: the parts of all green days, joined, gated as a candidate, moved into place.

Here: the joining pass, the gates on the candidate, the accounting. Not here: which samples go (`selection.py`), the
gates themselves (`gates/`), the shapes of trainers (`forms.py`), splits (`splits.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import tee
from typing import Any

import msgspec
import orjson

from lakehouse.files import locked, sha256_of, sweep
from lakehouse.firewall import check_file
from lakehouse.gates.contamination import contamination_firewall
from lakehouse.gates.contracts import sft_contract
from lakehouse.gates.holdout import no_holdout_overlap
from lakehouse.gates.splits import splits_disjoint
from lakehouse.gates.verdict_balance import verdict_balance
from lakehouse.jsonl import JsonlWriter, unreadable
from lakehouse.lake import Lake
from lakehouse.publish.exports import SFT, Asked, Published
from lakehouse.publish.forms import chat, messages_line, prompt_completion_line
from lakehouse.publish.joining import Days, gated, lines
from lakehouse.publish.screen import screens
from lakehouse.publish.selection import Chosen, chosen, left_out, reasons, select, sharing
from lakehouse.publish.settle import settle
from lakehouse.publish.splits import SplitWriter
from lakehouse.publish.state import days_to_publish, keep
from lakehouse.records import DayManifest, FileRef, SftSample, Verdict
from lakehouse.similarity.holdout import Holdout, holdout_path, read_holdout
from lakehouse.similarity.minhash import NEAR, SCHEME
from lakehouse.stamps import cut_sample

VERSION = "publish-sft-2"
MESSAGES, PROMPT_COMPLETION = "sft_messages.jsonl", "sft_prompt_completion.jsonl"
LEFT_OUT = "left_out.jsonl"
"""The samples that publishing left out, with their reasons: a report, no data."""
FIREWALL = ("rejected", "needs_human_review", "conflicting_verdicts")


def asked(lake: Lake, include_partial: bool | None = None) -> Asked:
    """Say what a publication is asked for; without a word, what the lake's settings say."""
    settings, path = lake.settings.sft, holdout_path(lake)
    return {
        "version": VERSION,
        "include_partial": settings.include_partial if include_partial is None else include_partial,
        "near_duplicates": f"{SCHEME}, Jaccard >= {NEAR}",
        "holdout": sha256_of(path) if path.exists() else "",
        "holdout_overlap": settings.holdout_overlap,
        "split_seed": settings.split_seed,
    }


def publish(
    lake: Lake,
    connection: Any,
    now: str,
    *,
    include_partial: bool | None = None,
    done: Callable[[str], None] = lambda what: None,
) -> Published:
    """Publish the samples of every day whose gates are green; red, stale and unchecked days are held back and listed.

    The candidate passes its gates before it is moved into place; raises `GateFailed` (and leaves what was published
    before) where it does not. Memory: a batch of samples, and what DuckDB may take. `done` hears what was finished.
    """
    with locked(lake.lock(f"publish-{SFT.asset}")):
        wanted = asked(lake, include_partial)
        result = _publish(lake, connection, now, wanted, done)
        keep(lake, SFT, wanted, result)
    return result


@dataclass
class _Files:
    """The files of a candidate, and what was counted while they were written."""

    native: JsonlWriter
    messages: JsonlWriter
    prompt_completion: JsonlWriter
    splits: SplitWriter
    streams: Counter[str] = field(default_factory=Counter)
    categories: Counter[str] = field(default_factory=Counter)

    def add(self, line: bytes, sample: SftSample, stream: str) -> None:
        """Write a sample in every form."""
        conversation = chat(sample)
        self.native.add(line)
        self.messages.add(messages_line(conversation, sample.tools))
        self.prompt_completion.add(prompt_completion_line(conversation, sample.tools))
        self.splits.add(sample, stream, conversation)
        self.streams[stream] += 1
        self.categories[sample.category] += 1


def _publish(lake: Lake, connection: Any, now: str, wanted: Asked, done: Callable[[str], None]) -> Published:
    folder = SFT.folder(lake)
    partial = bool(wanted["include_partial"])
    with ExitStack() as stack:
        for place in (folder, folder / "data"):
            sweep(place)
        manifests, held = days_to_publish(lake, SFT)
        holdout = read_holdout(holdout_path(lake))
        screened = screens(
            lake, [day for day in manifests if day not in held], holdout, done, wanted["holdout_overlap"]
        )
        settle(lake, connection, manifests, held, include_partial=partial)
        select(lake, connection, screened)
        files = _Files(
            stack.enter_context(JsonlWriter(SFT.main(lake), cut_sample)),
            stack.enter_context(JsonlWriter(folder / MESSAGES)),
            stack.enter_context(JsonlWriter(folder / PROMPT_COMPLETION)),
            stack.enter_context(SplitWriter(folder / "data", wanted["split_seed"])),
        )
        for line, sample, choice in _samples(lake, chosen(connection)):
            files.add(line, sample, choice.stream)
        listing = stack.enter_context(JsonlWriter(folder / LEFT_OUT))
        for row in left_out(connection):
            listing.add(orjson.dumps(row))
        dropped, shared = reasons(connection), sharing(connection)
        for out in (files.native, files.messages, files.prompt_completion):
            out.flush()
        verdicts = _gate(lake, connection, now, partial, files)
    outputs = [
        out.ref(lake.relative(path))
        for out, path in (
            (files.native, SFT.main(lake)),
            (files.messages, folder / MESSAGES),
            (files.prompt_completion, folder / PROMPT_COMPLETION),
        )
    ]
    outputs += files.splits.refs(lake.relative(folder / "data"))
    return _account(manifests, held, dropped, shared, files, outputs, verdicts, holdout)


def _samples(lake: Lake, choices: Iterator[Chosen]) -> Iterator[tuple[bytes, SftSample, Chosen]]:
    """Read the chosen samples where they lie in the parts of their days."""
    decode = msgspec.json.Decoder(SftSample).decode
    choices, again = tee(choices)
    for choice, line in zip(
        choices, lines(lake.part, ((one.day, one.start, one.length) for one in again)), strict=True
    ):
        try:
            sample = decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise unreadable(lake.part(choice.day), None, error) from None
        yield line, sample, choice


def _gate(lake: Lake, connection: Any, now: str, partial: bool, files: _Files) -> list[Verdict]:
    """Let every gate look at the candidate, keep their verdicts, and stop where one is red."""
    native, splits = files.native.beside, files.splits.finish()
    beside = {MESSAGES: files.messages.beside, PROMPT_COMPLETION: files.prompt_completion.beside}
    check_file(native, partial)
    name = f"{lake.relative(SFT.main(lake))} (candidate)"
    return gated(
        lake,
        SFT,
        (
            contamination_firewall(lake, native, connection, now, include_partial=partial, name=name),
            no_holdout_overlap(lake, native, now, name=name),
            splits_disjoint(lake, native, splits, connection, now, name=name),
            sft_contract(lake, native, now, name, beside=beside),
            verdict_balance(lake, native, now, name),
        ),
    )


def _account(
    manifests: dict[str, DayManifest],
    held: dict[str, str],
    dropped: Counter[str],
    shared: int,
    files: _Files,
    outputs: list[FileRef],
    verdicts: list[Verdict],
    holdout: Holdout,
) -> Published:
    days = Days(manifests, held)
    skipped = days.skipped + dropped
    green = [day for day in manifests if day not in held]
    notes = {"through": max(green, default="1970-01-01")}
    notes |= {"near_duplicates": f"{SCHEME}, Jaccard >= {NEAR}", "holdout": holdout.sha256}
    if holdout.silent:
        lines = ", ".join(map(str, holdout.silent[:20]))
        notes["holdout_too_short"] = f"lines {lines} of holdout.jsonl are too short for any sample to overlap them"
    return Published(
        inputs=days.inputs,
        outputs=outputs,
        held_days=held,
        records_in=days.records_in,
        records_out=files.native.rows,
        items_out=files.native.rows,
        records_quarantined=days.quarantined,
        skip_reasons=dict(sorted(skipped.items())),
        verdicts=verdicts,
        counts={
            "stream": dict(sorted(files.streams.items())),
            "category": dict(sorted(files.categories.items())),
            "split": files.splits.counts,
            "firewall": {name: skipped[name] for name in FIREWALL},
            "holdout": {"blocked": dropped["holdout_overlap"], "sharing_a_13_gram": shared},
        },
        notes=notes,
    )
