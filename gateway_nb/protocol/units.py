"""Spans of time and sizes as people write them."""

from __future__ import annotations

_SIZES = ("bytes", "kB", "MB", "GB", "TB")


def span(seconds: float) -> str:
    """Return a span of time in its two largest units.

    Args:
        seconds: at least 0.

    Example:
        >>> span(4 * 3600 + 5 * 60)
        '4 h 5 min'
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24:,} d {hours % 24} h"


def size(count: float) -> str:
    """Return a number of bytes, in units of a thousand.

    Example:
        >>> size(1_234_567)
        '1.2 MB'
    """
    thousands = 0
    while count >= 1000 and thousands < len(_SIZES) - 1:
        count, thousands = count / 1000, thousands + 1
    return f"{count:,.1f} {_SIZES[thousands]}" if thousands else f"{count:,.0f} {_SIZES[0]}"
