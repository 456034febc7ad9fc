"""Parity for people: a page per probe, and one page with the count over all of them.

Here: writing `parity/<probe>.md`, `parity/README.md` and `parity/parity.json` below the folder of reports. Not here: the
comparison (`run.py`). Values are cut; the whole ones lie in the fixtures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lakehouse.errors import RecordError
from lakehouse.files import write_whole
from lakehouse.parity.probe import Probe, shown
from lakehouse.parity.run import WORDS, Result, count

STATE = "parity.json"


def write_reports(folder: Path, probes: Sequence[Probe], results: Sequence[Result], checked_at: str) -> list[Path]:
    """Write the page of each probe that was run, then the page and the JSON of all that ever were; give their paths.

    `folder` is that of all reports. The count of a probe that was not run now stays as it was.
    """
    folder = folder / "parity"
    state = _read(folder / STATE)
    paths = []
    for probe in probes:
        held = [result for result in results if result.probe == probe.name]
        peers = list(dict.fromkeys(result.peer for result in held))
        by_peer = {peer: [result for result in held if result.peer == peer] for peer in peers}
        state[probe.name] = {
            "checked_at": checked_at,
            "fixtures": len(probe.fixtures),
            "peers": {peer: count(found) for peer, found in by_peer.items()},
        }
        paths.append(folder / f"{probe.name}.md")
        write_whole(paths[-1], _page(probe, by_peer, checked_at).encode())
    state = dict(sorted(state.items()))
    write_whole(folder / STATE, (json.dumps(state, indent=2, ensure_ascii=False) + "\n").encode())
    write_whole(folder / "README.md", _front(state).encode())
    return [*paths, folder / "README.md", folder / STATE]


def cumulative(state: Mapping[str, Any]) -> dict[str, int]:
    """Add up the verdicts of every probe and peer."""
    counts = [found for probe in state.values() for found in probe["peers"].values()]
    return {word: sum(found.get(word, 0) for found in counts) for word in WORDS}


def _read(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        state = json.loads(path.read_bytes())
        cumulative(state)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise RecordError(
            f"this is not the count of earlier runs ({type(error).__name__}: {error})",
            where=str(path),
            mend="delete it; it begins anew with the next run",
        ) from None
    assert isinstance(state, dict)
    return state


def _page(probe: Probe, by_peer: Mapping[str, Sequence[Result]], checked_at: str) -> str:
    lines = [f"# Parity: {probe.name}", "", probe.description, "", f"{len(probe.fixtures)} fixtures, {checked_at}."]
    for peer, results in by_peer.items():
        lines += ["", f"## {_cell(peer)}", "", _sentence(count(results)), ""]
        lines += _table(
            ("fixture", "ours", "theirs", "verdict", "why"),
            (
                (result.fixture, _value(result.ours), _value(result.theirs), result.verdict, _cell(result.reason))
                for result in results
            ),
        )
    return "\n".join(lines) + "\n"


def _front(state: Mapping[str, Any]) -> str:
    total = cumulative(state)
    rows = [
        (f"[{name}]({name}.md)", found["fixtures"], _cell(peer), *(counts.get(word, 0) for word in WORDS), at)
        for name, found in state.items()
        for at in [found["checked_at"]]
        for peer, counts in found["peers"].items()
    ]
    lines = ["# Parity", "", f"{_sentence(total)} Over {len(state)} probes, each as it was last run.", ""]
    lines += _table(("probe", "fixtures", "peer", *WORDS, "checked at"), rows)
    return "\n".join(lines) + "\n"


def _sentence(counts: Mapping[Any, int]) -> str:
    rest = [f"{number} {word}" for word, number in counts.items() if number and word != "match"]
    return f"{counts['match']} of {sum(counts.values())} match{''.join(f', {part}' for part in rest)}."


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    head = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    return [*head, *(f"| {' | '.join(map(str, row))} |" for row in rows)]


def _value(value: Any) -> str:
    """Show a value as code; a run of backticks in it cannot end that early."""
    if value is None:
        return "—"
    text = _flat(shown(value)).replace("|", "\\|")
    longest = max((len(run) for run in "".join(c if c == "`" else " " for c in text).split()), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {text} {fence}" if longest else f"`{text}`"


def _cell(text: str) -> str:
    plain = _flat(text[:300])
    for mark in "\\`|<>[]*":
        plain = plain.replace(mark, f"\\{mark}")
    return plain


def _flat(text: str) -> str:
    return " ".join(text.split())
