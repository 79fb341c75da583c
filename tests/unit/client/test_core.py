"""A client across its connections, over transports that a test holds in its hands."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway_nb.client import core as module
from gateway_nb.client.core import Core
from gateway_nb.client.log import LOGGER
from gateway_nb.client.options import resolve
from gateway_nb.client.status import Status
from gateway_nb.errors import (
    GatewayClosedError,
    GatewayConnectError,
    GatewayTimeoutError,
    HandshakeTimeoutError,
    IdentityError,
    PairingRequiredError,
)
from gateway_nb.identity.device import DeviceIdentity
from gateway_nb.identity.tokens import DeviceTokens
from tests.helpers.frames import event
from tests.helpers.lines import Line
from tests.helpers.support import async_test

CALLBACKS = ("on_state", "on_hello_ok", "on_close", "on_connect_error", "on_reconnect_paused", "on_gap")


class Client:
    """A core, and what happens to it.

    Attributes:
        attempts: how often it tried to open a line.
        reachable: what the next attempts meet: a line, or an error.
        heard: what the callbacks were called with.
    """

    def __init__(self, **options: Any) -> None:
        self.heard: list[tuple[Any, ...]] = []
        self.attempts = 0
        self.reachable: asyncio.Queue[Line | Exception] = asyncio.Queue()
        callbacks = {name: self._hears(name) for name in CALLBACKS}
        settings = resolve(
            "ws://127.0.0.1:1", token="hush-hush-hush", options={"device_identity": None} | callbacks | options
        )
        self.core = Core(settings)

    def _hears(self, name: str) -> Any:
        def callback(*arguments: Any) -> None:
            if isinstance(arguments[0], Status):
                arguments = (arguments[0].state, arguments[0].reason)
            self.heard.append((name, *arguments))

        return callback

    async def open(self, *_: Any, **__: Any) -> Line:
        self.attempts += 1
        found = await self.reachable.get()
        if isinstance(found, Exception):
            raise found
        return found

    async def meets(self, **changes: Any) -> Line:
        """Let the next attempt reach a gateway, do the handshake, and return the line."""
        line, epoch = Line(), self.core.feed.epoch
        self.reachable.put_nowait(line)
        while self.core.feed.epoch == epoch:
            with contextlib.suppress(AttributeError):  # it does not listen yet
                line.welcome(**changes)
            await asyncio.sleep(0)
        return line

    async def connected(self, **changes: Any) -> Line:
        """Connect for the first time."""
        starting = asyncio.create_task(self.core.start(None))
        line = await self.meets(**changes)
        await starting
        return line

    async def becomes(self, state: str) -> None:
        """Wait for a state."""
        while self.core.status.state != state:
            await self.core._changed.wait()

    def names(self, callback: str = "on_state") -> list[Any]:
        """Return what a callback was called with first, each time."""
        return [arguments[0] for name, *arguments in self.heard if name == callback]


@contextlib.asynccontextmanager
async def simulated(
    monkeypatch: pytest.MonkeyPatch, pause: float | None = 0.0, **options: Any
) -> AsyncIterator[Client]:
    """Make a client whose pauses are that long; by default those of the longest draw."""
    found = Client(**options)
    monkeypatch.setattr(module, "open_transport", found.open)
    monkeypatch.setattr("random.Random.uniform", lambda _, low, high: high if pause is None else pause)
    try:
        yield found
    finally:
        await found.core.stop(1.0)


def limits(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what ends the time of the next limit, which does not end by itself."""
    timeout, found = asyncio.timeout, list[asyncio.Timeout]()

    def endless(limit: float | None) -> asyncio.Timeout:
        found.append(timeout(None))
        return found[-1]

    monkeypatch.setattr(asyncio, "timeout", endless)
    return lambda: found[0].reschedule(0.0)


async def turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@async_test
async def test_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting returns the hello-ok without its secrets, tells the callbacks, and does it once."""
    async with simulated(monkeypatch) as client:
        assert (client.core.hello, client.core.status) == (None, Status("closed", "ws://127.0.0.1:1"))
        auth = {"role": "operator", "scopes": ["operator.admin"], "deviceToken": "hush-device-token"}
        await client.connected(
            auth=auth, server={"version": "2026.9.6", "connId": "with hush-hush-hush and hush-device-token"}
        )
        hello = await client.core.start(None)
        assert hello is client.core.hello
        assert "hush" not in repr(hello)
        status = client.core.status
        assert (status.state, status.epoch, status.protocol, status.role) == ("connected", 1, 4, "operator")
        assert (status.server_version, status.scopes, status.problems) == ("2026.9.6", ("operator.admin",), ())
        assert (status.counters.frames, status.counters.reconnects, status.retry_in) == (2, 0, None)
        assert client.names() == ["connecting", "connected"]
        assert client.names("on_hello_ok") == [hello]
        await client.core.stop(1.0)
        assert client.names() == ["connecting", "connected", "closed"]
        assert client.core.status.reason is None
        assert client.core.hello is hello
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(client.core.feed.stream()), 5)
        assert client.names("on_close") == []


@async_test
async def test_coming_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lost connection is made again, told as such; the counters go on, and nothing is counted twice."""
    async with simulated(monkeypatch) as client:
        first = await client.connected()
        first.push(event("x", seq=1), event("x", seq=3), b"{", event("x", seq=2))
        lost = asyncio.create_task(client.core.lost(1))
        elsewhere = asyncio.create_task(client.core.lost(7))
        await turns()
        assert (lost.done(), elsewhere.done()) == (False, True)
        first.hang_up(1006)
        await asyncio.wait_for(lost, 5)
        assert client.core.status.state == "reconnecting"
        back = asyncio.create_task(client.core.returned())
        while client.attempts < 2:
            await asyncio.sleep(0)
        assert client.core.status.retry_in == 0
        second = await client.meets()
        assert await back
        second.push(b"{", b"{")
        status = client.core.status
        assert (status.state, status.epoch, status.reason, status.retry_in) == ("connected", 2, None, None)
        counters = status.counters
        assert (counters.frames, counters.malformed, counters.reconnects) == (2 + 4 + 2 + 2, 3, 1)
        assert (counters.events, counters.gaps, counters.missed, counters.jumps) == (3, 1, 1, 1)
        assert client.names() == ["connecting", "connected", "reconnecting", "reconnecting", "connected"]
        assert [heard for heard in client.heard if heard[0] in ("on_close", "on_gap")] == [
            ("on_gap", 2, 3),
            ("on_close", 1006, ""),
        ]
        second.hang_up()
        await client.becomes("reconnecting")
        await client.meets()
        await client.core.stop(1.0)
        assert client.core.status.counters.frames == counters.frames + 2


@async_test
async def test_what_is_counted_of_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a connection counts of requests is there while it lives, and late answers are after it, too."""
    async with simulated(monkeypatch) as client:
        line = await client.connected()
        asked = asyncio.create_task(client.core.requests.ask("m", None, None))
        await turns()
        assert (client.core.status.counters.in_flight, client.core.status.counters.queued) == (1, 0)
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        line.answer({})
        assert (client.core.status.counters.in_flight, client.core.status.counters.late) == (0, 1)
        line.hang_up()
        await client.becomes("reconnecting")
        await client.meets()
        assert client.core.status.counters.late == 1


@async_test
async def test_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between attempts the state says for how long and why, and a call is told the same."""
    async with simulated(monkeypatch, pause=None) as client:
        line = await client.connected()
        line.hang_up(1011, "it is full")
        while client.core.status.retry_in is None:
            await asyncio.sleep(0)
        status = client.core.status
        assert 0 < (status.retry_in or 0) <= 1
        assert (status.state, status.reason) == ("reconnecting", "gateway closed (1011): it is full")
        assert (status.rtt, status.silence) == (None, None)
        assert client.core.log.lines[-1] == "info: gateway closed (1011): it is full"
        await turns()
        assert client.attempts == 1
        with pytest.raises(
            GatewayClosedError, match=r"m: gateway not connected: reconnecting, next attempt in .* full"
        ):
            await client.core.requests.ask("m", None, None)


@async_test
async def test_connecting_again_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who connects while the next attempt is waited for does not wait, and there is one attempt at a time."""
    async with simulated(monkeypatch, pause=None) as client:
        line = await client.connected()
        line.hang_up()
        await client.becomes("reconnecting")
        await client.connected()
        assert (client.core.status.state, client.core.status.epoch, client.attempts) == ("connected", 2, 2)
        await client.core.stop(1.0)
        assert client.core.status.state == "closed"


@pytest.mark.parametrize("reached", [True, False])
@async_test
async def test_why_there_is_no_connection(reached: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call without a connection says what to do, before the first, during it, and after the last."""
    async with simulated(monkeypatch) as client:
        with pytest.raises(GatewayClosedError, match="connect first"):
            await client.core.requests.ask("m", None, None)
        starting = asyncio.create_task(client.core.start(None))
        await client.becomes("connecting")
        with pytest.raises(GatewayClosedError, match="gateway not connected: connecting"):
            await client.core.requests.ask("m", None, None)
        if reached:
            await client.meets()
            await starting
        await client.core.stop(1.0)
        with pytest.raises(GatewayClosedError, match="it was closed; connect again"):
            await client.core.requests.ask("m", None, None)
        if not reached:
            with pytest.raises(GatewayClosedError, match="gateway client stopped"):
                await starting


@pytest.mark.parametrize("kind", [GatewayConnectError, HandshakeTimeoutError])
@async_test
async def test_the_first_connection_fails(kind: type[GatewayConnectError], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where waiting would not help connecting raises at once, the state says why, and it can be tried again."""
    async with simulated(monkeypatch) as client:
        for _ in range(2):
            for _ in range(2):
                client.heard.clear()
                client.reachable.put_nowait(kind("nothing listens there, with hush-hush-hush"))
                with pytest.raises(kind, match="nothing listens there") as failed:
                    await client.core.start(5.0)
                assert "hush" not in str(failed.value)
                assert (client.core.status.state, client.core.status.reason) == ("closed", str(failed.value))
                assert client.names()[-2:] == ["connecting", "closed"]
                assert [str(error) for error in client.names("on_connect_error")] == [str(failed.value)]
                assert client.names("on_close") == []
            await client.connected()
            await client.core.stop(1.0)


@async_test
async def test_who_gives_up_connecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gives up connecting leaves nothing that asyncio complains of."""
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with simulated(monkeypatch) as client:
        starting = asyncio.create_task(client.core.start(None))
        await client.becomes("connecting")
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert client.core.status.state == "closed"
        del starting
    del client
    gc.collect()
    assert complaints == []


@async_test
async def test_no_connection_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who gives connecting so many seconds is told why it took longer; nothing goes on after that."""
    async with simulated(monkeypatch, pause=None) as client:
        with pytest.raises(HandshakeTimeoutError, match=r"no connection to ws://127.0.0.1:1 within 0.01 s\Z"):
            await client.core.start(0.01)
        assert client.core.status.state == "closed"
        line = Line()
        client.reachable.put_nowait(line)
        over = limits(monkeypatch)
        starting = asyncio.create_task(client.core.start(5.0))
        line.hang_up(1013, "starting")
        await client.becomes("restarting")
        over()
        with pytest.raises(HandshakeTimeoutError, match=r"within 5 s: gateway closed \(1013\): starting"):
            await starting
        assert client.names("on_close") == [1013]


@async_test
async def test_a_bug_of_ours(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A bug ends connecting with itself, is in the log, and is the reason of the state."""
    async with simulated(monkeypatch) as client:
        for first in (True, False):
            caplog.clear()
            with caplog.at_level("ERROR", LOGGER.name):
                if first:
                    client.reachable.put_nowait(RuntimeError("a bug"))
                    with pytest.raises(RuntimeError, match="a bug"):
                        await client.core.start(None)
                    assert "closed" in client.names()
                else:
                    (await client.connected()).hang_up()
                    client.reachable.put_nowait(RuntimeError("a bug"))
                    await client.becomes("closed")
                    assert client.core.status.reason == "a bug in gateway_nb: RuntimeError('a bug')"
                    assert not await client.core.returned()
            assert "keeping the connection failed" in caplog.text


@async_test
async def test_a_key_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A device key that can't be read is why connecting fails."""
    (tmp_path / "device.json").write_text("{")
    async with simulated(monkeypatch, device_identity=str(tmp_path / "device.json")) as client:
        with pytest.raises(IdentityError):
            await client.core.start(None)


@async_test
async def test_stopping_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who stops is told where the line was not cut in time; it is closed all the same."""
    assert module.STOP_TIMEOUT == 1.0
    async with simulated(monkeypatch) as client:
        line = await client.connected()

        async def close(*_: Any) -> None:
            await asyncio.Event().wait()

        line.close = close  # type: ignore[method-assign]
        with pytest.raises(GatewayTimeoutError, match="gateway client stop timed out after 10ms"):
            await client.core.stop(0.01)
        assert client.core.status.state == "closed"
        assert "abort" in line.calls


@async_test
async def test_cutting_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line can be cut without a word, also where there is none."""
    async with simulated(monkeypatch) as client:
        client.core.abort()
        line = await client.connected()
        client.core.abort()
        await turns()
        assert line.calls == ["abort"]


@pytest.mark.parametrize("patient", [True, False])
@async_test
async def test_waiting_for_the_return(patient: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for the connection to come back learns when it will not: after two minutes, or as it is paused."""
    assert module._RECONNECT_PATIENCE == 120.0
    async with simulated(monkeypatch, pause=None) as client:
        assert not await client.core.returned()
        line = await client.connected()
        assert await client.core.returned()
        line.hang_up()
        await client.becomes("reconnecting")
        if not patient:
            monkeypatch.setattr(module, "_RECONNECT_PATIENCE", 0.001)
            assert not await client.core.returned()
            return
        monkeypatch.setattr("random.Random.uniform", lambda _, low, high: low)
        back = asyncio.create_task(client.core.returned())
        await turns()
        assert not back.done()
        await client.core.stop(1.0)
        assert not await back


@async_test
async def test_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where only the user can help no attempt follows; the state, a callback and every call say what is in the way."""
    async with simulated(monkeypatch) as client:
        line = await client.connected()
        line.hang_up()
        await client.becomes("reconnecting")
        back = asyncio.create_task(client.core.returned())
        client.reachable.put_nowait(line := Line())
        await turns()
        line.challenge()
        line.answer(ok=False, error={"code": "NO", "message": "no", "details": {"code": "AUTH_TOKEN_MISSING"}})
        await client.becomes("paused")
        assert not await back
        assert len(client.names("on_reconnect_paused")) == len(client.names("on_connect_error")) == 1
        assert client.names("on_close") == [1006]
        assert client.core.status.retry_in is None
        with pytest.raises(GatewayClosedError, match=r"paused: .*; fix that and connect again"):
            await client.core.requests.ask("m", None, None)
        await client.connected()
        assert client.core.status.state == "connected"


@async_test
async def test_who_waits_for_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waited in vain for an approval is told what to approve."""
    async with simulated(monkeypatch, pause=None) as client:
        over = limits(monkeypatch)
        starting = asyncio.create_task(client.core.start(5.0))
        client.reachable.put_nowait(line := Line())
        await client.becomes("connecting")
        await turns()
        line.challenge()
        details = {"code": "PAIRING_REQUIRED", "pauseReconnect": False, "requestId": "r1"}
        line.answer(ok=False, error={"code": "NOT_PAIRED", "message": "pair", "details": details})
        await client.becomes("reconnecting")
        over()
        with pytest.raises(PairingRequiredError):
            await starting
        starting = asyncio.create_task(client.core.start(None, waits_for_owner=False))
        client.reachable.put_nowait(line := Line())
        await client.becomes("connecting")
        await turns()
        line.challenge()
        line.answer(ok=False, error={"code": "NOT_PAIRED", "message": "pair", "details": details})
        with pytest.raises(PairingRequiredError):
            await starting


@async_test
async def test_a_device_token_stays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The device token of a hello-ok is kept when connecting returns, and outlives the connection."""
    identity = DeviceIdentity.load_or_create(tmp_path / "device.json")
    async with simulated(monkeypatch, device_identity=identity) as client:
        tokens = DeviceTokens(identity.device_id, client.core.settings.endpoint.gateway)
        line = await client.connected()
        for attempts in (2, 3):
            line.hang_up(1011, "it is full")
            async with asyncio.timeout(10):
                while client.attempts < attempts:
                    await asyncio.sleep(0.001)
            kept = tokens.load("operator")
            assert kept is not None
            assert kept.token == "hush"
            line = await client.meets()


@async_test
async def test_fewer_scopes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scopes that were not granted are warned of, and stay among the problems."""
    async with simulated(monkeypatch, scopes=["operator.read", "operator.write", "operator.approvals"]) as client:
        auth = {"role": "operator", "scopes": ["operator.read"]}
        await client.connected(auth=auth)
        [problem] = client.core.status.problems
        assert "the scopes operator.approvals, operator.write: methods that need more fail" in problem
        assert any(problem in line for line in client.core.log.lines)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"reason": "update", "restartExpectedMs": 1500}, "the gateway shuts down: update, back in about 2 s"),
        ({"reason": "update"}, "the gateway shuts down: update"),
        ({"reason": ""}, "the gateway shuts down: no reason given"),
        ({"reason": 7, "restartExpectedMs": "soon"}, "the gateway shuts down: no reason given"),
        ([1], "the gateway shuts down: no reason given"),
        (None, "the gateway shuts down: no reason given"),
    ],
)
@async_test
async def test_an_announced_shutdown(payload: Any, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the gateway says of its shutdown is the reason of the state until it is back."""
    async with simulated(monkeypatch) as client:
        (await client.connected()).hang_up()
        await client.becomes("reconnecting")
        line = await client.meets()
        line.push(event("shutdown", payload, seq=1))
        assert (client.core.status.state, client.core.status.reason, client.core.status.retry_in) == (
            "restarting",
            reason,
            None,
        )
        line.hang_up(1006)
        await turns()
        assert (client.core.status.state, client.core.status.reason) == ("restarting", reason)
        await client.meets()
        assert (client.core.status.state, client.core.status.reason) == ("connected", None)


@async_test
async def test_events_go_to_the_callback(monkeypatch: pytest.MonkeyPatch) -> None:
    """`on_event` hears every event, and nothing else calls it."""
    events: list[Any] = []
    async with simulated(monkeypatch, on_event=events.append) as client:
        line = await client.connected()
        line.push(event("x", seq=1), event("y", seq=2))
        assert [item.event for item in events] == ["x", "y"]
