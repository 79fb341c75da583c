"""Waiting for a call of a magic."""

from __future__ import annotations

from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.client.status import Status
from gateway_nb.errors import printable
from gateway_nb.notebook.calls import call as calls
from gateway_nb.notebook.magics.binding import bind
from gateway_nb.notebook.magics.grammar import Call, parse_cell


class FakeHandle:
    """A handle whose answer comes just when a slice of waiting has ended."""

    def __init__(self, end: Any) -> None:
        self._end = end
        self._looks = 0

    def done(self) -> bool:
        return self._looks > 0

    def cancelled(self) -> bool:
        return False

    def exception(self) -> BaseException | None:
        return self._end if isinstance(self._end, BaseException) else None

    def result(self, timeout: float | None = None) -> Any:
        self._looks += 1
        if self._looks == 1:
            raise TimeoutError
        if isinstance(self._end, BaseException):
            raise self._end
        return self._end


class FakeGateway:
    """Submits nothing, and hands out a handle."""

    name = "default"
    status = Status("connected", "ws://127.0.0.1:1")

    def __init__(self, end: Any) -> None:
        self._end = end

    redactor = Redactor(["secret-token-1234"])

    def submit(self, *_: Any, **__: Any) -> FakeHandle:
        return FakeHandle(self._end)


def running(end: Any) -> calls.Running:
    return calls.Running(FakeGateway(end), Call("m", quiet=True), None, None)  # type: ignore[arg-type]


def test_an_answer_at_the_last_moment() -> None:
    """An answer that comes between the end of a slice and the look at it is the answer."""
    assert calls.wait(running({"ok": 1}), can_redraw=True) == {"ok": 1}


def test_a_timeout_of_the_call() -> None:
    """A call that ran into its own limit says so, not that a slice of waiting has ended."""
    with pytest.raises(gnb.GatewayTimeoutError, match="no answer"):
        calls.wait(running(gnb.GatewayTimeoutError("no answer")), can_redraw=True)


def test_the_id_of_a_run_that_goes_on() -> None:
    """A run's id that repeats a secret, or has no end, is shown without the one and the other."""
    begun = running({"runId": "of secret-token-1234, " + "x" * 100_000, "status": "accepted"})
    begun.start()
    with pytest.raises(TimeoutError):
        begun.result(0)
    assert "run of [secret], xxx" in repr(begun)
    assert "secret-token" not in repr(begun)
    assert len(repr(begun)) < 500


def test_what_a_terminal_is_shown_of_params(capsys: pytest.CaptureFixture[str]) -> None:
    """What is said of params, which may be an answer put in by name, moves no cursor and turns no line around."""
    names = {"given": {"limit": "\x1b[2J\u202e\x9b", "\x1b]0;x\u202e\x07": 1}}
    call = parse_cell("sessions.list", "$given")
    params = bind(call.body, names)
    calls.warn(call.method, params)
    shown = capsys.readouterr().err + calls.dry_run(call, params, (), Redactor())
    assert "sessions.list" in shown
    assert printable(shown) == shown
