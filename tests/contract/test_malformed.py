"""What no honest client sends: both gateways answer it in the same words, and neither loses its footing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.helpers.raw import MISSING, answer_to, outcome, sign_in, signed_in
from tests.helpers.real import AnyGateway
from tests.helpers.support import async_test


async def sign_in_to(
    gateway: AnyGateway, changes: dict[str, Any], *, signed: bool
) -> tuple[str | None, str | None, int | None]:
    return await outcome(gateway.url, lambda nonce: json.dumps(sign_in(gateway.token, nonce, changes, signed=signed)))


INTEGER, STRING, EMPTY = "must be integer", "must be string", "must not have fewer than 1 characters"
SHAPES: list[tuple[str, Any, str]] = [
    ("minProtocol", "3", INTEGER),
    ("minProtocol", 3.5, INTEGER),
    ("minProtocol", True, INTEGER),
    ("minProtocol", 0, "must be >= 1"),
    ("minProtocol", None, INTEGER),
    ("client", [], "must be object"),
    ("client/id", "nobody", "must be equal to one of the allowed values"),
    ("client/id", ["cli"], "must be equal to one of the allowed values"),
    ("client/mode", {}, "must be equal to one of the allowed values"),
    ("client/version", "", EMPTY),
    ("client/platform", 7, STRING),
    ("client/deviceFamily", 7, STRING),
    ("client/displayName", "", EMPTY),
    ("client/instanceId", 7, STRING),
    ("role", 5, STRING),
    ("role", "", EMPTY),
    ("role", None, STRING),
    ("scopes", "operator.read", "must be array"),
    ("scopes", None, "must be array"),
    ("caps", 5, "must be array"),
    ("commands", {}, "must be array"),
    ("permissions", [], "must be object"),
    ("pathEnv", 5, STRING),
    ("locale", 5, STRING),
    ("auth", "x", "must be object"),
    ("auth", None, "must be object"),
    ("auth/token", 5, STRING),
    ("auth/password", [], STRING),
    ("auth/deviceToken", None, STRING),
    ("device", None, "must be object"),
    ("device/id", 5, STRING),
    ("device/publicKey", None, STRING),
    ("device/signature", "", EMPTY),
    ("device/signedAt", "5", INTEGER),
    ("device/signedAt", 1.5, INTEGER),
    ("device/signedAt", -5, "must be >= 0"),
    ("device/signedAt", 10**400, INTEGER),
    ("device/nonce", None, STRING),
]


@pytest.mark.parametrize(("path", "value", "fault"), SHAPES)
@async_test
async def test_shapes(gateway: AnyGateway, path: str, value: Any, fault: str) -> None:
    """A field of a sign-in that has a wrong type or value is named, with what it must be."""
    found = await sign_in_to(gateway, {path: value}, signed="device/" in path)
    assert found == (f"invalid connect params: at /{path}: {fault}", None, 1008)


SIGN_INS: list[tuple[dict[str, Any], bool, str, str | None]] = [
    ({}, False, "ok", None),
    ({}, True, "ok", None),
    ({"minProtocol": 3.0}, False, "ok", None),
    ({"client/version": "x" * 60_000}, False, "ok", None),
    ({"role": MISSING}, False, "ok", None),
    ({"auth/deviceToken": "x"}, False, "ok", None),
    ({"client": MISSING}, False, "invalid connect params: must have required property 'client'", None),
    ({"client/id": MISSING}, False, "invalid connect params: at /client: must have required property 'id'", None),
    ({"device/nonce": MISSING}, True, "invalid connect params: at /device: must have required property 'nonce'", None),
    ({"xyz": 1}, False, "invalid connect params: at root: unexpected property 'xyz'", None),
    ({"client/xyz": 1}, False, "invalid connect params: at /client: unexpected property 'xyz'", None),
    ({"auth/xyz": "x"}, False, "invalid connect params: at /auth: unexpected property 'xyz'", None),
    ({"scopes": [5]}, False, "invalid connect params: at /scopes/0: must be string", None),
    ({"caps": [""]}, False, f"invalid connect params: at /caps/0: {EMPTY}", None),
    ({"permissions": {"a": 1}}, False, "invalid connect params: at /permissions/a: must be boolean", None),
    ({"role": "admin"}, False, "invalid role", None),
    ({"role": "node"}, False, "device identity required", "DEVICE_IDENTITY_REQUIRED"),
    ({"auth": {}}, False, "device identity required", "DEVICE_IDENTITY_REQUIRED"),
    ({"auth/token": ""}, False, "device identity required", "DEVICE_IDENTITY_REQUIRED"),
    (
        {"auth": {"token": "\ud800"}},
        False,
        "unauthorized: gateway token mismatch (provide gateway auth token)",
        "AUTH_TOKEN_MISMATCH",
    ),
    ({"auth": {}}, True, "unauthorized: gateway token missing (provide gateway auth token)", "AUTH_TOKEN_MISSING"),
    (
        {"auth": {"deviceToken": "x"}},
        True,
        "unauthorized: device token mismatch (rotate/reissue device token)",
        "AUTH_DEVICE_TOKEN_MISMATCH",
    ),
    (
        {"auth": {"bootstrapToken": "x"}},
        True,
        "unauthorized: setup code invalid, expired, revoked, or already used "
        "(create a new code; review `openclaw devices list`)",
        "AUTH_BOOTSTRAP_TOKEN_INVALID",
    ),
    ({"device/id": "00" * 32}, True, "device identity mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH"),
    ({"device/publicKey": "é"}, True, "device identity mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH"),
    ({"device/publicKey": "a" * 30_000}, True, "device identity mismatch", "DEVICE_AUTH_DEVICE_ID_MISMATCH"),
    ({"device/signature": "é"}, True, "device signature invalid", "DEVICE_AUTH_SIGNATURE_INVALID"),
    ({"device/signature": "!!!"}, True, "device signature invalid", "DEVICE_AUTH_SIGNATURE_INVALID"),
    ({"device/signedAt": 1e300}, True, "device signature expired", "DEVICE_AUTH_SIGNATURE_EXPIRED"),
    ({"device/nonce": " "}, True, "device nonce required", "DEVICE_AUTH_NONCE_REQUIRED"),
    ({"device/nonce": "x"}, True, "device nonce mismatch", "DEVICE_AUTH_NONCE_MISMATCH"),
]


@pytest.mark.parametrize(("changes", "signed", "message", "code"), SIGN_INS)
@async_test
async def test_sign_ins(
    gateway: AnyGateway, changes: dict[str, Any], signed: bool, message: str, code: str | None
) -> None:
    """A sign-in that is incomplete, wrong or odd is let in or refused with the code by which a client recovers."""
    found = await sign_in_to(gateway, changes, signed=signed)
    assert found == (message, code, None if message == "ok" else 1008)


FRAMES: list[tuple[str | bytes, str | None, int]] = [
    ("{", None, 1000),
    ("", None, 1000),
    (b"\xff\xfe", None, 1000),
    ("[" * 50_000, None, 1000),
    ("[]", None, 1008),
    ("null", None, 1008),
    ('{"type":"event","event":"x"}', None, 1008),
    ('{"type":"req","id":5,"method":"connect","params":{}}', None, 1008),
    ('{"type":"req","id":"1","method":"health"}', "invalid handshake: first request must be connect", 1008),
    ('{"type":"req","id":"1","method":"connect","params":null}', "invalid connect params: must be object", 1008),
    (
        b'{"type":"req","id":"1","method":"connect","params":{}}',
        "invalid connect params: must have required property 'minProtocol'",
        1008,
    ),
    ('{"type":"req","id":"1","method":"connect","params":{"a":"' + "x" * 70_000 + '"}}', None, 1009),
]


@pytest.mark.parametrize(("frame", "message", "code"), FRAMES)
@async_test
async def test_first_frames(gateway: AnyGateway, frame: str | bytes, message: str | None, code: int) -> None:
    """A first frame that is no sign-in, or longer than 64 KiB, ends the connection with the right code."""
    assert await outcome(gateway.url, lambda nonce: frame) == (message, None, code)


KEY = "agent:main:malformed"
PARAMS: list[tuple[str, Any, str]] = [
    ("sessions.list", {"limit": 10**400}, "invalid sessions.list params: at /limit: must be integer"),
    ("sessions.list", {"offset": -1}, "invalid sessions.list params: at /offset: must be >= 0"),
    ("sessions.create", {"key": ""}, f"invalid sessions.create params: at /key: {EMPTY}"),
    ("sessions.create", {"agentId": "x"}, 'Unknown agent id "x"'),
    ("sessions.patch", [], "invalid sessions.patch params: must be object"),
    ("sessions.patch", None, "invalid sessions.patch params: must have required property 'key'"),
    (
        "sessions.patch",
        {"key": KEY, "label": 5},
        "invalid sessions.patch params: at /label: must be string; at /label: must be null; "
        "at /label: must match a schema in anyOf",
    ),
    ("talk.mode", {"enabled": "yes"}, "invalid talk.mode params: at /enabled: must be boolean"),
    ("agent", {"message": "", "idempotencyKey": "k"}, f"invalid agent params: at /message: {EMPTY}"),
    ("agent.wait", {"runId": "x", "timeoutMs": 10**400}, "invalid agent.wait params: at /timeoutMs: must be integer"),
    ("agent.wait", {"runId": "x", "timeoutMs": -1}, "invalid agent.wait params: at /timeoutMs: must be >= 0"),
    ("chat.send", {"sessionKey": 5}, "session mutation target is unavailable"),
    ("chat.send", {"sessionKey": KEY, "message": "", "idempotencyKey": "k"}, "message or attachment required"),
    ("chat.history", {"sessionKey": KEY, "limit": 1001}, "invalid chat.history params: at /limit: must be <= 1000"),
    ("exec.approval.request", {"command": "ls", "timeoutMs": "x"}, "at /timeoutMs: must be integer"),
    ("exec.approval.request", {"command": "ls", "timeoutMs": None}, "at /timeoutMs: must be integer"),
    ("exec.approval.request", {"command": "ls", "timeoutMs": {}}, "at /timeoutMs: must be integer"),
    ("exec.approval.resolve", {"id": "x", "decision": "perhaps"}, "invalid decision"),
    ("device.pair.list", {"x": 1}, "invalid device.pair.list params: at root: unexpected property 'x'"),
    ("connect", {}, "connect is only valid as the first request"),
]
AFTER: list[tuple[str | bytes, object, str]] = [
    ("[]", "invalid", "must be object"),
    ('{"type":"req","id":"1"}', "1", "must have required property 'method'"),
    ('{"type":"req","id":5,"method":"health"}', 5, "at /id: must be string"),
    ('{"type":"req","id":"","method":"health"}', "", f"at /id: {EMPTY}"),
    ('{"type":"req","id":"7","method":"health","x":1}', "7", "at root: unexpected property 'x'"),
    (
        '{"type":"event","event":"x"}',
        "invalid",
        "must have required property 'id'; at root: unexpected property 'event'; at /type: must be equal to constant",
    ),
]


async def answers(gateway: AnyGateway, frame: str | bytes, answered_id: object) -> tuple[dict[str, Any], bool]:
    """Return the answer to a frame of a client that may do everything, and whether the next request succeeds."""
    async with await signed_in(gateway.url, gateway.token) as socket, asyncio.timeout(60):
        await socket.send(frame)
        answer = await answer_to(socket, answered_id)
        await socket.send(b'{"type":"req","id":"next","method":"health"}')
        return answer, (await answer_to(socket, "next"))["ok"]


@pytest.mark.parametrize(("method", "params", "message"), PARAMS)
@async_test
async def test_params(gateway: AnyGateway, method: str, params: Any, message: str) -> None:
    """A request with wrong params is answered with what is wrong, and the connection lives on."""
    request = json.dumps({"type": "req", "id": "1", "method": method, "params": params})
    answer, lives = await answers(gateway, request, "1")
    assert message in answer["error"]["message"]
    assert lives


@pytest.mark.parametrize(("frame", "answered_id", "fault"), AFTER)
@async_test
async def test_later_frames(gateway: AnyGateway, frame: str, answered_id: object, fault: str) -> None:
    """A frame that is no request is answered with what is wrong, and the connection lives on."""
    answer, lives = await answers(gateway, frame, answered_id)
    assert answer["error"]["message"] == f"invalid request frame: {fault}"
    assert lives


@async_test
async def test_later_frames_that_are_no_json(gateway: AnyGateway) -> None:
    """A frame that is not JSON is passed over; one with an id that is not text is answered."""
    async with await signed_in(gateway.url, gateway.token) as socket, asyncio.timeout(60):
        await socket.send("{")
        await socket.send(b'{"type":"req","id":"\\ud800","method":"health","params":"x"}')
        assert (await answer_to(socket, None))["ok"] is True
