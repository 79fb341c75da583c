"""What the embedded gateway refuses before it listens."""

from __future__ import annotations

from typing import Any

import pytest

import gateway_nb as gnb


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"port": 80_808}, "port must be 0 to 65535, not 80808"),
        ({"port": -1}, "port must be 0 to 65535"),
        ({"protocol": 5}, "protocol must be 3 or 4"),
        ({"auth": "none"}, "pass 'insecure-none'"),
    ],
)
def test_a_wrong_option(options: dict[str, Any], words: str) -> None:
    """A wrong option is refused when the gateway is made, with what is allowed."""
    with pytest.raises(ValueError, match=words):
        gnb.LocalGateway(**options)
