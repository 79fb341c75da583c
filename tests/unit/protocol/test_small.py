"""Backoff, close codes, frames, errors: small tables."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections import OrderedDict, UserDict
from typing import Any

import numpy as np
import pytest

from gateway_nb.errors import BadParamsError, GatewayError, closed_early, one_line
from gateway_nb.protocol.auth import Recovery
from gateway_nb.protocol.backoff import Backoff, pause_before
from gateway_nb.protocol.close_codes import describe
from gateway_nb.protocol.frames import MalformedFrame, decode_payload, encode, encode_request


class Highest(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return b


def test_backoff() -> None:
    """Pauses double from 1 s to 30 s, each jittered down to nothing, and begin again after hello-ok."""
    backoff = Backoff(Highest())
    assert [backoff.next() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    backoff.reset()
    assert backoff.next() == 1
    drawn = Backoff(random.Random(1))
    assert all(0 <= drawn.next() <= 30 for _ in range(100))


@pytest.mark.parametrize(("wish", "pause"), [(None, 0.5), (0.01, 0.1), (1.0, 1.0), (60.0, 2.0)])
def test_starting_pause(wish: float | None, pause: float) -> None:
    """A gateway that is starting is asked again when it says, within 0.1 to 2 s."""
    assert pause_before(Recovery.STARTING, GatewayError("starting", retry_after=wish), Backoff()) == pause


def test_the_pause_for_each_reason() -> None:
    """The pause fits the reason: short for the stored token and a start, growing for the rest, but not by a start."""
    backoff = Backoff(Highest())
    reasons = [Recovery.STARTING, Recovery.DEVICE_TOKEN, Recovery.STARTING, Recovery.PAIRING, Recovery.BACKOFF]
    assert [pause_before(reason, None, backoff) for reason in reasons] == [0.5, 0.25, 0.5, 2, 4]
    assert pause_before(Recovery.STARTING, GatewayError("starting", retry_after=1.5), backoff) == 1.5


@pytest.mark.parametrize(("role", "says"), [("operator", "closed; the gateway's log"), ("node", "mode='node'")])
def test_closed_early(role: str, says: str) -> None:
    """A gateway that closes instead of answering is an error that says what to do for the role."""
    assert says in str(closed_early("closed", role))


def test_close_codes() -> None:
    """A close code has a meaning, and the gateway's reason wins over it."""
    assert describe(1012, "") == "gateway closed (1012): service restart"
    assert describe(4321, "") == "gateway closed (4321): no reason given"
    assert describe(1008, "slow\nconsumer") == "gateway closed (1008): slow consumer"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\r\n c", "a b  c"),
        ("\x1b[31mred\x1b[0m", "[31mred [0m"),
        ("a\u202eb\u2066c", "a b c"),
        (5, "5"),
        ("x" * 1000, "x" * 599 + "…"),
    ],
)
def test_one_line(text: object, line: str) -> None:
    """Whatever a gateway says becomes one printable line of bounded length."""
    assert one_line(text) == line


def test_an_error_renders_as_its_line() -> None:
    """IPython shows an error of ours as one line."""
    assert GatewayError("what\nhappened", code="X")._render_traceback_() == ["GatewayError: what happened"]


def test_an_error_renders_whole_when_asked_again() -> None:
    """Asked for the same traceback again, as %tb does, an error shows all of it; raised again, it is a line again."""

    def failing(error: GatewayError) -> GatewayError:
        try:
            raise error
        except GatewayError as caught:
            return caught

    error = failing(GatewayError("what\x1bhappened"))
    for _ in range(2):
        assert error._render_traceback_() == ["GatewayError: what happened"]
        for _ in range(2):
            whole = error._render_traceback_()
            assert (whole[0], whole[-1]) == (
                "Traceback (most recent call last):",
                "gateway_nb.errors.GatewayError: what happened",
            )
            assert any("in failing" in line for line in whole)
        failing(error)


@pytest.mark.parametrize(
    ("params", "sent"),
    [
        ({"n": np.int64(5), "f": np.float32(0.5), "a": np.array([1, 2])}, {"n": 5, "f": 0.5, "a": [1, 2]}),
        ({"t": dt.datetime(2026, 1, 2, tzinfo=dt.UTC)}, {"t": "2026-01-02T00:00:00Z"}),
        (OrderedDict(a=(1, 2)), {"a": [1, 2]}),
        ({"u": UserDict(x=1)}, {"u": {"x": 1}}),
        ({}, {}),
    ],
)
def test_params_of_other_types(params: Any, sent: dict[str, Any]) -> None:
    """Numbers of numpy, datetimes and other mappings are sent as the JSON they mean."""
    assert json.loads(encode_request("1", "m", params))["params"] == sent


@pytest.mark.parametrize("params", [{"f": np.float64("nan")}, {"a": np.array([1.0, np.inf])}, {"x": {1, object()}}])
def test_params_that_json_cannot_say(params: Any) -> None:
    """NaN in disguise and objects without a JSON form are refused."""
    with pytest.raises(BadParamsError):
        encode_request("1", "m", params)


@pytest.mark.parametrize("method", ["", None, 5, "\ud800", "a\nb", ["health"]])
def test_a_method_that_is_none(method: Any) -> None:
    """A method must have a name."""
    with pytest.raises(BadParamsError, match="non-empty"):
        encode_request("1", method)


def test_a_payload_that_is_none() -> None:
    """A payload that is not JSON is malformed."""
    with pytest.raises(MalformedFrame):
        decode_payload(b"[" * 100_000)


def test_encode() -> None:
    """Plain values become compact JSON."""
    assert encode({"a": [1, None, "\u00e9"]}) == '{"a":[1,null,"\u00e9"]}'.encode()
