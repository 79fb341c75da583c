"""Rows to a file: JSON lines that `gateway_nb.load` reads, Parquet, or CSV.

In CSV a text that a spreadsheet would run as a formula has a ' before it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import msgspec
import pyarrow as pa

from ....capture.files import new_file
from ....capture.journal import on_one_line
from ....errors import CaptureError
from ....fleets.events import GATEWAY
from ....protocol.frames import encode

_BATCH_ROWS = 8192
_FORMULA = "^[\\s\\x00-\\x20]*[=+\\-@\\t\\r\\n\uff1d\uff0b\uff0d\uff20]"  # the last four are the wide forms
_NUMBER = r"^[+-]?\d+(\.\d+)?([eE][+-]?\d+)?$"


def write(table: pa.Table, path: Path) -> None:
    """Write rows to a new file; its suffix says how.

    Args:
        table: rows with the columns of the event log.
        path: ``.jsonl``, ``.parquet`` or ``.csv``.

    Raises:
        CaptureError: the suffix is another, the file exists, or it can't be written.
    """
    writer = FORMATS.get(path.suffix)
    if writer is None:
        raise CaptureError(f"{path.name}: the name must end in {', '.join(FORMATS)}")
    with new_file(path) as file:
        writer(table, file)


def _jsonl(table: pa.Table, file: IO[bytes]) -> None:
    for batch in table.to_batches(max_chunksize=_BATCH_ROWS):
        lines = []
        times = batch.column("time").cast(pa.int64()).to_pylist()
        others = (batch.column(name).to_pylist() for name in ("epoch", "seq", "event", "kind", "payload"))
        whose = batch.column(GATEWAY).to_pylist() if GATEWAY in batch.schema.names else [None] * batch.num_rows
        for gateway, t, epoch, seq, event, kind, payload in zip(whose, times, *others, strict=True):
            what: dict[str, Any] = {"kind": kind} if event is None else {"event": event}
            number = {} if seq is None else {"seq": seq}
            owner = {} if gateway is None else {GATEWAY: gateway}
            lines.append(encode({"t": t / 1e9, **owner, "epoch": epoch, **what, **number, "payload": _raw(payload)}))
        file.write(b"\n".join([*lines, b""]))


def _raw(payload: str) -> msgspec.Raw:
    return msgspec.Raw(on_one_line(payload.encode()))


def _parquet(table: pa.Table, file: IO[bytes]) -> None:
    import pyarrow.parquet as parquet

    parquet.write_table(table, file)


def _csv(table: pa.Table, file: IO[bytes]) -> None:
    import pyarrow.csv as csv

    texts = (pa.types.is_dictionary, pa.types.is_large_string)
    plain = [field.with_type(pa.string()) if any(is_(field.type) for is_ in texts) else field for field in table.schema]
    table = table.cast(pa.schema(plain))
    for place, field in enumerate(table.schema):
        if pa.types.is_string(field.type):
            table = table.set_column(place, field, _defused(table.column(place)))
    csv.write_csv(table, file)


def _defused(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return texts with a ' before what a spreadsheet would run; numbers stay numbers."""
    import pyarrow.compute as compute

    runs = compute.and_not(
        compute.match_substring_regex(cells, _FORMULA), compute.match_substring_regex(cells, _NUMBER)
    )
    return compute.if_else(runs, compute.binary_join_element_wise("'", cells, ""), cells)


FORMATS: dict[str, Callable[[pa.Table, IO[bytes]], None]] = {".jsonl": _jsonl, ".parquet": _parquet, ".csv": _csv}
