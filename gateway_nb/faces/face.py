"""`Face`: what both faces of the client share: their options, what they show, and what is said of their methods."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from types import EllipsisType
from typing import Any, Unpack

from ..client import options as options_
from ..client.calls import subscribe, user_facing
from ..client.core import Core
from ..client.event import Event
from ..client.feed import Subscription
from ..client.options import ConnectOptions
from ..client.redaction.redactor import Redactor
from ..client.status import Status
from ..errors import PairingRequiredError


class Arguments(ConnectOptions, total=False):
    """What a face is made with, beside the URL."""

    token: str | None
    password: str | None
    device_token: str | None
    bootstrap_token: str | None
    timeout: float


@user_facing
class Face(abc.ABC):
    """A gateway as users hold it. The methods of `AsyncGateway` are awaited, those of `Gateway` wait.

    Attributes:
        core: the client's core, of which this is a face: for what is built on this package.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        password: str | None = None,
        device_token: str | None = None,
        bootstrap_token: str | None = None,
        timeout: float = 15.0,
        **options: Unpack[ConnectOptions],
    ) -> None:
        self._connect_timeout = options_.timeout(timeout)
        self.core = Core(
            options_.resolve(
                url,
                token=token,
                password=password,
                device_token=device_token,
                bootstrap_token=bootstrap_token,
                options=options,
            )
        )

    def _limit(self, timeout: float | EllipsisType | None) -> float | None:
        return self._connect_timeout if isinstance(timeout, EllipsisType) else options_.timeout(timeout)

    # Connecting

    @abc.abstractmethod
    def wait_until_paired(
        self, timeout: float = 300.0, on_pending: Callable[[PairingRequiredError], object] | None = None
    ) -> Any:
        """Connect, and where the gateway's owner has to approve this device first, wait until that is done.

        Args:
            timeout: seconds to wait for the owner.
            on_pending: called once with the error that says what to approve, on the loop's thread; what it raises is
                logged, and in `status.problems`.

        Raises:
            PairingRequiredError: it was not approved in time.
            GatewayConnectError: connecting failed for another reason.
        """

    # Calling

    @abc.abstractmethod
    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | EllipsisType | None = ...,
        expect_final: bool = False,
        traceparent: str | None = None,
    ) -> Any:
        """Call a method and return the payload of its answer.

        Args:
            method: e.g. ``"sessions.list"``.
            params: a mapping; an `idempotencyKey` is added for the methods that need one.
            timeout: seconds, ``None`` for no limit; default `request_timeout` (30 s), and no limit with
                `expect_final`. Requests that the gateway asks to repeat are repeated within it.
            expect_final: an answer ``status: "accepted"`` is only an acknowledgement; wait for the next. The runs
                of ``agent`` and ``chat.send`` are waited for to their end, across a lost connection, too; for
                ``chat.send`` that is a ``chat`` event.
            traceparent: the trace that this is part of (W3C trace context), which the gateway's own spans go on with;
                default: that of the OpenTelemetry span which is active, if there is one and the gateway takes it.

        Returns:
            The payload, decoded: dict, list, str, number, bool or ``None``.

        Raises:
            GatewayRequestError: the gateway refused; `MissingScopeError` and `RateLimitedError` are subclasses.
            RunFailedError, RunAbortedError: with `expect_final`, how a run ended.
            GatewayTimeoutError: no answer in time.
            GatewayClosedError: not connected, or not any more.
            BadParamsError: the params are not JSON.
            BadArgumentError: `traceparent` is none, or the gateway is older than 2026.9, which refuses it.

        Example:
            >>> gw.request("health")["ok"]
            True
        """

    @abc.abstractmethod
    def run(
        self, message: str, *, agent: str = "main", session: str | None = None, timeout: float | None = None
    ) -> Any:
        """Start a turn of an agent.

        Args:
            message: what to say to it.
            agent: agent id.
            session: session key; default: the agent's main session.
            timeout: seconds for the whole run, ``None`` for no limit.

        Returns:
            A `Run` or `AsyncRun`: iterate it for the answer's pieces, ``.result()`` for the whole, ``.abort()`` to end
            it.
        """

    # Listening

    def on(self, event: str, handler: Callable[[Event], object]) -> Subscription:
        """Call a handler for each event, in order.

        A `Gateway` calls it on a thread of the handlers' own, where it may call the gateway's methods; an
        `AsyncGateway` calls it on the loop, so it must be quick.

        Args:
            event: name or glob pattern, e.g. ``"chat"``, ``"session.*"``.
            handler: called with an `Event`. The first exception of each handler is printed; all are counted in
                ``status.counters``.

        Returns:
            A `Subscription`; ``.cancel()`` ends it.

        Raises:
            BadArgumentError: it can't be called, or is a coroutine function, for which there is `AsyncGateway.stream`.
        """
        return subscribe(self.core, event, handler)

    @abc.abstractmethod
    def wait_for(self, event: str, where: Callable[[Event], object] | None = None, timeout: float | None = 30.0) -> Any:
        """Return the next event of that name for which `where` is true.

        Args:
            event: name or glob pattern.
            where: called with each on the loop's thread, so it must be quick; default: the first event.
            timeout: seconds, ``None`` for no limit.

        Raises:
            GatewayTimeoutError: none came in time.
            GatewayClosedError: the connection was closed.
        """

    # Seeing

    @property
    def status(self) -> Status:
        """A frozen snapshot: state, url, protocol, server_version, scopes, epoch, rtt, counters. No I/O.

        It may be read from any thread.
        """
        return self.core.status

    @property
    def hello(self) -> dict[str, Any] | None:
        """The last hello-ok, with its secrets replaced; ``None`` before the first."""
        return self.core.hello.raw if self.core.hello else None

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods the gateway advertised (some callable ones are not among them)."""
        return self.core.hello.methods if self.core.hello else ()

    @property
    def event_names(self) -> tuple[str, ...]:
        """The event names the gateway advertised."""
        return self.core.hello.events if self.core.hello else ()

    @property
    def redactor(self) -> Redactor:
        """What takes this connection's secrets out of what is shown, written or exported."""
        return self.core.log.redactor

    @property
    def log(self) -> tuple[str, ...]:
        """The last 500 log lines, secrets replaced."""
        return self.core.log.lines
