"""Asking many gateways at the same time, without gateways."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from gateway_nb.errors import BadArgumentError, GatewayClosedError, GatewayError
from gateway_nb.fleets.asking import AT_ONCE, ask_each, frame_of_records
from tests.helpers.support import async_test


def gateways(count: int) -> Any:
    return [SimpleNamespace(name=f"g{number}") for number in range(count)]


@async_test
async def test_each_is_asked_once() -> None:
    """Results and errors come in the gateways' order, and no more than so many are asked at the same time."""
    now = most = 0

    async def work(gateway: Any) -> str:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await asyncio.sleep(0)
        now -= 1
        if gateway.name == "g7":
            raise GatewayClosedError("gone")
        return str(gateway.name)

    asked = gateways(3 * AT_ONCE)
    outcomes = await ask_each(asked, work)
    assert most == AT_ONCE
    assert isinstance(outcomes.pop(7), GatewayClosedError)
    assert outcomes == [gateway.name for gateway in asked if gateway.name != "g7"]


@async_test
async def test_what_is_wrong_for_all() -> None:
    """An argument that is wrong is one error, and what was asked meanwhile is not left behind."""

    async def work(gateway: Any) -> None:
        if gateway.name == "g2":
            raise BadArgumentError("no")
        await asyncio.Event().wait()

    with pytest.raises(BadArgumentError):
        await ask_each(gateways(5), work)


@async_test
async def test_who_waits_no_more() -> None:
    """Cancelling ends every question, also of those that wait for their turn."""
    ended = 0

    async def work(gateway: Any) -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            ended += 1

    asking = asyncio.create_task(ask_each(gateways(AT_ONCE + 5), work))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert ended == AT_ONCE


def test_records_of_several() -> None:
    """DataFrames are joined with their dtypes, also those without rows; what failed is named, not lost."""

    def frame(values: list[int]) -> pd.DataFrame:
        made = pd.DataFrame({"count": pd.array(values, "Int64"), "text": pd.array(["x"] * len(values), "string")})
        made.attrs["currency"] = "USD"
        return made

    with pytest.warns(UserWarning, match=r"4 of 6 gateways .*g2: no · g3: no · g4: no · 1 more; \.attrs\['errors'\]"):
        joined = frame_of_records(gateways(6), [frame([1, 2]), frame([]), *([GatewayError("no")] * 4)])
    assert joined["gateway"].tolist() == ["g0", "g0"]
    assert joined.index.tolist() == [0, 1]
    assert joined.dtypes.astype(str).to_dict() == {"gateway": "string", "count": "Int64", "text": "string"}
    assert joined.attrs == {"currency": "USD", "errors": {f"g{number}": "no" for number in range(2, 6)}}
    with pytest.raises(GatewayError, match="no gateway of the fleet answered; g0: no"):
        frame_of_records(gateways(1), [GatewayError("no")])
