"""The gates `parity_<probe>`: our answers to a probe's fixtures are the pinned ones, and those of the peer in Node.

Here: one gate per registered probe, and finding the peer that comes with the repository. Not here: probes, peers and the
comparison (`lakehouse.parity`). What is looked at is code and fixtures, so no gate needs a lake; the one on the embedder
starts faster with a lake that holds the exported model.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from lakehouse.chain.manifests import fingerprint
from lakehouse.code import sources_sha256
from lakehouse.gates.verdicts import verdict
from lakehouse.lake import Lake
from lakehouse.parity.peers import Command, Golden, Peer
from lakehouse.parity.probe import Probe
from lakehouse.parity.probes import PROBES
from lakehouse.parity.run import BAD, WORDS, Result, compare, count
from lakehouse.records import Verdict

VERSION = "parity-1"
PEER = Path(__file__).parents[2] / "parity_peers" / "peer.mjs"
OLDEST_NODE = 18
Gate = Callable[[Lake | None, str], Verdict]


def parity_gates() -> dict[str, Gate]:
    """Give a gate `(lake or None, checked_at) -> Verdict` for each registered probe, by the name of its check."""
    return {f"parity_{probe.name}": partial(parity, probe) for probe in PROBES}


def looked_at(probe: Probe) -> str:
    """Name what the gate of a probe looks at: sources, fixtures, versions of packages, the peer and whether it can run."""
    sources = sources_sha256(probe.path, *sorted(PEER.parent.glob("*.mjs")))
    return fingerprint(sources, node_peer()[1], *map(_version, probe.packages))


def parity(probe: Probe, lake: Lake | None, checked_at: str) -> Verdict:
    """Compare our answers with the pinned ones, and with the Node peer's where Node is there; else say why not."""
    node, absent = node_peer()
    return verdict_on(
        probe.within(lake), [Golden(), *([node] if node else [])], {"node": absent} if absent else {}, checked_at
    )


def verdict_on(probe: Probe, peers: Sequence[Peer], absent: dict[str, str], checked_at: str) -> Verdict:
    """Make the verdict on a probe from what its peers answer; `absent` says of peers that were not asked why."""
    results = compare(probe, peers)
    bad = [result for result in results if result.verdict in BAD or not result.reached]
    asked = [result for result in results if result.verdict != "unavailable"]
    rows = [_row(peer.name, [result for result in results if result.peer == peer.name]) for peer in peers]
    rows += [{"peer": peer, **dict.fromkeys(WORDS, 0), "why": f"not asked: {why}"} for peer, why in absent.items()]
    return verdict(
        f"parity_{probe.name}",
        passed=not bad and bool(asked),
        rows_checked=len(asked),
        summary="; ".join(_sentence(row) for row in rows),
        offenders=[_offender(probe, result) for result in bad],
        tables={"peers": rows},
        input_sha256=looked_at(probe),
        code_version=VERSION,
        checked_at=checked_at,
    )


def node_peer() -> tuple[Command | None, str]:
    """Find the Node peer: the command, or why there is none."""
    node = shutil.which("node")
    if node is None:
        return None, "node is not on the PATH"
    if not PEER.is_file():
        return None, "this installation has no parity_peers/, which lies in the repository"
    try:
        found = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"node does not start ({type(error).__name__})"
    version = re.match(r"v(\d+)", found)
    if version is None or int(version[1]) < OLDEST_NODE:
        return None, f"node is {found.strip()[:20] or 'of no version'}, and the peer needs {OLDEST_NODE} or newer"
    return Command((node, str(PEER))), ""


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} absent"


def _row(peer: str, results: Sequence[Result]) -> dict[str, Any]:
    why = next((result.reason for result in results if result.verdict != "match"), "")
    return {"peer": peer, **count(results), "why": why}


def _sentence(row: dict[str, Any]) -> str:
    asked = row["match"] + row["differ"] + row["invalid"]
    if not asked:
        return f"{row['peer']}: {row['why']}"
    missing = f", {row['unavailable']} not answered" if row["unavailable"] else ""
    return f"{row['peer']}: {row['match']} of {asked} answers match{missing}"


def _offender(probe: Probe, result: Result) -> dict[str, Any]:
    why = f"{result.fixture}, {result.peer}: {result.verdict}, {result.reason}"
    return {"file": f"parity/fixtures/{probe.path.name}", "line": 0, "why": why}
