"""How a client continues when a connection has ended: decisions alone, without a socket and without a clock."""

from __future__ import annotations

import random
from dataclasses import dataclass

from ..errors import GatewayConnectError, PairingRequiredError, closed_early
from ..protocol import close_codes
from ..protocol.auth import Recovery
from ..protocol.backoff import Backoff, pause_before


@dataclass(frozen=True, slots=True)
class Wait:
    """Connect again after a pause.

    Attributes:
        seconds: the pause.
        state: ``reconnecting`` or ``restarting``.
        reason: why the connection ended.
    """

    seconds: float
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for the user, who alone can change what is in the way."""

    error: GatewayConnectError
    reason: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Give up: the first connection failed where waiting would not help."""

    error: GatewayConnectError


class Reconnect:
    """What is remembered between connections, and what follows from it.

    Args:
        role: that the client asks for, for messages.
        rng: source of randomness of the pauses, for tests.

    Attributes:
        shutdown: what the gateway announced of its shutdown, or ``None``.
        pairing: why the last attempt failed, if the gateway's owner has yet to approve this device.
    """

    def __init__(self, role: str, rng: random.Random | None = None) -> None:
        self.shutdown: str | None = None
        self.pairing: PairingRequiredError | None = None
        self._role = role
        self._backoff = Backoff(rng)
        self._is_first = True
        self._waits_for_owner = True
        self._restarting = False

    def begin(self, *, waits_for_owner: bool) -> None:
        """The user connects: the next connection is a first one, which may fail."""
        self._backoff.reset()
        self._is_first, self._waits_for_owner, self._restarting = True, waits_for_owner, False
        self.pairing = self.shutdown = None

    def connected(self) -> None:
        """A handshake is done."""
        self._backoff.reset()
        self._is_first = self._restarting = False
        self.pairing = self.shutdown = None

    def announce(self, shutdown: str) -> str:
        """The gateway says that it shuts down; return the state that follows."""
        self.shutdown, self._restarting = shutdown, True
        return self._state

    def lose(self, close_code: int) -> str:
        """A connection is lost; return the state that follows."""
        self._restarting = self._restarting or close_code == close_codes.RESTART
        return self._state

    def after(
        self, recovery: Recovery, error: GatewayConnectError | None, close_code: int, reason: str
    ) -> Wait | Pause | Stop:
        """Return what to do after a connection has ended, or was not reached.

        Args:
            recovery: what the protocol advises.
            error: how connecting failed, if it did.
            close_code: the WebSocket close code.
            reason: why, in a line.
        """
        self.pairing = error if isinstance(error, PairingRequiredError) else None
        tries_again = recovery.transient and (self._waits_for_owner or recovery is not Recovery.PAIRING)
        if self._is_first and not tries_again:
            return Stop(error or closed_early(reason, self._role))
        return self.go_on(recovery, error, close_code, reason)

    def go_on(
        self, recovery: Recovery, error: GatewayConnectError | None, close_code: int, reason: str
    ) -> Wait | Pause:
        """Return the same for a client that does not give up its first connection either."""
        if recovery is Recovery.PAUSE and error is not None:
            return Pause(error, reason)
        if recovery is Recovery.STARTING:
            self._restarting = True
        state = self.lose(close_code)
        return Wait(pause_before(recovery, error, self._backoff), state, self.shutdown or reason)

    @property
    def _state(self) -> str:
        return "restarting" if self._restarting else "reconnecting"
