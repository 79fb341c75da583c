"""Calls of methods: keys that make repeating safe, repeating where the gateway asks for it, and who records them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from ..errors import GatewayRequestError
from ..protocol.frames import encode, encode_request
from .connection import Connection
from .log import Log
from .registry import Registry
from .subscriptions import Subscriptions

NEEDS_IDEMPOTENCY_KEY = frozenset({"agent", "chat.send", "send", "poll", "message.action", "node.invoke"})
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_LONGEST_WAIT = 300.0  # seconds; a gateway that wants more is no wait that anybody expects of a call


class Recorder(Protocol):
    """Something that keeps requests and answers, and redacts them."""

    def asked(self, request_id: str, method: str, params: bytes) -> None:
        """A request is made; its params are JSON."""

    def answered(self, request_id: str, ok: bool, answer: bytes) -> None:
        """It was answered, with a payload or an error; both are JSON."""


class Requests:
    """Makes the calls of one client, on whichever connection is there.

    Args:
        connection: returns the live connection for a method, or raises `GatewayClosedError` with the reason.
        timeout: seconds for a subscription that is made again.
        log: where one that fails then is noted.

    Attributes:
        retries: requests sent again.
        subscriptions: what the user subscribed to.
    """

    def __init__(self, connection: Callable[[str], Connection], timeout: float, log: Log) -> None:
        self.retries = 0
        self._recorders: Registry[Recorder] = Registry()
        self.subscriptions = Subscriptions(timeout, log)
        self._connection = connection

    def check_connected(self, method: str) -> None:
        """Check that a call of a method could be sent now.

        Raises:
            GatewayClosedError: it could not; says why.
        """
        self._connection(method)

    def record(self, recorder: Recorder) -> Callable[[], None]:
        """Give every request and its answer to a recorder; return the function that ends that. From any thread."""
        return self._recorders.add(recorder)

    async def ask(
        self,
        method: str,
        params: Mapping[str, Any] | None,
        limit: float | None,
        *,
        expect_final: bool = False,
        on_acknowledged: Callable[[msgspec.Raw], None] | None = None,
    ) -> msgspec.Raw:
        """Return the payload of a method's answer, as JSON bytes.

        Args:
            method: gateway method.
            params: a mapping or ``None``; an `idempotencyKey` is added for the methods that need one.
            limit: seconds for all of it, ``None`` for no limit.
            expect_final: wait past an ``accepted``.
            on_acknowledged: called with the ``accepted`` payload.

        Raises:
            GatewayRequestError, GatewayTimeoutError, GatewayClosedError, BadParamsError: see `AsyncGateway.request`.
        """
        if method in NEEDS_IDEMPOTENCY_KEY and isinstance(params, Mapping) and "idempotencyKey" not in params:
            params = {**params, "idempotencyKey": str(uuid.uuid4())}
        if not self._recorders.items:
            return await self._repeat(method, params, limit, expect_final, on_acknowledged)
        request_id = str(uuid.uuid4())
        encode_request(request_id, method, params)  # what can't be sent is not recorded either
        self._record("asked", request_id, method, encode(params))
        try:
            answer = await self._repeat(method, params, limit, expect_final, on_acknowledged)
        except GatewayRequestError as error:
            shape = {
                "code": error.code,
                "message": error.gateway_message,
                "details": error.details,
                "retryable": error.retryable,
                "retry_after_ms": None if error.retry_after is None else error.retry_after * 1000,
            }
            self._record("answered", request_id, False, encode(shape))
            raise
        self._record("answered", request_id, True, bytes(answer))
        return answer

    def _record(self, what: str, request_id: str, about: object, data: bytes) -> None:
        for recorder in self._recorders.items:
            getattr(recorder, what)(request_id, about, data)

    async def _repeat(
        self,
        method: str,
        params: Mapping[str, Any] | None,
        limit: float | None,
        expect_final: bool,
        on_acknowledged: Callable[[msgspec.Raw], None] | None,
    ) -> msgspec.Raw:
        """Ask, and ask again where the gateway wishes so, until the deadline."""
        deadline = None if limit is None else time.monotonic() + limit
        pause, left = _FIRST_PAUSE, limit
        while True:
            connection = self._connection(method)
            try:
                payload = await connection.request(
                    method, params, timeout=left, expect_final=expect_final, on_acknowledged=on_acknowledged
                )
            except GatewayRequestError as error:
                wait = max(pause, error.retry_after or 0.0)
                late = deadline is not None and time.monotonic() + wait >= deadline
                if not error.retryable or late or wait > _LONGEST_WAIT:
                    raise
                self.retries += 1
                await asyncio.sleep(wait)
                pause = min(pause * 2, _LONGEST_PAUSE)
                left = None if deadline is None else max(deadline - time.monotonic(), 0.0)
            else:
                self.subscriptions.remember(method, params)
                return payload
