"""What only a busy or a strict gateway shows: rate limits, ten thousand requests, true gaps, slow consumers, TLS."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import ssl
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.capture.journal import Capture
from gateway_nb.openclaw.process import VERSION
from tests.helpers.counting import Book
from tests.helpers.proxy import Proxy
from tests.helpers.real import AnyGateway, RealGateway, installed
from tests.helpers.support import async_test

PADDING = "x" * 200_000


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


@async_test
async def test_ten_thousand_requests(gateway: AnyGateway) -> None:
    """Ten thousand requests at once are all answered, each with its own answer."""
    async with (
        gnb.AsyncGateway(gateway.url, token=gateway.token, request_timeout=120) as agw,
        asyncio.TaskGroup() as group,
    ):
        tasks = [
            group.create_task(agw.request("talk.mode", {"enabled": True, "phase": str(number)}))
            for number in range(10_000)
        ]
    assert [int(task.result()["phase"]) for task in tasks] == list(range(10_000))


@async_test
async def test_a_rate_limit(real: RealGateway) -> None:
    """Beyond thirty cron.add within a minute each is a RateLimitedError at once, with the seconds to wait."""
    job: dict[str, Any] = {
        "name": "limit",
        "schedule": {"kind": "every", "everyMs": 3_600_000},
        "sessionTarget": "isolated",
        "wakeMode": "next-heartbeat",
        "payload": {"kind": "agentTurn", "message": "x"},
        "enabled": False,
    }
    async with gnb.AsyncGateway(real.url, token=real.token) as agw:
        outcomes = [agw.submit("cron.add", job, timeout=5) for _ in range(40)]
        await asyncio.wait(outcomes)
        limited = [outcome for outcome in outcomes if outcome.exception() is not None]
        assert len(limited) >= 10
        with pytest.raises(gnb.RateLimitedError) as caught:
            await limited[0]
        assert caught.value.retryable
        assert caught.value.retry_after is not None
        assert 5 < caught.value.retry_after <= 60
        assert f"call again in {caught.value.retry_after:.3g} s" in str(caught.value)


@async_test
async def test_a_true_gap(real: RealGateway, tmp_path: Path) -> None:
    """A client that does not read in time misses events; their number is told exactly, and recorded."""
    book, capture = Book(), Capture(tmp_path / "run.jsonl")
    async with Proxy(port_of(real.url)) as proxy, gnb.AsyncGateway(real.url, token=real.token) as talking:
        slow = gnb.AsyncGateway(proxy.url, token=real.token, device_identity=None)
        numbers: list[tuple[int, int]] = []

        class Numbers:
            def extend(self, events: list[gnb.Event]) -> None:
                numbers.extend((event.epoch, event.seq) for event in events if event.seq is not None)

            def mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
                book.mark(kind, epoch, detail)

        await slow.connect()
        slow.core.feed.keep(Numbers())
        slow.core.feed.keep(capture)
        await talking.request("talk.mode", {"enabled": True, "phase": "before"})
        async with asyncio.timeout(120):
            while slow.status.counters.missed == 0:  # it may be cut off instead, where the machine is busy
                proxy.stall()
                for number in range(500):
                    await talking.request("talk.mode", {"enabled": True, "phase": f"{number} {PADDING}"})
                proxy.heal()
                for _ in range(100):
                    await talking.request("talk.mode", {"enabled": True, "phase": "more"})
                    await asyncio.sleep(0.05)
                    if slow.status.counters.missed:
                        break
        await slow.close()
        holes = sum(after - before - 1 for (old, before), (new, after) in itertools.pairwise(numbers) if old == new)
        assert holes == book.missed == slow.status.counters.missed > 0
    await asyncio.to_thread(capture.stop)
    stats = gnb.load(tmp_path / "run.jsonl").stats
    assert (stats.missed, stats.gaps) == (holes, slow.status.counters.gaps)


@async_test
async def test_a_slow_consumer(real: RealGateway) -> None:
    """A client that does not read is cut off when an event may not be dropped, and is connected again by itself."""
    closes: list[tuple[int, str]] = []
    async with Proxy(port_of(real.url)) as proxy, gnb.AsyncGateway(real.url, token=real.token) as talking:
        slow = gnb.AsyncGateway(
            proxy.url, token=real.token, device_identity=None, on_close=lambda *close: closes.append(close)
        )
        await slow.connect()
        proxy.stall()
        for number in range(400):
            await talking.request("talk.mode", {"enabled": True, "phase": f"{number} {PADDING}"})
        await talking.run("echo:an event that is not dropped", session="agent:main:slow").result()
        proxy.heal()
        async with asyncio.timeout(60):
            while slow.status.epoch < 2:
                await asyncio.sleep(0.02)
        await slow.close()
    assert closes[0] in ((1008, "slow consumer"), (1006, ""))


@async_test
async def test_a_run_across_a_dropped_socket(gateway: AnyGateway) -> None:
    """A run whose socket is cut in the middle ends with the right result after the reconnect."""
    async with Proxy(port_of(gateway.url)) as proxy:
        agw = gnb.AsyncGateway(proxy.url, token=gateway.token, device_identity=None)
        await agw.connect()
        run = agw.run("count:20:80", session="agent:main:dropped")
        async for _ in run:
            break
        proxy.cut()
        result = await run.result()
        assert result.text == " ".join(map(str, range(1, 21)))
        assert agw.status.epoch == 2
        asked = agw.submit("agent", {"message": "count:20:80", "sessionKey": "agent:main:dropped"}, expect_final=True)
        await agw.wait_for("chat", timeout=20)
        proxy.cut()
        assert (await asked)["terminalReply"]["text"] == result.text
        await agw.close()


@async_test
async def test_a_run_asked_for_while_the_line_is_down(gateway: AnyGateway) -> None:
    """A run that is asked for between two connections starts on the next one, once."""
    key = f"agent:main:{uuid.uuid4()}"
    async with Proxy(port_of(gateway.url)) as proxy:
        agw = gnb.AsyncGateway(proxy.url, token=gateway.token, device_identity=None)
        await agw.connect()
        proxy.cut()
        while agw.status.state == "connected":
            await asyncio.sleep(0.01)
        run = agw.run("count:4:50", session=key)
        assert (await run.result()).text == "1 2 3 4"
        history = await agw.request("chat.history", {"sessionKey": key})
        assert [message["role"] for message in history["messages"]] == ["user", "assistant"]
        await agw.close()


# TLS


@pytest.fixture(scope="module")
def tls() -> Iterator[RealGateway]:
    """A real gateway with a certificate of its own."""
    installed(VERSION)
    gateway = RealGateway(VERSION, {"gateway": {"tls": {"enabled": True, "autoGenerate": True}}})
    yield gateway
    gateway.stop()


@async_test
async def test_tls(tls: RealGateway) -> None:
    """With the pin of its certificate the real gateway is reached over TLS; with another, or none, it is not."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port_of(tls.url), ssl=context)
    pin = hashlib.sha256(writer.get_extra_info("ssl_object").getpeercert(True)).hexdigest()
    writer.transport.abort()
    async with gnb.AsyncGateway(tls.url, token=tls.token, tls_fingerprint=pin) as agw:
        assert (await agw.request("health"))["ok"] is True
    with pytest.raises(gnb.TlsPinError):
        await gnb.AsyncGateway(tls.url, token=tls.token, tls_fingerprint="00" * 32).connect()
    with pytest.raises(gnb.GatewayConnectError, match="tls_fingerprint="):
        await gnb.AsyncGateway(tls.url, token=tls.token).connect()
