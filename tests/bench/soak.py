"""A long time with faults every few seconds: what is lost, doubled or left behind. ``--minutes N``, default 5."""

from __future__ import annotations

import asyncio
import random
import sys
import threading
import time
from typing import Any

import psutil

import gateway_nb as gnb
from tests.helpers.counting import Book, Requests, counting_server
from tests.helpers.proxy import FAITHFUL, Proxy, harm

PAUSE = 0.01
BURST = 26  # with the sleep's own overhead and the faults, 2,000 events per second
FAULT_EVERY = (1.0, 4.0)
FAULT_LASTS = (0.05, 1.0)


def _minutes() -> float:
    return float(sys.argv[sys.argv.index("--minutes") + 1]) if "--minutes" in sys.argv else 5.0


def _held() -> tuple[int, int]:
    return threading.active_count(), len(psutil.Process().net_connections())


async def _soak(seconds: float) -> dict[str, Any]:
    process, rng, book, log = psutil.Process(), random.Random(7), Book(), gnb.EventLog(max_rows=100_000)
    memory: list[int] = []
    faults = 0
    async with counting_server(PAUSE, BURST) as port, Proxy(port) as proxy:
        agw = gnb.AsyncGateway(proxy.url, device_identity=None, tick_watch_min_interval=0.1)
        agw.core.feed.keep(book)
        agw.core.feed.keep(log)
        await agw.connect()
        requests = Requests(agw)
        began = time.monotonic()
        next_fault = began + rng.uniform(*FAULT_EVERY)
        next_look = began
        while (now := time.monotonic()) - began < seconds:
            requests.ask()
            if now >= next_look:
                memory.append(process.memory_info().rss)
                next_look = now + 1
            if now >= next_fault:
                faults += 1
                harm(proxy, rng.choice(FAITHFUL))
                await asyncio.sleep(rng.uniform(*FAULT_LASTS))
                proxy.heal()
                next_fault = time.monotonic() + rng.uniform(*FAULT_EVERY)
            await asyncio.sleep(0.02)
        await requests.settled()
        status = agw.status
        await agw.close()
    quarter = memory[-max(len(memory) // 4, 2) :]
    return {
        "minutes": round(seconds / 60, 1),
        "faults": faults,
        "connections": status.epoch,
        "events": book.events,
        "missed_and_told": book.missed,
        "not_the_next_and_unmarked": book.unmarked,
        "jumps": book.jumps,
        "requests": requests.asked,
        "requests_ended": dict(requests.ended),
        "requests_not_ended_once": requests.asked - sum(requests.ended.values()),
        "rss_growth_in_last_quarter_mb": round((quarter[-1] - quarter[0]) / 1e6, 2),
    }


def measure() -> dict[str, Any]:
    """Return what a soak found."""
    before = _held()
    figures = asyncio.run(_soak(_minutes() * 60))
    threads, sockets = _held()
    return figures | {"threads_left": threads - before[0], "sockets_left": sockets - before[1]}
