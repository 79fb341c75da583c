"""Servers that are no gateway, or a broken one: a named error in one line, in time, and nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from websockets.asyncio.server import ServerConnection

import gateway_nb as gnb
from gateway_nb.cli.main import main
from gateway_nb.protocol.endpoint import normalize_fingerprint
from tests.helpers.servers import (
    CHALLENGE,
    answer_all,
    answer_one,
    certificate,
    raw_server,
    socket_server,
    welcome,
    welcome_and_wait,
)
from tests.helpers.support import async_test

TOKEN = "token-that-nobody-may-see"


async def refused(url: str, kind: type[gnb.GatewayError], text: str, **options: Any) -> None:
    """Connecting fails with this kind of error within its time."""
    client = gnb.AsyncGateway(url, token=TOKEN, device_identity=None, timeout=3.0, **options)
    began = time.monotonic()
    with pytest.raises(kind) as caught:
        await client.connect()
    assert time.monotonic() - began < 10  # of the 3 s, on a busy machine
    message = str(caught.value)
    assert text in message, message
    assert "\n" not in message
    assert TOKEN not in message + repr(client.log)
    assert client.status.state == "closed"


@async_test
async def test_nobody_listens() -> None:
    """A closed port says what to start."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        await refused(f"ws://127.0.0.1:{port}", gnb.GatewayConnectError, "start the gateway")


@async_test
async def test_a_refused_url_opens_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    """A URL that policy refuses fails before any socket is made."""
    monkeypatch.setattr(socket, "socket", None)
    with pytest.raises(gnb.InsecureUrlError):
        gnb.AsyncGateway("ws://10.1.2.3", token=TOKEN)


def http(status: str, *headers: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        lines = [f"HTTP/1.1 {status}", "Content-Length: 2", "Connection: close", *headers, "", "hi"]
        writer.write("\r\n".join(lines).encode())
        await writer.drain()

    return answer


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "500 Oops", "401 Unauthorized"])
@async_test
async def test_a_web_server(status: str) -> None:
    """A web server is named as one."""
    async with raw_server(http(status)) as port:
        await refused(f"ws://127.0.0.1:{port}", gnb.GatewayConnectError, f"HTTP {status[:3]}")


@async_test
async def test_no_redirect_is_followed() -> None:
    """A redirect leads nowhere: policy allowed one endpoint, not another."""
    visited = False

    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal visited
        visited = True

    async with raw_server(other) as elsewhere:
        answer = http("301 Moved", f"Location: ws://127.0.0.1:{elsewhere}/")
        async with raw_server(answer) as port:
            await refused(f"ws://127.0.0.1:{port}", gnb.GatewayConnectError, "HTTP 301")
    assert not visited


@async_test
async def test_silence_after_tcp() -> None:
    """A server that takes the connection and says nothing is a handshake timeout."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_server(answer) as port:
        await refused(
            f"ws://127.0.0.1:{port}", gnb.HandshakeTimeoutError, "did not answer", connect_challenge_timeout=0.3
        )


@async_test
async def test_closing_after_tcp() -> None:
    """A server that hangs up at once does not speak WebSocket."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)

    async with raw_server(answer) as port:
        await refused(f"ws://127.0.0.1:{port}", gnb.GatewayConnectError, "does not speak WebSocket")


@async_test
async def test_another_protocol() -> None:
    """A server that speaks something else does not speak WebSocket."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n")
        await reader.read(1)

    async with raw_server(answer) as port:
        await refused(f"ws://127.0.0.1:{port}", gnb.GatewayConnectError, "does not speak WebSocket")


async def silence(socket: ServerConnection) -> None:
    await socket.wait_closed()


async def challenge_then_silence(socket: ServerConnection) -> None:
    await socket.send(CHALLENGE)
    await socket.wait_closed()


async def close_at_once(socket: ServerConnection) -> None:
    await socket.close(1011, "no mood")


async def close_after_challenge(socket: ServerConnection) -> None:
    await socket.send(CHALLENGE)
    await socket.close(1008, "go away")


async def cut_after_challenge(socket: ServerConnection) -> None:
    await socket.send(CHALLENGE)
    await socket.recv()
    socket.transport.abort()


async def no_nonce(socket: ServerConnection) -> None:
    await socket.send(json.dumps({"type": "event", "event": "connect.challenge", "payload": {}}))
    await socket.wait_closed()


async def huge_frame(socket: ServerConnection) -> None:
    await socket.send("x" * 30_000_000)


async def bad_hello(socket: ServerConnection) -> None:
    await socket.send(CHALLENGE)
    request = json.loads(await socket.recv())
    await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": "hello"}))
    await socket.wait_closed()


HANDSHAKES: list[tuple[Callable[[ServerConnection], Awaitable[None]], type[gnb.GatewayError], str]] = [
    (silence, gnb.HandshakeTimeoutError, "connect challenge timeout (waited"),
    (challenge_then_silence, gnb.HandshakeTimeoutError, "no connection to"),
    (close_at_once, gnb.GatewayConnectError, "gateway closed (1011): no mood"),
    (close_after_challenge, gnb.GatewayConnectError, "gateway closed (1008): go away"),
    (cut_after_challenge, gnb.GatewayConnectError, "gateway closed (1006)"),
    (no_nonce, gnb.GatewayConnectError, "gateway connect challenge missing nonce"),
    (huge_frame, gnb.GatewayConnectError, "1009"),
    (bad_hello, gnb.GatewayConnectError, "hello-ok"),
]


@pytest.mark.parametrize(("answer", "kind", "text"), HANDSHAKES, ids=[case[0].__name__ for case in HANDSHAKES])
@async_test
async def test_a_broken_handshake(
    answer: Callable[[ServerConnection], Awaitable[None]], kind: type[gnb.GatewayError], text: str
) -> None:
    """A gateway that breaks off at any step of the handshake is an error that says where."""
    async with socket_server(answer) as url:
        await refused(url, kind, text, connect_challenge_timeout=1.0)


NOISE = [
    "nonsense",
    '{"type":"event","event":""}',
    "[" * 200_000,
    b"\x00\x01binary",
    json.dumps({"type": "event", "event": "binary but json"}).encode(),
    json.dumps({"type": "res", "id": "nobody", "ok": True}),
]


@async_test
async def test_noise_is_dropped() -> None:
    """Bad JSON, binary frames, deep nesting, unknown ids: counted and dropped; the connection lives on."""

    async def answer(socket: ServerConnection) -> None:
        await welcome(socket)
        first = await socket.recv()
        for noise in NOISE:
            await socket.send(noise)
        await socket.send(['{"type":"event",', '"event":"in two fragments"}'])
        await answer_one(socket, first)
        await answer_all(socket)

    async with socket_server(answer) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        fragments = asyncio.create_task(agw.wait_for("in two fragments", timeout=5))
        await asyncio.sleep(0)
        assert await agw.request("echo", {"x": 1}) == {"x": 1}
        assert (await fragments).event == "in two fragments"
        assert agw.status.counters.malformed == len(NOISE)
        assert agw.status.counters.events == 1


@async_test
async def test_bad_utf8() -> None:
    """A payload that is not UTF-8 reaches nobody as a crash: the event is kept, its text repaired."""
    log = gnb.EventLog()

    async def answer(socket: ServerConnection) -> None:
        await welcome(socket)
        first = await socket.recv()
        await socket.send(b'{"type":"event","event":"x","payload":"\xff"}', text=True)
        await answer_one(socket, first)
        await answer_all(socket)

    async with socket_server(answer) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        agw.core.feed.keep(log)
        await agw.request("echo")
        assert list(log.df["payload"]) == ['"\ufffd"']


@async_test
async def test_a_huge_frame_later() -> None:
    """A frame beyond 25 MiB ends the connection with 1009, and the client connects again."""
    connected = 0

    async def answer(socket: ServerConnection) -> None:
        nonlocal connected
        connected += 1
        await welcome(socket)
        if connected == 1:
            await socket.recv()
            await socket.send("x" * 30_000_000)
        await answer_all(socket)

    async with socket_server(answer) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        with pytest.raises(gnb.GatewayClosedError, match="1009"):
            await agw.request("anything")
        while agw.status.state != "connected":
            await asyncio.sleep(0.01)
        assert await agw.request("echo", {"again": True}) == {"again": True}
        assert agw.status.epoch == 2


@async_test
async def test_the_server_vanishes() -> None:
    """When the line is cut every open request fails with 1006, and the client is connected again soon."""
    sockets: list[ServerConnection] = []

    async def answer(socket: ServerConnection) -> None:
        sockets.append(socket)
        await welcome(socket)
        await socket.wait_closed()

    async with socket_server(answer) as url, gnb.AsyncGateway(url, device_identity=None) as agw:
        requests = [agw.submit("never", timeout=None) for _ in range(200)]
        while agw.status.counters.queued == 0:
            await asyncio.sleep(0)
        sockets[0].transport.abort()
        outcomes = await asyncio.gather(*requests, return_exceptions=True)
        assert {str(outcome) for outcome in outcomes} == {
            "never: gateway closed (1006): abnormal closure (no close frame)"
        }
        with pytest.raises(gnb.GatewayClosedError, match="gateway not connected"):
            await agw.request("at once")
        while agw.status.epoch < 2:
            await asyncio.sleep(0.01)


@async_test
async def test_a_server_that_does_not_close() -> None:
    """Closing waits 250 ms for the server's close frame, then cuts the line."""

    async with raw_server(welcome_and_wait) as port:
        agw = gnb.AsyncGateway(f"ws://127.0.0.1:{port}", device_identity=None)
        await agw.connect()
        began = time.monotonic()
        await agw.close()
        assert time.monotonic() - began > 0.2  # and less than what close() allows, or it would have raised


# TLS


@async_test
async def test_tls_on_a_plain_url(tmp_path: Path) -> None:
    """ws:// to a TLS port says to use wss://."""
    context, _, _ = certificate(tmp_path)
    async with socket_server(silence, ssl=context) as url:
        await refused(url, gnb.GatewayConnectError, "wss://")


@async_test
async def test_plain_on_a_tls_url() -> None:
    """wss:// to a plain port says that there is no TLS."""
    async with socket_server(silence) as url:
        await refused(url.replace("ws:", "wss:"), gnb.GatewayConnectError, "TLS")


@async_test
async def test_an_unknown_certificate(tmp_path: Path) -> None:
    """Without a pin a self-signed certificate is refused, and the error names the pin."""
    context, _, _ = certificate(tmp_path)
    async with socket_server(welcome, ssl=context) as url:
        await refused(url.replace("ws:", "wss:"), gnb.GatewayConnectError, "tls_fingerprint=")


@pytest.mark.parametrize("trusted", ["tls_fingerprint", "ssl_context", "ca_file"])
@async_test
async def test_a_pin(tmp_path: Path, trusted: str) -> None:
    """With the right pin the certificate chain does not matter; with one's own context it decides."""
    context, pin, path = certificate(tmp_path)

    async def answer(socket: ServerConnection) -> None:
        await welcome(socket)
        await answer_all(socket)

    async with socket_server(answer, ssl=context) as url:
        values = {
            "tls_fingerprint": pin,
            "ssl_context": ssl.create_default_context(cafile=str(path)),
            "ca_file": path,
        }
        options: Any = {"device_identity": None, trusted: values[trusted]}
        async with gnb.AsyncGateway(url.replace("ws:", "wss:"), **options) as agw:
            assert await agw.request("echo", {"x": 1}) == {"x": 1}


@async_test
async def test_a_wrong_pin_sends_nothing(tmp_path: Path) -> None:
    """With the wrong pin not one byte goes to the server over TLS, not even the upgrade request."""
    context, pin, _ = certificate(tmp_path)
    heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_side=True)
        step, said = tls.do_handshake, b""
        with contextlib.suppress(ssl.SSLWantReadError, ConnectionError):
            while data := await reader.read(10_000):
                incoming.write(data)
                with contextlib.suppress(ssl.SSLWantReadError):
                    said += step() or b""
                    step = tls.read
                writer.write(outgoing.read())
        heard.set_result(said)

    async with raw_server(answer) as port:
        wrong = ("0" if pin[0] != "0" else "1") + pin[1:]
        await refused(f"wss://127.0.0.1:{port}", gnb.TlsPinError, "not the pinned one", tls_fingerprint=wrong)
        assert await asyncio.wait_for(heard, 5) == b""


def test_reading_a_pin(tmp_path: Path) -> None:
    """The fingerprint command asks first, and prints a pin that connect takes."""
    context, pin, _ = certificate(tmp_path)

    async def body() -> None:
        async with socket_server(welcome, ssl=context) as url:
            url = url.replace("ws:", "wss:")
            asked = await asyncio.to_thread(CliRunner().invoke, main, ["fingerprint", url], input="n\n")
            assert asked.exit_code == 1
            assert pin not in asked.output.replace(":", "").lower()
            printed = await asyncio.to_thread(CliRunner().invoke, main, ["fingerprint", url], input="y\n")
            assert pin in [normalize_fingerprint(line) for line in printed.output.splitlines() if line.count(":") == 31]

    asyncio.run(body())
    assert CliRunner().invoke(main, ["fingerprint", "ws://127.0.0.1:1"]).exit_code == 2
    nobody = CliRunner().invoke(main, ["fingerprint", "--yes", "wss://127.0.0.1:1"])
    assert nobody.exit_code == 1
    assert "nothing listens" in nobody.output
