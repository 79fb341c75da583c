"""Gateways that do their worst once they are asked ``go``: ``python -m tests.helpers.hostile KIND`` prints its URL."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

from tests.helpers.servers import BINARY, CONTINUATION, HELLO, PING, PONG, TEXT, frame, read_text, welcome_by_hand

SECONDS = 5.0
Frames = AsyncIterator[bytes]


def event(name: str = "x", payload: bytes = b"{}", more: bytes = b"") -> bytes:
    """Return an event's frame; its fields are put together by hand, since that is quick."""
    text = b'{"type":"event","event":"' + name.encode() + b'","payload":' + payload + more + b"}"
    return frame(text)


def fragments(count: int) -> Callable[[str], Frames]:
    """One event in so many fragments of one byte each."""

    async def kind(request_id: str) -> Frames:
        text = b'{"type":"event","event":"x","payload":"' + b"y" * (count - 40) + b'"}'
        yield b"".join(frame(text[at : at + 1], CONTINUATION if at else TEXT, fin=False) for at in range(len(text)))
        yield frame(b"", CONTINUATION)

    return kind


def endless(data: bytes, first: bytes = b"") -> Callable[[str], Frames]:
    """The same bytes again and again."""

    async def kind(request_id: str) -> Frames:
        yield first
        block = data * max(1, 1_000_000 // len(data))
        until = asyncio.get_running_loop().time() + SECONDS
        while asyncio.get_running_loop().time() < until:
            yield block

    return kind


def times(count: int, data: Callable[[], bytes]) -> Callable[[str], Frames]:
    """The same bytes so many times; made when they are needed, since the client imports this module, too."""

    async def kind(request_id: str) -> Frames:
        block = data()
        for _ in range(count):
            yield block

    return kind


def answer(text: Callable[[], bytes]) -> Callable[[str], Frames]:
    """An answer that is hard to read."""

    async def kind(request_id: str) -> Frames:
        yield frame(b'{"type":"res","id":"' + request_id.encode() + b'",' + text() + b"}")

    return kind


async def jumps(request_id: str) -> Frames:
    """Numbers that go to and fro."""
    block = b"".join(event(more=b',"seq":%d' % (7 if at % 2 else 10**9)) for at in range(1000))
    for _ in range(100):
        yield block


_NAMES = [f"sessions.{'list' * 40}.{number:030}" for number in range(10_000)]
KINDS: dict[str, Callable[[str], Frames]] = {
    "5,000 one-byte fragments": fragments(5_000),
    "40,000 one-byte fragments": fragments(40_000),
    "200,000 one-byte fragments": fragments(200_000),
    "endless empty fragments": endless(frame(b"", CONTINUATION, fin=False), frame(b"{", fin=False)),
    "endless empty binary fragments": endless(frame(b"", CONTINUATION, fin=False), frame(b"", BINARY, fin=False)),
    "endless empty texts": endless(frame(b"")),
    "endless empty objects": endless(frame(b"{}")),
    "endless small events": endless(event()),
    "endless pings, unread pongs": endless(frame(b"p" * 125, PING)),
    "endless pongs": endless(frame(b"p" * 125, PONG)),
    "unknown method among 10,000 long names": answer(lambda: b'"ok":false,"error":{"message":"unknown method: go"}'),
    "a hello of 23 MB": times(0, bytes),
    "a hello of 2 MB": times(0, bytes),
    "a hello of 2 MB in JSON": times(0, bytes),
    "a hello of 2 MB in names": times(0, bytes),
    "a hello of 2 MB in options": times(0, bytes),
    "300 events with names of 4 MB": times(300, lambda: event("n" * 4_000_000)),
    "300 events with 4 MB of padding": times(300, lambda: event(more=b',"padding":"' + b"p" * 4_000_000 + b'"')),
    "2,500 events of 1 MB, a slow handler": times(2_500, lambda: event(payload=b'"' + b"p" * 1_000_000 + b'"')),
    "100 events of 25 MB": times(100, lambda: event(payload=b'"' + b"p" * 26_000_000 + b'"')),
    "events of 25 MB during a run": times(
        20, lambda: event("agent", b'{"runId":"r","data":[' + b"[]," * 8_600_000 + b"1]}")
    ),
    "a run that fails with 25 MB": answer(
        lambda: b'"ok":true,"payload":{"status":"error","error":[' + b"[]," * 3_900_000 + b'"a",' * 3_400_000 + b"1]}"
    ),
    "an answer of 25 MB of empty lists": answer(lambda: b'"ok":true,"payload":[' + b"[]," * 8_700_000 + b"1]"),
    "an answer nested 12,000,000 deep": answer(lambda: b'"ok":true,"payload":' + b"[" * 12_000_000 + b"]" * 12_000_000),
    "an error of 25 MB": answer(lambda: b'"ok":false,"error":{"code":"X","message":"' + b"secret " * 3_700_000 + b'"}'),
    "numbers that go to and fro": jumps,
}


def hello(kind: str) -> dict[str, Any]:
    """Return the hello-ok of a kind of gateway."""
    if "10,000 long names" in kind:
        return {**HELLO, "features": {"methods": _NAMES, "events": []}}
    if kind.startswith("a hello of"):
        size = int(kind.split()[3]) * 1_000_000 - 200_000
        if kind.endswith("JSON"):
            return {**HELLO, "snapshot": ['{"a":"b"}'] * (size // 18)}
        if kind.endswith("names"):
            names = ["a"] * (size // 10)
            auth = {"role": "operator", "scopes": ["operator.admin", *names]}
            return {**HELLO, "features": {"methods": names}, "auth": auth}
        if kind.endswith("options"):
            return {**HELLO, "snapshot": "--a=b x: y " * (size // 11)}
        return {**HELLO, "snapshot": [{"a": 1, "text": "x" * 20, "list": []}] * (size // 50)}
    return HELLO


async def serve(kind: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Do a gateway's side of the handshake, wait for a request, and do the worst."""
    await welcome_by_hand(reader, writer, hello(kind))
    async for data in KINDS[kind](json.loads(await read_text(reader))["id"]):
        writer.write(data)
        await writer.drain()
    await asyncio.sleep(60)


async def main(kind: str) -> None:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await serve(kind, reader, writer)
        writer.transport.abort()

    async with await asyncio.start_server(handle, "127.0.0.1", 0, limit=2**26) as server:
        print(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
