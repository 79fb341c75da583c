"""Taking in events: ours, through each WebSocket library, beside a bare websockets loop and the gateway project's own
client under Node, on the same ready-made frames from a process of their own.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import psutil
from websockets.asyncio.client import connect

import gateway_nb as gnb
from gateway_nb.capture.journal import Capture
from gateway_nb.client.event import Event
from gateway_nb.client.transport.opening import LIBRARIES, LIBRARY_VARIABLE
from tests.bench.reference import events_per_second
from tests.helpers.crash import NAMES, trial

EVENTS = 200_000
FRAME_BYTES = 509
ROUNDS = 5

SERVER = """
import asyncio, json, sys
from websockets.asyncio.server import serve

COUNT, SIZE = int(sys.argv[1]), int(sys.argv[2])

def frame(number):
    head = b'{"type":"event","event":"agent","payload":{"runId":"r","data":{"delta":"'
    tail = b'"}},"seq":%08d}' % (10_000_000 + number)
    data = head + b"x" * (SIZE - len(head) - len(tail)) + tail
    return b"\\x81\\x7e" + len(data).to_bytes(2, "big") + data

FRAMES = b"".join(frame(number) for number in range(COUNT))
HELLO = {"protocol": 4, "server": {"version": "bench", "connId": "c"}, "features": {}, "auth": {}, "policy": {}}

async def answer(socket):
    await socket.send(json.dumps({"type": "event", "event": "connect.challenge", "payload": {"nonce": "n"}}))
    request = json.loads(await socket.recv())
    await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": HELLO}))
    await socket.recv()
    socket.transport.write(FRAMES)
    await socket.wait_closed()

async def main():
    async with serve(answer, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


async def _bare(url: str) -> float:
    """Receive every frame and look at none: the floor."""
    async with connect(url, compression=None, max_size=None, ping_interval=None) as socket:
        await socket.recv()
        await socket.send(json.dumps({"type": "req", "id": "c", "method": "connect", "params": {}}))
        await socket.recv()
        await socket.send("go")
        await socket.recv(decode=False)
        began = time.perf_counter()
        for _ in range(EVENTS - 1):
            await socket.recv(decode=False)
        return EVENTS / (time.perf_counter() - began)


class Until:
    """A sink that tells when the last event came."""

    def __init__(self, events: int = EVENTS) -> None:
        self.events = events
        self.count = 0
        self.began = 0.0
        self.done = asyncio.Event()

    def extend(self, events: list[Event]) -> None:
        if self.count == 0:
            self.began = time.perf_counter()
        self.count += len(events)
        if self.count == self.events:
            self.done.set()

    def mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
        """Nothing is missed here."""
        assert kind in ("start", "stop"), f"{kind}: {detail}"


async def _ours(url: str, *, log: bool, journal: Path | None) -> tuple[float, float]:
    """Return events per second, and processor seconds per million events."""
    kept, until = gnb.EventLog(), Until()
    async with gnb.AsyncGateway(url, device_identity=None) as agw:
        if log:
            agw.core.feed.keep(kept)
        capture = Capture(journal) if journal else None
        if capture is not None:
            agw.core.feed.keep(capture)
        agw.core.feed.keep(until)
        asking = agw.submit("go", timeout=None)
        await asyncio.sleep(0)
        before = time.process_time()
        await until.done.wait()
        rate = EVENTS / (time.perf_counter() - until.began)
        spent = (time.process_time() - before) * 1e6 / EVENTS
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
    if capture is not None:
        await asyncio.to_thread(capture.stop)
        assert (capture.stats.events, capture.stats.dropped) == (EVENTS, 0)
    assert not log or kept.stats.events == {"agent": EVENTS}
    return rate, spent


def _frames() -> dict[str, Any]:
    """Measure the DataFrame's times and the memory on a million events."""
    raw = [msgspec.Raw(b'{"runId":"r%d","data":{"delta":"%s"}}' % (n, b"x" * (FRAME_BYTES - 105))) for n in range(1000)]
    best: dict[str, float] = {}
    bytes_each = 0.0
    for _ in range(ROUNDS):
        log, process = gnb.EventLog(), psutil.Process()
        before = process.memory_info().rss
        for number in range(1_000_000):
            log.extend([Event(1e9 + number / 1e3, 1, "agent", number, raw[number % 1000])])
        bytes_each = max((process.memory_info().rss - before) / 1e6, log.stats.bytes / 1e6)
        times = {}
        for name in ("first", "again", "after_1000"):
            if name == "after_1000":
                for number in range(1000):
                    log.extend([Event(2e9, 1, "agent", number, raw[number])])
            began = time.perf_counter()
            assert len(log.df) >= 1_000_000
            times[name] = (time.perf_counter() - began) * 1000
        best = {name: min(best.get(name, 1e9), took) for name, took in times.items()}
    return {"bytes_per_event": round(bytes_each)} | {f"df_{name}_ms": round(took, 2) for name, took in best.items()}


def _load(folder: Path) -> float:
    """Return the seconds that a journal of a million events takes to load."""
    path = folder / "million.jsonl"
    with open(path, "wb") as file:
        for number in range(1_000_000):
            file.write(b'{"t":%d.5,"epoch":1,"event":"agent","seq":%d,"payload":{"x":"' % (number, number))
            file.write(b"x" * 420 + b'"}}\n')
    began = time.perf_counter()
    assert len(gnb.load(path).df) == 1_000_000
    return time.perf_counter() - began


def measure() -> dict[str, Any]:
    """Return rates in events per second (best of the rounds), their ratios to their peers, and what frames cost."""
    command = [sys.executable, "-c", SERVER, str(EVENTS), str(FRAME_BYTES)]
    rates: dict[str, float] = {}
    spent: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory() as name,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server,
    ):
        assert server.stdout is not None
        folder, url = Path(name), f"ws://127.0.0.1:{server.stdout.readline().strip()}"
        for turn in range(ROUNDS):
            rates["bare"] = max(rates.get("bare", 0), asyncio.run(_bare(url)))
            reference = events_per_second(url, EVENTS)
            if reference is not None:
                rates["reference"] = max(rates.get("reference", 0), reference)
            for library in LIBRARIES:
                os.environ[LIBRARY_VARIABLE] = library
                for kind, log, journal in (
                    ("client", False, None),
                    ("log", True, None),
                    ("journal", True, folder / f"{library}{turn}.jsonl"),
                ):
                    rate, cost = asyncio.run(_ours(url, log=log, journal=journal))
                    key = f"{library}_{kind}"
                    rates[key] = max(rates.get(key, 0), rate)
                    spent[key] = min(spent.get(key, 1e9), cost)
        server.communicate()
        seconds = _load(folder)
        trials = [trial(folder / f"{number}-{name}") for number, name in enumerate(NAMES)]
    return {
        **{f"{kind}_per_s": round(rate) for kind, rate in rates.items()},
        **{f"{key}_to_bare": round(rates[key] / rates["bare"], 2) for key in spent},
        **{f"{key}_to_reference": round(rates[key] / rates["reference"], 2) for key in spent if "reference" in rates},
        **{f"{key}_cpu_us_per_event": round(cost, 2) for key, cost in spent.items()},
        **_frames(),
        "journal_of_a_million_loads_in_s": round(seconds, 2),
        "kill_9_trials": len(trials),
        "kill_9_told_and_lost": sum(max(ended.told - len(ended.numbers), 0) for ended in trials),
        "kill_9_torn_lines": sum(ended.torn for ended in trials),
    }
