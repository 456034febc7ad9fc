"""Running the chain in this process: what the command line does when it makes data.

Here: one run of the real job over one or many days, on the instance that `DAGSTER_HOME` names, so that the run is in
the UI afterwards. Not here: the command line itself, and which days are worth a run.
"""

import logging
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import dagster as dg

from assets.agents import REPLAYS
from assets.days import tags_of
from assets.releases import RELEASE
from lakehouse.audit.model import AuditReport
from lakehouse.audit.run import report_path
from lakehouse.errors import GateFailed, OutsideFailure, UsageError
from lakehouse.jsonl import read_json
from lakehouse.lake import Lake
from lakehouse.records import RunSummary
from lakehouse.replay.report import ReplayReport
from lakehouse.replay.report import report_path as report_path_of_replay
from lakehouse.timestamps import day_of
from lakehouse_dagster.alarms import why_failed, write_crowded, write_stopped
from lakehouse_dagster.build import build_definitions
from lakehouse_dagster.jobs import AUDIT_JOB, BACKFILL, NIGHTLY, RELEASE_JOB, REPLAY_JOB
from resources import chat, embedder, subjects
from resources.environment import value
from resources.lake import LakeResource, given_commit, utc_now

GATE_FAILED = 1
INTERRUPTED = "the run was interrupted"
Listen = Callable[[str, str], None]
"""Hears of a step: its name (`evidence`, `evidence_receipt_balances`, …) and `started`, `done` or `failed`."""


@dataclass(frozen=True)
class FailedCheck:
    """A check that is not green; `day` is `None` where it looked at all days, or has none.

    `blocks` says that it stops the run, or holds its day back from publishing. `place` is the first thing that it blames, by
    file and line; empty where it blames none.
    """

    asset: str
    check: str
    day: str | None
    blocks: bool
    summary: str
    place: str = ""


@dataclass(frozen=True)
class RunResult:
    """What came of a run.

    `finished` says that every step ran; `success` that moreover no gate of the run's days is red. `exit_code` is that
    of the command line: 0 done, 1 a gate failed, 2 wrong usage or data, 3 something outside failed. `crowded` gives the
    days of which much was quarantined, with the share. `summary` is there for a stopped run too.
    """

    run_id: str
    days: list[str]
    finished: bool
    success: bool
    exit_code: int
    failed_checks: list[FailedCheck] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    crowded: dict[str, float] = field(default_factory=dict)
    summary: RunSummary | None = None


@dataclass(frozen=True)
class AuditResult:
    """What came of an audit: its report, where its page lies, and the checks of the lake as a whole that are not green.

    `errors` say what kept something from being looked at; `exit_code` is that of the command line.
    """

    report: AuditReport
    page: Path
    failed_checks: list[FailedCheck]
    errors: list[str]
    exit_code: int


@dataclass(frozen=True)
class ReplayResult:
    """What came of replaying: the report, where its page lies, and the checks that are not green."""

    report: ReplayReport
    page: Path
    failed_checks: list[FailedCheck]


def run_days(
    root: Path,
    reports: Path,
    days: Sequence[str],
    *,
    include_partial: bool | None = None,
    instance: dg.DagsterInstance | None = None,
    listen: Listen = lambda step, state: None,
    clock: Callable[[], datetime] = utc_now,
) -> RunResult:
    """Run the chain over `days` in one run, from the line index to the baseline, with every gate.

    Many days are one run over the range around them; days in its gaps are left as they are. `include_partial` exports
    partially accepted runs too, or not; `None` leaves it to lakehouse.toml. Without `instance`, the one of `DAGSTER_HOME`
    is used, or one that is forgotten afterwards. Raises `UsageError` for days that the lake does not have, and
    `KeyboardInterrupt` where the run is interrupted.
    """
    lake = LakeResource(root=str(root.absolute()), reports=str(reports.absolute()), commit=given_commit())
    wanted = _checked(lake.open(), days, clock)
    definitions = _definitions(root, reports, listen, first_day=wanted[0], clock=clock)
    job = definitions.resolve_job_def(NIGHTLY if len(wanted) == 1 else BACKFILL)
    run = lake.run(str(uuid.uuid4()))
    with _storage(instance) as storage:
        stopped: str | None = INTERRUPTED
        try:
            result = job.execute_in_process(
                run_id=run.run_id,
                instance=storage,
                tags=tags_of(wanted),
                run_config=_run_config(include_partial),
                raise_on_error=False,
            )
            if _was_interrupted(result):
                raise KeyboardInterrupt
            errors, exit_code = _errors(result)
            stopped = None if result.success else "; ".join(errors) or "the run failed"
        finally:
            # Whatever stopped it, also an interrupt: the run has a summary that says so.
            if stopped is not None:
                write_stopped(lake.open(), run, wanted, stopped)
    summary = read_json(run.folder / "summary.json", RunSummary)
    red = bool(summary and summary.failed_gates)
    return RunResult(
        run_id=run.run_id,
        days=wanted,
        finished=result.success,
        success=result.success and not red,
        exit_code=GATE_FAILED if red else exit_code,
        failed_checks=_failed_checks(result),
        errors=errors,
        crowded=write_crowded(lake.open(), run, wanted),
        summary=summary,
    )


def run_release(
    root: Path,
    reports: Path,
    by: str,
    *,
    instance: dg.DagsterInstance | None = None,
    listen: Listen = lambda step, state: None,
) -> str:
    """Release what is published, signed off by a person; give the release's hash.

    Raises what kept it from being made: `GateFailed` with every reason where it is refused.
    """
    definitions = _definitions(root, reports, listen)
    config = {"loggers": {"console": {}}, "ops": {RELEASE: {"config": {"by": by}}}}
    with _storage(instance) as storage:
        job = definitions.resolve_job_def(RELEASE_JOB)
        result = job.execute_in_process(instance=storage, run_config=config, raise_on_error=False)
        if _was_interrupted(result):
            raise KeyboardInterrupt
    if result.success:
        (made,) = result.asset_materializations_for_node(RELEASE)
        return str(made.metadata["release_hash"].value)
    _raise_failure(result)
    raise OutsideFailure("no release came of the run", mend="see the run in the Dagster UI")


def _raise_failure(result: dg.ExecuteInProcessResult) -> None:
    """Raise what stopped a run, with every reason that the domain gave; nothing where every step ended well."""
    errors, exit_code = _errors(result)
    if not errors:
        return
    told = [event.step_failure_data.user_failure_data for event in result.all_events if event.is_step_failure]
    why = "\n".join(one.description or "" for one in told if one is not None)
    kinds = {kind.exit_code: kind for kind in (GateFailed, UsageError, OutsideFailure)}
    raise kinds[exit_code](why or "; ".join(errors))


def run_audit(
    root: Path,
    reports: Path,
    *,
    instance: dg.DagsterInstance | None = None,
    listen: Listen = lambda step, state: None,
) -> AuditResult:
    """Audit every day and every run, and append the baseline, by the job `audit`.

    Raises what kept the audit from being made; an audit that failed is a result.
    """
    lake = LakeResource(root=str(root.absolute()), reports=str(reports.absolute()), commit=given_commit())
    definitions = _definitions(root, reports, listen)
    run = lake.run(str(uuid.uuid4()))
    with _storage(instance) as storage:
        result = definitions.resolve_job_def(AUDIT_JOB).execute_in_process(
            run_id=run.run_id, instance=storage, run_config=_run_config(None), raise_on_error=False
        )
        if _was_interrupted(result):
            raise KeyboardInterrupt
    page = report_path(run)
    report = read_json(page.with_suffix(".json"), AuditReport)
    if report is None:
        _raise_failure(result)
        raise OutsideFailure("the audit left no report", where=str(page), mend="see the run in the Dagster UI")
    errors, exit_code = _errors(result)
    return AuditResult(report, page, _failed_checks(result), errors, exit_code)


def run_replay(
    root: Path,
    reports: Path,
    asked: Mapping[str, Any],
    *,
    instance: dg.DagsterInstance | None = None,
    listen: Listen = lambda step, state: None,
) -> ReplayResult:
    """Do the newest accepted tasks again, by the job `replay`; `asked` are fields of `assets.agents.ReplayConfig`.

    Raises what kept the report from being made; tasks without an answer are part of it.
    """
    lake = LakeResource(root=str(root.absolute()), reports=str(reports.absolute()), commit=given_commit())
    definitions = _definitions(root, reports, listen)
    run = lake.run(str(uuid.uuid4()))
    given = {name: value for name, value in asked.items() if value is not None}
    config = {"loggers": {"console": {}}, "ops": {REPLAYS: {"config": given}}}
    with _storage(instance) as storage:
        result = definitions.resolve_job_def(REPLAY_JOB).execute_in_process(
            run_id=run.run_id, instance=storage, run_config=config, raise_on_error=False
        )
        if _was_interrupted(result):
            raise KeyboardInterrupt
    page = report_path_of_replay(run.reports, run.run_id)
    report = read_json(page.with_suffix(".json"), ReplayReport)
    if report is None:
        _raise_failure(result)
        raise OutsideFailure("the replay left no report", where=str(page), mend="see the run in the Dagster UI")
    return ReplayResult(report=report, page=page, failed_checks=_failed_checks(result))


def _definitions(root: Path, reports: Path, listen: Listen, **more: Any) -> dg.Definitions:
    """Build the definitions as the environment says, with a console that only passes on how steps go."""
    return build_definitions(
        root,
        reports,
        commit=given_commit(),
        embedder=embedder.from_environment(),
        chat=chat.from_environment(),
        subjects=subjects.from_environment(),
        logger=_logger(listen),
        **more,
    )


def _checked(lake: Lake, days: Sequence[str], clock: Callable[[], datetime]) -> list[str]:
    wanted, today, first = sorted(set(days)), day_of(clock()), lake.settings.first_day
    if not wanted:
        raise UsageError("a run needs a day at least", mend="name one")
    if wanted[-1] > today:
        raise UsageError(f"{wanted[-1]} has not come yet", mend=f"choose days up to today, {today} (UTC)")
    if first is not None and wanted[0] < first:
        raise UsageError(
            f"{wanted[0]} is before the lake's first day, {first}", mend="choose later days, or change first_day"
        )
    return wanted


def _storage(instance: dg.DagsterInstance | None) -> AbstractContextManager[dg.DagsterInstance]:
    """Give where runs are kept: as passed in, else what `DAGSTER_HOME` names, else memory."""
    if instance is not None:
        return nullcontext(instance)
    home = value("DAGSTER_HOME")
    if not home:
        return dg.DagsterInstance.ephemeral()
    if not Path(home).is_absolute() or not Path(home).is_dir():
        raise UsageError(
            f"{home!r} is no absolute folder that exists", where="DAGSTER_HOME", mend="create it, or unset the variable"
        )
    return dg.DagsterInstance.get()


def _run_config(include_partial: bool | None) -> dict[str, Any]:
    config: dict[str, Any] = {"loggers": {"console": {}}}
    if include_partial is not None:
        config["ops"] = {"sft_export": {"config": {"include_partial": include_partial}}}
    return config


def _was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Say whether somebody stopped the run: Dagster takes an interrupt for the failure of the step that it met."""
    failures = [event.step_failure_data.error for event in result.all_events if event.is_step_failure]
    names = {"KeyboardInterrupt", "DagsterExecutionInterruptedError"}
    return any(error is not None and error.cls_name in names for error in failures)


def _errors(result: dg.ExecuteInProcessResult) -> tuple[list[str], int]:
    """Give why steps failed, and the exit code: a red gate stops a run unless something else did."""
    errors, exit_code = [], 0 if result.success else GATE_FAILED
    for event in result.all_events:
        if not event.is_step_failure:
            continue
        errors.append(why_failed(event))
        told = event.step_failure_data.user_failure_data
        if told is not None and "exit_code" in told.metadata:
            exit_code = max(exit_code, int(str(told.metadata["exit_code"].value)))
    return errors, exit_code


def _failed_checks(result: dg.ExecuteInProcessResult) -> list[FailedCheck]:
    return [
        FailedCheck(
            asset=found.asset_key.to_user_string(),
            check=found.check_name,
            day=found.partition,
            blocks=bool(found.blocking) and found.severity is dg.AssetCheckSeverity.ERROR,
            summary=found.description or "",
            place=_first_place(found.metadata.get("offenders")),
        )
        for found in result.get_asset_check_evaluations()
        if not found.passed
    ]


def _first_place(offenders: object) -> str:
    """Give `file:line` of the first offender of a check's table."""
    if not isinstance(offenders, dg.TableMetadataValue) or not offenders.records:
        return ""
    first = offenders.records[0].data
    file, line = str(first.get("file") or ""), str(first.get("line") or "")
    return f"{file}:{line}" if file and line.isdigit() and int(line) else file


class _Listener(logging.Handler):
    """Passes on when steps start and end; everything else that a run logs is kept by the instance."""

    def __init__(self, listen: Listen) -> None:
        super().__init__(logging.DEBUG)
        self._listen = listen

    def emit(self, record: logging.LogRecord) -> None:
        event = getattr(record, "dagster_event", None)
        if isinstance(event, dg.DagsterEvent) and event.step_key is not None and event.event_type in _STATES:
            self._listen(event.step_key, _STATES[event.event_type])


_STATES = {
    dg.DagsterEventType.STEP_START: "started",
    dg.DagsterEventType.STEP_SUCCESS: "done",
    dg.DagsterEventType.STEP_FAILURE: "failed",
    dg.DagsterEventType.STEP_SKIPPED: "skipped",
}


def _logger(listen: Listen) -> dg.LoggerDefinition:
    """Take the place of Dagster's console, which would print every event to stderr."""

    def quiet(_: dg.InitLoggerContext) -> logging.Logger:
        logger = logging.Logger("lakehouse", logging.DEBUG)
        logger.addHandler(_Listener(listen))
        return logger

    return dg.LoggerDefinition(quiet, description="Says nothing; passes on the states of steps.")
