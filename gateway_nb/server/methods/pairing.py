"""Devices: those that are paired, and those that wait to be.

``device.pair.list`` -> ``{pending[{requestId, deviceId, publicKey, platform, role, scopes, ts}], paired[{deviceId,
publicKey, platform, displayName?, clientId, clientMode, role, roles, scopes, createdAtMs, approvedAtMs, connected,
tokens[{role, scopes, createdAtMs}]}]}``; ``device.pair.approve {requestId}`` -> ``{requestId, device}``, and the event
``device.pair.resolved {requestId, deviceId, decision, ts}`` to clients with operator.pairing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...protocol.scopes import PAIRING
from ..admission import Admission, Device
from ..clock import now_ms
from ..params import NOTHING, Params, text
from ..peers import Peers
from .method import Call, Method, Table


@dataclass
class Pairing:
    """The methods."""

    _peers: Peers
    _admission: Admission

    def table(self) -> Table:
        return {
            "device.pair.list": Method(PAIRING, NOTHING, self._list),
            "device.pair.approve": Method(PAIRING, Params({"requestId": text}, ("requestId",)), self._approve),
        }

    def _list(self, call: Call) -> dict[str, Any]:
        connected = {peer.device_id for peer in self._peers}
        paired = [_row(device, device.device_id in connected) for device in self._admission.devices.values()]
        return {"pending": list(self._admission.pending.values()), "paired": paired}

    def _approve(self, call: Call) -> dict[str, Any]:
        approved = self._admission.approve(call.params["requestId"])
        resolved = {
            "requestId": call.params["requestId"],
            "deviceId": approved["device"]["deviceId"],
            "decision": "approved",
            "ts": now_ms(),
        }
        self._peers.broadcast("device.pair.resolved", resolved, scope=PAIRING)
        return approved


def _row(device: Device, connected: bool) -> dict[str, Any]:
    names = {"displayName": "displayName", "deviceFamily": "deviceFamily", "id": "clientId", "mode": "clientMode"}
    about = {new: device.client[old] for old, new in names.items() if old in device.client}
    roles, scopes = sorted(device.roles), sorted(device.scopes)
    tokens = [
        {"role": role, "scopes": list(token[1]), "createdAtMs": token[2]} for role, token in device.tokens.items()
    ]
    return {
        "deviceId": device.device_id,
        "publicKey": device.public_key,
        "platform": device.platform,
        **about,
        "role": roles[0] if roles else None,
        "roles": roles,
        "scopes": scopes,
        "createdAtMs": device.paired_at,
        "approvedAtMs": device.paired_at,
        "connected": connected,
        "tokens": tokens,
    }
