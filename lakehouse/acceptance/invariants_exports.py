"""Invariants 13 to 15 and 18 to 20: whose runs stand in an export, and that it says what they say.

Here: one function each; all join what was published back to rows and verdicts by provenance. Not here: secrets and
held-out items (`invariants_planted.py`), receipts (`invariants_receipts.py`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from lakehouse.acceptance import wording
from lakehouse.acceptance.raw import values
from lakehouse.acceptance.rows import (
    PREFERENCE,
    RAG,
    SFT,
    Context,
    Failure,
    Line,
    Outcome,
    Place,
    Run,
    expected_out,
    once,
    place_of,
    published,
    read,
)

RANK = {"rejected": 0, "partially_accepted": 1, "accepted": 2}
"""How good the verdicts are that may stand in a pair."""
MOST_PAIRS = 5
EXTRACTION = frozenset({"distilled_facts", "distilled_procedures", "distilled_config_hints", "audit_facts"})
"""The built-in streams of class `extraction`, spelled out."""
SFT_FORMS = ("sft_messages.jsonl", "sft_prompt_completion.jsonl")


def rejected_never_in_sft(context: Context) -> Outcome:
    """13. No published sample comes from a rejected run, or from a run that also was rejected."""
    return _withheld(context, "rejected", ("rejected", "conflicting_verdicts"))


def review_never_in_sft(context: Context) -> Outcome:
    """14. No published sample comes from a run that waits for a person, or from one that also does."""
    return _withheld(context, "needs_human_review", ("needs_human_review",))


def _withheld(context: Context, category: str, reasons: Sequence[str]) -> Outcome:
    runs = [run for run in context.scored.values() if run.category == category]
    condemned = {(run.stream, run.run_id) for run in runs}
    samples = context.sft()
    failures = _forms(context, len(samples)) + expected_out(context, samples, reasons)
    for line in samples:
        run = context.scored.get(line.place)
        if run is None:
            failures.append(line.fails("its run has no verdict"))
        elif run.category == category:
            failures.append(line.fails(f"its run is {category}: {run.file}:{run.number}"))
        elif (run.stream, run.run_id) in condemned:
            failures.append(line.fails(f"its run {run.run_id!r} is also {category}"))
        elif line.record.get("category") != run.category:
            failures.append(line.fails(f"it claims {line.record.get('category')}, its run is {run.category}"))
    return Outcome(len(runs), once(failures), None if runs or failures else f"no run is {category}")


def extraction_never_in_sft(context: Context) -> Outcome:
    """15. No published sample comes from a stream of class extraction."""
    declared = {name for name, stream in context.lake.streams.items() if stream.source_class == "extraction"}
    streams = declared | EXTRACTION
    runs = [run for run in context.evidence.values() if run.stream in streams]
    samples = context.sft()
    failures = expected_out(context, samples, ("extraction_class",))
    for line in samples:
        run = context.evidence.get(line.place)
        if run is None or run.stream in streams:
            failures.append(line.fails(f"its run is an extraction of {run.stream}" if run else "its run is not there"))
    return Outcome(len(runs), once(failures), None if runs or failures else "no run is an extraction")


def samples_match_their_template(context: Context) -> Outcome:
    """18. Instruction and context of each sample are, byte for byte, what the wording makes of its raw row."""
    samples = {line.place: line for line in context.sft()}
    failures = []
    checked: set[Place] = set()
    for place, row in values(context.lake, samples):
        line = samples[place]
        stream = context.lake.stream_of(place[0])
        built_in = stream is not None and (stream.name in wording.WORDING or stream.template == "default")
        if stream is None or not built_in:
            continue
        checked.add(place)
        if line.record.get("instruction") != wording.instruction(stream.name, row):
            failures.append(line.fails(f"its instruction is not what the wording makes of {place[0]}:{place[1] + 1}"))
        if stream.row_type is not dict and line.record.get("context") != wording.context(row):
            failures.append(line.fails(f"its context is not that of {place[0]}:{place[1] + 1}"))
        failures += _ends_on_an_answer(line)
    for expected in context.expects():
        line_ = samples.get(expected.place)
        if (expected.sft == "published") != (line_ is not None):
            said = "published" if line_ is not None else "not published"
            failures.append(Failure(expected.file, expected.line, f"it is {said}, and should be {expected.sft}"))
        elif line_ is not None:
            for name, wanted in (("instruction", expected.instruction), ("context", expected.context)):
                if wanted is not None and line_.record.get(name) != wanted:
                    failures.append(
                        line_.fails(f"its {name} is not the one pinned for {expected.file}:{expected.line}")
                    )
    nothing = None if checked or failures else "no sample of a stream with a known template is published"
    return Outcome(len(checked), failures, nothing)


def _ends_on_an_answer(line: Line) -> Iterator[Failure]:
    messages = line.record.get("messages")
    if messages is not None and (not messages or messages[-1].get("role") != "assistant"):
        yield line.fails("its conversation does not end with the assistant")


def rag_rebuilds_text(context: Context) -> Outcome:
    """19. No chunk comes from a rejected run; each is the slice of its text that it names, and a run's give it whole."""
    chunks = published(context.lake, RAG)
    failures = []
    for line in chunks:
        run = context.scored.get(line.place)
        category = run.category if run else "without a verdict"
        if category not in ("accepted", "partially_accepted"):
            asked = category == "needs_human_review" and context.lake.settings.rag.include_review
            if not asked or "unreviewed" not in line.record.get("tags", []):
                failures.append(line.fails(f"its run is {category}"))
    ids: Counter[str] = Counter(line.record.get("id", "") for line in chunks)
    failures += [line.fails("its id stands twice") for line in chunks if ids[line.record.get("id", "")] > 1]
    slices: dict[Place, list[Line]] = defaultdict(list)
    for line in chunks:
        slices[line.place].append(line)
    for line in read(context.lake, "distilled/rag/parts/*/*/*.jsonl"):
        slices[line.place].append(line)
    for record in read(context.lake, "evidence/*/*/*/*.jsonl"):
        failures += _rebuilds(slices.pop(record.place, []), record.record.get("text", ""))
    failures += [line.fails("its run is no evidence") for held in slices.values() for line in held]
    return Outcome(len(chunks), failures, None if chunks or failures else "no chunk is published")


def _rebuilds(held: list[Line], text: str) -> Iterator[Failure]:
    """Hold the chunks of one run, published and in its day's part, against its text."""
    for line in held:
        start, end = line.record.get("char_start", -1), line.record.get("char_end", -1)
        if not 0 <= start < end or text[start:end] != line.record.get("content"):
            yield line.fails(f"its content is not its run's text from {start} to {end}")
            return
    part = sorted((line for line in held if line.file != RAG), key=lambda line: line.record.get("chunk_index", -1))
    reached = 0
    for number, line in enumerate(part):
        if line.record.get("chunk_index") != number or line.record.get("chunk_count") != len(part):
            yield line.fails(f"it is not chunk {number} of {len(part)}")
        if line.record["char_start"] > reached:
            yield line.fails(f"it leaves out its run's text from {reached} on")
        reached = line.record["char_end"]
    if held and not part:
        yield held[0].fails("its run has no chunk in the part of its day")
    elif part and reached != len(text):
        yield part[-1].fails(f"the chunks of its run end at {reached}, the text at {len(text)}")


def pairs_are_strictly_ordered(context: Context) -> Outcome:
    """20. In each pair a better run stands before a worse one of the same task, with one prompt and two answers."""
    pairs = published(context.lake, PREFERENCE)
    failures: list[Failure] = []
    beaten: dict[Place, set[str]] = defaultdict(set)
    for line in pairs:
        record = line.record
        places = place_of(record.get("provenance_chosen")), place_of(record.get("provenance_rejected"))
        better, worse = (context.scored.get(place) for place in places)
        if better is None or worse is None:
            failures.append(line.fails("one of its runs has no verdict"))
            continue
        beaten[places[0]].add(f"{places[1][0]}:{places[1][1] + 1}")
        why = _misordered(record, better, worse)
        if why is not None:
            failures.append(line.fails(why))
    per_task: dict[str, list[Line]] = defaultdict(list)
    for line in pairs:
        per_task[line.record.get("task_id", "")].append(line)
    failures += [
        held[MOST_PAIRS].fails("its task has more than 5 pairs") for held in per_task.values() if len(held) > 5
    ]
    for expected in context.expects():
        found = beaten.get(expected.place, set())
        if found != set(expected.beats):
            said = ", ".join(sorted(found)) or "nothing"
            failures.append(Failure(expected.file, expected.line, f"it beats {said}, and should beat {expected.beats}"))
    return Outcome(len(pairs), failures, None if pairs or failures else "no task has two runs that make a pair")


def _misordered(record: dict[str, Any], better: Run, worse: Run) -> str | None:
    high, low = RANK.get(better.category), RANK.get(worse.category)
    if high is None or low is None or high <= low:
        return f"the chosen run is {better.category}, the rejected one {worse.category}"
    if (record.get("chosen_category"), record.get("rejected_category")) != (better.category, worse.category):
        return "it claims other verdicts than its runs have"
    if not record.get("task_id") == better.task_id == worse.task_id:
        return f"its runs are of tasks {better.task_id!r} and {worse.task_id!r}"
    if (better.stream, better.run_id) == (worse.stream, worse.run_id):
        return "it compares a run with itself"
    if not record.get("prompt") or record.get("chosen") == record.get("rejected"):
        return "it has no prompt, or two equal answers"
    return None


def _forms(context: Context, samples: int) -> list[Failure]:
    """Say which form beside the native file holds more or fewer samples than it."""
    failures = []
    for name in SFT_FORMS:
        file = f"{SFT.rpartition('/')[0]}/{name}"
        found = sum(1 for _ in read(context.lake, file))
        if found != samples:
            failures.append(Failure(file, 0, f"it holds {found} samples, the export {samples}"))
    return failures
