"""``talk.mode``, which every client of an operator hears: the cheapest way to make an event.

``talk.mode {enabled, phase?}`` -> the same with ``ts``, and the event ``talk.mode`` with that payload.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...protocol.scopes import TALK
from ..clock import now_ms
from ..params import Params, boolean, string
from ..peers import Peers
from .method import Call, Method, Table


@dataclass
class Talk:
    """The method, and who hears of it."""

    _peers: Peers

    def table(self) -> Table:
        return {"talk.mode": Method(TALK, Params({"enabled": boolean, "phase": string}, ("enabled",)), self._mode)}

    def _mode(self, call: Call) -> dict[str, Any]:
        payload = {**call.params, "ts": now_ms()}
        self._peers.broadcast("talk.mode", payload)
        return payload
