"""A server that numbers its events, and a book of what a client made of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

import gateway_nb as gnb
from tests.helpers.servers import CHALLENGE, HELLO

TICK_MS = 100


@contextlib.asynccontextmanager
async def counting_server(pause: float, burst: int = 1) -> AsyncIterator[int]:
    """Send `burst` numbered events every `pause` seconds to whoever is connected, echo requests; yields the port."""
    hello = {**HELLO, "policy": {"tickIntervalMs": TICK_MS}}

    async def answer(socket: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosed, ValueError):
            await socket.send(CHALLENGE)
            request = json.loads(await socket.recv())
            await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": hello}))
            telling = asyncio.create_task(tell(socket))
            try:
                async for data in socket:
                    asked = json.loads(data)
                    response = {"type": "res", "id": asked["id"], "ok": True, "payload": asked.get("params")}
                    await socket.send(json.dumps(response))
            finally:
                telling.cancel()
                await asyncio.gather(telling, return_exceptions=True)

    async def tell(socket: ServerConnection) -> None:
        seq = 0
        while True:
            for _ in range(burst):
                seq += 1
                await socket.send(f'{{"type":"event","event":"count","payload":{{"n":{seq}}},"seq":{seq}}}')
            await asyncio.sleep(pause)

    async with serve(answer, "127.0.0.1", 0, compression=None, close_timeout=0.1, ping_interval=None) as server:
        yield server.sockets[0].getsockname()[1]


class Book:
    """What a client was told: a sink that adds up events and gaps, and finds what does not add up."""

    def __init__(self) -> None:
        self.events = 0
        self.missed = 0
        self.jumps = 0
        self.unmarked = 0
        self.false_payloads = 0
        self._last: dict[int, int] = {}
        self._marks: dict[int, dict[str, Any]] = {}

    def extend(self, events: list[gnb.Event]) -> None:
        """Events."""
        for event in events:
            self._count(event)

    def _count(self, event: gnb.Event) -> None:
        assert event.seq is not None
        self.events += 1
        last = self._last.get(event.epoch)
        mark = self._marks.pop(event.epoch, None)
        if last is not None and event.seq != last + 1:
            self.unmarked += mark != {"expected": last + 1, "received": event.seq}
        self._last[event.epoch] = event.seq
        self.false_payloads += event.payload != {"n": event.seq}

    def mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
        """A gap, a jump back, or a reconnect."""
        if kind in ("gap", "jump"):
            self._marks[epoch] = detail
        if kind == "gap":
            self.missed += detail["received"] - detail["expected"]
        self.jumps += kind == "jump"


class Requests:
    """Asks all the time, and counts how each request ended."""

    def __init__(self, client: gnb.AsyncGateway) -> None:
        self.ended: Counter[str] = Counter()
        self.asked = 0
        self._client = client
        self._open: set[asyncio.Task[None]] = set()

    def ask(self) -> None:
        """Ask once more."""
        self.asked += 1
        task = asyncio.create_task(self._one(self.asked))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def settled(self) -> None:
        """Wait until every request has ended."""
        while self._open:
            await asyncio.gather(*self._open)

    async def _one(self, number: int) -> None:
        try:
            answer = await self._client.request("echo", {"number": number}, timeout=1.0)
            self.ended["answered" if answer == {"number": number} else "wrong"] += 1
        except gnb.GatewayTimeoutError:
            self.ended["timed out"] += 1
        except gnb.GatewayClosedError:
            self.ended["closed"] += 1
