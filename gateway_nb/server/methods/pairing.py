"""Devices: those that are paired, and those that wait to be.

``device.pair.list`` -> ``{pending[{requestId, deviceId, publicKey, platform, role, scopes, ts}],
paired[{deviceId, platform, scopes}]}``; ``device.pair.approve {requestId}`` -> ``{requestId, device}``, and the event
``device.pair.resolved {requestId, deviceId, decision, ts}`` to clients with operator.pairing.
"""

from __future__ import annotations

from typing import Any

from ...protocol.scopes import PAIRING
from ..admission import Admission
from ..clock import now_ms
from ..params import NOTHING, Params, text
from ..peers import Peers
from .method import Call, Method, Table


class Pairing:
    """The methods.

    Args:
        peers: the clients that have connected.
        admission: who may connect.
    """

    def __init__(self, peers: Peers, admission: Admission) -> None:
        self._peers = peers
        self._admission = admission

    def table(self) -> Table:
        """Return the methods by name."""
        return {
            "device.pair.list": Method(PAIRING, NOTHING, self._list),
            "device.pair.approve": Method(PAIRING, Params({"requestId": text}, ("requestId",)), self._approve),
        }

    def _list(self, call: Call) -> dict[str, Any]:
        paired = [
            {"deviceId": device.device_id, "platform": device.platform, "scopes": sorted(device.scopes)}
            for device in self._admission.devices.values()
        ]
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
