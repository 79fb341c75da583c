"""A TCP proxy that misbehaves on demand, between a client and a server of the same test."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Self

_CHUNK = 65_536
FAITHFUL = ("delay", "throttle", "stall", "cut", "cut within", "refuse", "lose", "double")


class Proxy:
    """Forwards bytes both ways, until told otherwise. Use it with ``async with``.

    Args:
        port: the server's, on 127.0.0.1.

    Attributes:
        delay: seconds that each chunk waits.
        rate: bytes per second, 0 for no limit.
        refusing: new connections are cut at once.
        corrupting: the next so many chunks to the client get a wrong byte.
        doubling: the next so many chunks to the client are sent twice.
        losing: the next so many chunks to the client are not sent.
    """

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        self.rate = 0
        self.refusing = False
        self.corrupting = self.doubling = self.losing = 0
        self._port = port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._cut_within = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where the client connects to."""
        assert self._server is not None
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def connections(self) -> int:
        """Open connections."""
        return len(self._writers) // 2

    def stall(self) -> None:
        """Forward nothing more, and keep every connection open: half-open, as a lost network is."""
        self._flowing.clear()

    def cut(self) -> None:
        """Cut every connection now."""
        for writer in list(self._writers):
            writer.transport.abort()

    def cut_within_a_frame(self) -> None:
        """Cut every connection in the middle of the next chunk to the client."""
        self._cut_within = True

    def heal(self) -> None:
        """Behave again."""
        self.delay, self.rate, self.refusing, self._cut_within = 0.0, 0, False, False
        self.corrupting = self.doubling = self.losing = 0
        self._flowing.set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if not self.refusing:
                with contextlib.suppress(OSError, asyncio.CancelledError):  # cancelled by this proxy's own end
                    await self._forward(reader, writer)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {writer, upstream_writer}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, upstream_writer, to_client=False))
                group.create_task(self._pump(upstream_reader, writer, to_client=True))
        except* OSError:
            pass
        finally:
            self._writers -= {writer, upstream_writer}
            upstream_writer.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_client: bool) -> None:
        while data := await reader.read(_CHUNK):
            await self._flowing.wait()
            if self.delay:
                await asyncio.sleep(self.delay)
            if self.rate:
                await asyncio.sleep(len(data) / self.rate)
            if to_client:
                data = self._harmed(data)
            writer.write(data)
            await writer.drain()
            if to_client and self._cut_within:
                self._cut_within = False
                self.cut()
        raise ConnectionResetError("one side is done: so is the other")

    def _harmed(self, data: bytes) -> bytes:
        if self._cut_within:
            return data[: max(len(data) // 2, 1)]
        if self.losing:
            self.losing -= 1
            return b""
        if self.doubling:
            self.doubling -= 1
            return data * 2
        if self.corrupting:
            self.corrupting -= 1
            middle = len(data) // 2
            return data[:middle] + bytes([data[middle] ^ 0x55]) + data[middle + 1 :]
        return data


def harm(proxy: Proxy, fault: str) -> None:
    """Begin a fault."""
    match fault:
        case "delay":
            proxy.delay = 0.02
        case "throttle":
            proxy.rate = 20_000
        case "stall":
            proxy.stall()
        case "cut":
            proxy.cut()
        case "cut within":
            proxy.cut_within_a_frame()
        case "refuse":
            proxy.refusing = True
            proxy.cut()
        case "lose":
            proxy.losing = 1
        case "double":
            proxy.doubling = 1
        case "corrupt":
            proxy.corrupting = 1
