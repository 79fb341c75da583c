"""Waiting for the owner of a gateway to approve this device."""

from __future__ import annotations

import types
from typing import Any

import pytest

from gateway_nb.client import pairing as module
from gateway_nb.client.log import Log
from gateway_nb.client.pairing import start_when_paired
from gateway_nb.errors import GatewayConnectError, PairingRequiredError
from tests.helpers.support import async_test

PENDING = PairingRequiredError("approve it")


class Pending:
    """A client that connects after so many refusals, and a clock on which pauses alone take time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Any) -> None:
        self.log = Log()
        self.asked: list[tuple[float | None, bool]] = []
        self.pauses: list[float] = []
        self._answers = list(answers)
        monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: 10.0 + sum(self.pauses)))
        monkeypatch.setattr(module, "asyncio", types.SimpleNamespace(sleep=self._sleep))

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def start(self, limit: float | None, *, waits_for_owner: bool) -> Any:
        self.asked.append((limit, waits_for_owner))
        answer = self._answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer


@pytest.mark.parametrize("patience", [None, 3.0])
@async_test
async def test_an_approval(patience: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the device is not approved connecting is tried once a second; what to approve is told once."""
    core: Any = Pending(monkeypatch, PENDING, PENDING, PENDING, "hello")
    pending: list[object] = []
    assert await start_when_paired(core, 5.0, patience, pending.append) == "hello"
    assert (core.asked, core.pauses, pending) == ([(5.0, False)] * 4, [1.0] * 3, [PENDING])


@pytest.mark.parametrize(("patience", "pauses"), [(0.0, 0), (1.0, 1), (2.5, 2)])
@async_test
async def test_no_approval_in_time(patience: float, pauses: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for so many seconds is told what to approve when another attempt would come too late."""
    core: Any = Pending(monkeypatch, *[PENDING] * 5)
    with pytest.raises(PairingRequiredError):
        await start_when_paired(core, None, patience, None)
    assert core.pauses == [1.0] * pauses


@async_test
async def test_another_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another failure ends the waiting."""
    core: Any = Pending(monkeypatch, PENDING, GatewayConnectError("gone"))
    with pytest.raises(GatewayConnectError, match="gone"):
        await start_when_paired(core, None, None, None)


@async_test
async def test_a_callback_that_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user's own function raises is a problem that the status tells, and the waiting goes on."""

    def fail(_: object) -> None:
        raise ValueError("a bug")

    core: Any = Pending(monkeypatch, PENDING, PENDING, "hello")
    assert await start_when_paired(core, None, None, fail) == "hello"
    assert core.log.problems == ("on_pairing raised ValueError: a bug",)
