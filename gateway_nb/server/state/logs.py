"""The embedded gateway's log: a line for each request that it answered, the newest 10,000."""

from __future__ import annotations

import datetime
import json
import time
from collections import deque

MAX_LINES = 10_000


class Log:
    """The lines, and how many there ever were: a cursor is such a number."""

    def __init__(self) -> None:
        self._lines: deque[tuple[float, str, str | None]] = deque(maxlen=MAX_LINES)
        self._count = 0

    def add(self, method: str, error: str | None) -> None:
        """Note that a request was answered: with a payload, or with an error's code."""
        self._lines.append((time.time(), method, error))
        self._count += 1

    def tail(self, cursor: int | None, limit: int) -> dict[str, object]:
        """Return the newest lines, or with a cursor those that came since.

        Args:
            cursor: what the call before returned; one beyond the end starts again.
            limit: of lines.
        """
        reset = cursor is not None and cursor > self._count
        new = self._count if cursor is None or reset else self._count - cursor
        lines = list(self._lines)[-min(new, limit) :] if min(new, limit) else []
        about = {"file": "memory", "cursor": self._count, "size": self._count, "truncated": new > len(lines)}
        return {**about, "lines": [_line(*line) for line in lines], "reset": reset}


def _line(at: float, method: str, error: str | None) -> str:
    written = datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat(timespec="milliseconds")
    result = f"✗ {method} errorCode={error}" if error else f"✓ {method}"
    meta = {"date": written, "logLevelName": "INFO"}
    return json.dumps({"time": written, "_meta": meta, "message": f"⇄ res {result}"}, ensure_ascii=False)
