"""A snapshot on disk, so that a process searches without reading the store and without training.

Here: writing and reading the files below `index/search/<corpus>/`. Not here: when that happens (`engine.py`).

`about.json` names the version, the embedder and the other files with their SHA-256, and is replaced last; the others are
named by their content. Whatever does not fit together is as if it were not there: all of it can be made again.
"""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from lakehouse.embedding.identity import EmbedderIdentity
from lakehouse.files import Staged, locked, sha256_of, write_whole
from lakehouse.search.ivf import Lists, available
from lakehouse.search.layered import Held
from lakehouse.search.snapshot import Snapshot
from lakehouse.search.texts import Texts

_ABOUT: Final = "about.json"
_NAME: Final = re.compile(r"[a-z]{1,12}-[0-9a-f]{16}")


class _File(msgspec.Struct, frozen=True):
    name: str
    sha256: str
    shape: tuple[int, ...] = ()


class _About(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema_version: int
    version: int
    identity: EmbedderIdentity
    rows: _File
    vectors: _File
    centroids: _File | None = None
    of_row: _File | None = None
    probes: int = 0
    trained: int = 0
    strangers: int = 0


def save(folder: Path, snapshot: Snapshot) -> None:
    """Write a snapshot; a reader meets the one before or this one. What the one before had is removed after."""
    import pyarrow as pa

    table = pa.table({"id": snapshot.ids, "metadata": list(snapshot.metadata), "text": list(snapshot.texts)}, _schema())
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as out:
        out.write_table(table)
    with locked(folder / ".lock"):
        rows = _put(folder, "rows", sink.getvalue())
        vectors = _put_array(folder, "vectors", snapshot.vectors)
        about = _About(1, snapshot.version, snapshot.identity, rows, vectors)
        lists = snapshot.lists
        if lists is not None:
            about = msgspec.structs.replace(
                about,
                centroids=_put_array(folder, "centroids", lists.centroids),
                of_row=_put_array(folder, "lists", lists.of_row),
                probes=lists.probes,
                trained=lists.trained,
                strangers=lists.strangers,
            )
        write_whole(folder / _ABOUT, msgspec.json.format(msgspec.json.encode(about), indent=1))
        kept = {file.name for file in (rows, vectors, about.centroids, about.of_row) if file} | {_ABOUT}
        for leftover in folder.iterdir():
            if leftover.name not in kept and not leftover.name.startswith("."):
                leftover.unlink(missing_ok=True)


def load(folder: Path) -> Snapshot | None:
    """Read what was saved, checking every byte; `None` where something is missing, torn or not what was written."""
    import numpy as np
    import pyarrow as pa

    about = _about(folder)
    if about is None:
        return None
    try:
        rows = _bytes(folder, about.rows)
        vectors = _array(folder, about.vectors, np.float32)
        lists = None
        if about.centroids and about.of_row and available():
            centroids = np.array(_array(folder, about.centroids, np.float32))
            of_row = np.array(_array(folder, about.of_row, np.int32))
            lists = Lists(centroids, of_row, about.probes, about.trained, about.strangers)
        table = pa.ipc.open_file(pa.py_buffer(rows)).read_all()
    except (OSError, ValueError, pa.ArrowException):
        return None
    ids, metadata, texts = (table.column(name).combine_chunks() for name in ("id", "metadata", "text"))
    found = Held(about.version, about.identity, ids.to_pylist(), vectors, Texts(metadata), Texts(texts))
    return Snapshot(found, lists=lists)


def _schema() -> Any:
    import pyarrow as pa

    return pa.schema([pa.field(name, pa.large_string(), nullable=False) for name in ("id", "metadata", "text")])


def _about(folder: Path) -> _About | None:
    try:
        about = msgspec.json.decode((folder / _ABOUT).read_bytes(), type=_About)
    except (OSError, msgspec.DecodeError):
        return None
    return about if about.schema_version == 1 else None


def _put(folder: Path, kind: str, data: Any, shape: tuple[int, ...] = ()) -> _File:
    digest = sha256(data).hexdigest()
    file = _File(f"{kind}-{digest[:16]}", digest, shape)
    path = folder / file.name
    # The same bytes as before are left alone; a damaged file of this name is not.
    if not path.is_file() or sha256_of(path) != digest:
        with Staged(path) as out:
            out.write(data)
    return file


def _put_array(folder: Path, kind: str, array: Any) -> _File:
    import numpy as np

    whole = np.ascontiguousarray(array)
    return _put(folder, kind, whole.reshape(-1).view(np.uint8).data, whole.shape)


def _bytes(folder: Path, file: _File) -> Any:
    """Map a file of ours; its name must be the one that its digest gives, so that it leads nowhere else."""
    import numpy as np

    if not _NAME.fullmatch(file.name) or not file.name.endswith(file.sha256[:16]):
        raise ValueError(f"{file.name[:80]!r} is no file of a snapshot")
    path = folder / file.name
    # An empty file cannot be mapped.
    data = np.memmap(path, dtype=np.uint8, mode="r") if path.stat().st_size else np.zeros(0, dtype=np.uint8)
    if sha256(data.data).hexdigest() != file.sha256:
        raise ValueError(f"{path} is not what was written")
    return data


def _array(folder: Path, file: _File, kind: Any) -> Any:
    return _bytes(folder, file).view(kind).reshape(file.shape)
