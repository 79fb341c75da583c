"""Lakes to read, and the journals of the same events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deltalake import write_deltalake

from gateway_nb.capture.lake.columns import PARTITION, table_of
from gateway_nb.protocol.frames import encode
from gateway_nb.protocol.lines import Line, read_line
from tests.helpers.runs import BEGIN

KEYS = {"AWS_ACCESS_KEY_ID": "gateway-nb", "AWS_SECRET_ACCESS_KEY": "kept-out-of-every-message"}
"""Of a store; in the environment of tests, and in no message."""


def journal(payloads: Iterable[dict[str, Any] | str], gateway: str | None = "north", at: float = 0.0) -> list[bytes]:
    """Return the lines of a capture: ``agent`` and ``chat`` events, 1 ms apart; a text among them is a mark's kind.

    Args:
        payloads: of the events, or kinds of marks.
        gateway: whose.
        at: seconds after `BEGIN`, of the first.
    """
    lines = []
    for number, payload in enumerate(payloads):
        fields: dict[str, Any] = {"t": round(BEGIN / 1000 + at + number / 1000, 6), "epoch": 1}
        if isinstance(payload, str):
            holds = {"expected": 5, "received": 8} if payload in ("gap", "jump") else {"events": 4}
            fields |= {"kind": payload, "payload": holds}
        else:
            fields |= {"event": "chat" if "state" in payload else "agent", "seq": number, "payload": payload}
        lines.append(encode(fields if gateway is None else {**fields, "gateway": gateway}) + b"\n")
    return lines


def append(address: str | Path, lines: Sequence[bytes], capture: str = "c1", first: int = 1, **options: Any) -> None:
    """Append a segment to a lake, as one commit."""
    read: list[Line] = [read_line(line) for line in lines]
    write_deltalake(str(address), table_of(read, capture, first), mode="append", partition_by=[PARTITION], **options)


def lake(address: str | Path, captures: Mapping[str, Sequence[bytes]], segment: int = 25, **options: Any) -> None:
    """Make a lake of captures by their id, in segments of so many lines."""
    for capture, lines in captures.items():
        for at in range(0, len(lines), segment):
            append(address, lines[at : at + segment], capture, at + 1, **options)
