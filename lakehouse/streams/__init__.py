"""The streams of a lake: one registry of the built-in ones, those declared in `lakehouse.toml` and those of plugins.

Here: building that registry. Not here: a stream's rows and transform (`verdict.py`, `telemetry.py`, `extraction.py`,
`declared.py`). To add a built-in stream, write its row type and transform in the file of its class and list it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from typing import Any

from lakehouse.errors import UsageError
from lakehouse.streams import extraction, telemetry, verdict
from lakehouse.streams.declared import declare
from lakehouse.streams.spec import BadRow, Row, Seen, Stream, Transform

__all__ = ["BUILT_IN", "ENTRY_POINT_GROUP", "BadRow", "Row", "Seen", "Stream", "Transform", "load_streams"]

BUILT_IN: tuple[Stream, ...] = (*verdict.STREAMS, *telemetry.STREAMS, *extraction.STREAMS)
ENTRY_POINT_GROUP = "lakehouse.streams"


def load_streams(declared: Mapping[str, Any] | None = None) -> dict[str, Stream]:
    """Give every stream by name: built-in, then plugins (entry points), then `declared` (the toml's `[streams]` table).

    Two streams of one name, or two that read the same path, are a `UsageError`: a row belongs to one stream.
    """
    return _registry([*BUILT_IN, *_plugins(), *(declare(name, table) for name, table in (declared or {}).items())])


def _plugins() -> Iterable[Stream]:
    for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name):
        loaded = point.load()
        stream = loaded if isinstance(loaded, Stream) else loaded()
        if not isinstance(stream, Stream):
            raise UsageError(
                f"it gives a {type(stream).__name__}, not a lakehouse.streams.Stream",
                where=f"entry point {point.value!r} of group {ENTRY_POINT_GROUP!r}",
                mend="let it be a Stream, or a function without arguments that returns one",
            )
        yield stream


def _registry(streams: Iterable[Stream]) -> dict[str, Stream]:
    registry: dict[str, Stream] = {}
    sources: dict[str, str] = {}
    for stream in streams:
        if stream.name in registry:
            raise UsageError(f"there are two streams named {stream.name!r}", mend="rename the one you declared")
        if stream.source in sources:
            raise UsageError(
                f"streams {sources[stream.source]!r} and {stream.name!r} both read {stream.source}",
                mend="give one of them another path",
            )
        registry[stream.name] = stream
        sources[stream.source] = stream.name
    return registry
