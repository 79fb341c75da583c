"""Which WebSocket library opens a socket."""

from __future__ import annotations

import importlib.util

import pytest

from gateway_nb.client.transport.opening import LIBRARY_VARIABLE, library


@pytest.mark.parametrize(
    ("chosen", "installed", "found"),
    [
        (None, True, "picows"),
        (None, False, "websockets"),
        (" ", True, "picows"),
        ("websockets", True, "websockets"),
        (" picows ", False, "picows"),
    ],
)
def test_the_library(chosen: str | None, installed: bool, found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable names the library; without it the faster one is used where it is installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if installed else None)
    monkeypatch.delenv(LIBRARY_VARIABLE, raising=False)
    if chosen is not None:
        monkeypatch.setenv(LIBRARY_VARIABLE, chosen)
    assert library() == found


def test_another_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that is none of both is refused by name."""
    monkeypatch.setenv(LIBRARY_VARIABLE, "other")
    with pytest.raises(ValueError, match="GATEWAY_NB_TRANSPORT must be one of picows, websockets, not 'other'"):
        library()
