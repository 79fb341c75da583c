"""A living connection: ticks that stop, a gateway that starts, shuts down, refuses; what the user sees of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
from websockets.asyncio.server import ServerConnection

import gateway_nb as gnb
from gateway_nb.identity.device import DeviceIdentity
from gateway_nb.identity.tokens import DeviceTokens
from tests.helpers.servers import CHALLENGE, HELLO, Step, answer_all, script, socket_server, welcome, welcome_and_answer
from tests.helpers.support import async_test


def refuse(code: str | None, close: int, error: dict[str, Any] | None = None, **details: Any) -> Step:
    async def step(socket: ServerConnection) -> None:
        await socket.send(CHALLENGE)
        request = json.loads(await socket.recv())
        shape = {"code": "INVALID_REQUEST", "message": "no", **(error or {})}
        shape["details"] = {**({"code": code} if code else {}), **details}
        await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": False, "error": shape}))
        await socket.close(close, "no")

    return step


async def welcome_and_drop(socket: ServerConnection) -> None:
    await welcome(socket)
    socket.transport.abort()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


class States:
    """Collects what `on_state` is told."""

    def __init__(self) -> None:
        self.seen: list[gnb.Status] = []

    def __call__(self, status: gnb.Status) -> None:
        self.seen.append(status)

    @property
    def names(self) -> list[str]:
        return [status.state for status in self.seen]


@async_test
async def test_silence() -> None:
    """When ticks stop the connection is closed with 4000 tick timeout, and made anew."""
    quick = {**HELLO, "policy": {"tickIntervalMs": 20}}

    async def silent(socket: ServerConnection) -> None:
        await socket.send(CHALLENGE)
        request = json.loads(await socket.recv())
        await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": quick}))
        await socket.wait_closed()
        assert socket.close_code == 4000

    closes: list[tuple[int, str]] = []
    async with (
        socket_server(script(silent, welcome_and_answer)) as url,
        gnb.AsyncGateway(
            url, device_identity=None, tick_watch_min_interval=0.02, on_close=lambda *close: closes.append(close)
        ) as agw,
    ):
        await until(lambda: agw.status.epoch == 2)
        assert closes[0] == (4000, "tick timeout")


@async_test
async def test_a_starting_gateway() -> None:
    """A gateway that is starting is asked again soon, also by the first connect."""
    error = {"code": "UNAVAILABLE", "retryable": True, "retryAfterMs": 100}
    starting = refuse(None, 1013, error, reason="startup-sidecars")
    states = States()
    async with (
        socket_server(script(starting, starting, welcome_and_answer)) as url,
        gnb.AsyncGateway(url, device_identity=None, on_state=states) as agw,
    ):
        assert agw.status.epoch == 1
    assert states.names == ["connecting", "restarting", "connected", "closed"]
    assert [0 < (status.retry_in or 0) <= 0.1 for status in states.seen] == [False, True, False, False]


@async_test
async def test_a_shutdown() -> None:
    """The shutdown event's reason stays in the status until the gateway is back."""

    async def shut_down(socket: ServerConnection) -> None:
        await welcome(socket)
        payload = {"reason": "config\nchanged", "restartExpectedMs": 3000}
        await socket.send(json.dumps({"type": "event", "event": "shutdown", "payload": payload}))
        await socket.close(1012, "service restart")

    states = States()
    async with (
        socket_server(script(shut_down, welcome_and_answer)) as url,
        gnb.AsyncGateway(url, device_identity=None, on_state=states) as agw,
    ):
        await until(lambda: agw.status.epoch == 2)
        assert agw.status.reason is None
    away = [status for status in states.seen if status.state == "restarting"]
    assert away[0].retry_in is None  # not known yet
    assert {status.reason for status in away} == {"the gateway shuts down: config changed, back in about 3 s"}
    assert away[-1].counters.events == 1


@pytest.mark.parametrize(
    "code",
    ["AUTH_TOKEN_MISMATCH", "AUTH_RATE_LIMITED", "PAIRING_REQUIRED", "DEVICE_AUTH_NONCE_MISMATCH", "PROTOCOL_MISMATCH"],
)
@async_test
async def test_a_pause(code: str) -> None:
    """A refusal that waiting can't mend pauses the client: it says why, and the user connects again."""
    paused: list[gnb.GatewayError] = []
    async with socket_server(script(welcome_and_drop, refuse(code, 1008), welcome_and_answer)) as url:
        agw = gnb.AsyncGateway(url, token="t", device_identity=None, on_reconnect_paused=paused.append)
        await agw.connect()
        await until(lambda: agw.status.state == "paused")
        assert [error.code for error in paused] == [code]
        assert agw.status.retry_in is None
        with pytest.raises(gnb.GatewayClosedError, match=r"paused: .* connect again"):
            await agw.request("x")
        await agw.connect()
        assert await agw.request("echo", {"x": 1}) == {"x": 1}
        await agw.close()


@async_test
async def test_no_pause_where_the_gateway_says_wait() -> None:
    """A pairing that the gateway says to wait for is tried again."""
    waiting = refuse("PAIRING_REQUIRED", 1008, recommendedNextStep="wait_then_retry")
    async with (
        socket_server(script(welcome_and_drop, waiting, welcome_and_answer)) as url,
        gnb.AsyncGateway(url, token="t", device_identity=None) as agw,
    ):
        await until(lambda: agw.status.epoch == 2)


@async_test
async def test_waiting_for_approval() -> None:
    """Waiting for the owner says once what to approve, and goes on by itself."""
    pending = refuse("PAIRING_REQUIRED", 1008, requestId="r-1", requestedScopes=["a"], approvedScopes=["b"])
    told: list[gnb.PairingRequiredError] = []
    async with socket_server(script(pending, pending, welcome_and_answer)) as url:
        agw = gnb.AsyncGateway(url, device_identity=None)
        await agw.wait_until_paired(30, told.append)
        assert agw.status.state == "connected"
        await agw.close()
    assert [(error.request_id, error.requested_scopes, error.approved_scopes) for error in told] == [
        ("r-1", ("a",), ("b",))
    ]


@async_test
async def test_nobody_approves() -> None:
    """Waiting for the owner ends in time with the error itself."""
    async with socket_server(refuse("PAIRING_REQUIRED", 1008, requestId="r-1")) as url:
        with pytest.raises(gnb.PairingRequiredError, match="openclaw devices approve r-1"):
            await gnb.AsyncGateway(url, device_identity=None).wait_until_paired(0.1)


@async_test
async def test_retries() -> None:
    """A request that the gateway asks to repeat is repeated within its deadline, with the gateway's pause."""
    asked = 0

    async def busy_twice(socket: ServerConnection) -> None:
        nonlocal asked
        await welcome(socket)
        async for data in socket:
            request = json.loads(data)
            asked += 1
            error = {"code": "UNAVAILABLE", "message": "busy", "retryable": True, "retryAfterMs": 20}
            response = {"type": "res", "id": request["id"], "ok": asked == 3, "payload": asked}
            await socket.send(json.dumps(response if asked == 3 else {**response, "error": error}))

    async with socket_server(busy_twice) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        assert await agw.request("x", timeout=5) == 3
        assert agw.status.counters.retries == 2


@async_test
async def test_connecting_again_begins_with_short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between attempts grow, and begin anew when the user connects again."""
    longest: list[float] = []

    def drawn(_: random.Random, low: float, high: float) -> float:
        longest.append(high)
        return 0.01

    async def restarting(socket: ServerConnection) -> None:
        await socket.close(1012, "restarting")

    monkeypatch.setattr("random.Random.uniform", drawn)
    async with socket_server(restarting) as url:
        agw = gnb.AsyncGateway(url, device_identity=None, timeout=1.0)
        for _ in range(2):
            before = len(longest)
            with pytest.raises(gnb.GatewayConnectError, match="restarting"):
                await agw.connect()
            assert longest[before : before + 3] == [1, 2, 4]
        await agw.close()


@async_test
async def test_coming_back_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often a connection is lost the client comes back, with the next number for its connection."""
    monkeypatch.setattr("random.Random.uniform", lambda _, low, high: low)  # no pauses
    hellos: list[dict[str, Any]] = []
    steps = script(*[welcome_and_drop] * 4, welcome_and_answer)
    async with (
        socket_server(steps) as url,
        gnb.AsyncGateway(url, device_identity=None, on_hello_ok=hellos.append) as agw,
    ):
        await until(lambda: agw.status.epoch == 5)
        assert await agw.request("echo", {"x": 1}) == {"x": 1}
        status = agw.status
        assert (status.state, status.reason, status.retry_in, status.counters.reconnects) == (
            "connected",
            None,
            None,
            4,
        )
        await until(lambda: len(hellos) == 5)  # callbacks have their own pace


async def hang_up(socket: ServerConnection) -> None:
    await socket.close(1011, "no reason")


async def welcome_and_hang_up(socket: ServerConnection) -> None:
    await welcome(socket)
    await socket.close(1011, "enough")


@pytest.mark.parametrize(
    ("step", "heard"),
    [
        (refuse("AUTH_TOKEN_MISSING", 1008), ["on_connect_error AuthenticationError"]),
        (hang_up, ["on_close 1011 no reason"]),
        (welcome_and_hang_up, ["on_hello_ok", "on_close 1011 enough"]),
    ],
    ids=["refused", "closed before hello-ok", "closed after it"],
)
@async_test
async def test_what_callbacks_hear(step: Step, heard: list[str]) -> None:
    """A refusal is for on_connect_error, a connection that was closed for on_close, be it before or after hello-ok."""
    calls: list[str] = []
    async with socket_server(step) as url:
        agw = gnb.AsyncGateway(
            url,
            device_identity=None,
            on_hello_ok=lambda hello: calls.append("on_hello_ok"),
            on_connect_error=lambda error: calls.append(f"on_connect_error {type(error).__name__}"),
            on_close=lambda code, reason: calls.append(f"on_close {code} {reason}"),
        )
        with contextlib.suppress(gnb.GatewayConnectError):
            await agw.connect()
        await until(lambda: len(calls) >= len(heard))
        await agw.close()
        assert calls[: len(heard)] == heard


@pytest.mark.parametrize(
    ("final", "error", "said"),
    [
        ({"status": "error", "summary": "no"}, gnb.RunFailedError, "run my-key ended with error: no"),
        ({"status": "timeout", "summary": "aborted"}, gnb.RunAbortedError, "run my-key was aborted"),
    ],
)
@async_test
async def test_a_method_that_starts_a_run(final: dict[str, Any], error: type[gnb.RunFailedError], said: str) -> None:
    """Where a run is started as a method, its error names it by the key that it was given."""

    async def agent(socket: ServerConnection) -> None:
        await welcome(socket)
        request = json.loads(await socket.recv())
        await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": final}))
        await answer_all(socket)

    async with socket_server(agent) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        params = {"message": "x", "sessionKey": "s", "idempotencyKey": "my-key"}
        with pytest.raises(error, match=said) as failed:
            await agw.request("agent", params, expect_final=True)
        assert failed.value.run_id == "my-key"


@async_test
async def test_growing_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy gateway that does not say when is asked again after 0.1 s, then after twice as long, up to 5 s."""
    asked, pauses = 0, list[float]()
    sleep = asyncio.sleep

    async def busy(socket: ServerConnection) -> None:
        nonlocal asked
        await welcome(socket)
        async for data in socket:
            asked += 1
            answer = {"type": "res", "id": json.loads(data)["id"], "ok": asked == 9}
            error = {"code": "UNAVAILABLE", "message": "busy", "retryable": True}
            await socket.send(json.dumps(answer if answer["ok"] else {**answer, "error": error}))

    async def skipped(seconds: float) -> None:
        pauses.append(seconds)
        await sleep(0)

    async with socket_server(busy) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        with monkeypatch.context() as patch:
            patch.setattr("asyncio.sleep", skipped)
            await agw.request("x", timeout=None)
    assert [pause for pause in pauses if 0 < pause <= 5] == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


@async_test
async def test_a_rate_limit_beyond_the_deadline() -> None:
    """A pause longer than the deadline is said at once, with its length."""

    async def limited(socket: ServerConnection) -> None:
        await welcome(socket)
        async for data in socket:
            error = {"code": "UNAVAILABLE", "message": "rate limit", "retryable": True, "retryAfterMs": 60_000}
            error["details"] = {"method": "x", "limit": "30 per 60 s"}
            await socket.send(json.dumps({"type": "res", "id": json.loads(data)["id"], "ok": False, "error": error}))

    async with socket_server(limited) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        with pytest.raises(gnb.RateLimitedError, match="call again in 60 s") as caught:
            await agw.request("x", timeout=5)
        assert caught.value.retry_after == 60
        assert agw.status.counters.retries == 0


@async_test
async def test_an_answer_that_is_replaced() -> None:
    """Where the gateway replaces what it said, the run's text is the new whole."""

    async def change_its_mind(socket: ServerConnection) -> None:
        await welcome(socket)
        request = json.loads(await socket.recv())
        run_id = request["params"]["idempotencyKey"]
        for piece in ({"deltaText": "wrong"}, {"deltaText": "right", "replace": True}, {"deltaText": " now"}):
            payload = {"runId": run_id, "sessionKey": "s", "seq": 1, "state": "delta", **piece}
            await socket.send(json.dumps({"type": "event", "event": "chat", "payload": payload}))
        final = {"type": "res", "id": request["id"], "ok": True, "payload": {"runId": run_id, "status": "ok"}}
        await socket.send(json.dumps(final))
        await answer_all(socket)

    async with socket_server(change_its_mind) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        run = agw.run("x")
        assert [piece async for piece in run] == ["wrong", "\nright", " now"]
        result = await run.result()
        assert (result.text, result.usage) == ("right now", {})


@pytest.mark.parametrize(
    ("error", "said", "details"),
    [
        ({"m": "boom"}, 'ended with error: {"m":"boom"}', {"status": "error", "error": {"m": "boom"}}),
        (["x"] * 500_000, 'ended with error: ["x","x",', "2,000,028 bytes, left out"),
    ],
)
@async_test
async def test_why_a_run_failed(error: Any, said: str, details: Any) -> None:
    """A run's error says why, and holds what the gateway told of it; of very much only how much that is."""

    async def fail(socket: ServerConnection) -> None:
        await welcome(socket)
        async for data in socket:
            final = {"status": "error", "error": error}
            answer = {"type": "res", "id": json.loads(data)["id"], "ok": True, "payload": final}
            await socket.send(json.dumps(answer))

    async with socket_server(fail) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        with pytest.raises(gnb.RunFailedError) as caught:
            await agw.run("x").result()
    assert said in str(caught.value)
    assert len(str(caught.value)) <= 600
    assert caught.value.details == details


@async_test
async def test_a_gateway_that_hangs_up_at_once() -> None:
    """A gateway that hangs up right after its hello-ok has let us in: connecting says so, and its token is kept."""
    connections = 0

    async def brief(socket: ServerConnection) -> None:
        nonlocal connections
        connections += 1
        await socket.send(CHALLENGE)
        request = json.loads(await socket.recv())
        auth = {**HELLO["auth"], "deviceToken": f"device-token-{connections}"}
        payload = {**HELLO, "auth": auth}
        await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": payload}))
        socket.transport.close()

    async with socket_server(brief) as url:
        agw = gnb.AsyncGateway(url, token="shared-token")
        assert (await agw.connect()).protocol == 4
        await agw.close()
        identity = await asyncio.to_thread(DeviceIdentity.load_or_create)
        kept = DeviceTokens(identity.device_id, url).load("operator")
        assert kept is not None
        assert kept.token.startswith("device-token-")


@async_test
async def test_subscriptions_are_made_again() -> None:
    """What was subscribed is subscribed again, as it was sent, after each reconnect; what was undone is not."""
    asked: list[list[tuple[str, Any]]] = []

    async def note(socket: ServerConnection) -> None:
        mine: list[tuple[str, Any]] = []
        asked.append(mine)
        await welcome(socket)
        async for data in socket:
            request = json.loads(data)
            if request["method"] == "drop":
                socket.transport.abort()
                return
            mine.append((request["method"], request.get("params")))
            await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": {}}))

    async with socket_server(note) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        await agw.request("sessions.subscribe")
        params = {"key": "a"}
        await agw.request("sessions.messages.subscribe", params)
        params["key"] = "changed later"
        for _ in range(2):
            await agw.request("sessions.messages.subscribe", MappingProxyType({"key": "b"}))
        await agw.request("sessions.messages.unsubscribe", {"key": "a"})
        await agw.request("x.subscribe", {1: np.int64(2), "b": 3})
        with pytest.raises(gnb.GatewayClosedError):
            await agw.request("drop")
        await until(lambda: len(asked) == 2 and len(asked[1]) == 3)
        assert asked[1] == [
            ("sessions.subscribe", None),
            ("sessions.messages.subscribe", {"key": "b"}),
            ("x.subscribe", {"1": 2, "b": 3}),
        ]


@async_test
async def test_fewer_scopes_than_asked_for() -> None:
    """Scopes that were asked for and not granted are a warning in the log, and a problem in the status."""

    async def stingy(socket: ServerConnection) -> None:
        await socket.send(CHALLENGE)
        request = json.loads(await socket.recv())
        hello = {**HELLO, "auth": {"role": "operator", "scopes": ["operator.read"]}}
        await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": hello}))
        await answer_all(socket)

    wanted = ["operator.read", "operator.write"]
    async with socket_server(stingy) as url, gnb.AsyncGateway(url, device_identity=None, scopes=wanted) as agw:
        (line,) = agw.log
        assert line.startswith("warning: the gateway did not grant the scope operator.write: ")
        (problem,) = agw.status.problems
        assert problem in line
        assert problem in str(agw.status)
        assert problem in agw.status._repr_html_()
        assert agw.status.scopes == ("operator.read",)


@async_test
async def test_callbacks_that_raise() -> None:
    """Callbacks of the user's that raise are logged and counted, and stop nothing."""

    def broken(*_: object) -> None:
        raise ValueError("a bug of the user's")

    names = ("on_event", "on_hello_ok", "on_state", "on_close", "on_gap")
    options: dict[str, Any] = dict.fromkeys(names, broken)

    async def gap_then_drop(socket: ServerConnection) -> None:
        await welcome(socket)
        for seq in (1, 5):
            await socket.send(json.dumps({"type": "event", "event": "x", "seq": seq}))
        socket.transport.abort()

    async with (
        socket_server(script(gap_then_drop, welcome_and_answer)) as url,
        gnb.AsyncGateway(url, device_identity=None, **options) as agw,
    ):
        await until(lambda: agw.status.epoch == 2)
        assert (agw.status.counters.gaps, agw.status.counters.missed) == (1, 3)
        assert agw.status.counters.handler_errors >= 7
        assert any("on_gap raised ValueError: a bug of the user's" in line for line in agw.log)


async def with_device_token(socket: ServerConnection) -> None:
    await socket.send(CHALLENGE)
    request = json.loads(await socket.recv())
    hello = {**HELLO, "auth": {"role": "operator", "scopes": ["s"], "deviceToken": "device-token-value"}}
    await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": hello}))
    await answer_all(socket)


@async_test
async def test_token_files_that_cannot_be_used(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token file that can't be read or written is a warning, and the connection works."""
    (tmp_path / "home" / "identity" / "device-auth.json").mkdir(parents=True)
    async with socket_server(with_device_token) as url, gnb.AsyncGateway(url, token="t") as agw:
        assert await agw.request("echo", {"x": 1}) == {"x": 1}
        assert any("the device token can't be read" in line for line in agw.log)
        assert any("the device token can't be kept" in line for line in agw.log)
        assert "device-token-value" not in repr((agw.log, agw.hello, agw.status))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("nonsense", "is not a device-token file"),
        ("[]", "is not a device-token file"),
        ('{"deviceId": "other", "tokens": {}}', "is another device's"),
    ],
)
@async_test
async def test_token_files_of_no_use(tmp_path: Any, content: str, why: str) -> None:
    """A broken or foreign token file is a warning, counts as empty, and is written anew."""
    path = tmp_path / "home" / "identity" / "device-auth.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    async with socket_server(with_device_token) as url, gnb.AsyncGateway(url, token="t") as agw:
        assert any(why in line for line in agw.log)
    assert "device-token-value" in path.read_text()


@async_test
async def test_a_full_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that the disk has no room for is a warning, and the connection works."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("gateway_nb.identity.files.os.fsync", full)
    async with socket_server(with_device_token) as url, gnb.AsyncGateway(url, token="t") as agw:
        assert await agw.request("echo", {"x": 1}) == {"x": 1}
        assert any("can't be kept" in line and "No space left" in line for line in agw.log)


@async_test
async def test_an_unreadable_key(tmp_path: Any) -> None:
    """A key file that can't be read fails the connection with what to do, and stays as it is."""
    path = tmp_path / "key.json"
    path.write_text("broken")
    with pytest.raises(gnb.GatewayConnectError, match="move it away") as caught:
        await gnb.AsyncGateway("ws://127.0.0.1:1", device_identity=path).connect()
    assert caught.value.code == "DEVICE_IDENTITY_UNREADABLE"
    assert path.read_text() == "broken"


@async_test
async def test_a_home_that_cannot_be_written(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place for the key the client uses one for this session, and says so."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GATEWAY_NB_HOME", str(tmp_path / "file" / "home"))
    async with socket_server(welcome_and_answer) as url, gnb.AsyncGateway(url, token="t") as agw:
        assert "so this connection uses a temporary one; set GATEWAY_NB_HOME" in agw.status.problems[0]
