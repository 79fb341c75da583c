"""Spans and sizes as people write them."""

from __future__ import annotations

import pytest

from gateway_nb.protocol.units import size, span


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (59.94, "59.9 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h 0 min"),
        (86_399, "23 h 59 min"),
        (90_000, "1 d 1 h"),
        (1e9, "11,574 d 1 h"),
    ],
)
def test_spans(seconds: float, text: str) -> None:
    """A span has the two units that tell most."""
    assert span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1000, "1.0 kB"), (32e6, "32.0 MB"), (5e15, "5,000.0 TB")]
)
def test_sizes(count: float, text: str) -> None:
    """A size is in units of a thousand."""
    assert size(count) == text
