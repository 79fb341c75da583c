"""What the user subscribed to: it ends with the connection, and is asked for again on the next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import GatewayError
from ..protocol.frames import decode_payload, encode
from .connection import Connection
from .log import Log


class Subscriptions:
    """The ``...subscribe`` requests that were not undone.

    Args:
        timeout: seconds for each, when they are made again.
        log: where one that fails then is noted.
    """

    def __init__(self, timeout: float, log: Log) -> None:
        self._timeout = timeout
        self._log = log
        self._active: dict[str, tuple[str, Any]] = {}

    def remember(self, method: str, params: Mapping[str, Any] | None) -> None:
        """Take note of a request that was answered, if it subscribes to something or undoes that."""
        base, _, verb = method.rpartition(".")  # sessions.messages.subscribe is undone by ....unsubscribe
        if verb not in ("subscribe", "unsubscribe"):
            return
        sent = decode_payload(encode(params))  # as it was sent: it may be any mapping, and change
        key = _key(base, sent)
        if verb == "subscribe":
            self._active[key] = (method, sent)
        else:
            self._active.pop(key, None)

    def has(self, method: str, params: Mapping[str, Any] | None) -> bool:
        """Return whether a request to subscribe was made, and not undone."""
        return _key(method.rpartition(".")[0], params) in self._active

    def make_again(self, connection: Connection) -> None:
        """Ask for all of them on a new connection."""
        for method, params in self._active.values():
            connection.spawn(self._make(connection, method, params))

    async def _make(self, connection: Connection, method: str, params: Mapping[str, Any] | None) -> None:
        try:
            await connection.request(method, params, timeout=self._timeout)
        except GatewayError as error:
            self._log.warning(f"a subscription was not made again: {error}")


def _key(base: str, params: Mapping[str, Any] | None) -> str:
    return json.dumps([base, params], sort_keys=True)
