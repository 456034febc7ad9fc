"""The one place that talks to Great Expectations: expectations and a frame in, what failed on which rows out.

Here: running expectations quietly (no progress bars, no analytics, no warnings, no file), and telling *failed* from
*broken*: an expectation is broken where it could not look (its column is missing, Great Expectations raised). Results
hold counts and positions and never a value. Not here: which expectations there are (`suites.py`), frames (`frames.py`).

Great Expectations takes seconds to import, so this happens when the first frame is looked at. Cost after that: about
0.3 s for 25 expectations on 100,000 rows. Source: great_expectations 1.24, "Validate data", `result_format` SUMMARY.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lakehouse.contracts.suites import Expectation

if TYPE_CHECKING:
    import pandas as pd

MOST = 100
"""Positions that are given of the rows on which an expectation fails."""
_RAISED = re.compile(r"^(?:[A-Za-z_][A-Za-z0-9_]*\.)*([A-Za-z_][A-Za-z0-9_]*)(?::|$)")
_PLACE = "place"


@dataclass(frozen=True)
class Outcome:
    """What became of an expectation on a frame: rows that failed, the positions of the first, or why it is broken."""

    expectation: Expectation
    failed: int = 0
    positions: tuple[int, ...] = ()
    broken: str | None = None


def validate(expectations: Sequence[Expectation], frame: pd.DataFrame) -> list[Outcome]:
    """Hold a frame against expectations; an outcome for each, in their order. Raises nothing for what is broken."""
    outcomes: dict[int, Outcome] = {}
    askable: dict[int, Expectation] = {}
    for place, one in enumerate(expectations):
        missing = [column for column in _columns(one) if column not in frame.columns]
        if missing:
            outcomes[place] = Outcome(one, broken=f"the frame has no column {missing[0]!r}")
        else:
            askable[place] = one
    if askable:
        outcomes |= _answers(askable, frame)
    return [outcomes[place] for place in range(len(expectations))]


def _columns(one: Expectation) -> tuple[str, ...]:
    pair = tuple(one.arguments[key] for key in ("column_A", "column_B") if key in one.arguments)
    return pair or (one.column,)


def _answers(askable: dict[int, Expectation], frame: pd.DataFrame) -> dict[int, Outcome]:
    with warnings.catch_warnings():
        # Its warnings are about its own code; the run of a user has no use for them.
        warnings.simplefilter("ignore")
        try:
            from great_expectations.exceptions import GreatExpectationsError
        except ImportError as error:
            why = f"Great Expectations cannot be imported ({type(error).__name__})"
            return {place: Outcome(one, broken=why) for place, one in askable.items()}
        try:
            results = _run(askable, frame)
        except (GreatExpectationsError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # Its message may repeat values of the data.
            why = f"Great Expectations raised {type(error).__name__}"
            return {place: Outcome(one, broken=why) for place, one in askable.items()}
    found = {result.expectation_config.meta[_PLACE]: _outcome(askable, result) for result in results}
    unanswered = "Great Expectations gave no answer"
    return {place: found.get(place) or Outcome(one, broken=unanswered) for place, one in askable.items()}


def _run(askable: dict[int, Expectation], frame: pd.DataFrame) -> list[Any]:
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            analytics_enabled=False,
            progress_bars=ProgressBarsConfig(globally=False),
            store_backend_defaults=InMemoryStoreBackendDefaults(),
        ),
    )
    made = [gx_expectation(one, {_PLACE: place}) for place, one in askable.items()]
    whole = (
        context.data_sources.add_pandas("frames")
        .add_dataframe_asset("rows")
        .add_batch_definition_whole_dataframe("all")
    )
    batch = whole.get_batch({"dataframe": frame})
    format_ = {"result_format": "SUMMARY", "partial_unexpected_count": MOST}
    results: list[Any] = batch.validate(
        gx.ExpectationSuite(name="suite", expectations=made), result_format=format_
    ).results
    return results


def gx_expectation(one: Expectation, meta: dict[str, Any]) -> Any:
    """Make the object of Great Expectations that an expectation stands for."""
    import great_expectations as gx

    kind = getattr(gx.expectations, one.kind)
    columns = {} if "column_A" in one.arguments else {"column": one.column}
    severity = "critical" if one.blocks else "info"
    return kind(**columns, **one.arguments, description=one.says, severity=severity, meta=meta)


def _outcome(askable: dict[int, Expectation], result: Any) -> Outcome:
    one = askable[result.expectation_config.meta[_PLACE]]
    raised = _raised(result.exception_info or {})
    if raised is not None:
        return Outcome(one, broken=f"Great Expectations raised {raised}")
    if result.success:
        return Outcome(one)
    failed = result.result.get("unexpected_count")
    if not failed:
        return Outcome(one, broken="Great Expectations says it failed, and on no row")
    return Outcome(one, int(failed), tuple(map(int, result.result.get("partial_unexpected_index_list") or ())))


def _raised(info: dict[str, Any]) -> str | None:
    """Name the class of the error in an `exception_info`, which holds one error or one for each metric."""
    held = info.values() if "raised_exception" not in info else (info,)
    for one in held:
        if one.get("raised_exception"):
            names = [
                match[1]
                for line in (one.get("exception_traceback") or "").splitlines()
                if (match := _RAISED.match(line))
            ]
            return names[-1] if names else "an error"
    return None
