"""The doctor tries what connecting tries: it finds a failure exactly where `connect` with the same arguments fails."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

import gateway_nb as gnb
from gateway_nb.identity import device
from gateway_nb.identity.device import DeviceIdentity
from gateway_nb.identity.tokens import DeviceTokens
from tests.helpers.servers import CHALLENGE, HELLO, answer_all, socket_server
from tests.helpers.support import async_test

Step = Callable[[ServerConnection, dict[str, Any]], Awaitable[None]]
STORED = "stored-device-token"


async def hello(socket: ServerConnection, request: dict[str, Any]) -> None:
    await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": HELLO}))
    await answer_all(socket)


def refuses(code: str | None = None, close: int = 1008, message: str = "refused", **details: Any) -> Step:
    async def step(socket: ServerConnection, request: dict[str, Any]) -> None:
        error = {"code": "INVALID_REQUEST", "message": message, "details": {"code": code, **details}}
        await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": False, "error": error}))
        await socket.close(close, message)

    return step


def hangs_up(code: int) -> Step:
    async def step(socket: ServerConnection, request: dict[str, Any]) -> None:
        await socket.close(code)

    return step


async def no_version(socket: ServerConnection, request: dict[str, Any]) -> None:
    await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": {}}))
    await socket.wait_closed()


async def slow(socket: ServerConnection, request: dict[str, Any]) -> None:
    await asyncio.sleep(0.7)  # what is tested is that time passes
    await hello(socket, request)


async def wants_a_device(socket: ServerConnection, request: dict[str, Any]) -> None:
    step = hello if "device" in request["params"] else refuses("DEVICE_IDENTITY_REQUIRED")
    await step(socket, request)


async def wants_approval(socket: ServerConnection, request: dict[str, Any]) -> None:
    step = refuses("PAIRING_REQUIRED", requestId="r-1") if "device" in request["params"] else hello
    await step(socket, request)


async def wants_a_credential(socket: ServerConnection, request: dict[str, Any]) -> None:
    step = hello if "auth" in request["params"] else refuses("AUTH_TOKEN_MISSING")
    await step(socket, request)


async def takes_the_stored_token(socket: ServerConnection, request: dict[str, Any]) -> None:
    given = request["params"]["auth"].get("deviceToken")
    await (hello if given == STORED else refuses("AUTH_TOKEN_MISMATCH"))(socket, request)


WAITING = refuses("PAIRING_REQUIRED", requestId="r-1", pauseReconnect=False)
NEXT_STEP = refuses("PAIRING_REQUIRED", requestId="r-1", recommendedNextStep="wait_then_retry")
STARTING = refuses(message="gateway starting", close=1013, reason="startup-sidecars", retryAfterMs=100)


def stored(url: str) -> None:
    DeviceTokens(DeviceIdentity.load_or_create().device_id, url).store("operator", STORED, ["operator.admin"])


def unreadable_key(url: str) -> None:
    DeviceIdentity.load_or_create()
    device.default_path().write_text("{")


def open_key(url: str) -> None:
    DeviceIdentity.load_or_create()
    device.default_path().chmod(0o644)


def folder_for_tokens(url: str) -> None:
    DeviceIdentity.load_or_create()
    device.default_path().with_name("device-auth.json").mkdir()


def nested_tokens(url: str) -> None:
    DeviceIdentity.load_or_create()
    device.default_path().with_name("device-auth.json").write_text("[" * 100_000)


def environments(url: str) -> None:
    os.environ["OPENCLAW_GATEWAY_TOKEN"] = "of-another-gateway"


class OwnKey:
    """A device key of the user's own making."""

    def __init__(self) -> None:
        key = DeviceIdentity.generate()
        self.device_id, self.public_key, self.sign = key.device_id, key.public_key, key.sign


TOKEN = {"token": "t"}
# what the gateway does, one step per attempt, the last again and again; what lies on disk; arguments; the outcome
CASES: dict[str, tuple[list[Step], Callable[[str], object] | None, dict[str, Any], bool]] = {
    "starting": ([STARTING, STARTING, hello], None, TOKEN, True),
    "starting, without a word": ([hangs_up(1013), hello], None, TOKEN, True),
    "restarting": ([hangs_up(1012), hello], None, TOKEN, True),
    "always starting": ([STARTING], None, TOKEN, False),
    "starting, then gone": ([STARTING, hangs_up(1000)], None, TOKEN, False),
    "approval under way": ([WAITING, hello], None, TOKEN, True),
    "wait, then retry": ([NEXT_STEP, hello], None, TOKEN, True),
    "approval that does not come": ([WAITING], None, TOKEN, False),
    "approval, and no key yet": ([wants_approval], None, TOKEN, False),
    "a device, and no key yet": ([wants_a_device], None, TOKEN, True),
    "the stored token accepted": ([takes_the_stored_token], stored, TOKEN, True),
    "the stored token refused, too": ([refuses("AUTH_TOKEN_MISMATCH")], stored, TOKEN, False),
    "no stored token": ([takes_the_stored_token], None, TOKEN, False),
    "a key that can't be read": ([hello], unreadable_key, TOKEN, False),
    "a key that is open to others": ([hello], open_key, TOKEN, True),
    "a folder for a token file": ([hello], folder_for_tokens, TOKEN, True),
    "a folder, and no other token": ([wants_a_credential], folder_for_tokens, {}, False),
    "a token file of brackets": ([hello], nested_tokens, TOKEN, True),
    "withheld": ([wants_a_credential], environments, {}, False),
    "nothing to withhold": ([wants_a_credential], None, TOKEN, True),
    "a node": ([hangs_up(1000)], None, {**TOKEN, "role": "node"}, False),
    "no version": ([no_version], None, TOKEN, False),
    "too slow": ([slow], None, {**TOKEN, "timeout": 0.5}, False),
    "an old gateway": ([refuses(message="protocol mismatch", close=1002)], None, TOKEN, False),
    "a key as an object": ([wants_a_device], None, {**TOKEN, "device_identity": OwnKey()}, True),
}


class Gateway:
    """A gateway that does one step per attempt."""

    def __init__(self, steps: list[Step]) -> None:
        self.steps = list(steps)

    async def __call__(self, socket: ServerConnection) -> None:
        await socket.send(CHALLENGE)
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        await step(socket, json.loads(await socket.recv()))


@pytest.mark.parametrize("case", CASES)
@async_test
async def test_the_verdict_is_connects(case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where connecting works the doctor finds nothing that failed, where it fails the doctor does."""
    steps, prepare, arguments, works = CASES[case]
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", "")
    gateway = Gateway(steps)
    async with socket_server(gateway) as url:
        if prepare is not None:
            prepare(url)
        report = await asyncio.to_thread(gnb.doctor, url, **{"timeout": 5.0 if works else 1.0, **arguments})
        assert report.ok is works, report
        gateway.steps = list(steps)
        client = gnb.AsyncGateway(url, **{"timeout": 5.0 if works else 1.0, **arguments})
        if works:
            async with client:
                assert client.status.state == "connected"
        else:
            with pytest.raises(gnb.GatewayConnectError):
                await client.connect()


@pytest.mark.parametrize("step", [WAITING, NEXT_STEP])
@async_test
async def test_an_approval_under_way(step: Step) -> None:
    """A gateway that says to wait for its approval is tried again; in the end the error says what to approve."""
    async with socket_server(Gateway([step])) as url:
        with pytest.raises(gnb.PairingRequiredError, match="openclaw devices approve r-1"):
            await gnb.AsyncGateway(url, token="t", timeout=0.5).connect()
    async with socket_server(Gateway([step, hello])) as url, gnb.AsyncGateway(url, token="t") as agw:
        assert agw.status.state == "connected"


@async_test
async def test_waiting_for_the_owner_begins_at_once() -> None:
    """Who waits for the owner hears at once what to approve, also where the gateway says to try again."""
    heard: list[gnb.PairingRequiredError] = []
    async with socket_server(Gateway([WAITING, hello])) as url:
        agw = gnb.AsyncGateway(url, token="t")
        await agw.wait_until_paired(10, heard.append)
        await agw.close()
    assert [error.request_id for error in heard] == ["r-1"]


@async_test
async def test_an_error_in_on_pairing() -> None:
    """What the user's code raises while the owner is waited for is reported, and the waiting goes on."""

    def broken(error: gnb.PairingRequiredError) -> None:
        raise KeyError("my mistake")

    async with socket_server(Gateway([refuses("PAIRING_REQUIRED", requestId="r-1"), hello])) as url:
        agw = gnb.AsyncGateway(url, token="t")
        await agw.wait_until_paired(10, broken)
        assert agw.status.state == "connected"
        assert agw.status.problems == ("on_pairing raised KeyError: 'my mistake'",)
        assert any("on_pairing raised KeyError" in line for line in agw.log)
        await agw.close()


@pytest.mark.parametrize(
    ("role", "advice"),
    [("operator", "normal closure; the gateway's log says why"), ("node", "a node needs client_name='node-host'")],
)
@async_test
async def test_a_gateway_that_just_closes(role: str, advice: str) -> None:
    """A gateway that closes instead of answering is named as such, with what to do for the role."""
    async with socket_server(Gateway([hangs_up(1000)])) as url:
        with pytest.raises(gnb.GatewayConnectError, match=advice) as caught:
            await gnb.AsyncGateway(url, token="t", role=role).connect()
    assert "before hello-ok: gateway closed (1000)" in str(caught.value)


@pytest.mark.parametrize(
    ("details", "says"),
    [
        ({"expectedProtocol": 9}, "(the gateway expects version 9, this client speaks 3 to 4)"),
        ({"expectedProtocol": 10**30}, "(this client speaks 3 to 4)"),
        ({"expectedProtocol": "4"}, "(this client speaks 3 to 4)"),
        ({}, "(this client speaks 3 to 4)"),
    ],
)
@async_test
async def test_a_protocol_mismatch(details: dict[str, Any], says: str) -> None:
    """A mismatch names the version that the gateway expects, if it says it, and those of this client."""
    step = refuses(message="protocol mismatch", close=1002, **details)
    async with socket_server(Gateway([step])) as url:
        with pytest.raises(gnb.ProtocolMismatchError) as caught:
            await gnb.AsyncGateway(url, token="t").connect()
    assert says in str(caught.value)


@async_test
async def test_a_request_of_a_key_for_this_check() -> None:
    """Where there is no key yet, the doctor does not have its own request to pair approved."""
    async with socket_server(Gateway([wants_approval])) as url:
        report = await asyncio.to_thread(gnb.doctor, url, token="t")
    (finding,) = report.failures
    assert finding.check == "pairing"
    assert str(finding.advice).startswith("connect first: it makes the device key")
    assert not device.default_path().exists()
