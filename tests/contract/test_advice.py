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
    "an argument of a run": (
        lambda gw: gw.run("hello", agent_id="main"),
        TypeError,
        "'agent_id'; did you mean agent\\?",
    ),
    "an argument of a capture": (lambda gw: gw.capture(request=True), TypeError, "'request'; did you mean requests\\?"),
    "an argument of nothing": (
        lambda gw: gw.table(rows=3),
        TypeError,
        r"table\(\) takes no argument 'rows'; it has none",
    ),
    "params as a mapping": (
        lambda gw: gw.call.sessions.list({"limit": 3}),
        TypeError,
        r"by name: gw\.call\.sessions\.list\(limit=...\); a mapping: gw\.request\('sessions\.list', \{...\}\)",
    ),
    "a value alone": (
        lambda gw: gw.call.sessions.describe("main"),
        TypeError,
        r"by name: gw\.call\.sessions\.describe\(key=...\)",
    ),
    "a timeout in its place": (
        lambda gw: gw.wait_for("tick", 1),
        TypeError,
        r"where must be callable, or None, not 1; seconds are passed as timeout=1",
    ),
    "an event to capture": (lambda gw: gw.capture(events=("chat", "agnt")), UserWarning, r"did you mean agent\?"),
    "an event to wait for": (
        lambda gw: gw.wait_for("shutdwn", timeout=0.01),
        gnb.GatewayTimeoutError,
        r"advertises no such event, did you mean shutdown\?",
    ),
    "an event that is like no other": (
        lambda gw: gw.wait_for("x", timeout=0.01),
        gnb.GatewayTimeoutError,
        r"advertises no such event, \.event_names lists them$",
    ),
    "an event that does not come": (lambda gw: gw.wait_for("shutdown", None, 0.01), gnb.GatewayTimeoutError, r"01 s$"),
    "a path": (lambda gw: gw.events.expand(""), ValueError, "a path is a name, names with dots"),
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
    assert len(frames) <= 2


def test_an_argument_is_one_line(gateway: AnyGateway) -> None:
    """A wrong argument is one line in a notebook, like every other error of this package."""
    with gnb.connect(gateway.url, token=gateway.token) as gw, pytest.raises(gnb.BadArgumentError) as raised:
        gw.request("health", timeout="soon")  # type: ignore[arg-type]
    expected = "BadArgumentError: timeout must be a number of seconds or None, not 'soon'"
    assert raised.value._render_traceback_() == [expected]
