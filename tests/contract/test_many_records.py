"""Many records of the real gateway: every run is counted, every message is there."""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import Iterator

import pytest

import gateway_nb as gnb
from gateway_nb.openclaw.process import VERSION
from tests.helpers.nodes import offering, owner, text
from tests.helpers.real import RealGateway, installed

SESSIONS, RUNS = 10, 5
MESSAGES = 2500
MODEL = {
    "id": "mock-1",
    "name": "Mock 1",
    "reasoning": False,
    "input": ["text"],
    "contextWindow": 131_072,
    "maxTokens": 8192,
    "cost": {"input": 0.3, "output": 1.1, "cacheRead": 0.03, "cacheWrite": 0.37},
}
PRICED = {"models": {"providers": {"mock": {"models": [MODEL]}}}}


@pytest.fixture(scope="module")
def shared() -> Iterator[RealGateway]:
    """A real gateway of these tests' own, whose offline model has prices."""
    installed(VERSION)
    gateway = RealGateway(VERSION, PRICED)
    yield gateway
    gateway.stop()


def test_every_run_is_counted(shared: RealGateway) -> None:
    """50 runs with tools in 10 sessions: the totals are the messages' sums, tokens exactly, cost to 1e-9."""

    async def run_all() -> None:
        async with (
            owner(shared) as agw,
            offering(shared, agw, lambda request: text("forty-two"), "sales"),
            asyncio.TaskGroup() as group,
        ):

            async def talk(key: str) -> None:
                for number in range(RUNS):
                    await agw.run(f'tool:sales:{{"month": {number}}}', session=key).result()

            for number in range(SESSIONS):
                group.create_task(talk(f"agent:main:many-{number}"))

    asyncio.run(run_all())
    with gnb.connect(shared.url, token=shared.token) as gw:
        said = gw.data.messages("agent:main:many-*")
        assert said["run"].nunique() == SESSIONS * RUNS
        calls = gw.data.tool_calls("agent:main:many-*")
        sales = calls[calls["tool"] == "sales"]
        assert (len(sales), set(sales["status"])) == (SESSIONS * RUNS, {"ok"})
        priced = said["cost"].dropna()
        assert len(priced) >= 2 * SESSIONS * RUNS
        assert priced.sum() > 0
        for by in ("model", "day", "session", "agent"):
            used = gw.data.usage(by, since="2d")
            assert used["fresh"].all()
            assert used["total_tokens"].sum() == said["total_tokens"].sum()
            assert (used["token_difference"] == 0).all()
            assert math.fsum(used["cost"]) == pytest.approx(math.fsum(priced), abs=1e-9)
            assert math.fsum(used["priced_cost"]) == pytest.approx(math.fsum(priced), abs=1e-9)
            assert used["cost_difference"].abs().max() < 1e-9


def test_every_message_is_there(shared: RealGateway) -> None:
    """2,500 messages of one session are all read, each once, in order, also while another one comes."""
    key = f"agent:main:{uuid.uuid4()}"

    async def fill() -> None:
        async with gnb.AsyncGateway(shared.url, token=shared.token) as agw:
            await agw.request("sessions.create", {"key": key})
            for number in range(MESSAGES):
                await agw.request("chat.inject", {"sessionKey": key, "message": f"number {number}"}, timeout=None)

    asyncio.run(fill())
    with gnb.connect(shared.url, token=shared.token) as gw:
        for read in range(2):
            frame = gw.data.messages(key)
            assert frame["text"].tolist()[:MESSAGES] == [f"number {number}" for number in range(MESSAGES)]
            assert frame["number"].tolist() == list(range(1, len(frame) + 1))
            assert len(frame) == MESSAGES + read
            more = gw.submit("chat.inject", {"sessionKey": key, "message": "one more"})
            assert len(gw.transcript(key)) in (MESSAGES + read, MESSAGES + read + 1)
            more.result()


def test_compaction(shared: RealGateway) -> None:
    """After a compaction the messages of before are still there, and the compaction is one among them."""
    key = f"agent:main:{uuid.uuid4()}"
    with gnb.connect(shared.url, token=shared.token) as gw:
        for number in range(6):
            gw.run(f"echo:{f'number {number} ' * 400}", session=key).result()
        before = gw.data.messages(key)
        gw.request("sessions.compact", {"key": key}, timeout=60)
        gw.run("echo:afterwards", session=key).result()
        after = gw.data.messages(key)
        assert after["message"].tolist()[: len(before)] == before["message"].tolist()
        assert after["number"].is_monotonic_increasing
        assert "system" in after["role"].tolist()
        shown = gw.transcript(key).text
        assert all(f"number {number} number {number}" in shown for number in range(6))
        assert "afterwards" in shown


def test_long_texts(shared: RealGateway) -> None:
    """A text that pages cut is whole; one that the gateway gives nowhere whole is a row that says so."""
    key = f"agent:main:{uuid.uuid4()}"
    lengths = [9000, 150_000, 1_500_000, 5_000_000]
    with gnb.connect(shared.url, token=shared.token) as gw:
        gw.request("sessions.create", {"key": key})
        for length in lengths:
            gw.request("chat.inject", {"sessionKey": key, "message": "x" * length}, timeout=60)
        frame = gw.data.messages(key)
        assert frame["text"].str.len().tolist()[:3] == lengths[:3]
        assert frame["cut"].isna().tolist() == [True, True, True, False]
        assert "a part is missing: " in gw.transcript(key).text
        assert len(gw.transcript(key)._repr_html_()) < 1_000_000
