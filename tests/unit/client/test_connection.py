"""One connection, over a transport that a test holds in its hands."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import types
import weakref
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway_nb.client import connection as module
from gateway_nb.client.connection import Connection
from gateway_nb.client.event import Event
from gateway_nb.client.feed import Feed
from gateway_nb.client.log import LOGGER, Log
from gateway_nb.errors import GatewayClosedError, GatewayRequestError, GatewayTimeoutError, HandshakeTimeoutError
from gateway_nb.protocol.handshake import Challenge, HelloOk
from tests.helpers.frames import HELLO, event, response
from tests.helpers.lines import Line
from tests.helpers.support import async_test


class Side:
    """The client's side: whose connection it is, and what it keeps.

    Attributes:
        noted: what the connection told its owner.
        running: its life.
    """

    def __init__(self, tick_min_interval: float = 1.0) -> None:
        self.line = Line()
        self.log = Log()
        self.feed = Feed(self.log)
        self.noted: list[Any] = []
        self.events: list[Event] = []
        self.feed.subscribe("*", self.events.append)
        self.connection = Connection(
            self.line, self, self.feed, self.log, challenge_timeout=15.0, tick_min_interval=tick_min_interval
        )
        self.running = asyncio.create_task(self.connection.run())

    def answer_challenge(self, challenge: Challenge) -> dict[str, Any]:
        return {"nonce": challenge.nonce}

    def welcomed(self, hello: HelloOk, secrets: list[str]) -> None:
        self.noted.append((hello.protocol, secrets))

    def closed(self, code: int) -> None:
        self.noted.append(code)

    def lines(self, text: str) -> list[str]:
        return [line for line in self.log.lines if text in line]


@contextlib.asynccontextmanager
async def connected(**changes: Any) -> AsyncIterator[Side]:
    side = Side()
    await asyncio.sleep(0)
    side.line.welcome(**changes)
    try:
        yield side
    finally:
        side.running.cancel()
        await asyncio.gather(side.running, return_exceptions=True)


async def ask(side: Side, timeout: float | None = None, **options: Any) -> asyncio.Task[Any]:
    """Return a request that was sent."""
    asked = asyncio.create_task(side.connection.request("m", None, timeout=timeout, **options))
    await asyncio.sleep(0)
    return asked


def sizes(thing: object) -> dict[str, int]:
    """Return the sizes of everything that an object holds."""
    return {name: len(value) for name, value in vars(thing).items() if hasattr(value, "__len__")}


@async_test
async def test_the_handshake() -> None:
    """The owner answers the challenge, and hears of the hello-ok and its secrets; both frames are counted."""
    async with connected() as side:
        assert side.line.sent[0] == {"type": "req", "id": side.line.sent[0]["id"], "method": "connect"} | {
            "params": {"nonce": "n"}
        }
        assert side.noted == [(4, ["hush"])]
        assert side.connection.frames == 2
        assert side.connection.malformed == 0


@pytest.mark.parametrize("end", ["answered", "failed", "cancelled", "timed out"])
@async_test
async def test_a_request(end: str) -> None:
    """A request ends once, as it should, and nothing of it is kept."""
    async with connected() as side:
        before = sizes(side.connection)
        acknowledged: list[Any] = []
        asked = await ask(
            side, 0.001 if end == "timed out" else None, expect_final=True, on_acknowledged=acknowledged.append
        )
        assert side.connection.in_flight == 1
        side.line.answer({"status": "accepted"})
        assert [bytes(payload) for payload in acknowledged] == [b'{"status": "accepted"}']
        if end == "answered":
            side.line.answer({"x": 1})
            assert bytes(await asked) == b'{"x": 1}'
        elif end == "failed":
            side.line.answer(ok=False, error={"code": "NO", "message": "with hush"})
            with pytest.raises(GatewayRequestError, match="with hush"):
                await asked
        elif end == "cancelled":
            asked.cancel()
            await asyncio.gather(asked, return_exceptions=True)
        else:
            async with asyncio.timeout(5):
                with pytest.raises(GatewayTimeoutError, match=r"0\.001 s"):
                    await asked
        late = end in ("cancelled", "timed out")
        side.line.answer({"x": 2})
        assert (side.connection.late, side.connection.malformed) == (late, not late)
        assert bool(side.lines("an answer came after its request was given up")) is late
        assert bool(side.lines("a response to no open request")) is not late
        assert sizes(side.connection) == before
        assert side.connection.in_flight == 0


@async_test
async def test_places() -> None:
    """At most 128 requests are sent and not answered; the next is sent when one is answered, or given up."""
    async with connected() as side:
        asked = [asyncio.create_task(side.connection.request("m", None, timeout=None)) for _ in range(130)]
        await asyncio.sleep(0)
        assert (side.connection.in_flight, side.connection.queued) == (128, 2)
        first, second = side.line.sent[1]["id"], asked[1]
        side.line.push(response(first))
        assert (side.connection.in_flight, side.connection.queued) == (128, 1)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        assert (side.connection.in_flight, side.connection.queued) == (128, 0)
        side.running.cancel()
        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(end) for end in ends[2:]} == {GatewayClosedError}


@async_test
async def test_a_life_that_is_cancelled() -> None:
    """When the connection is dropped requests fail, work beside it is over, the line is cut, and nothing is left."""
    async with connected() as side:
        asked = await ask(side)
        ended = asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(0)
                ended.set()

        side.connection.spawn(work())
        await asyncio.sleep(0)
        side.running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await side.running
        assert ended.is_set()
        assert side.line.calls[-1] == "abort"
        with pytest.raises(GatewayClosedError, match=r"gateway closed \(1006\): connection dropped"):
            await asked
        with pytest.raises(GatewayClosedError, match="gateway not connected"):
            await side.connection.request("m", None, timeout=None)


@async_test
async def test_nothing_holds_a_connection_that_ended() -> None:
    """Of a connection that ended no timer is left: it would hold what was never answered for as long as it runs."""
    async with connected() as side:
        asked = await ask(side, timeout=1000)
        sooner = await ask(side, timeout=500)
        side.line.hang_up()
        await side.running
        await asyncio.gather(asked, sooner, return_exceptions=True)
        ended = weakref.ref(side.connection)
    del side, asked, sooner
    await asyncio.sleep(0)
    gc.collect()
    assert ended() is None


@async_test
async def test_work_that_is_done() -> None:
    """Work beside reading is forgotten when it is done."""
    async with connected() as side:
        before = sizes(side.connection)
        side.connection.spawn(asyncio.sleep(0))
        await asyncio.sleep(0)
        assert sizes(side.connection) != before
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert sizes(side.connection) == before


@async_test
async def test_the_gateway_hangs_up() -> None:
    """The owner hears that the socket is closed before requests fail; how it ended is what the gateway said."""
    async with connected() as side:
        asked = await ask(side)
        asked.add_done_callback(lambda _: side.noted.append("failed"))
        side.line.hang_up(1012, "service restart")
        ended = await side.running
        await asyncio.wait([asked])
        await asyncio.sleep(0)  # a future's callbacks are called in the next turn
        assert (ended.code, ended.reason, ended.error) == (1012, "service restart", None)
        assert side.noted[1:] == [1012, "failed"]
        assert "gateway closed (1012): service restart" in str(asked.exception())


@pytest.mark.parametrize(("reason", "shown"), [("", "hello-ok is too large"), ("bye", "bye")])
@async_test
async def test_our_own_close(reason: str, shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this side closes, its code and its error count; the line is closed once, with a quarter of a second."""
    monkeypatch.setattr("gateway_nb.protocol.session.MAX_HELLO_BYTES", 10)
    side = Side()
    await asyncio.sleep(0)
    closing = asyncio.Event()

    async def close(code: int, text: str, grace: float) -> None:
        side.line.calls.append((code, text, grace))
        await closing.wait()
        side.line.hang_up(1006, reason)

    side.line.close = close  # type: ignore[method-assign]
    side.line.welcome()
    side.connection._perform([module.effects.Close(4000, "tick timeout")])
    await asyncio.sleep(0)
    closing.set()
    ended = await side.running
    assert (ended.code, ended.reason) == (1009, shown)
    assert "hello-ok has" in str(ended.error)
    assert side.line.calls == [(1009, "hello-ok is too large", 0.25), "abort"]


@pytest.mark.parametrize("more", [0, 1])
@async_test
async def test_the_largest_hello(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hello-ok of as many bytes as it may have is one; a larger one closes the connection."""
    monkeypatch.setattr("gateway_nb.protocol.session.MAX_HELLO_BYTES", len(json.dumps(HELLO)) - more)
    async with connected() as side:
        assert bool(side.noted) is (more == 0)


@async_test
async def test_no_challenge() -> None:
    """A gateway that sends no challenge in time is closed."""
    side = Side.__new__(Side)
    side.line, side.log, side.noted = Line(), Log(), []
    connection = Connection(side.line, side, Feed(side.log), side.log, challenge_timeout=0.01, tick_min_interval=1.0)
    ended = await connection.run()
    assert isinstance(ended.error, HandshakeTimeoutError)
    assert ended.code == 1008
    assert "limit 10ms" in str(ended.error)


@async_test
async def test_the_watchdog() -> None:
    """A gateway that is silent for more than two of its ticks is closed."""
    side = Side(tick_min_interval=0.001)
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        side.line.welcome(policy={"tickIntervalMs": 1, "maxPayload": 1000})
        ended = await side.running
    assert (ended.code, ended.reason) == (4000, "tick timeout")


@async_test
async def test_stop() -> None:
    """Who stops sees requests fail, and a close frame with a quarter of a second to answer it."""
    async with connected() as side:
        asked = await ask(side)
        await side.connection.stop()
        assert (1000, "", 0.25) in side.line.calls
        with pytest.raises(GatewayClosedError, match="gateway client stopped"):
            await asked


@async_test
async def test_events_and_what_is_between_them() -> None:
    """Events come in order, gaps and jumps are noted where they are, and frames of no use are counted, told once."""
    async with connected() as side:
        marks: list[tuple[str, int]] = []

        class Keeper:
            def extend(self, events: list[Event]) -> None:
                marks.extend(("event", item.seq or 0) for item in events)

            def mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
                marks.append((kind, detail["received"]))

        side.feed.keep(Keeper())
        numbers = (1, 2, 5, 6, 3, 4)
        messages = [event("x", seq=number) for number in numbers]
        side.line.push(*messages[:4], b"{", response("nobody"), b"[", *messages[4:])
        expected = "event 1, event 2, gap 5, event 5, event 6, jump 3, event 3, event 4"
        assert ", ".join(f"{kind} {number}" for kind, number in marks) == expected
        assert side.connection.malformed == 3
        assert side.lines("(and 2 more frames of no use)")
        assert side.connection.frames == 2 + 9
        side.line.binary_frames = 2
        assert side.connection.malformed == 5
        side.line.push(b"{")
        assert not side.log.lines[-1].endswith("of no use)")
        assert side.connection.malformed == 6


@async_test
async def test_a_flood_is_read_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many messages at once leave others their turn: reading pauses until all are taken in; what comes then waits."""
    assert module.TURN_SECONDS == 0.01
    monkeypatch.setattr(module, "TURN_SECONDS", 1e-4)
    sleep, slept = asyncio.sleep, set[float]()

    async def noted(seconds: float) -> None:
        slept.add(seconds)
        await sleep(seconds)

    monkeypatch.setattr(asyncio, "sleep", noted)
    async with connected() as side:
        side.line.push(*(event("x", seq=number) for number in range(5000)))
        assert side.line.calls == ["pause"]
        assert 0 < len(side.events) < 5000
        assert len(side.events) % 256 == 0
        side.line.push(event("x", seq=5000))
        assert side.connection.frames == 2 + 5001
        assert len(side.events) < 5000, "the last of them waits for those before it"
        side.line.hang_up()
        await side.running
        assert slept == {0}, "it is read as fast as others have their turn"
        assert [item.seq for item in side.events] == list(range(5001))
        assert set(side.line.calls[side.line.calls.index("resume") :]) == {"resume", "abort"}


@async_test
async def test_what_waits_is_forgotten_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a connection that is dropped nothing more is taken in."""
    monkeypatch.setattr(module, "TURN_SECONDS", 1e-4)
    async with connected() as side:
        side.line.push(*(event("x", seq=number) for number in range(5000)))
        side.running.cancel()
        await asyncio.gather(side.running, return_exceptions=True)
        taken = len(side.events)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert 0 < taken == len(side.events) < 5000
        assert (side.connection.malformed, side.lines("outside")) == (0, [])


@pytest.mark.parametrize("count", [256, 257])
@async_test
async def test_a_slice(count: int) -> None:
    """Up to 256 messages are taken in at once, without stopping the socket; more are, too, where there is time."""
    async with connected() as side:
        side.line.push(*(event("x", seq=number) for number in range(count)))
        assert len(side.events) >= 256
        assert ("resume" in side.line.calls or "pause" in side.line.calls) is (count > 256)


@async_test
async def test_a_bug_while_receiving(caplog: pytest.LogCaptureFixture) -> None:
    """A bug in what keeps the events is logged, and met by a new connection."""
    async with connected() as side:

        def break_down(_: Event) -> None:
            raise RuntimeError("a bug")

        side.feed.subscribe("x", break_down)
        with caplog.at_level("ERROR", LOGGER.name):
            side.line.push(event("x", seq=1))
        assert "receiving failed" in caplog.text
        assert side.line.calls == ["abort"]
        await side.running


@async_test
async def test_round_trips(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ping every 10 s measures the round trip; its answer is a sign of life, too; the end of the socket ends them."""
    assert module.PING_EVERY == 10.0
    now = clock(monkeypatch)
    async with connected() as side:
        first = await side.line.pinged.get()
        now[0] += 3
        assert (side.connection.rtt, side.connection.silence) == (None, 3.0)
        monkeypatch.setattr(module, "PING_EVERY", 0.001)
        first.set_result(0.25)
        await side.line.pinged.get()
        assert (side.connection.rtt, side.connection.silence) == (0.25, 0.0)
        now[0] += 1
        side.line.push(event("x", seq=1))
        assert side.connection.silence == 0.0
        complaints: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        side.line.hang_up()
        await side.running
        gc.collect()
        assert complaints == []
    assert not side.lines("silent")


@pytest.mark.parametrize(("silent", "warned"), [(2**-7, True), (2**-8, False)])
@async_test
async def test_silence(silent: float, warned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ping without an answer is worth a warning if nothing else came since; the next follows in any case."""
    now = clock(monkeypatch)
    monkeypatch.setattr(module, "PING_EVERY", 2**-7)
    async with connected() as side:
        await side.line.pinged.get()
        now[0] += silent
        await side.line.pinged.get()
        assert bool(side.lines("the gateway is silent: nothing was heard for 0 s, not even")) is warned
        assert side.connection.rtt is None


def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time that signs of life are noted with, to be set by the test."""
    now = [100.0]
    monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.mark.parametrize("answered_first", [True, False])
@async_test
async def test_an_answer_that_nobody_waits_for(answered_first: bool) -> None:
    """An answer that comes in one turn with the cancelling of its request disturbs nobody."""
    async with connected() as side:
        asked = await ask(side)
        steps = [lambda: side.line.answer({"x": 1}), asked.cancel]
        for step in steps if answered_first else reversed(steps):
            step()
        await asyncio.gather(asked, return_exceptions=True)
        side.line.push(response(side.line.sent[-1]["id"]), event("x", seq=1))
        assert [item.seq for item in side.events] == [1]
        assert side.line.calls == []


@async_test
async def test_a_request_that_cannot_be_written() -> None:
    """A request that the transport does not take fails alone: the end of the connection is as ever."""
    async with connected() as side:

        def write(data: bytes) -> None:
            raise OSError("no")

        side.line.write = write  # type: ignore[method-assign]
        with pytest.raises(OSError, match="no"):
            await side.connection.request("m", None, timeout=None)
        side.line.hang_up(1001)
        assert (await side.running).code == 1001
