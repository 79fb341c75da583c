"""What a mistake is told: which name was probably meant, and how to write it."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest

import gateway_nb as gnb
from tests.helpers.real import AnyGateway

MISTAKES: dict[str, tuple[Callable[[Any], object], type[Exception], str]] = {
    "a method": (lambda gw: gw.call.sesions.list(), gnb.GatewayRequestError, r"did you mean sessions\.list"),
    "a param": (lambda gw: gw.call.sessions.list(limitt=3), gnb.GatewayRequestError, r"did you mean limit\?"),
    "an argument": (
        lambda gw: gw.request("sessions.list", limit=3),
        TypeError,
        r"takes no argument 'limit'; pass params as a mapping: \{'limit': \.\.\.\}",
    ),
    "an event to wait for": (
        lambda gw: gw.wait_for("shutdwn", timeout=0.01),
        gnb.GatewayTimeoutError,
        r"advertises no such event, did you mean shutdown\?",
    ),
    "an event to handle": (lambda gw: gw.on("shutdwn", print), UserWarning, r"did you mean shutdown\?"),
}


def test_an_option() -> None:
    """A mistyped option of connect is refused before anything is sent, with the one that was meant."""
    with pytest.raises(TypeError, match=r"unknown option 'scops'; did you mean scopes.*help\(gateway_nb\.connect\)"):
        gnb.connect(scops=["operator.read"])  # type: ignore[call-arg]


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake(gateway: AnyGateway, name: str) -> None:
    """A mistyped name is answered with the name that was meant, by each gateway."""
    mistake, kind, words = MISTAKES[name]
    with gnb.connect(gateway.url, token=gateway.token) as gw, pytest.raises(kind, match=words):
        mistake(gw)


def test_a_traceback_is_short(gateway: AnyGateway) -> None:
    """In plain Python an expected error shows the caller's line, and little of this package."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        try:
            gw.request("no.such.method")
        except gnb.GatewayRequestError as error:
            frames = traceback.extract_tb(error.__traceback__)
    assert frames[0].filename == __file__
    assert len(frames) <= 4
