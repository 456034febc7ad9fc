"""`lakehouse doctor`: does everything that the chain needs work, and how to mend what does not."""

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import typer
from rich.text import Text

from lakehouse.errors import LakehouseError
from lakehouse.files import remove, write_whole
from lakehouse.lake import Lake
from lakehouse.sql import connect
from lakehouse.stream_check import check as check_streams
from lakehouse_dagster.commands.shell import (
    DEFAULT_LAKE,
    DEFAULT_REPORTS,
    JsonOption,
    LakeOption,
    Out,
    ReportsOption,
)
from resources import chat, subjects
from resources.environment import VARIABLES, shown
from resources.lake import git_commit

ROOM = 1 << 30
PACKAGES = ("dagster", "dagster-duckdb", "duckdb", "msgspec", "orjson", "pyarrow", "google-re2")


class Answer(NamedTuple):
    """What one look found."""

    what: str
    ok: bool
    found: str
    mend: str = ""


def doctor(
    lake: LakeOption = DEFAULT_LAKE, reports: ReportsOption = DEFAULT_REPORTS, as_json: JsonOption = False
) -> None:
    """Check lake, settings, streams, DuckDB, Dagster and disk, and say how to mend what fails.

    Example: lakehouse doctor --lake data
    """
    out = Out(as_json)
    opened = Lake(lake.resolve())
    looks: list[Callable[[], Answer]] = [
        _python,
        lambda: _writable("lake", opened.root, "make one with `lakehouse init`, or name one with --lake"),
        lambda: _writable("reports", reports.resolve(), "name another folder with --reports"),
        lambda: _settings(opened),
        lambda: _streams(opened),
        lambda: _duckdb(opened),
        lambda: _chat(opened),
        lambda: _subjects(opened),
        _dagster_home,
        _commit,
        lambda: _room(opened.root),
    ]
    answers = [look() for look in looks]
    out.table(
        "Health",
        ["", "what", "found", "to mend it"],
        [("ok" if one.ok else Text("no", style="red"), one.what, one.found, one.mend) for one in answers],
    )
    out.table(
        "Settings from the environment",
        ["variable", "value", "meaning"],
        [(variable.name, shown(variable), variable.meaning) for variable in VARIABLES],
    )
    out.answer(
        health=[one._asdict() for one in answers],
        environment={variable.name: shown(variable) for variable in VARIABLES},
    )
    out.close()
    bad = {one.what for one in answers if not one.ok}
    if bad:
        raise typer.Exit(2 if bad & {"lake", "settings", "streams", "chat", "subjects"} else 3)


def _python() -> Answer:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return Answer("Python", True, f"{sys.version.split()[0]}, {versions}")


def _writable(what: str, folder: Path, mend: str) -> Answer:
    if not folder.is_dir():
        return Answer(what, what == "reports", f"{folder} is not there" + (" yet" if what == "reports" else ""), mend)
    probe = folder / ".doctor"
    try:
        write_whole(probe, b"probe")
        remove(probe)
    except LakehouseError as error:
        return Answer(what, False, str(error), mend)
    return Answer(what, True, f"{folder} is writable")


def _settings(lake: Lake) -> Answer:
    try:
        first, streams = lake.settings.first_day, len(lake.streams)
    except LakehouseError as error:
        return Answer("settings", False, error.what, error.mend)
    if first is None:
        return Answer("settings", True, f"{streams} streams; no first_day yet: every row counts")
    return Answer("settings", True, f"{streams} streams; the lake begins on {first}")


def _streams(lake: Lake) -> Answer:
    try:
        findings = check_streams(lake)
    except LakehouseError as error:
        return Answer("streams", False, error.what, error.mend)
    broken = [one for one in findings if one.kind == "rewritten"]
    undeclared = len(findings) - len(broken)
    if broken:
        return Answer("streams", False, broken[0].why, "`lakehouse streams check` lists all")
    return Answer("streams", True, f"as indexed; {undeclared} files in _kb/ belong to no stream")


def _duckdb(lake: Lake) -> Answer:
    if not lake.root.is_dir():
        return Answer("DuckDB", True, "not tried without a lake")
    connection = connect(lake)
    try:
        version = connection.execute("select version()").fetchone()[0]
    finally:
        connection.close()
    return Answer("DuckDB", True, f"{version}, in memory, bounded")


def _chat(lake: Lake) -> Answer:
    found = chat.look(chat.from_environment(), lake)
    return Answer("chat", found.ok, found.found, found.mend)


def _subjects(lake: Lake) -> Answer:
    found = subjects.look(subjects.from_environment(), lake)
    return Answer("subjects", found.ok, found.found, found.mend)


def _dagster_home() -> Answer:
    home = os.environ.get("DAGSTER_HOME", "")
    if not home:
        return Answer(
            "Dagster",
            True,
            "DAGSTER_HOME is not set: runs of the command line are not kept for the UI",
            "export DAGSTER_HOME=/an/absolute/folder (make run and make ui use ./.dagster)",
        )
    if not Path(home).is_absolute() or not Path(home).is_dir():
        return Answer("Dagster", False, f"DAGSTER_HOME={home} is no absolute folder that exists", f"mkdir -p {home}")
    has_config = (Path(home) / "dagster.yaml").exists()
    return Answer("Dagster", True, f"{home}{'' if has_config else ' (no dagster.yaml: defaults)'}")


def _commit() -> Answer:
    commit = git_commit()
    known = commit.strip("0") != ""
    return Answer(
        "commit",
        True,
        commit[:12] if known else "unknown: receipts will say 40 zeros",
        "" if known else "run inside the checkout, or set LAKEHOUSE_GIT_COMMIT",
    )


def _room(folder: Path) -> Answer:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    return Answer("disk", free > ROOM, f"{free / (1 << 30):.1f} GiB free", "" if free > ROOM else "free some space")
