"""One metadata field of all rows, as codes into its distinct values.

Here: reading a field out of JSON, and which rows meet conditions. Not here: what a condition may say (`filters.py`).
A condition is put to each distinct value once; the rest is a look-up, 0.1 ms at 100,000 rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from lakehouse.search.filters import Condition, meets

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Column:
    """A field: `values` are its distinct values (`None` where rows have none), `codes` (n,) says which one a row has."""

    def __init__(self, field: str, metadata: Iterable[str | bytes]) -> None:
        import numpy as np

        one_field = msgspec.defstruct("OneField", [("value", Any, None)], rename={"value": field})
        decode = msgspec.json.Decoder(one_field).decode
        known: dict[object, int] = {}
        self.values: list[object] = []
        codes: list[int] = []
        for row in metadata:
            value: object = getattr(decode(row), "value") if row else None  # noqa: B009
            key = _key(value)
            code = known.get(key)
            if code is None:
                code = known[key] = len(self.values)
                self.values.append(value)
            codes.append(code)
        self.codes: NDArray[np.int32] = np.array(codes, dtype=np.int32)

    def passing(self, condition: Condition) -> NDArray[np.bool_]:
        """Say of each row whether it meets the condition."""
        import numpy as np

        met = np.array([meets(condition, value) for value in self.values], dtype=bool)
        passing: NDArray[np.bool_] = met[self.codes] if len(met) else np.zeros(len(self.codes), dtype=bool)
        return passing


def _key(value: object) -> object:
    """Give what tells values apart: 1, 1.0 and true are three, a list is its JSON."""
    return value if isinstance(value, str) else (type(value), msgspec.json.encode(value))


def distinct(columns: Sequence[Column]) -> set[tuple[object, ...]]:
    """Give the distinct combinations of values of several columns of the same rows."""
    import numpy as np

    if not columns or not len(columns[0].codes):
        return set()
    combined = np.unique(np.stack([column.codes for column in columns], axis=1), axis=0)
    return {tuple(c.values[code] for c, code in zip(columns, row, strict=True)) for row in combined.tolist()}
