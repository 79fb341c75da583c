"""From rows to a DataFrame, again and again, at the cost of what is new."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .rows import Row, text_array

if TYPE_CHECKING:
    import pandas as pd

_FIRST_CAPACITY = 8192
_FRAMES_KEPT = 256


class _Column:
    """A numpy array that grows at its end."""

    def __init__(self, dtype: str) -> None:
        self._array: npt.NDArray[Any] = np.empty(0, dtype)
        self._length = 0

    def reserve(self, more: int) -> bool:
        """Make room for more; return whether the array had to move."""
        needed = self._length + more
        if needed <= len(self._array):
            return False
        self.move(needed + needed // 2)
        return True

    def move(self, capacity: int) -> None:
        moved = np.empty(max(capacity, _FIRST_CAPACITY), self._array.dtype)
        moved[: self._length] = self._array[: self._length]
        self._array = moved

    def extend(self, values: npt.NDArray[Any]) -> None:
        self._array[self._length : self._length + len(values)] = values
        self._length += len(values)

    def view(self) -> npt.NDArray[Any]:
        return self._array[: self._length]


class _Names:
    """Codes for names, given in the order of their first appearance; no name is code -1."""

    def __init__(self) -> None:
        self._codes: dict[str, int] = {}
        self.column = _Column("int32")

    def extend(self, column: pa.ChunkedArray) -> None:
        for chunk in column.chunks:
            code_of = self._codes
            found = [code_of.setdefault(name, len(code_of)) for name in chunk.dictionary.to_pylist()]
            codes = np.array([*found, -1], "int32")  # one more than names: the last is that of no name
            self.column.extend(codes[chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False)])

    def categorical(self) -> pd.Categorical:
        import pandas as pd

        dtype = pd.CategoricalDtype(pd.Index(list(self._codes), dtype=pd.StringDtype("pyarrow")))
        return pd.Categorical.from_codes(self.column.view(), dtype=dtype, validate=False)


class FrameBuilder:
    """Keeps the columns of the rows it has seen, so that the next frame costs only what came since.

    A frame shares its columns' memory with this builder. pandas copies on write as long as somebody else
    refers to the same block: the builder keeps every frame it made over this memory, so that there is always
    somebody else, until the columns move to new memory.

    Payloads are not kept: they stay in the log's Arrow chunks, which a frame shares.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._time = _Column("int64")
        self._epoch = _Column("int32")
        self._seq = _Column("int64")
        self._no_seq = _Column("bool")
        self._event = _Names()
        self._kind = _Names()
        self._frame: pd.DataFrame | None = None
        self._sharing: list[pd.DataFrame] = []

    def _columns(self) -> tuple[_Column, ...]:
        return self._time, self._epoch, self._seq, self._no_seq, self._event.column, self._kind.column

    def _reserve(self, more: int) -> None:
        if len(self._sharing) >= _FRAMES_KEPT:
            for column in self._columns():
                column.move(2 * (self.rows + more))
            self._sharing.clear()
        moved = [column.reserve(more) for column in self._columns()]
        if any(moved):
            self._sharing.clear()
        self.rows += more
        self._frame = None

    def extend(self, table: pa.Table) -> None:
        """Add rows."""
        if not table.num_rows:
            return
        self._reserve(table.num_rows)
        seq = table.column("seq")
        self._time.extend(table.column("time").cast(pa.int64()).to_numpy())
        self._epoch.extend(table.column("epoch").to_numpy())
        self._seq.extend(seq.fill_null(0).to_numpy())
        self._no_seq.extend(seq.is_null().to_numpy())
        self._event.extend(table.column("event"))
        self._kind.extend(table.column("kind"))

    def frame(self, sealed: Sequence[pa.Table], tail: Sequence[Row]) -> pd.DataFrame:
        """Return the frame of all rows.

        Args:
            sealed: the sealed chunks, for their payloads.
            tail: the rows after them.
        """
        import pandas as pd

        if self._frame is None:
            payloads = [chunk for table in sealed for chunk in table.column("payload").chunks]
            payloads.append(text_array([row.raw for row in tail]))
            text = pd.arrays.ArrowStringArray(pa.chunked_array(payloads, pa.string()))
            self._frame = pd.DataFrame(
                {
                    "time": pd.Series(self._time.view(), copy=False).astype(pd.DatetimeTZDtype("ns", "UTC")),
                    "epoch": self._epoch.view(),
                    "seq": pd.arrays.IntegerArray(self._seq.view(), self._no_seq.view()),
                    "event": self._event.categorical(),
                    "kind": self._kind.categorical(),
                    "payload": text,
                },
                copy=False,
            )
            self._sharing.append(self._frame)
        return self._frame.copy(deep=False)
