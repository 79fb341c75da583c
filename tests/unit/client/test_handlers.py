"""The user's functions: what waits for them is bounded, and what they do wrong goes no further."""

from __future__ import annotations

import threading

import msgspec
import pytest

from gateway_nb.client.event import Event
from gateway_nb.client.handlers import Handlers
from gateway_nb.client.log import Log
from gateway_nb.sync.dispatcher import Dispatcher


def event(number: int, size: int = 1000) -> Event:
    return Event(0.0, 1, "x", number, msgspec.Raw(b'"' + b"x" * size + b'"'))


@pytest.mark.long
def test_handlers_wait_in_bounded_memory() -> None:
    """A handler that is stuck misses calls once 64 MiB of events wait for it; they are counted, and warned of."""
    log = Log()
    handlers = Handlers(log)
    dispatcher = Dispatcher()
    handlers.dispatch = dispatcher.call
    go, started, heard = threading.Event(), threading.Event(), []

    def slow(item: Event) -> None:
        started.set()
        go.wait()
        heard.append(item.seq)

    listener = handlers.listener("x", slow)
    for number in range(200):
        listener(event(number, 1_000_000))
    started.wait()
    assert 130 <= handlers.missed <= 140
    go.set()
    dispatcher.catch_up(10)
    dispatcher.stop()
    assert heard == list(range(200 - handlers.missed))
    assert [line for line in log.lines if "too slow: 128 of their calls" in line]


def test_coroutine_functions_are_refused() -> None:
    """A handler that nobody would await is refused when it is given, with what to do instead."""

    async def handler(item: Event) -> None: ...

    with pytest.raises(TypeError, match=r"'chat' is a coroutine function.*AsyncGateway.stream"):
        Handlers(Log()).listener("chat", handler)


def test_the_first_exception_of_each_handler(capsys: pytest.CaptureFixture[str]) -> None:
    """The first exception of each handler is printed with its line, and kept as a problem; later ones are logged."""
    log = Log()
    log.redactor.keep(["a-secret-token"])
    handlers = Handlers(log)

    def fails(item: Event) -> None:
        raise KeyError("a-secret-token")

    first, second = handlers.listener("x", fails), handlers.listener("x", fails)
    for number in range(3):
        first(event(number))
    second(event(3))
    line = fails.__code__.co_firstlineno + 1
    expected = f"a handler of 'x' raised KeyError: '[secret]' (line {line} of fails)"
    printed = capsys.readouterr().err.splitlines()
    assert printed == [f"gateway_nb: {expected}; later ones are counted in .status"] * 2
    assert log.problems == (expected, expected)
    assert (handlers.errors, len(log.lines)) == (4, 4)
