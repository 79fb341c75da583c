"""What a browser gets of rows, and what stands in a static table: short texts, without secrets. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as compute

from ....client.redaction.redactor import Redactor
from ....events.paths import decoded, paths_in, value_at
from ....events.summary import LARGEST, summary
from ....fleets.events import GATEWAY
from ..row_ids import Numbers
from .query import steps

PREVIEW_BYTES = 160
_NAME = 120
_CELL = 80
_SUMMARY = 120
_PATHS, _PATH_STEPS = 100, 4
_WORDS = {"start": "● connected", "stop": "○ closed", "reconnect": "↻ reconnected"}


def preview(
    start: int, ids: Numbers, table: pa.Table, paths: Sequence[str], redactor: Redactor, summaries: int
) -> dict[str, Any]:
    """Return what a browser gets of rows: columns, cut short, without secrets.

    Args:
        start: position of the first of them.
        ids: their ids.
        table: the rows.
        paths: columns out of the payloads.
        redactor: what knows the secrets.
        summaries: of how many of the last rows; the others have ``None``.

    Returns:
        Lists of equal length: `ids`, `t` (microseconds since 1970), `seq`, `epoch`, `name`, `kind`, `summary` (what an
        event says, empty where it says nothing, or what a mark means), `text` (the first 160 bytes of the payload),
        `size` (bytes of the payload); `cells` has a list per path. `at` is `start`. Of a fleet's rows also
        `gateway`, the connection's name.
    """
    payload = table.column("payload")
    size = compute.binary_length(payload)
    events = table.column("event").to_pylist()
    kinds = [kind or "" for kind in _names(table.column("kind").to_pylist(), redactor)]
    plain = max(len(events) - summaries, 0)
    # A large payload is not even made a Python object.
    readable = compute.if_else(compute.less_equal(size.slice(plain), LARGEST), payload.slice(plain), "").to_pylist()
    longest = _SUMMARY + redactor.overlap + 1
    lines = [
        summary(event, text, longest) if kind == "event" else mark_text(kind, text)
        for event, kind, text in zip(events[plain:], kinds[plain:], readable, strict=True)
    ]
    columns = [steps(path) for path in paths]
    payloads = [decoded(text) for text in payload.to_pylist()] if columns else []
    starts = compute.utf8_slice_codeunits(payload, 0, PREVIEW_BYTES + redactor.overlap + 1).to_pylist()
    return {
        "at": start,
        **({"gateway": table.column(GATEWAY).to_pylist()} if GATEWAY in table.schema.names else {}),
        "ids": ids.tolist(),
        "t": (table.column("time").cast(pa.int64()).to_numpy() // 1000).tolist(),
        "seq": table.column("seq").to_pylist(),
        "epoch": table.column("epoch").to_pylist(),
        "name": _names(events, redactor),
        "kind": kinds,
        "summary": [None] * plain + _cells(lines, _SUMMARY, redactor),
        "text": [_cut(text) for text in redactor.starts(starts, PREVIEW_BYTES, json=True)],
        "size": size.to_pylist(),
        "cells": [_cells([value_at(value, path) for value in payloads], _CELL, redactor) for path in columns],
    }


def static_row(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Return time, number, event, summary and payload of a row of the log, without secrets, as texts.

    The name of its gateway comes first where it has one.
    """
    kind, payload = row["kind"], row["payload"]
    return (
        *((row[GATEWAY],) if GATEWAY in row else ()),
        row["time"].strftime("%H:%M:%S.%f")[:12],
        "" if row["seq"] is None else str(row["seq"]),
        row["event"] if kind == "event" else kind,
        summary(row["event"], payload) if kind == "event" else mark_text(kind, payload),
        payload if kind == "event" else "",
    )


def paths_of(payloads: Iterable[str], redactor: Redactor) -> list[str]:
    """Return the paths of the plain values in payloads, the most frequent first, without secrets."""
    counts = Counter(path for text in payloads for path in paths_in(decoded(text), _PATH_STEPS))
    return [redactor.text(path) for path, _ in counts.most_common(_PATHS) if len(path) <= _CELL]


def _names(names: list[str | None], redactor: Redactor) -> list[str | None]:
    texts = iter(redactor.starts([name for name in names if name is not None], _NAME))
    return [None if name is None else next(texts)[:_NAME] for name in names]


def _cells(values: list[Any], longest: int, redactor: Redactor) -> list[str]:
    texts = ["" if value is None else value if isinstance(value, str) else str(value) for value in values]
    return [text[:longest] for text in redactor.starts(texts, longest)]


def mark_text(kind: str, text: str) -> str:
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
    return _WORDS.get(kind) or f"● {kind[:_NAME]} {text}"


def _cut(text: str) -> str:
    data = text.encode()
    return text if len(data) <= PREVIEW_BYTES else data[:PREVIEW_BYTES].decode(errors="ignore")
