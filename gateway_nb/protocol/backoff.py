"""How long to wait before the next attempt."""

from __future__ import annotations

import random

from ..errors import GatewayError
from .auth import Recovery

FIRST = 1.0
LONGEST = 30.0
DEVICE_TOKEN_RETRY = 0.25
STARTING = 0.5
STARTING_LIMITS = (0.1, 2.0)


class Backoff:
    """Pauses of up to 1 s, doubling to up to 30 s, each drawn at random between nothing and the whole.

    Full jitter keeps the clients of one gateway from coming back in step after a restart.

    Args:
        rng: source of randomness, for tests.
    """

    def __init__(self, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()
        self._ceiling = FIRST

    def reset(self) -> None:
        """Begin again at 1 s: hello-ok was received."""
        self._ceiling = FIRST

    def next(self) -> float:
        """Return the seconds to wait, and double the pause for the next time."""
        pause = self._rng.uniform(0.0, self._ceiling)
        self._ceiling = min(self._ceiling * 2, LONGEST)
        return pause


def pause_before(recovery: Recovery, error: GatewayError | None, backoff: Backoff) -> float:
    """Return the seconds to wait before the next attempt.

    Args:
        recovery: why there is one.
        error: why the last one failed.
        backoff: of this client; it grows, but not while a gateway is starting: that is asked again when it wishes,
            within 0.1 to 2 s, else after 0.5 s.
    """
    if recovery is Recovery.STARTING:
        wish = error.retry_after if error is not None else None
        low, high = STARTING_LIMITS
        return min(max(STARTING if wish is None else wish, low), high)
    pause = backoff.next()
    return min(pause, DEVICE_TOKEN_RETRY) if recovery is Recovery.DEVICE_TOKEN else pause
