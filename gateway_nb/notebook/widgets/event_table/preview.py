"""What a browser gets of rows, and what stands in a static table: short texts, without secrets. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as compute

from ....client.redaction.redactor import Redactor
from ....events.paths import decoded, paths_in, value_at
from ....events.summary import LONGEST, summary
from ..rows import Numbers
from .query import steps

PREVIEW_BYTES = 160
_NAME = 120
_CELL = 80
_SUMMARY = 240
_WORDS = {"start": "● connected", "stop": "○ closed", "reconnect": "↻ reconnected"}


def told(positions: int, ids: Numbers, table: pa.Table, paths: Sequence[str], redactor: Redactor) -> dict[str, Any]:
    """Return what a browser is told of rows: columns, with payloads cut short, without secrets.

    Args:
        positions: position of the first of them.
        ids: their ids.
        table: the rows.
        paths: columns out of the payloads.
        redactor: what knows the secrets.

    Returns:
        Lists of equal length: `ids`, `t` (microseconds since 1970), `seq`, `epoch`, `name`, `kind`, `text` (the first
        160 bytes of the payload, or what a marker means), `size` (bytes of the payload); `cells` has a list per path.
    """
    payload = table.column("payload")
    columns = [steps(path) for path in paths]
    payloads = [decoded(text) for text in payload.to_pylist()] if columns else []
    kinds = [kind or "" for kind in _names(table.column("kind").to_pylist(), redactor)]
    starts = compute.utf8_slice_codeunits(payload, 0, PREVIEW_BYTES + redactor.overlap + 1).to_pylist()
    texts = [_cut(text) for text in redactor.starts(starts, PREVIEW_BYTES, json=True)]
    return {
        "at": positions,
        "ids": ids.tolist(),
        "t": (table.column("time").cast(pa.int64()).to_numpy() // 1000).tolist(),
        "seq": table.column("seq").to_pylist(),
        "epoch": table.column("epoch").to_pylist(),
        "name": _names(table.column("event").to_pylist(), redactor),
        "kind": kinds,
        "text": [text if kind == "event" else marker(kind, text) for kind, text in zip(kinds, texts, strict=True)],
        "size": compute.binary_length(payload).to_pylist(),
        "cells": [_cells([value_at(value, path) for value in payloads], redactor) for path in columns],
    }


def _names(names: list[str | None], redactor: Redactor) -> list[str | None]:
    texts = iter(redactor.starts([name for name in names if name is not None], _PREVIEW_NAME))
    return [None if name is None else next(texts)[:_PREVIEW_NAME] for name in names]


def _cells(values: list[Any], redactor: Redactor) -> list[str]:
    texts = ["" if value is None else value if isinstance(value, str) else str(value) for value in values]
    return [text[:_PREVIEW_CELL] for text in redactor.starts(texts, _PREVIEW_CELL)]


def marker(kind: str, text: str) -> str:
    """Return what a row between the events means, in words.

    Args:
        kind: ``gap``, ``reconnect``, ...
        text: its detail, as JSON.
    """
    detail = decoded(text)
    if isinstance(detail, dict) and all(isinstance(detail.get(name), int) for name in ("expected", "received")):
        expected, received = detail["expected"], detail["received"]
        if kind == "gap":
            return f"▲ gap: {received - expected:,} events are missing (expected {expected}, received {received})"
        if kind == "jump":
            return f"▲ jump: event {received} came where {expected} was due"
    return _WORDS.get(kind) or f"● {kind[:_PREVIEW_NAME]} {text}"


def _cut(text: str) -> str:
    data = text.encode()
    return text if len(data) <= PREVIEW_BYTES else data[:PREVIEW_BYTES].decode(errors="ignore")
