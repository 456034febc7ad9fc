"""The shape of a backend: what it offers, and how it is declared.

Here: the types that every backend file fills. Not here: the list of backends (`__init__.py`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from lakehouse.embedding.identity import EmbedderIdentity, Kind
from lakehouse.lake import Lake

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Encoded(NamedTuple):
    """What a backend makes of n texts: float32 rows of length 1 (n, dimension), and which texts the window cut (n)."""

    vectors: NDArray[np.float32]
    cut: NDArray[np.bool_]


class Backend(Protocol):
    """A loaded model. `by_kind`: a query and a document with the same words have other vectors."""

    identity: EmbedderIdentity
    by_kind: bool

    def encode(self, texts: Sequence[str], kind: Kind) -> Encoded:
        """Embed texts that are not blank; order kept. Raises `OutsideFailure` where a server or a file fails."""


@dataclass(frozen=True)
class Options:
    """What only some backends read: the server, its patience, and the cores of this machine to use (0: all).

    `sleep` waits between tries, `jitter` gives a number from 0 to 1 that spreads them.
    """

    host: str = ""
    timeout: float = 60.0
    tries: int = 4
    threads: int = 0
    sleep: Callable[[float], None] = time.sleep
    jitter: Callable[[], float] = random.random


class BackendSpec(NamedTuple):
    """A backend by name: its default model, and how a model is opened for a lake."""

    name: str
    default_model: str
    open: Callable[[Lake, str, Options], Backend]
