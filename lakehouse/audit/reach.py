"""Phase 0: the lake can be reached and written to, and the commit of the code is known."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lakehouse.audit.model import AuditCheck, looked, offender
from lakehouse.audit.scope import Scope
from lakehouse.errors import LakehouseError
from lakehouse.files import remove, write_whole
from lakehouse.run import NO_COMMIT

_COMMIT = re.compile(r"[0-9a-f]{40}")


def reach(scope: Scope) -> Iterator[AuditCheck]:
    """Write a probe below the index and take it away again; look at the run's commit."""
    why = cannot_reach(scope)
    where = "index" if scope.lake.root.is_dir() else "."
    found = [offender(where, 0, why)] if why else []
    yield looked(0, "lake_reachable", found, "the lake can be read and written to", bad=why or "")
    commit = scope.run.git_commit
    known = bool(_COMMIT.fullmatch(commit)) and commit != NO_COMMIT
    why = "the commit of the code is not known: run inside the checkout, or set LAKEHOUSE_GIT_COMMIT"
    yield looked(0, "git_commit_known", [] if known else [offender(".", 0, why)], f"the code is {commit[:12]}")


def cannot_reach(scope: Scope) -> str | None:
    """Say why the lake cannot be read or written to, or `None` where it can."""
    root = scope.lake.root
    if not root.is_dir():
        return f"{root} is no folder"
    probe = root / "index" / f".audit-{scope.run.run_id}"
    try:
        write_whole(probe, b"probe")
        same = probe.read_bytes() == b"probe"
        remove(probe)
    except LakehouseError as error:
        return f"index/ cannot be written to: {error.what}"
    except OSError as error:
        return f"index/ cannot be read: {error.strerror or error}"
    return None if same else "index/ gives other bytes back than were written"
