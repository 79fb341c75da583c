"""A peer that breaks or bends the WebSocket protocol: with either library it does no harm, and nothing is hidden."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

import gateway_nb as gnb
from gateway_nb.client import connection
from gateway_nb.client.transport import websockets
from gateway_nb.client.transport.messages import MAX_FRAGMENTS
from tests.helpers.servers import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    frame,
    raw_server,
    read_frame,
    read_text,
    welcome_by_hand,
)
from tests.helpers.support import async_test

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def event(seq: int | None, name: str = "x", payload: object = None) -> bytes:
    fields = {} if seq is None else {"seq": seq}
    return json.dumps({"type": "event", "event": name, "payload": payload, **fields}).encode()


def response(request: bytes, **fields: object) -> bytes:
    return json.dumps({"type": "res", "id": json.loads(request)["id"], **fields}).encode()


VIOLATIONS = {
    "a masked frame": bytes([0x81, 0x81]) + b"mask" + b"x",
    "a reserved bit": bytes([0xC1, 1]) + b"x",
    "a reserved opcode": bytes([0x83, 1]) + b"x",
    "a close frame of one byte": frame(b"x", CLOSE),
    "a close code of no meaning": frame((999).to_bytes(2, "big"), CLOSE),
    "a close reason that is no UTF-8": frame((1000).to_bytes(2, "big") + b"\xff", CLOSE),
    "a continuation of nothing": frame(b"x", CONTINUATION),
    "a text inside another": frame(b"x", fin=False) + frame(b"x"),
    "a ping of 126 bytes": frame(b"x" * 126, PING),
    "a ping in fragments": frame(b"x", PING, fin=False),
    "a frame larger than any": bytes([0x81, 0x7F]) + (2**40).to_bytes(8, "big"),
    "a length with its sign bit": bytes([0x81, 0x7F]) + (2**63 + 1).to_bytes(8, "big"),
}


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_peer_that_does_not_hang_up(violation: str, each_transport: str) -> None:
    """After a protocol error the line is cut soon, though the peer keeps it: requests fail, and a new one is made."""

    async def break_it(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await welcome_by_hand(reader, writer)
        await read_text(reader)
        writer.write(VIOLATIONS[violation])
        await asyncio.sleep(60)

    @async_test
    async def body() -> None:
        async with raw_server(break_it) as port:
            agw = gnb.AsyncGateway(f"ws://127.0.0.1:{port}", device_identity=None)
            await agw.connect()
            with pytest.raises(gnb.GatewayClosedError):
                await asyncio.wait_for(agw.request("x", timeout=None), 5)
            await agw.close()

    body()


def test_a_message_in_pieces(each_transport: str) -> None:
    """An event in fragments is one event, with pings in between; one in too many fragments ends the connection."""
    whole = event(1, payload="y" * 1000)

    async def pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await welcome_by_hand(reader, writer)
        await read_text(reader)
        for at in range(len(whole)):
            writer.write(frame(whole[at : at + 1], CONTINUATION if at else TEXT, fin=False) + frame(b"", PING))
        writer.write(frame(b"", CONTINUATION) + frame(b"[", BINARY, fin=False) + frame(b"]", CONTINUATION))
        writer.write(frame(event(2)))
        await read_text(reader)
        writer.write(frame(b'"', fin=False) + frame(b"", CONTINUATION, fin=False) * MAX_FRAGMENTS)
        await asyncio.sleep(60)

    @async_test
    async def body() -> None:
        async with raw_server(pieces) as port:
            agw = gnb.AsyncGateway(f"ws://127.0.0.1:{port}", device_identity=None)
            await agw.connect()
            waiting = asyncio.create_task(agw.wait_for("x", lambda item: item.seq == 2))
            first = asyncio.create_task(agw.wait_for("x"))
            asked = agw.submit("go", timeout=None)
            assert (await first).payload == "y" * 1000
            await waiting
            assert agw.status.counters.malformed == 1  # the binary message
            with pytest.raises(gnb.GatewayClosedError, match=r"1009.*fragments"):
                await asyncio.wait_for(agw.request("more", timeout=None), 10)
            with pytest.raises(gnb.GatewayClosedError):
                await asked
            await agw.close()

    body()


def test_pings_of_a_peer_that_does_not_read(each_transport: str) -> None:
    """Of the pings of a peer that does not read the last one is answered: memory does not grow with their number."""
    count = 200_000

    async def ping(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await welcome_by_hand(reader, writer)
        await read_text(reader)
        block = b"".join(frame(b"%06d" % number + b"p" * 100, PING) for number in range(1000))
        for _ in range(count // 1000):
            writer.write(block)
            await writer.drain()
        writer.write(frame(b"last", PING) + frame(event(1)))
        pongs = 0
        while (got := await read_frame(reader)) != (PONG, b"last"):
            pongs += got[0] == PONG
        writer.write(frame(event(2, payload=pongs)))
        await asyncio.sleep(60)

    @async_test
    async def body() -> None:
        async with raw_server(ping) as port:
            agw = gnb.AsyncGateway(f"ws://127.0.0.1:{port}", device_identity=None)
            await agw.connect()
            told = asyncio.create_task(agw.wait_for("x", lambda item: item.seq == 2, timeout=60))
            with pytest.raises(gnb.GatewayTimeoutError):
                await agw.request("go", timeout=1)
            assert (await told).payload < count / 2
            await agw.close()

    body()


def test_numbers_that_jump(each_transport: str) -> None:
    """Events whose numbers jump are kept, in order, with a mark before each that was not expected."""
    numbers = [5, 10**9, 6, 7, 7, 9]

    async def jump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await welcome_by_hand(reader, writer)
        request = await read_text(reader)
        writer.write(b"".join(frame(event(number)) for number in numbers) + frame(response(request, ok=True)))
        await asyncio.sleep(60)

    @async_test
    async def body() -> None:
        gaps: list[tuple[int, int]] = []
        log = gnb.EventLog()
        async with raw_server(jump) as port:
            agw = gnb.AsyncGateway(
                f"ws://127.0.0.1:{port}", device_identity=None, on_gap=lambda *numbers: gaps.append(numbers)
            )
            agw.core.feed.keep(log)
            await agw.connect()
            await agw.request("go")
            counters = agw.status.counters
            await agw.close()
        rows = [seq if kind == "event" else kind for kind, seq in zip(log.df["kind"], log.df["seq"], strict=True)]
        assert rows == ["start", 5, "jump", 10**9, "jump", 6, 7, "jump", 7, "gap", 9, "stop"]
        assert (counters.jumps, counters.gaps, counters.missed, counters.malformed) == (3, 1, 1, 0)
        assert gaps == [(6, 10**9), (8, 9)]

    body()


@async_test
async def test_late_answers_are_counted_as_such() -> None:
    """An answer that comes after its request has timed out is late; it is not malformed."""

    async def late(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await welcome_by_hand(reader, writer)
        first = await read_text(reader)
        second = await read_text(reader)
        writer.write(frame(response(first, ok=True)) + frame(response(second, ok=True)))
        await asyncio.sleep(60)

    async with raw_server(late) as port:
        agw = gnb.AsyncGateway(f"ws://127.0.0.1:{port}", device_identity=None)
        await agw.connect()
        with pytest.raises(gnb.GatewayTimeoutError):
            await agw.request("first", timeout=0.05)
        await agw.request("second")
        assert (agw.status.counters.late, agw.status.counters.malformed) == (1, 0)
        assert any("an answer came after its request was given up" in line for line in agw.log)
        await agw.close()


def test_a_gateway_that_stands_still(each_transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a gateway that answers no ping, the log and the status say for how long nothing was heard."""
    monkeypatch.setattr(connection, "PING_EVERY", 0.05)
    monkeypatch.setattr("gateway_nb.client.status.SILENT_SECONDS", 0.05)

    async def stand_still(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await welcome_by_hand(reader, writer)
        await asyncio.sleep(60)

    @async_test
    async def body() -> None:
        async with raw_server(stand_still) as port:
            agw = gnb.AsyncGateway(f"ws://127.0.0.1:{port}", device_identity=None)
            await agw.connect()
            while not any("the gateway is silent" in line for line in agw.log):
                await asyncio.sleep(0.01)
            status = agw.status
            assert status.state == "connected"
            assert status.silence is not None
            assert status.silence >= 0.05
            assert "nothing received for" in str(status)
            assert "nothing received for" in status._repr_html_()
            await agw.close()
            assert agw.status.silence is None

    body()


@pytest.mark.parametrize("milliseconds", ["1e12", "1" + "0" * 400, '"soon"', "-5", "null", "[]"])
@async_test
async def test_times_that_no_timer_holds(milliseconds: str) -> None:
    """Of a time that is no time a request is repeated soon; of one that is too long it fails at once with it."""
    too_long = milliseconds.startswith("1")
    number = milliseconds.encode()

    async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = {**gateway_hello, "policy": {"tickIntervalMs": "NUMBER"}}
        await welcome_by_hand(reader, _Replacing(writer, number), hello)  # type: ignore[arg-type]
        first = await read_text(reader)
        shutdown = b'{"type":"event","event":"shutdown","payload":{"reason":"r","restartExpectedMs":' + number + b"}}"
        error = b'{"code":"UNAVAILABLE","message":"m","retryable":true,"retryAfterMs":' + number + b"}"
        busy = b'{"type":"res","id":"' + json.loads(first)["id"].encode() + b'","ok":false,"error":' + error + b"}"
        writer.write(frame(shutdown) + frame(busy))
        writer.write(frame(response(await read_text(reader), ok=True, payload=1)))
        await asyncio.sleep(60)

    async with raw_server(odd) as port:
        agw = gnb.AsyncGateway(f"ws://127.0.0.1:{port}", device_identity=None)
        await agw.connect()
        with pytest.raises(gnb.GatewayRequestError, match="UNAVAILABLE") if too_long else contextlib.nullcontext():
            assert await asyncio.wait_for(agw.request("x", timeout=None), 10) == 1
        assert "shuts down: r" in (agw.status.reason or "")
        await agw.close()


gateway_hello = {
    "protocol": 4,
    "server": {"version": "fake", "connId": "c"},
    "features": {"methods": [], "events": []},
    "auth": {"role": "operator", "scopes": ["operator.admin"]},
}


class _Replacing:
    """A writer that puts a number into what it writes, one that `json` could not write."""

    def __init__(self, writer: asyncio.StreamWriter, number: bytes) -> None:
        self._writer = writer
        self._number = number

    def write(self, data: bytes) -> None:
        if b'"NUMBER"' in data:
            data = frame(data[data.index(b"{") :].replace(b'"NUMBER"', self._number))
        self._writer.write(data)


_QUIET = """
import asyncio, gc, sys
import gateway_nb as gnb

async def main(url):
    agw = gnb.AsyncGateway(url, device_identity=None)
    await agw.connect()
    requests = [agw.submit("x", {"y": "z" * 100_000}, timeout=5) for _ in range(20)]
    results = await asyncio.gather(*requests, return_exceptions=True)
    assert all(isinstance(result, gnb.GatewayError) for result in results), results
    await agw.close()
    del agw, requests, results
    gc.collect()

asyncio.run(main(sys.argv[1]))
gc.collect()
print("quiet")
"""


@pytest.mark.parametrize("ending", ["violation", "reset"])
def test_nothing_on_stderr(ending: str, each_transport: str, tmp_path: Path) -> None:
    """Whatever ends a connection while requests are sent, neither library prints anything."""
    script = tmp_path / "quiet.py"
    script.write_text(_QUIET)

    async def end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await welcome_by_hand(reader, writer)
        await read_text(reader)
        if ending == "reset":
            writer.transport.abort()
            return
        writer.write(frame(b"x", CONTINUATION))
        await asyncio.sleep(60)

    @async_test
    async def body() -> None:
        async with raw_server(end) as port:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-W", "default", str(script), f"ws://127.0.0.1:{port}",
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            out, err = await process.communicate()
        assert (out, err) == (b"quiet\n", b"")

    body()


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-OpenSSH_9\r\n"])
@async_test
async def test_an_upgrade_that_nobody_waits_for(greeting: bytes) -> None:
    """Where opening a socket was interrupted, that its upgrade failed is printed by nobody."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        await writer.drain()

    async with raw_server(hang_up) as port:
        _, opened = await asyncio.get_running_loop().create_connection(
            lambda: websockets._Socket(f"ws://127.0.0.1:{port}"), "127.0.0.1", port
        )
        assert (await opened.closed())[0] == 1006
        del opened
        gc.collect()
        await asyncio.sleep(0)
    assert complaints == []


@pytest.mark.usefixtures("each_transport")
@async_test
async def test_a_flood_leaves_turns_to_others() -> None:
    """What a gateway sends faster than it can be read is taken in bit by bit: other tasks have turns in between.

    What is not taken in yet waits at the gateway, but for what one read of the socket brings.
    """
    count, most_waiting = 400_000, 200_000

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await welcome_by_hand(reader, writer)
        await read_text(reader)
        writer.write(frame(b"{}") * count + frame(event(1, "last")))
        await writer.drain()
        await reader.read()

    async with (
        raw_server(flood) as port,
        gnb.AsyncGateway(f"ws://127.0.0.1:{port}", device_identity=None) as agw,
    ):
        last = asyncio.create_task(agw.wait_for("last", timeout=60))
        with pytest.raises(gnb.GatewayError):
            await agw.request("go", timeout=0.01)
        seen: set[int] = set()
        while not last.done():
            await asyncio.sleep(0)
            counters = agw.status.counters
            seen.add(counters.malformed)
            assert counters.frames - counters.malformed < most_waiting
        assert len(seen) > 10
        assert agw.status.counters.malformed == count
