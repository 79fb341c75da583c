"""A request's round trip: ours, async and sync, beside a bare websockets loop against the same server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

from websockets.asyncio.client import connect

import gateway_nb as gnb
from tests.bench.common import TOKEN, gateway_process, p50

ROUNDS = 7
CALLS = 1500


async def _bare(url: str) -> list[list[float]]:
    """Send a ready-made frame, wait for the answer, decode nothing: the floor."""
    params = {
        "minProtocol": 4,
        "maxProtocol": 4,
        "client": {"id": "test", "version": "0", "platform": "linux", "mode": "test"},
        "scopes": ["operator.admin"],
        "auth": {"token": TOKEN},
    }
    rounds = []
    async with connect(url, compression=None, ping_interval=None) as socket:
        await socket.recv()
        await socket.send(json.dumps({"type": "req", "id": "c", "method": "connect", "params": params}))
        await socket.recv()
        for _ in range(ROUNDS):
            times = []
            for number in range(CALLS):
                frame = f'{{"type":"req","id":"{number:036d}","method":"last-heartbeat"}}'
                began = time.perf_counter()
                await socket.send(frame)
                await socket.recv(decode=False)
                times.append(time.perf_counter() - began)
            rounds.append(times)
    return rounds


async def _async(url: str) -> list[list[float]]:
    rounds = []
    async with gnb.AsyncGateway(url, token=TOKEN, device_identity=None) as agw:
        for _ in range(ROUNDS):
            times = []
            for _ in range(CALLS):
                began = time.perf_counter()
                await agw.request("last-heartbeat")
                times.append(time.perf_counter() - began)
            rounds.append(times)
    return rounds


def _sync(url: str) -> list[list[float]]:
    rounds = []
    with gnb.connect(url, token=TOKEN, device_identity=None) as gw:
        for _ in range(ROUNDS):
            times = []
            for _ in range(CALLS):
                began = time.perf_counter()
                gw.request("last-heartbeat")
                times.append(time.perf_counter() - began)
            rounds.append(times)
    return rounds


def _import_ms() -> float:
    def best(code: str) -> float:
        took = []
        for _ in range(9):
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            took.append(time.perf_counter() - began)
        return min(took) * 1000

    return best("import gateway_nb") - best("pass")


def measure() -> dict[str, Any]:
    """Return medians in microseconds (best round each) and their ratios to the bare loop."""
    with gateway_process() as url:
        # The floor before and after: on a noisy machine a quiet minute must not favour either side.
        before = asyncio.run(_bare(url))
        ours = min(map(p50, asyncio.run(_async(url))))
        sync = min(map(p50, _sync(url)))
        bare = min(map(p50, before + asyncio.run(_bare(url))))
    return {
        "bare_websockets_p50_us": round(bare, 1),
        "async_p50_us": round(ours, 1),
        "sync_p50_us": round(sync, 1),
        "async_ratio": round(ours / bare, 2),
        "sync_ratio": round(sync / bare, 2),
        "import_ms_above_empty": round(_import_ms(), 1),
    }
