"""Servers that misbehave, each for one reason."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import hashlib
import ipaddress
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG = 1, 2, 0, 8, 9, 10
CHALLENGE = json.dumps({"type": "event", "event": "connect.challenge", "payload": {"nonce": "n", "ts": 1}})
Step = Callable[[ServerConnection], Any]
HELLO: dict[str, Any] = {
    "protocol": 4,
    "server": {"version": "fake", "connId": "c"},
    "features": {"methods": [], "events": []},
    "auth": {"role": "operator", "scopes": ["operator.admin"]},
    "policy": {"maxPayload": 26_214_400, "tickIntervalMs": 30_000},
}


@contextlib.asynccontextmanager
async def raw_server(
    answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]], **options: Any
) -> AsyncIterator[int]:
    """A TCP server; yields its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await answer(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, **options)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.asynccontextmanager
async def socket_server(answer: Callable[[ServerConnection], Awaitable[None]], **options: Any) -> AsyncIterator[str]:
    """A WebSocket server; yields its URL."""
    async with serve(answer, "127.0.0.1", 0, compression=None, max_size=None, close_timeout=0.2, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def welcome(socket: ServerConnection, challenge: str = CHALLENGE) -> None:
    """Do a gateway's side of the handshake, whoever comes."""
    await socket.send(challenge)
    request = json.loads(await socket.recv())
    await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": HELLO}))


async def answer_one(socket: ServerConnection, data: str | bytes) -> None:
    """Answer a request with its own params."""
    request = json.loads(data)
    response = {"type": "res", "id": request["id"], "ok": True, "payload": request.get("params")}
    await socket.send(json.dumps(response))


async def answer_all(socket: ServerConnection) -> None:
    """Answer every request with its own params, until the socket closes."""
    with contextlib.suppress(ConnectionClosed):
        async for data in socket:
            await answer_one(socket, data)


async def welcome_and_answer(socket: ServerConnection) -> None:
    """Do a gateway's side of the handshake, and answer every request."""
    await welcome(socket)
    await answer_all(socket)


def script(*steps: Step) -> Step:
    """A server that treats its first client by the first step, and so on; the last step serves all the rest."""
    left = list(steps)

    async def answer(socket: ServerConnection) -> None:
        step = left.pop(0) if len(left) > 1 else left[0]
        await step(socket)

    return answer


async def welcome_by_hand(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hello: dict[str, Any] = HELLO
) -> None:
    """Do a gateway's side of the handshake byte by byte, for servers that break the WebSocket protocol later."""
    request = await reader.readuntil(b"\r\n\r\n")
    key = request.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
    accept = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    writer.write(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n" + frame(CHALLENGE.encode()))
    request_id = json.loads(await read_text(reader))["id"]
    answer = json.dumps({"type": "res", "id": request_id, "ok": True, "payload": hello})
    writer.write(frame(answer.encode()))


async def welcome_and_wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Do a gateway's side of the handshake; then neither read nor answer a close frame."""
    await welcome_by_hand(reader, writer)
    await asyncio.sleep(60)


def frame(payload: bytes, kind: int = TEXT, *, fin: bool = True) -> bytes:
    """Return a WebSocket frame of a server."""
    size = len(payload)
    if size < 126:
        head = bytes([size])
    elif size < 65_536:
        head = b"\x7e" + size.to_bytes(2, "big")
    else:
        head = b"\x7f" + size.to_bytes(8, "big")
    return bytes([kind | (0x80 if fin else 0)]) + head + payload


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Return a client's next frame: its opcode and its payload."""
    first, second = await reader.readexactly(2)
    size = second & 0x7F
    if size == 126:
        size = int.from_bytes(await reader.readexactly(2), "big")
    elif size == 127:
        size = int.from_bytes(await reader.readexactly(8), "big")
    mask = await reader.readexactly(4)
    payload = await reader.readexactly(size)
    return first & 0x0F, bytes(byte ^ mask[at % 4] for at, byte in enumerate(payload))


async def read_text(reader: asyncio.StreamReader) -> bytes:
    """Return a client's next text message; other frames are passed over."""
    while True:
        kind, payload = await read_frame(reader)
        if kind == TEXT:
            return payload


def certificate(folder: Path) -> tuple[ssl.SSLContext, str, Path]:
    """Make a self-signed certificate; return the server's context, its SHA-256 and its file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    path = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    pin = hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest()
    return context, pin, path
