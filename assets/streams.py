"""The streams as assets that others write, and the line index that says where each day's rows lie in them.

Here: one external asset per stream, observed whenever the index is brought up to date. Not here: how a stream is read
(`lakehouse.index`, `lakehouse.streams`).
"""

from contextlib import suppress
from typing import Any

import dagster as dg

from assets.describing import OWNER, ROWS, column_schema, rows_table
from assets.failures import told
from lakehouse.chain.manifests import Staleness
from lakehouse.index import LineIndex, load, update_all
from lakehouse.lake import Lake
from lakehouse.streams import Row, Stream
from lakehouse.timestamps import day_of
from resources.lake import LakeResource, utc_now

GROUP = "streams"
LINE_INDEX = "line_index"
WAY_OUT = "restore the file, or accept its new content with `lakehouse streams rebuild <stream>`"


def stream_key(name: str) -> dg.AssetKey:
    """Give the asset key of a stream."""
    return dg.AssetKey(["kb", name])


def stream_specs(lake: Lake) -> list[dg.AssetSpec]:
    """Give an external asset per stream of the lake, declared ones and those of plugins included."""
    return [_spec(stream) for stream in lake.streams.values()]


def _spec(stream: Stream) -> dg.AssetSpec:
    metadata: dict[str, Any] = {
        "source_class": stream.source_class,
        "role": stream.role,
        "scorer": stream.scorer,
        "template": stream.template,
        "files": f"{stream.source}.jsonl or {stream.source}/*.jsonl",
        "timestamp_keys": ", ".join(stream.timestamp_keys),
    }
    if isinstance(stream.row_type, type) and issubclass(stream.row_type, Row):
        metadata["dagster/column_schema"] = column_schema(stream.row_type)
    return dg.AssetSpec(
        stream_key(stream.name),
        description=f"{stream.description} Append-only JSONL, written by agents; only read here.",
        group_name=GROUP,
        kinds={"jsonl", stream.source_class},
        owners=[OWNER],
        metadata=metadata,
    )


def line_index_asset(lake: Lake) -> dg.AssetsDefinition:
    """Make the asset `line_index`, which depends on every stream of the lake."""

    @dg.asset(
        name=LINE_INDEX,
        deps=[stream_key(name) for name in lake.streams],
        group_name=GROUP,
        kinds={"python", "parquet"},
        owners=[OWNER],
        code_version="1",
        description=(
            "Where each day's rows lie in the append-only streams: file, lines and bytes. Reads only what was appended "
            "since the last time, and of that only the timestamps. A stream that was rewritten stops here; the others go on."
        ),
        metadata={"dagster/column_schema": _INDEX_COLUMNS},
    )
    def line_index(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult[None]:
        domain = lake.open()
        with told(context.retry_number):
            report = update_all(domain)
            waiting = Staleness(domain).waiting_future(day_of(utc_now()))
            indexes = {name: load(domain, name) for name in report.streams}
        rows = []
        for name, update in report.streams.items():
            newest = max(indexes[name].lines_by_day(), default="")
            if update.error:
                context.log.error(update.error)
            observed: dict[str, Any] = {
                ROWS: update.total_lines,
                "bytes": update.total_bytes,
                "new_rows": update.lines,
                "newest_day": newest,
            }
            context.log_event(
                dg.AssetObservation(stream_key(name), metadata={**observed, **_freshness(domain, indexes[name])})
            )
            rows.append(
                {
                    "stream": name,
                    "rows": update.total_lines,
                    "bytes": update.total_bytes,
                    "new_rows": update.lines,
                    "new_bytes": update.bytes,
                    "without_day": sum(update.reasons.values()),
                    "newest_day": newest,
                    "broken": update.error or "",
                }
            )
        return dg.MaterializeResult(
            metadata={
                ROWS: sum(update.total_lines for update in report.streams.values()),
                "bytes": sum(update.total_bytes for update in report.streams.values()),
                "new_rows": sum(update.lines for update in report.streams.values()),
                "new_bytes": sum(update.bytes for update in report.streams.values()),
                "broken_streams": len(report.broken),
                "waiting_future": waiting,
                "days_touched": ", ".join(report.days) or "none",
                "streams": rows_table(rows),
                "path": dg.MetadataValue.path(str(domain.root / "index" / "lines")),
            }
        )

    return line_index


def _freshness(lake: Lake, index: LineIndex) -> dict[str, dg.MetadataValue[Any]]:
    """Say when a stream was last written to, by its files' times."""
    stamps = []
    for file in index.state.files:
        with suppress(FileNotFoundError):
            stamps.append((lake.root / file.path).stat().st_mtime)
    return {"dagster/last_updated_timestamp": dg.MetadataValue.timestamp(max(stamps))} if stamps else {}


_INDEX_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("file_id", "string", "SHA-256 of the file's first line, by which it is known after a rotation."),
        dg.TableColumn("source_file", "string", "Its path when it was first seen, as provenance names it."),
        dg.TableColumn("day", "string", "The day (UTC) of these lines; empty where they have none."),
        dg.TableColumn("reason", "string", "Why they have no day."),
        dg.TableColumn("first_line", "int", "The first line, counted from 0."),
        dg.TableColumn("line_count", "int"),
        dg.TableColumn("byte_start", "int"),
        dg.TableColumn("byte_end", "int"),
    ]
)


def append_only_check() -> dg.AssetChecksDefinition:
    """Make the check that shows rewritten streams. It blocks nothing: nothing new was indexed from them."""

    @dg.asset_check(
        asset=LINE_INDEX,
        name="streams_append_only",
        description="No indexed part of a stream was changed, cut or taken away. Streams that were wait; others go on.",
    )
    def streams_append_only(context: dg.AssetCheckExecutionContext, lake: LakeResource) -> dg.AssetCheckResult:
        domain = lake.open()
        with told(context.op_execution_context.retry_number):
            indexes = [load(domain, name) for name in domain.streams]
        broken = [{"stream": index.stream, "why": index.state.broken} for index in indexes if index.state.broken]
        lines = sum(file.lines for index in indexes for file in index.state.files)
        return dg.AssetCheckResult(
            passed=not broken,
            severity=dg.AssetCheckSeverity.ERROR,
            description="; ".join(str(one["why"]) for one in broken) or f"{lines} indexed lines stand as they were",
            metadata={
                "streams_checked": len(indexes),
                "rows_checked": lines,
                "broken_streams": rows_table(broken, ("stream", "why")),
                **({"to mend it": WAY_OUT} if broken else {}),
            },
        )

    return streams_append_only
