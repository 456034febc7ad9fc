"""The streams of a lake: one registry of the built-in ones, those declared in `lakehouse.toml` and those of plugins.

Here: building that registry. Not here: a stream's rows and transform (`verdict.py`, `telemetry.py`, `extraction.py`,
`declared.py`). To add a built-in stream, write its row type and transform in the file of its class and list it there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from lakehouse.errors import UsageError
from lakehouse.scoring import SCORERS
from lakehouse.streams import extraction, telemetry, verdict
from lakehouse.streams.declared import declare
from lakehouse.streams.spec import BadRow, Row, Seen, Stream, Transform
from lakehouse.templates import TEMPLATES

__all__ = ["BUILT_IN", "ENTRY_POINT_GROUP", "BadRow", "Row", "Seen", "Stream", "Transform", "load_streams"]

BUILT_IN: tuple[Stream, ...] = (*verdict.STREAMS, *telemetry.STREAMS, *extraction.STREAMS)
ENTRY_POINT_GROUP = "lakehouse.streams"
OWN_LOGS = frozenset(
    {
        "human_overrides",
        "gate_waivers",
        "audit_baselines",
        "replay_runs",
        "sessions",
        "playbooks",
        "fresh_workers",
        "holdout",
        "pathways",
        "erasures",
    }
)
"""Files in `_kb/` that the project itself reads or appends to; they are no streams."""


def load_streams(declared: Mapping[str, Any] | None = None) -> dict[str, Stream]:
    """Give every stream by name: built-in, then plugins (entry points), then `declared` (the toml's `[streams]` table).

    Two streams of one name, or two that read the same path, are a `UsageError`: a row belongs to one stream.
    """
    return _registry([*BUILT_IN, *_plugins(), *(declare(name, table) for name, table in (declared or {}).items())])


def _plugins() -> Iterable[Stream]:
    for point in _points(tuple(sys.path)):
        try:
            loaded = point.load()
            stream = loaded if isinstance(loaded, Stream) else loaded()
        except (ImportError, AttributeError, LookupError, TypeError, ValueError, RuntimeError) as error:
            raise UsageError(
                f"it cannot be loaded ({type(error).__name__}: {error})",
                where=f"entry point {point.value!r} of group {ENTRY_POINT_GROUP!r}",
                mend="mend that package, or uninstall it",
            ) from error
        if not isinstance(stream, Stream):
            raise UsageError(
                f"it gives a {type(stream).__name__}, not a lakehouse.streams.Stream",
                where=f"entry point {point.value!r} of group {ENTRY_POINT_GROUP!r}",
                mend="let it be a Stream, or a function without arguments that returns one",
            )
        yield stream


@cache
def _points(path: tuple[str, ...]) -> list[EntryPoint]:  # noqa: ARG001 - what was found holds for this path
    """Find the plugins; looking through every installed package takes 40 ms, and a run opens its lake many times."""
    return sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name)


def _registry(streams: Iterable[Stream]) -> dict[str, Stream]:
    registry: dict[str, Stream] = {}
    for stream in streams:
        _check(stream, registry)
        registry[stream.name] = stream
    return registry


def _check(stream: Stream, others: Mapping[str, Stream]) -> None:
    where = f"stream {stream.name!r}"
    if stream.name in others:
        raise UsageError(f"there are two streams named {stream.name!r}", mend="rename the one you declared")
    if stream.source.removeprefix("_kb/") in OWN_LOGS:
        raise UsageError(f"{stream.source} is a log of the lake itself", where=where, mend="choose another path")
    for other in others.values():
        if f"{stream.source}/".startswith(f"{other.source}/") or f"{other.source}/".startswith(f"{stream.source}/"):
            raise UsageError(
                f"it reads {stream.source}, and stream {other.name!r} reads {other.source}",
                where=where,
                mend="give one of them another path: a row belongs to one stream",
            )
    for kind, name, known in (("scorer", stream.scorer, SCORERS), ("template", stream.template, TEMPLATES)):
        if name not in known:
            raise UsageError(f"there is no {kind} {name!r}", where=where, mend=f"use one of {', '.join(known)}")
