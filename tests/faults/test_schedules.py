"""Random schedules of faults against a model of what must be true after them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import gateway_nb as gnb
import gateway_nb.protocol.backoff as backoff
from tests.helpers.counting import Book, Requests, counting_server
from tests.helpers.proxy import FAITHFUL, Proxy, harm

STEPS = st.lists(st.tuples(st.sampled_from(FAITHFUL), st.integers(0, 60)), min_size=1, max_size=6)
WITH_LIES = st.lists(st.tuples(st.sampled_from((*FAITHFUL, "corrupt")), st.integers(0, 60)), min_size=1, max_size=6)
SETTINGS = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@pytest.fixture(autouse=True)
def _quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backoff, "FIRST", 0.02)
    monkeypatch.setattr(backoff, "LONGEST", 0.1)


async def live_through(steps: list[tuple[str, int]]) -> tuple[Book, Requests, gnb.Status, Any]:
    """Live through a schedule; return the book, the requests, the status at the end, and a last answer."""
    book = Book()
    async with counting_server(0.002) as port, Proxy(port) as proxy:
        agw = gnb.AsyncGateway(
            proxy.url, device_identity=None, tick_watch_min_interval=0.05, connect_challenge_timeout=0.25
        )
        agw.core.feed.keep(book)
        await agw.connect()
        requests = Requests(agw)
        for fault, milliseconds in steps:
            harm(proxy, fault)
            for _ in range(5):
                requests.ask()
                await asyncio.sleep(milliseconds / 5000)
            proxy.heal()
        await requests.settled()
        async with asyncio.timeout(20):
            while True:
                try:
                    last = await agw.request("echo", {"last": True}, timeout=0.5)
                    break
                except gnb.GatewayError:
                    await asyncio.sleep(0.02)
        state = agw.status.state
        await agw.close()
        assert state == "connected"
        return book, requests, agw.status, last


@pytest.mark.slow
@SETTINGS
@given(STEPS)
def test_faults(steps: list[tuple[str, int]]) -> None:
    """Whatever the network does: each request ends once, each hole and each event that is not the next is marked."""
    book, requests, status, last = asyncio.run(live_through(steps))
    assert sum(requests.ended.values()) == requests.asked
    assert requests.ended["wrong"] == 0
    assert (book.unmarked, book.false_payloads) == (0, 0)
    assert (book.missed, book.jumps) == (status.counters.missed, status.counters.jumps)
    assert book.events == status.counters.events
    assert last == {"last": True}
    assert (status.counters.in_flight, status.counters.queued) == (0, 0)


@pytest.mark.slow
@SETTINGS
@given(WITH_LIES)
def test_lies(steps: list[tuple[str, int]]) -> None:
    """Even where bytes are changed on the way, each request ends once and the client comes back."""
    _, requests, _, last = asyncio.run(live_through(steps))
    assert sum(requests.ended.values()) == requests.asked
    assert last == {"last": True}
