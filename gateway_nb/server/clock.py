"""The embedded gateway's clock."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Return the time as the protocol counts it: milliseconds since 1970."""
    return int(time.time() * 1000)
