"""What the demo makes of a gateway that is stuck."""

from __future__ import annotations

from typing import Any, NoReturn

from gateway_nb.cli import demo
from gateway_nb.errors import GatewayTimeoutError


class StuckRun:
    """A turn that does not end, and can't be aborted either."""

    def result(self) -> NoReturn:
        raise GatewayTimeoutError("run r: no answer within 120 s")

    def abort(self) -> NoReturn:
        raise GatewayTimeoutError("chat.abort: no answer within 30 s")


class StuckGateway:
    """A gateway whose agent does not answer."""

    def run(self, *_: object, **__: object) -> StuckRun:
        return StuckRun()


def test_a_turn_that_cannot_be_aborted() -> None:
    """A turn that does not end is part of the result, also where the gateway does not answer the abort."""
    gateway: Any = StuckGateway()
    assert demo._turn(gateway, "main", "hello") == (None, "run r: no answer within 120 s")
