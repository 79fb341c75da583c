"""Parts of the embedded gateway without a socket."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_nb.server.admission import FailureDelay
from gateway_nb.server.params import parse


def test_failure_delay() -> None:
    """The delay of a wrong credential doubles up to 5 s, and begins anew after a minute without one."""
    delay = FailureDelay()
    assert [delay.next(100.0 + second) for second in range(8)] == [0.25, 0.5, 1, 2, 4, 5, 5, 5]
    assert delay.next(168.0) == 0.25


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a":2.0}', {"a": 2}),
        ('{"a":2.5}', {"a": 2.5}),
        (b'"\\ud800"', "\ufffd"),
        ('"\\ud83d\\ude00 \\udc00"', "\U0001f600 \ufffd"),
        ('"\\\\ud800"', "\\ud800"),
        (b'"\xff"', "\ufffd"),
    ],
)
def test_parse(text: str | bytes, value: Any) -> None:
    """JSON is read as JavaScript reads it: whole numbers are integers, and what is not text becomes U+FFFD."""
    assert parse(text) == value


@pytest.mark.parametrize("text", ["", "{", "NaN", "[Infinity]", "[" * 100_000])
def test_parse_what_is_no_json(text: str) -> None:
    """What is not JSON is a ValueError, however deep."""
    with pytest.raises(ValueError, match=r"."):
        parse(text)
