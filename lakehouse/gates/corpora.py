"""The gates on what a corpus holds: rows against their source, vectors against the embedder.

Here: each gate as a function from a lake, a corpus and the time to a verdict; embedders are passed in. Not here: building
(`lakehouse.corpora`), the gates on searching it (`corpora_search.py`). `input_sha256` names the embedder and the version of the
corpus, so that a verdict goes stale with the next write.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import TYPE_CHECKING, Any, Final, Literal

from lakehouse.chain.manifests import fingerprint
from lakehouse.corpora import registry
from lakehouse.corpora.logs import ignored
from lakehouse.corpora.reading import ids_of, snapshot
from lakehouse.corpora.rows import CorpusRows
from lakehouse.corpora.state import read_state
from lakehouse.corpora.vectors import vectors_of
from lakehouse.embedding import EmbedderIdentity, require_same
from lakehouse.errors import LakehouseError, UsageError
from lakehouse.gates.verdicts import verdict
from lakehouse.lake import Lake
from lakehouse.records import Verdict

if TYPE_CHECKING:
    from lakehouse.embedding import Embedder

VERSION: Final = "corpora-1"
SAMPLE: Final = 64
SAME: Final = 0.99999
"""The cosine that two vectors of one text must reach."""

Offender = dict[str, Any]

FIXTURES: Final = (
    "Need 3 Forklift Operators in Detroit MI starting at 06:00 for Acme",
    "Welder in Flint, MI. Skills: MIG, TIG. Certifications: AWS D1.1.",
    "crates/vectord/src/store.rs: the lock is held across an await point",
    "phase 4: the audit found two exports without provenance",
    "¿Quién puede cubrir el turno de noche en el almacén de Toledo?",
    "夜勤のフォークリフト運転手を三人お願いします",
    "a",
    "one two three four five six seven eight nine ten " * 12,
)
"""Eight texts for embedders: the demand, the worker, code, an audit, two other languages, one letter, a long one."""


def row_parity(lake: Lake, name: str, checked_at: str) -> Verdict:
    """Hold the ids of a corpus against its source, both ways: each once, and of the text that the source has now.

    Rows that were merged in are held against the source of the corpus that they came from. Memory: some 200 bytes a row.
    """
    corpus = registry.corpus(name)
    rows = ids_of(lake, name)
    ids, texts, origins = (rows.column(column).to_pylist() for column in ("id", "text_sha256", "origin"))
    held = dict(zip(ids, zip(texts, origins, strict=True), strict=True))
    whys = [f"{one} is there {count} times" for one, count in Counter(ids).items() if count > 1]
    try:
        source = _source(lake, name)
        merged = {origin for _, origin in held.values()} - {name}
        elsewhere = {origin: _source(lake, origin) for origin in sorted(merged)}
        known = {
            origin: registry.corpus(origin).gone(lake, origin) | found.keys() for origin, found in elsewhere.items()
        }
    except LakehouseError as error:
        return verdict_on(lake, "row_parity", name, [f"the source cannot be read: {error}"], 0, str(error), checked_at)
    whys += [f"{one} is in the source and not in the corpus" for one in source.keys() - held.keys()]
    whys += [
        f"{one} has another text in the source" for one in source.keys() & held.keys() if source[one] != held[one][0]
    ]
    for one, (_, origin) in held.items():
        if one not in source and (origin == name or one not in known[origin]):
            whys.append(f"{one} came from {origin}, whose source does not hold it")
    say = f"{len(whys)} of {len(source)} rows of the source and {len(ids)} of the corpus do not match"
    good = f"{len(ids)} rows, each once, as in {corpus.source}" if ids else f"{corpus.source} and the corpus are empty"
    return verdict_on(lake, "row_parity", name, sorted(whys), len(ids), say if whys else good, checked_at)


def _source(lake: Lake, name: str) -> dict[str, str]:
    """Give the SHA-256 of the text of every row that a source holds, by id."""
    return {item.id: item.text_sha256 for item in registry.corpus(name).read(lake, name, ignored)}


def embed_parity(
    lake: Lake, name: str, checked_at: str, embedder: Embedder, peer: Embedder | None = None, sample: int = SAMPLE
) -> Verdict:
    """Embed again: a seeded sample of the rows against their stored vectors, and eight texts alone against all at once.

    `peer` is a second backend of the same model, asked for the same. Every cosine must be 0.99999 or more. Neither may have
    a cache, for it would answer with what was stored; raises `UsageError` where one has, or is not the corpus' own model.
    """
    corpus, rows = registry.corpus(name), snapshot(lake, name)
    require_same(rows.identity, embedder.identity, where=name)
    if peer and peer.identity.model != embedder.identity.model:
        raise UsageError(
            f"{peer.identity} runs another model than {embedder.identity}", mend="compare backends of one model"
        )
    places = sorted(Random(f"{name}/{len(rows)}").sample(range(len(rows)), min(sample, len(rows))))  # noqa: S311 - a sample, no secret
    ids = rows.ids.take(places).to_pylist() if places else []
    columns = (rows.column(column).take(places).to_pylist() for column in ("text", "also")) if places else ((), ())
    texts = [(text, *also) for text, also in zip(*columns, strict=True)]
    whys: list[str] = []
    table: list[dict[str, Any]] = []
    for one in (embedder, *([peer] if peer else [])):
        before, who = one.cached, one.identity.backend
        # One call for all texts: what is in it twice would count as cached.
        different = list(dict.fromkeys([(text,) for text in FIXTURES] + texts))
        again = dict(zip(different, vectors_of(one, different, corpus.kind), strict=True))
        stored = [
            (f"{id_} embedded again", again[text], rows.vectors[at])
            for id_, text, at in zip(ids, texts, places, strict=True)
        ]
        alone = [vectors_of(one, [(text,)], corpus.kind)[0] for text in FIXTURES]
        if one.cached > before:
            raise UsageError(
                f"{who} answered from a cache, so nothing was embedded again",
                mend="open it with open_embedder(…, cache=False, remember=0)",
            )
        batched = [
            (f"fixture {number} alone and among others", again[text,], vector)
            for number, (text, vector) in enumerate(zip(FIXTURES, alone, strict=True))
        ]
        found = [(what, _cosine(left, right)) for what, left, right in (*stored, *batched)]
        whys += [f"{who}: {what} has cosine {cosine:.7f}" for what, cosine in found if not cosine >= SAME]
        table.append({"backend": who, "texts": len(found), "lowest_cosine": min(cosine for _, cosine in found)})
    asked = " and ".join(str(row["backend"]) for row in table)
    good = f"{len(texts)} stored rows and {len(FIXTURES)} fixtures embedded again by {asked}, cosine ≥ {SAME}"
    say = f"{len(whys)} vectors differ from what {asked} gives now"
    return verdict_on(
        lake,
        "embed_parity",
        name,
        whys,
        len(texts),
        say if whys else good,
        checked_at,
        rows=rows,
        tables={"backends": table},
    )


def _cosine(one: Any, other: Any) -> float:
    return float(one.astype("float64") @ other.astype("float64"))


def looked_at(lake: Lake, name: str) -> str:
    """Name what the gates on a corpus would look at now: its embedder and its version."""
    from lakehouse.corpora.reading import version

    state = read_state(lake, name)
    return _named(state.embedder if state else None, version(lake, name))


def _named(identity: EmbedderIdentity | None, version: int) -> str:
    fields = [] if identity is None else [getattr(identity, field) for field in identity.__struct_fields__]
    return fingerprint(fields, version)


def verdict_on(
    lake: Lake,
    check: str,
    name: str,
    whys: Iterable[str],
    rows_checked: int,
    summary: str,
    checked_at: str,
    *,
    rows: CorpusRows | None = None,
    tables: dict[str, list[dict[str, Any]]] | None = None,
    severity: Literal["ERROR", "WARN"] = "ERROR",
) -> Verdict:
    """Make the verdict on a corpus, whose offenders are told in words; `rows` is the version that was looked at."""
    offenders = [{"file": f"lance/{name}.lance", "line": 0, "why": why} for why in whys]
    return verdict(
        check,
        passed=not offenders,
        severity=severity,
        rows_checked=rows_checked,
        summary=summary,
        offenders=offenders,
        tables=tables,
        input_sha256=_named(rows.identity, rows.version) if rows else looked_at(lake, name),
        code_version=VERSION,
        checked_at=checked_at,
    )
