"""A row of a corpus: what a source gives, and its one Arrow schema.

Here: shapes and conversions. Not here: reading sources, LanceDB, and how a vector comes about (`vectors.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from lakehouse.embedding.identity import EmbedderIdentity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_EMBEDDER: Final = b"lakehouse.embedder"


class Item(NamedTuple):
    """A row as its source gives it.

    Its vector is the mean of the unit vectors of `texts`, of which the first is shown. `origin` is the corpus whose source
    it came from, `line` its place there, from 0.
    """

    id: str
    texts: tuple[str, ...]
    metadata: Mapping[str, Any]
    origin: str
    line: int = 0

    @property
    def text_sha256(self) -> str:
        """The hex SHA-256 of the text, of several with a zero byte between them."""
        return sha256("\0".join(self.texts).encode()).hexdigest()

    @property
    def metadata_json(self) -> str:
        """The metadata as compact JSON, keys in their order."""
        return msgspec.json.encode(self.metadata).decode()


def schema_of(identity: EmbedderIdentity) -> Any:
    """Give the Arrow schema of a corpus. It carries the embedder, so that every version of a table says whose it is.

    `also` are the texts beside the shown one; `after_version` is the version that the table had before the commit that
    wrote the row, by which a reader finds what is new to it.
    """
    fields = [
        pa.field("id", pa.string(), nullable=False),
        pa.field("vector", pa.list_(pa.float32(), identity.dimension), nullable=False),
        pa.field("text", pa.string(), nullable=False),
        pa.field("also", pa.list_(pa.string()), nullable=False),
        pa.field("text_sha256", pa.string(), nullable=False),
        pa.field("origin", pa.string(), nullable=False),
        pa.field("metadata", pa.string(), nullable=False),
        pa.field("after_version", pa.int64(), nullable=False),
    ]
    return pa.schema(fields, metadata={_EMBEDDER: msgspec.json.encode(identity)})


def identity_of(schema: Any) -> EmbedderIdentity:
    """Read the embedder out of a schema."""
    return msgspec.json.decode(schema.metadata[_EMBEDDER], type=EmbedderIdentity)


def table_of(
    identity: EmbedderIdentity, items: Sequence[Item], vectors: NDArray[np.float32], after_version: int = 0
) -> Any:
    """Make a `pyarrow.Table` of items and their vectors (n, dimension)."""
    flat = pa.array(vectors.ravel(), pa.float32())
    columns = [
        pa.array([item.id for item in items], pa.string()),
        pa.FixedSizeListArray.from_arrays(flat, identity.dimension),
        pa.array([item.texts[0] for item in items], pa.string()),
        pa.array([list(item.texts[1:]) for item in items], pa.list_(pa.string())),
        pa.array([item.text_sha256 for item in items], pa.string()),
        pa.array([item.origin for item in items], pa.string()),
        pa.array([item.metadata_json for item in items], pa.string()),
        pa.array([after_version] * len(items), pa.int64()),
    ]
    return pa.table(columns, schema=schema_of(identity))


def stamped(table: Any, after_version: int) -> Any:
    """Give the same rows as written by the commit after a version."""
    at = table.schema.get_field_index("after_version")
    stamps = pa.array([after_version] * table.num_rows, pa.int64())
    return table.set_column(at, table.schema.field(at), stamps)


def matrix_of(table: Any) -> NDArray[np.float32]:
    """Give the vectors as a matrix (n, dimension); without a copy where they lie in one piece."""
    import numpy as np

    column = table.column("vector")
    width = column.type.list_size
    pieces = [chunk.flatten().to_numpy(zero_copy_only=True) for chunk in column.chunks if len(chunk)]
    if not pieces:
        return np.empty((0, width), np.float32)
    flat = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
    return flat.reshape(-1, width)


def items_of(table: Any) -> list[Item]:
    """Give the rows of a table as items again, with their whole text and metadata."""
    columns = [table.column(name).to_pylist() for name in ("id", "text", "also", "metadata", "origin")]
    return [
        Item(one, (text, *also), msgspec.json.decode(metadata), origin)
        for one, text, also, metadata, origin in zip(*columns, strict=True)
    ]


def overlaid(table: Any, newer: Any) -> Any:
    """Put newer rows in place of those of the same id. A row that is there twice among the newer ones counts by its last."""
    if not newer.num_rows:
        return table
    ids = newer.column("id").to_pylist()
    last = {one: place for place, one in enumerate(ids)}
    if len(last) < len(ids):
        newer = newer.take(pa.array(sorted(last.values())))
    if not table.num_rows:
        return newer
    kept = table.filter(pc.invert(pc.is_in(table.column("id"), value_set=newer.column("id").combine_chunks())))
    return pa.concat_tables([kept, newer])


@dataclass(frozen=True)
class CorpusRows:
    """Rows of a corpus at one version, for search. Every column has the same order, which means nothing.

    `version` grows with each write. `vectors` is (n, dimension) float32, rows of length 1; it must not be written to. The
    other columns are Arrow arrays of strings; `metadata` is JSON.
    """

    version: int
    identity: EmbedderIdentity
    table: Any
    vectors: NDArray[np.float32]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def column(self, name: str) -> Any:
        """Give a column as one Arrow array: `id`, `text`, `text_sha256`, `origin`, `metadata` or `after_version`."""
        column = self.table.column(name)
        return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()

    @property
    def ids(self) -> Any:
        """The ids."""
        return self.column("id")

    @property
    def metadata(self) -> Any:
        """The metadata of each row as JSON."""
        return self.column("metadata")

    def metadata_at(self, place: int) -> dict[str, Any]:
        """Give the metadata of one row, read."""
        found: dict[str, Any] = msgspec.json.decode(self.table.column("metadata")[place].as_py())
        return found


def rows_of(version: int, table: Any) -> CorpusRows:
    """Make the rows of a version from their Arrow table, whose vectors are kept as the matrix alone."""
    identity = identity_of(table.schema)
    return CorpusRows(version, identity, table.drop_columns(["vector"]), matrix_of(table))
