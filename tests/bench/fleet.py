"""Many gateways: what connecting, asking, capturing and reading cost. ``python -m tests.bench fleet [PART ...]``.

Parts: ``requests`` (``--gateways N``, default 200), ``ingest`` (options: `tests.bench.fleet_ingest`), ``lake``
(``--events N``, default 10,000,000). ``--simulate``: what larger fleets need, see `tests.bench.fleet_plan`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from typing import Any

import psutil
from websockets.asyncio.client import ClientConnection, connect

import gateway_nb as gnb
from tests.bench import fleet_ingest, lakes
from tests.bench.common import TOKEN, p50

GATEWAYS = 200
ROUNDS = 21
_SERVERS = """
import contextlib, json, sys
from gateway_nb.server.local_gateway import LocalGateway
with contextlib.ExitStack() as stack:
    gateways = [stack.enter_context(LocalGateway(token="bench")) for _ in range(int(sys.argv[1]))]
    print(json.dumps([gateway.url for gateway in gateways]), flush=True)
    sys.stdin.read()
"""


@contextmanager
def gateways_process(count: int) -> Iterator[list[str]]:
    """Run embedded gateways in another process; yields their URLs."""
    command = [sys.executable, "-c", _SERVERS, str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.communicate()


def option(name: str, default: int) -> int:
    """Return the number behind an option of the command line."""
    return int(sys.argv[sys.argv.index(name) + 1]) if name in sys.argv else default


def resident() -> int:
    """Return the bytes of memory that this process holds."""
    return int(psutil.Process().memory_info().rss)


def members(urls: list[str]) -> list[dict[str, Any]]:
    """Return a fleet's configuration for gateways of `gateways_process`."""
    return [{"name": f"g{number:03d}", "url": url, "token_env": "BENCH_TOKEN"} for number, url in enumerate(urls)]


async def _bare(urls: list[str]) -> tuple[float, float, list[float]]:
    """Connect to all with one `asyncio.gather`, and ask all likewise: seconds, bytes, seconds of each round."""
    params = {
        "minProtocol": 4,
        "maxProtocol": 4,
        "client": {"id": "test", "version": "0", "platform": "linux", "mode": "test"},
        "scopes": ["operator.admin"],
        "auth": {"token": TOKEN},
    }
    hello = json.dumps({"type": "req", "id": "c", "method": "connect", "params": params})
    times = []
    async with AsyncExitStack() as stack:

        async def handshake(url: str) -> ClientConnection:
            socket = await stack.enter_async_context(connect(url, compression=None, ping_interval=None))
            await socket.recv()
            await socket.send(hello)
            await socket.recv()
            return socket

        async def ask(socket: ClientConnection, number: int) -> Any:
            await socket.send(f'{{"type":"req","id":"{number:036d}","method":"health"}}')
            while True:
                answer = json.loads(await socket.recv(decode=False))
                if answer["type"] == "res":
                    return answer

        before, began = resident(), time.perf_counter()
        sockets = await asyncio.gather(*map(handshake, urls))
        connecting, held = time.perf_counter() - began, resident() - before
        for number in range(ROUNDS):
            began = time.perf_counter()
            await asyncio.gather(*(ask(socket, number) for socket in sockets))
            times.append(time.perf_counter() - began)
    return connecting, held, times


def requests() -> dict[str, Any]:
    """Connecting to many gateways and asking all of them, beside bare sockets in one `asyncio.gather`."""

    os.environ["BENCH_TOKEN"] = TOKEN
    count = option("--gateways", GATEWAYS)
    with gateways_process(count) as urls:
        with gnb.fleet(members(urls[:2]), device_identity=None) as fleet:  # what is loaded on first use
            fleet.request("health")
        floor, bare_bytes, bare = asyncio.run(_bare(urls))
        before, threads, began = resident(), threading.active_count(), time.perf_counter()
        with gnb.fleet(members(urls), device_identity=None) as fleet:
            connecting, held = time.perf_counter() - began, resident() - before
            threads = threading.active_count() - threads
            times = []
            for _ in range(ROUNDS):
                began = time.perf_counter()
                frame = fleet.request("health")
                times.append(time.perf_counter() - began)
                assert frame["ok"].all()
        floor_after, _, bare_after = asyncio.run(_bare(urls))
    asked, least = p50(times) / 1000, min(p50(bare), p50(bare_after)) / 1000
    return {
        "gateways": count,
        "bare_connect_s": round(min(floor, floor_after), 2),
        "connect_s": round(connecting, 2),
        "connect_ratio": round(connecting / min(floor, floor_after), 2),
        "threads_more": threads,
        "bare_kB_per_connection": round(bare_bytes / count / 1000),
        "kB_per_connection": round(held / count / 1000),
        "bare_request_all_p50_ms": round(least, 1),
        "request_all_p50_ms": round(asked, 1),
        "request_all_ratio": round(asked / least, 2),
    }


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "requests": requests,
    "ingest": fleet_ingest.measure,
    "lake": lakes.measure,
}


def measure() -> dict[str, Any]:
    """Return the figures of the parts that the command line names, or of all; or the plan for larger fleets."""
    if "--simulate" in sys.argv:
        from tests.bench import fleet_plan

        return fleet_plan.simulate()
    chosen = [name for name in PARTS if name in sys.argv[2:]] or list(PARTS)
    return {f"{name} {figure}": value for name in chosen for figure, value in PARTS[name]().items()}
