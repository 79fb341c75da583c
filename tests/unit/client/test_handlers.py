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


def test_what_handlers_raise() -> None:
    """Whatever a handler raises is counted and logged, and the next event is handled."""
    log, heard = Log(), list[int | None]()
    handlers = Handlers(log)

    def fail(item: Event) -> None:
        heard.append(item.seq)
        raise SystemExit("enough") if item.seq else ValueError("a bug")

    handle = handlers.listener("x", fail)
    handle(event(0))
    handle(event(1))
    handlers.call("on_state", heard.append, 7)
    assert (heard, handlers.errors, handlers.missed) == ([0, 1, 7], 2, 0)
    assert [line.partition(" (")[0] for line in log.lines] == [
        "warning: a handler of 'x' raised ValueError: a bug",
        "warning: a handler of 'x' raised SystemExit: enough",
    ]


def test_calls_that_are_left_out() -> None:
    """Calls that are left out are counted, and told of as often as their number has doubled; sizes are an event's."""
    log, sizes = Log(), list[int]()
    handlers = Handlers(log)
    handlers.dispatch = lambda call, size: sizes.append(size)  # type: ignore[assignment, func-returns-value]
    for number in range(9):
        handlers.listener("x", print)(event(number))
    handlers.call("on_state", print)
    assert (handlers.missed, sizes) == (10, [event(0).size] * 9 + [0])
    assert [line.split(": ")[2] for line in log.lines] == [
        f"{count} of their calls were left out" for count in (1, 2, 4, 8)
    ]


def test_what_is_no_handler() -> None:
    """What nobody could call is refused when it is given."""
    with pytest.raises(TypeError, match="handler must be callable, not 7"):
        Handlers(Log()).listener("x", 7)  # type: ignore[arg-type]
