"""Frames as a gateway sends them."""

from __future__ import annotations

import json
from typing import Any

HELLO: dict[str, Any] = {
    "type": "hello-ok",
    "protocol": 4,
    "server": {"version": "1", "connId": "c"},
    "features": {"methods": ["health"], "events": ["tick"]},
    "auth": {"role": "operator", "scopes": ["operator.admin"], "deviceToken": "hush"},
    "policy": {"maxPayload": 2000, "tickIntervalMs": 10_000},
}


def event(name: str, payload: Any = None, **fields: Any) -> bytes:
    """Return the frame of an event."""
    return json.dumps({"type": "event", "event": name, "payload": payload, **fields}).encode()


def response(request_id: str, payload: Any = None, *, ok: bool = True, **fields: Any) -> bytes:
    """Return the frame that answers a request."""
    return json.dumps({"type": "res", "id": request_id, "ok": ok, "payload": payload, **fields}).encode()
