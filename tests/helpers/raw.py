"""A client that sends what ours never would."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from gateway_nb.identity.device import DeviceIdentity
from gateway_nb.protocol.handshake import device_payload

MISSING: Any = object()
"""In a change: the field is left out."""


def sign_in(token: str, nonce: str, changes: dict[str, Any], *, signed: bool = False) -> dict[str, Any]:
    """Return a ``connect`` request with some fields changed.

    Args:
        token: the shared token.
        nonce: the challenge's.
        changes: what is to be where, by paths like ``client/id``.
        signed: with a device identity.
    """
    params: dict[str, Any] = {
        "minProtocol": 3,
        "maxProtocol": 4,
        "client": {"id": "gateway-client", "version": "1", "platform": "linux", "mode": "backend"},
        "role": "operator",
        "scopes": ["operator.read"],
        "auth": {"token": token},
    }
    if "auth" in changes:
        params["auth"] = changes["auth"]
    if signed:
        params["device"] = _device(params, nonce)
    for path, value in changes.items():
        *parents, name = path.split("/")
        part = params
        for parent in parents:
            part = part[parent]
        if value is MISSING:
            part.pop(name, None)
        else:
            part[name] = value
    return {"type": "req", "id": "1", "method": "connect", "params": params}


def _device(params: dict[str, Any], nonce: str) -> dict[str, Any]:
    identity, auth = DeviceIdentity.generate(), params["auth"]
    device = {
        "id": identity.device_id,
        "publicKey": identity.public_key,
        "signedAt": int(time.time() * 1000),
        "nonce": nonce,
    }
    token = next((auth[name] for name in ("token", "deviceToken", "bootstrapToken") if name in auth), "")
    signature = identity.sign(device_payload("v3", {**params, "device": device}, token))
    return {**device, "signature": signature}


async def outcome(url: str, text_for: Callable[[str], str | bytes]) -> tuple[str | None, str | None, int | None]:
    """Send one frame instead of a sign-in.

    Args:
        url: the gateway's.
        text_for: makes the frame, given the challenge's nonce.

    Returns:
        The answer's message (``"ok"`` where it let the client in), its detail code, and the close code.
    """
    message = code = None
    async with connect(url, compression=None, max_size=None, proxy=None) as socket:
        try:
            nonce = json.loads(await socket.recv())["payload"]["nonce"]
            await socket.send(text_for(nonce))
            answer = await answer_to(socket, None)
            if answer["ok"]:
                return "ok", None, None
            message = answer["error"]["message"]
            code = answer["error"].get("details", {}).get("code")
            await socket.wait_closed()
        except ConnectionClosed:
            pass
        return message, code, socket.close_code


async def answer_to(socket: ClientConnection, request_id: object) -> dict[str, Any]:
    """Return the next response with that id; ``None``: with any."""
    while True:
        frame: dict[str, Any] = json.loads(await socket.recv())
        if frame["type"] == "res" and request_id in (None, frame["id"]):
            return frame


async def signed_in(url: str, token: str) -> ClientConnection:
    """Return a connection of a client that may do everything."""
    socket = await connect(url, compression=None, max_size=None, proxy=None)
    nonce = json.loads(await socket.recv())["payload"]["nonce"]
    scopes = ["operator.admin", "operator.approvals"]
    await socket.send(json.dumps(sign_in(token, nonce, {"scopes": scopes})))
    assert (await answer_to(socket, "1"))["ok"]
    return socket
