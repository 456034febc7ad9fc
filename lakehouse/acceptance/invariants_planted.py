"""Invariants 16 and 17: no secret in any export, nothing held out in SFT.

Here: one function each. Not here: finding secrets and 13-grams (`planted.py`), the other rules of exports
(`invariants_exports.py`).
"""

from __future__ import annotations

from lakehouse.acceptance import planted
from lakehouse.acceptance.rows import Context, Failure, Line, Outcome, expected_out, once, read


def secrets_never_leave(context: Context) -> Outcome:
    """16. Nothing that looks like an SSN or a key in a raw row stands in any file below `distilled/`."""
    needles = planted.secrets_of(context.lake)
    failures = []
    for expected in context.expects():
        for value in expected.planted:
            # A key inside a JSON text is found there too; the fixture must still hold what it says.
            if not any(value in needle or needle in value for needle in needles):
                failures.append(
                    Failure(expected.file, expected.line, "nothing that looks like a secret was found here")
                )
    context.sft()
    for file, number, text in planted.outgoing(context.lake):
        for value, (source, line) in needles.items():
            if value in text:
                failures.append(Failure(file, number, f"it holds what stands in {source}:{line}"))
    return Outcome(len(needles), failures, None if needles or failures else "no raw row holds an SSN or a key")


def held_out_never_in_sft(context: Context) -> Outcome:
    """17. No published sample is of a held-out task, or shares half of either's 13-grams with a held-out item."""
    tasks: dict[str, int] = {}
    texts: list[tuple[int, planted.Grams]] = []
    for line in read(context.lake, "_kb/holdout.jsonl"):
        item = line.record
        if item.get("task_id"):
            tasks[item["task_id"]] = line.number
        said = [item["text"]] if isinstance(item.get("text"), str) else []
        found = planted.grams([*said, *planted.said(item.get("messages") or [])])
        if found:
            texts.append((line.number, found))
    samples = context.sft()
    failures = expected_out(context, samples, ("holdout_overlap",))
    limit = context.lake.settings.sft.holdout_overlap
    for line in samples:
        if line.record.get("task_id") in tasks:
            failures.append(line.fails(f"its task is held out by holdout.jsonl:{tasks[line.record['task_id']]}"))
            continue
        own = planted.grams(_said(context, line))
        for number, item_grams in texts:
            shared = len(own & item_grams)
            if shared and max(shared / len(own), shared / len(item_grams)) >= limit:
                failures.append(line.fails(f"it shares {shared} 13-grams with holdout.jsonl:{number}"))
    held_out = len(tasks) + len(texts)
    return Outcome(len(samples) if held_out else 0, once(failures), None if held_out else "nothing is held out")


def _said(context: Context, line: Line) -> list[str]:
    """Give what user and assistant say in a sample; the wording of templates is nobody's."""
    record, run = line.record, context.scored.get(line.place)
    if record.get("messages"):
        return planted.said(record["messages"])
    asked = [record.get("instruction", "")] if run is not None and run.stream == "agent_runs" else []
    return [*asked, record.get("response", "")]
