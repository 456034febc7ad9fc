"""What each asset's records must hold, one suite per asset, as data.

Here: the expectations. To add one, add a line to a suite; where it looks at something new, also a column to `frames.py`.
Not here: types, which strict decoding checks (`frames.py`), and running a suite (`adapter.py`).

What an agent claimed of itself (a confidence of 1.7, a negative cost) is kept as it was written and judged by the
scorers, so such an expectation does not block: it is counted and shown, and the day goes on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class Expectation:
    """One expectation: the field as people name it, the column of the frame that shows it, what must hold, in words.

    `kind` is a class of `great_expectations.expectations`, `arguments` what it takes beside the column. With
    `blocks=False` a row that fails is counted and shown, and no fault.
    """

    name: str
    column: str
    words: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    blocks: bool = True

    @property
    def says(self) -> str:
        """The expectation as a sentence."""
        return f"{self.name} {self.words}"


@dataclass(frozen=True)
class Suite:
    """The expectations on an asset's records: on each batch of rows, and on the column of `keys` of all rows."""

    asset: str
    rows: tuple[Expectation, ...]
    whole: tuple[Expectation, ...]

    @property
    def expectations(self) -> tuple[Expectation, ...]:
        """All of them."""
        return self.rows + self.whole


CHECK = "contract"
"""What the gates are called that hold data against these suites."""
TABLE = "expectations"
"""The table of their verdicts: `expectation` (as it says), `rows`, `failed`, `outcome` (held, failed, broken, noticed)."""
DECODES = "every line must decode into the types of its record"
"""What holds before any expectation is asked; strict decoding says it."""
KEY = "key"
"""The column that must be unique over all rows."""

CATEGORIES = ("accepted", "partially_accepted", "needs_human_review", "rejected")
ROLES = ("system", "developer", "user", "assistant", "tool", "function", "ipython")
"""The roles that chat templates know."""


def present(name: str, column: str = "") -> Expectation:
    """The field is there, and not null."""
    return Expectation(name, column or name, "must not be absent", "ExpectColumnValuesToNotBeNull")


def filled(name: str, column: str, *, blocks: bool = True) -> Expectation:
    """The length in the column is not 0."""
    return Expectation(
        name, column, "must not be empty", "ExpectColumnValuesToBeBetween", {"min_value": 1}, blocks=blocks
    )


def at_least(name: str, low: float, high: float | None = None, *, column: str = "", blocks: bool = True) -> Expectation:
    """The number is `low` or more, and `high` or less."""
    words = f"must be {low:g} or more" if high is None else f"must be from {low:g} to {high:g}"
    words = f"must be {low:g}" if low == high else words
    limits = {"min_value": low} if high is None else {"min_value": low, "max_value": high}
    return Expectation(name, column or name, words, "ExpectColumnValuesToBeBetween", limits, blocks=blocks)


def above(name: str, column: str, other: str, words: str) -> Expectation:
    """The number in the column is greater than the one in the other."""
    pair = {"column_A": column, "column_B": other, "ignore_row_if": "either_value_is_missing"}
    return Expectation(name, column, words, "ExpectColumnPairValuesAToBeGreaterThanB", pair)


def one_of(name: str, *values: str | float, column: str = "") -> Expectation:
    """The value is one of these."""
    words = f"must be {values[0]}" if len(values) == 1 else f"must be one of {', '.join(map(str, values))}"
    return Expectation(name, column or name, words, "ExpectColumnValuesToBeInSet", {"value_set": list(values)})


def matches(name: str, regex: str, words: str) -> Expectation:
    """The text matches a regular expression."""
    return Expectation(name, name, words, "ExpectColumnValuesToMatchRegex", {"regex": regex})


def holds(name: str, column: str, words: str, *, blocks: bool = True) -> Expectation:
    """The flag in the column is true."""
    return Expectation(name, column, words, "ExpectColumnValuesToBeInSet", {"value_set": [True]}, blocks=blocks)


def unique(name: str, words: str) -> Expectation:
    """The keys of all rows differ."""
    return Expectation(name, KEY, words, "ExpectColumnValuesToBeUnique")


def _text(*names: str) -> Iterable[Expectation]:
    """Fields that are there and not empty, told by the length of their text."""
    for name in names:
        yield present(name, f"length of {name}")
        yield filled(name, f"length of {name}")


def _task() -> Iterable[Expectation]:
    yield present("task_id", "length of task_id")
    # A declared stream may name the task by a field that is empty in some rows.
    yield filled("task_id", "length of task_id", blocks=False)


def _version() -> Iterable[Expectation]:
    yield present("schema_version")
    yield one_of("schema_version", 1)


def _stamp(name: str) -> Expectation:
    """The field is there and a time: the day of any other stamp is null."""
    return Expectation(name, f"day of {name}", "must be a time", "ExpectColumnValuesToNotBeNull")


def _provenance(name: str = "provenance") -> Iterable[Expectation]:
    file, offset, sig = f"{name}.source_file", f"{name}.line_offset", f"{name}.sig_hash"
    yield present(file)
    yield matches(file, r"^(data/)?_kb/([^/]+/)*[^/]+\.jsonl$", "must be a JSONL file below _kb/")
    yield present(offset)
    yield at_least(offset, 0)
    yield present(sig, f"length of {sig}")
    # Looked at by a flag: of a column in which all texts differ, Great Expectations makes hashes of its own first.
    yield holds(sig, f"{sig} is one", "must be 64 hex digits")
    yield _stamp(f"{name}.recorded_at")


def _id(prefix: str) -> Iterable[Expectation]:
    yield present("id")
    yield matches("id", rf"^{prefix}-[0-9a-f]{{16}}$", f"must be {prefix}- and 16 hex digits")


def _turns(name: str, *, required: bool) -> Iterable[Expectation]:
    """A list of chat messages that an assistant ends."""
    if required:
        yield present(name, f"messages of {name}")
    yield filled(name, f"messages of {name}")
    yield at_least(f"{name}: the number without a role", 0, 0, column=f"messages of {name} without a role")
    yield at_least(
        f"{name}: the number of a role that no chat template knows",
        0,
        0,
        column=f"messages of {name} of an unknown role",
        blocks=False,
    )


def evidence(day: str) -> Suite:
    """The suite of the evidence of a day."""
    return Suite(
        "evidence",
        (
            *_version(),
            *_text("run_id"),
            *_task(),
            _stamp("timestamp"),
            one_of("day of timestamp", day),
            *_provenance(),
            holds("provenance.source_file", "file is of its stream", "must be of the stream that the file is named by"),
            present("source_class"),
            one_of("source_class", "verdict", "telemetry", "extraction"),
            present("success_markers", "length of success_markers"),
            present("failure_markers", "length of failure_markers"),
            present("text", "length of text"),
            one_of("human_override.category", *CATEGORIES),
            at_least("messages: the number without a role", 0, 0, column="messages without a role"),
            at_least("observer_confidence", 0, 1, blocks=False),
            *(
                at_least(name, 0, blocks=False)
                for name in ("cost_usd", "latency_ms", "prompt_tokens", "completion_tokens")
            ),
        ),
        (unique("provenance.sig_hash", "must be unique in its stream and day"),),
    )


SFT = Suite(
    "sft_export",
    (
        *_version(),
        *_id("sft"),
        *_text("instruction", "response"),
        present("context", "length of context"),
        present("category"),
        one_of("category", "accepted", "partially_accepted"),
        present("quality_score"),
        one_of("quality_score", 0.5, 1.0),
        holds("quality_score", "score is of its category", "must be 1.0 for accepted and 0.5 for partially_accepted"),
        *_turns("messages", required=False),
        one_of("messages: the last role", "assistant", column="last role of messages"),
        holds("tools", "tools are a list", "must be the JSON text of a list"),
        *_text("source_run_id"),
        *_task(),
        _stamp("created_at"),
        *_provenance(),
    ),
    (unique("id", "must be unique"),),
)
"""The suite of the training samples. Which categories a setting asks for is the firewall's to say."""

RAG = Suite(
    "rag_export",
    (
        *_version(),
        *_id("rag"),
        *_text("title", "content", "stream", "source_run_id"),
        *_task(),
        present("tags", "length of tags"),
        filled("tags", "length of tags"),
        present("category"),
        one_of("category", "accepted", "partially_accepted", "needs_human_review"),
        holds("stream", "stream is of its file", "must be the stream of provenance.source_file"),
        *map(present, ("chunk_index", "chunk_count", "token_count", "char_start", "char_end")),
        at_least("chunk_index", 0),
        above("chunk_count", "chunk_count", "chunk_index", "must be above chunk_index"),
        at_least("token_count", 1),
        at_least("char_start", 0),
        above("char_end", "char_end", "char_start", "must be above char_start"),
        holds("content", "content is as long as its span", "must have char_end - char_start characters"),
        _stamp("created_at"),
        *_provenance(),
    ),
    (unique("id", "must be unique"),),
)
"""The suite of the chunks."""

PREFERENCE = Suite(
    "preference_export",
    (
        *_version(),
        *_id("pref"),
        *(one for name in ("prompt", "chosen", "rejected") for one in _turns(name, required=True)),
        *(
            one_of(f"{name}: the {place} role", "assistant", column=f"{place} role of {name}")
            for name in ("chosen", "rejected")
            for place in ("first", "last")
        ),
        holds("tools", "tools are a list", "must be the JSON text of a list"),
        *_text("reason", "chosen_run_id", "rejected_run_id"),
        *_task(),
        present("chosen_category"),
        one_of("chosen_category", "accepted", "partially_accepted"),
        present("rejected_category"),
        one_of("rejected_category", "partially_accepted", "rejected"),
        holds("rejected_category", "categories differ", "must not be that of the chosen run"),
        _stamp("created_at"),
        *_provenance("provenance_chosen"),
        *_provenance("provenance_rejected"),
        holds("provenance_rejected.sig_hash", "runs differ", "must not be the chosen run's own row"),
    ),
    (unique("id", "must be unique among the pairs of its task and tools"),),
)
"""The suite of the pairs. An id does not cover the tools, with which the same answers are another pair."""
