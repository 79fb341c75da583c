"""The clients of the embedded gateway that have connected, and events to them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..protocol import frames
from ..protocol.scopes import READ
from .peer import Peer


class Peers(set[Peer]):
    """Clients that have connected."""

    def broadcast(
        self, event: str, payload: Any, *, scope: str | None = READ, to: Iterable[Peer] | None = None
    ) -> None:
        """Send an event to the clients that may see it.

        Args:
            event: its name.
            payload: anything that is JSON.
            scope: which one has to have been granted; ``None``: none.
            to: only to these.
        """
        chosen = [peer for peer in (self if to is None else to) if peer.allows(scope)]
        self.send(event, frames.encode(payload), chosen)

    def send(self, event: str, payload: bytes, to: Iterable[Peer] | None = None) -> None:
        """Send an event to clients whatever they may see; the payload is JSON."""
        for peer in list(self if to is None else to):
            peer.event(event, payload, droppable=event != "voicewake.changed")
