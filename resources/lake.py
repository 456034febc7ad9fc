"""The lake as a Dagster resource: it hands the domain a plain `Lake`, and a `Run` with its clock and commit.

Here: where lake and reports lie, the UTC clock, the git commit of the code. Not here: anything that reads or writes.
"""

import functools
import os
import re
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from pydantic import Field

from lakehouse.errors import UsageError
from lakehouse.lake import Lake
from lakehouse.run import NO_COMMIT, Run
from resources.environment import value

_CHECKOUT = Path(__file__).resolve().parents[1]
_COMMIT = re.compile(r"[0-9a-f]{40}")


class LakeResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The lake at `root` and its reports folder; both are made absolute, so that every process means the same place."""

    root: str = Field(description="The folder of the lake.")
    reports: str = Field(description="The folder for what runs write for people.")
    commit: str = Field(default="", description="The commit that receipts name; empty: that of the checkout.")

    def open(self) -> Lake:
        """Give the lake, with settings and streams read anew when they are first asked for."""
        return Lake(Path(self.root).absolute())

    def run(self, run_id: str) -> Run:
        """Give the domain's view of a Dagster run."""
        return Run(run_id, utc_now, self.commit or _checkout_commit(), Path(self.reports).absolute())


def utc_now() -> datetime:
    """Read the clock: the one place where the pipeline does."""
    return datetime.now(UTC)


def given_commit(environ: Mapping[str, str] = os.environ) -> str:
    """Give `LAKEHOUSE_GIT_COMMIT`, or nothing where it is not set. Raises `UsageError` where it is no commit."""
    given = value("LAKEHOUSE_GIT_COMMIT", environ)
    if given and not _COMMIT.fullmatch(given):
        raise UsageError(
            f"{given!r} is no commit", where="LAKEHOUSE_GIT_COMMIT", mend="give all 40 hex digits, or unset it"
        )
    return given


def git_commit(environ: Mapping[str, str] = os.environ) -> str:
    """Give the commit of the code: as given by the environment, else of the checkout, else 40 zeros."""
    return given_commit(environ) or _checkout_commit()


@functools.cache
def _checkout_commit() -> str:
    command = ["git", "-C", str(_CHECKOUT), "rev-parse", "--show-toplevel", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return NO_COMMIT
    top, _, commit = answer.stdout.strip().partition("\n")
    # Installed below somebody else's checkout, git would answer with a commit that is not ours.
    return commit if Path(top) == _CHECKOUT and _COMMIT.fullmatch(commit) else NO_COMMIT
