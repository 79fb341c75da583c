"""The embedded gateway and the offline model as others find them: web pages, guessers, clients that never sign in."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import threading
import time
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin

import gateway_nb as gnb
from gateway_nb.openclaw.model import OfflineModel
from gateway_nb.server.local_gateway import MAX_UNAUTHENTICATED
from tests.helpers.raw import answer_to, outcome, sign_in
from tests.helpers.support import async_test


def port_of(url: str) -> int:
    return int(url.removesuffix("/v1").rpartition(":")[2])


PAGES = [
    (None, "https://evil.example"),
    (None, "http://localhost:8888"),
    (None, "null"),
    ("evil.example:{port}", "http://evil.example:{port}"),
    ("evil.example:{port}", None),
    ("localhost.evil.example", None),
    ("0x7f.1:{port}", None),
    ("", None),
    ("127.0.0.1@evil.example", None),
]
PROGRAMS = [
    (None, None),
    ("localhost:{port}", None),
    ("[::1]:{port}", None),
    ("127.0.0.1:9999", None),
    ("LOCALHOST", None),
    (None, "http://127.0.0.1:{port}"),
]


async def upgrade(port: int, host: str | None, origin: str | None) -> int:
    """Return the HTTP status of a WebSocket upgrade."""
    headers = {} if host is None else {"Host": host.format(port=port)}
    own = None if origin is None else Origin(origin.format(port=port))
    url = f"ws://127.0.0.1:{port}"
    lines = ["GET / HTTP/1.1", f"Host: {headers.get('Host', f'127.0.0.1:{port}')}", "Upgrade: websocket"]
    lines += ["Connection: Upgrade", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
    lines += [f"Origin: {own}"] if own else []
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(url))
    writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
    status = int((await reader.readline()).split()[1])
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()
    return status


def recorded(path: Path) -> gnb.Recording:
    path.write_text('{"t":1.0,"epoch":1,"event":"x","seq":1,"payload":{"n":1}}\n')
    return gnb.load(path)


@pytest.mark.parametrize("kind", ["embedded", "replay"])
@pytest.mark.parametrize(
    ("host", "origin", "status"), [(*page, 403) for page in PAGES] + [(*program, 101) for program in PROGRAMS]
)
@async_test
async def test_web_pages(kind: str, host: str | None, origin: str | None, status: int, tmp_path: Path) -> None:
    """A page of another origin, and one whose name was made to mean this machine, get 403; programs are let in."""
    server = gnb.LocalGateway(auth="insecure-none") if kind == "embedded" else recorded(tmp_path / "x.jsonl").replay()
    with server as local:
        assert await upgrade(port_of(local.url), host, origin) == status


@pytest.mark.parametrize(("host", "origin"), PAGES)
def test_web_pages_and_the_model(host: str | None, origin: str | None) -> None:
    """The offline model does not answer web pages either."""
    with OfflineModel() as model:
        port = port_of(model.base_url)
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        headers = {"Host": host.format(port=port)} if host is not None else {}
        headers |= {"Origin": origin.format(port=port)} if origin is not None else {}
        line.request("POST", "/v1/chat/completions", b"{}", headers)
        assert line.getresponse().status == 403
        line.close()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"messages":5}', b'{"messages":[5]}', b'{"messages":[{"role":"user","content":5}]}']
)
def test_requests_that_the_model_cannot_read(body: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    """A request that is none of a chat is answered 400, and prints nothing."""
    with OfflineModel() as model:
        line = http.client.HTTPConnection("127.0.0.1", port_of(model.base_url), timeout=10)
        line.request("POST", "/v1/chat/completions", body)
        assert line.getresponse().status == 400
        line.close()
    assert capfd.readouterr().err == ""


@async_test
async def test_guesses() -> None:
    """Each wrong token waits twice as long for its answer as the one before; the right one never waits."""
    with gnb.LocalGateway() as local:

        async def guess() -> float:
            began = time.monotonic()
            found = await outcome(local.url, lambda nonce: json.dumps(sign_in("guess", nonce, {})))
            assert found[1] == "AUTH_TOKEN_MISMATCH"
            return time.monotonic() - began

        waits = sorted(await asyncio.gather(guess(), guess(), guess()))
        assert [wait >= limit for wait, limit in zip(waits, (0.25, 0.5, 1.0), strict=True)] == [True] * 3
        guessing = [asyncio.ensure_future(guess()) for _ in range(4)]
        async with gnb.AsyncGateway(local.url, token=local.token, device_identity=None):
            assert not any(task.done() for task in guessing)
        for task in guessing:
            task.cancel()
        await asyncio.gather(*guessing, return_exceptions=True)


@async_test
async def test_guesses_do_not_hold_the_gateway_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that stops does not wait for the answers that it delays."""
    local = gnb.LocalGateway().start()
    delaying = threading.Event()
    monkeypatch.setattr(local.admission.failure_delay, "next", lambda now: delaying.set() or 30.0)
    guess = asyncio.ensure_future(outcome(local.url, lambda nonce: json.dumps(sign_in("guess", nonce, {}))))
    assert await asyncio.to_thread(delaying.wait, 10)
    began = time.monotonic()
    await asyncio.to_thread(local.stop)
    assert time.monotonic() - began < 4
    assert (await guess)[0] is None


@async_test
async def test_clients_that_do_not_sign_in() -> None:
    """Only so many clients may wait without signing in; the next gets 503, and is let in when one has left."""
    with gnb.LocalGateway() as local:
        waiting = [await connect(local.url, proxy=None) for _ in range(MAX_UNAUTHENTICATED)]
        with pytest.raises(InvalidStatus) as caught:
            await connect(local.url, proxy=None)
        assert caught.value.response.status_code == 503
        await waiting.pop().close()
        async with asyncio.timeout(10), gnb.AsyncGateway(local.url, token=local.token, device_identity=None) as agw:
            assert agw.status.state == "connected"
        for socket in waiting:
            await socket.close()


@async_test
async def test_much_before_the_sign_in() -> None:
    """A client that has not signed in is cut off after 64 KiB; one that has may send what the protocol allows."""
    with gnb.LocalGateway() as local:
        async with connect(local.url, proxy=None, compression=None) as socket:
            with contextlib.suppress(ConnectionClosed):  # it is cut off while it sends
                await socket.send("x" * 5_000_000)
            await socket.wait_closed()
            assert socket.close_code in (1009, 1006)
        async with connect(local.url, proxy=None, compression=None) as socket:
            nonce = json.loads(await socket.recv())["payload"]["nonce"]
            await socket.send(json.dumps(sign_in(local.token, nonce, {})))
            assert (await answer_to(socket, "1"))["ok"]
            await socket.send(
                json.dumps({"type": "req", "id": "2", "method": "health", "params": {"x": "x" * 5_000_000}})
            )
            assert (await answer_to(socket, "2"))["ok"]


def test_no_credential_needs_a_name_that_warns() -> None:
    """A gateway that lets everybody in is asked for by a name that says so; the former name is refused with the new."""
    with pytest.raises(ValueError, match="insecure-none"):
        gnb.LocalGateway(auth="none")
    with gnb.LocalGateway(auth="insecure-none") as local, gnb.connect(local.url, device_identity=None) as gw:
        assert gw.hello is not None
        assert gw.hello["snapshot"]["authMode"] == "none"


def test_a_url_before_the_start() -> None:
    """A gateway that was not started has no URL yet, and says how to start it; it keeps its URL when it is stopped."""
    local = gnb.LocalGateway()
    assert repr(local) == "<LocalGateway stopped>"
    with pytest.raises(gnb.GatewayClosedError, match="not running; start it: with LocalGateway"):
        local.url  # noqa: B018 - asking is what is tested
    with local:
        url = local.url
    assert local.url == url
