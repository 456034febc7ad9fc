"""The corpora that search looks in, each brought to what its source holds.

Here: from a build of the domain to metadata, and the rosters and logs that others write as external assets. Not here: what a
corpus is made of and how (`lakehouse.corpora`), its checks (`corpora_checks.py`), when it is built anew.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import msgspec

from assets.describing import OWNER, ROWS, column_schema, rows_table
from assets.failures import told
from assets.streams import GROUP as STREAMS
from assets.streams import stream_key
from lakehouse.audit.newest import newest_summary
from lakehouse.corpora.build import BuildReport, build, quarantine_path
from lakehouse.corpora.reading import version
from lakehouse.corpora.ready import source_file, why_held
from lakehouse.corpora.registry import CORPORA, Corpus, corpora
from lakehouse.corpora.store import folder_of, require_lancedb
from lakehouse.errors import GateFailed
from lakehouse.files import sha256_of
from lakehouse.jsonl import JsonlReader
from lakehouse.lake import Lake
from lakehouse.publish.exports import EXPORTS
from lakehouse.records import FreshWorker, PlaybookEntry, QuarantinedRow
from lakehouse.roster.schema import COLUMNS
from lakehouse.run import Run
from lakehouse.search.opening import open_searcher
from resources.embedder import EmbedderResource
from resources.lake import LakeResource

GROUP = "corpora"
COUNTS = ("embedded", "cached", "upserted", "deleted", "unchanged")


def asset_name(corpus: Corpus) -> str:
    """Give the asset of a corpus. The playbooks of all namespaces are one."""
    return "playbook_corpus" if corpus.family == "playbooks" else f"{corpus.name}_corpus"


CORPUS_ASSETS = {asset_name(corpus): corpus for corpus in CORPORA.values()}


def corpora_of(lake: Lake, asset: str) -> list[Corpus]:
    """Give the corpora that an asset stands for."""
    return [corpus for corpus in corpora(lake) if asset_name(corpus) == asset]


def source_specs(lake: Lake) -> list[dg.AssetSpec]:
    """Give an external asset per roster and log, unless it is declared as a stream already."""
    streams = {stream_key(name) for name in lake.streams}
    written_by_others = (corpus for corpus in CORPORA.values() if corpus.asset not in EXPORTS)
    return [_spec(corpus) for corpus in written_by_others if _source_key(corpus) not in streams]


def _source_key(corpus: Corpus) -> dg.AssetKey:
    return dg.AssetKey.from_user_string(corpus.asset)


def _spec(corpus: Corpus) -> dg.AssetSpec:
    if not corpus.from_log:
        columns = dg.TableSchema([dg.TableColumn(one.name, one.kind) for one in COLUMNS])
        files, kinds = f"{corpus.source}.parquet or {corpus.source}.csv", {"parquet"}
    else:
        columns = column_schema(PlaybookEntry if corpus.family == "playbooks" else FreshWorker)
        files, kinds = corpus.source, {"jsonl"}
    return dg.AssetSpec(
        _source_key(corpus),
        description=f"{corpus.description} The truth that its corpus is built from.",
        group_name=STREAMS,
        kinds=kinds,
        owners=[OWNER],
        metadata={"files": files, "dagster/column_schema": columns},
    )


class CorpusConfig(dg.Config):
    """What a person may ask of a build: a table made anew, as another embedder needs, and a source that is meant empty."""

    anew: bool = False
    allow_empty: bool = False


def corpus_assets() -> list[dg.AssetsDefinition]:
    """Make an asset per corpus."""
    return [_asset(name, corpus) for name, corpus in CORPUS_ASSETS.items()]


def _asset(name: str, about: Corpus) -> dg.AssetsDefinition:
    @dg.asset(
        name=name,
        deps=[_source_key(about)],
        group_name=GROUP,
        kinds={"python", "lancedb"},
        owners=[OWNER],
        code_version="1",
        description=(
            f"{about.description} What is new in the source is embedded, what changed replaced, what left deleted, in one "
            "commit, which is tagged so that it can be brought back. Searches go on meanwhile."
        ),
        metadata={"dagster/column_schema": _COLUMNS},
    )
    def corpus_asset(
        context: dg.AssetExecutionContext, config: CorpusConfig, lake: LakeResource, embedder: EmbedderResource
    ) -> dg.MaterializeResult[None]:
        domain, run = lake.open(), lake.run(context.run.run_id)
        with told(context.retry_number):
            require_lancedb()
            wanted = corpora_of(domain, name)
            held = why_held(domain, about)
            if held is not None:
                raise GateFailed(f"{name} stays as it is: {held}", mend="bring the export to green, then reindex")
            source = source_file(domain, about)
            if source is None and not any(version(domain, one.name) for one in wanted):
                context.log.info("there is no %s", about.source)
                return dg.MaterializeResult(metadata={ROWS: 0, "note": f"there is no {about.source}: nothing to build"})
            run_hash = _run_hash(run, source)
            with embedder.open(domain) as opened:
                reports = [
                    build(
                        domain,
                        one.name,
                        opened,
                        run.now(),
                        run_hash,
                        anew=config.anew,
                        allow_empty=config.allow_empty,
                    )
                    for one in wanted
                ]
                identity = str(opened.identity)
            served = [open_searcher(domain, one.name).prepare() for one in wanted]
        if source is not None and about.asset not in EXPORTS:
            context.log_event(dg.AssetObservation(_source_key(about), metadata=_seen(source)))
        indexed = sum(view.base.lists is not None for view in served)
        return _told(domain, about, reports, embedder=identity, indexed=indexed)

    return corpus_asset


def _run_hash(run: Run, source: Path | None) -> str:
    """Name what a build is of: the run that finished last, else the bytes of the source; nothing where there is neither."""
    summary = newest_summary(run.reports)
    if summary is not None:
        return summary.run_hash
    return sha256_of(source) if source is not None else ""


def _seen(source: Path) -> dict[str, Any]:
    found = source.stat()
    return {
        "bytes": found.st_size,
        "path": dg.MetadataValue.path(str(source)),
        "dagster/last_updated_timestamp": dg.MetadataValue.timestamp(found.st_mtime),
    }


def _told(lake: Lake, about: Corpus, reports: Sequence[BuildReport], **more: Any) -> dg.MaterializeResult[None]:
    first = reports[0]
    metadata: dict[str, Any] = {
        ROWS: sum(report.rows for report in reports),
        **{name: sum(getattr(report, name) for report in reports) for name in COUNTS},
        # Each namespace of playbooks reads the same log, and refuses the same lines of it.
        "refused": max(report.refused for report in reports),
        "version": first.version,
        "tag": first.tag,
        **more,
        "path": dg.MetadataValue.path(str(folder_of(lake, about.name))),
    }
    if len(reports) > 1:
        metadata["corpora"] = rows_table([msgspec.structs.asdict(report) for report in reports])
    if metadata["refused"]:
        metadata["refused_rows"] = rows_table(_refused(lake, about), ("file", "line", "why"))
    return dg.MaterializeResult(metadata=metadata)


def _refused(lake: Lake, about: Corpus) -> list[dict[str, Any]]:
    """List the rows that the last build refused, without what stands in them."""
    found: list[dict[str, Any]] = []
    with suppress(FileNotFoundError):
        for _, row in JsonlReader(QuarantinedRow).lines(quarantine_path(lake, about.name)):
            found.append({"file": row.source_file, "line": row.line_offset + 1, "why": row.reason})
    return found


_COLUMNS = dg.TableSchema(
    columns=[
        dg.TableColumn("id", "string", "Of one prefix per corpus, each once."),
        dg.TableColumn("vector", "list[float32]", "Of length 1: the mean of the vectors of all texts of the row."),
        dg.TableColumn("text", "string", "The text that a search shows."),
        dg.TableColumn("also", "list[string]", "Further texts that the vector is of."),
        dg.TableColumn("text_sha256", "string", "SHA-256 of all texts; a row whose texts stay is not embedded again."),
        dg.TableColumn("origin", "string", "The corpus whose source the row came from; another one after a merge."),
        dg.TableColumn("metadata", "string", "What a search shows and filters by, as JSON."),
        dg.TableColumn("after_version", "int", "The version of the table before the commit that wrote the row."),
    ]
)
