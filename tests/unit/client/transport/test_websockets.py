"""The transport over websockets, called as asyncio calls it, with the library's own server at the other end."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import Any

import pytest
from websockets.exceptions import InvalidMessage
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

from gateway_nb.client.transport import messages
from gateway_nb.client.transport import websockets as module
from gateway_nb.client.transport.interface import TransportClosed
from gateway_nb.client.transport.websockets import _Socket
from tests.helpers.support import async_test


class Peer(asyncio.Transport):
    """A transport of asyncio's with a server at its other end.

    Attributes:
        calls: what the socket asked of it, other than to write.
        frames: what the server received.
        has_eof: half of it can be closed, as TLS can't.
    """

    def __init__(self, *, accepts: bool = True) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.frames: list[Frame] = []
        self.received: list[list[bytes]] = []
        self.has_eof = True
        self.ended = False
        self.server = ServerProtocol(max_size=None)
        self.socket = _Socket("ws://127.0.0.1:1/")
        self.socket.connection_made(self)
        if accepts:
            self.accept()

    def accept(self, more: bytes = b"") -> None:
        """Accept the upgrade, with more bytes at once."""
        self.server.send_response(self.server.accept(self.request))
        self.comes(*self.server.data_to_send(), more)

    def listens(self) -> None:
        self.socket.listen(self.received.append)

    def comes(self, *pieces: bytes) -> None:
        """Bytes come, all at once."""
        data = b"".join(pieces)
        self.socket.get_buffer(-1)[: len(data)] = data
        self.socket.buffer_updated(len(data))

    def sends(self, *frames: tuple[Opcode, bytes, bool]) -> None:
        """Frames come, all at once."""
        self.comes(*(Frame(*frame).serialize(mask=False) for frame in frames))

    def ends(self, error: Exception | None = None) -> None:
        self.ended = True
        self.socket.connection_lost(error)

    # What the socket asks for

    def write(self, data: Any) -> None:
        self.server.receive_data(bytes(data))
        for event in self.server.events_received():
            if isinstance(event, Request):
                self.request = event
            else:
                assert isinstance(event, Frame)
                self.frames.append(event)

    def is_closing(self) -> bool:
        return self.ended

    def can_write_eof(self) -> bool:
        return self.has_eof

    def write_eof(self) -> None:
        self.calls.append("eof")

    def close(self) -> None:
        self.calls.append("close")

    def abort(self) -> None:
        self.calls.append("abort")

    def pause_reading(self) -> None:
        self.calls.append("pause")

    def resume_reading(self) -> None:
        self.calls.append("resume")

    def texts(self) -> list[tuple[str, bytes]]:
        return [(frame.opcode.name, bytes(frame.data)) for frame in self.frames]


TEXT, BINARY, CONT, PING, PONG = Opcode.TEXT, Opcode.BINARY, Opcode.CONT, Opcode.PING, Opcode.PONG


@async_test
async def test_the_upgrade() -> None:
    """The upgrade names this client, and what comes with its answer is there for whoever listens."""
    peer = Peer(accepts=False)
    assert peer.request.headers["User-Agent"] == "gateway-nb"
    assert (peer.socket.is_open, peer.socket.upgraded.done()) == (False, False)
    peer.accept(Frame(TEXT, b"early").serialize(mask=False))
    assert peer.socket.is_open
    await peer.socket.upgraded
    peer.listens()
    assert peer.received == [[b"early"]]


@pytest.mark.long
@pytest.mark.parametrize("error", [None, ConnectionResetError("cut")])
@async_test
async def test_no_upgrade(error: Exception | None) -> None:
    """Where the line is lost during the upgrade there is an error, which nobody has to ask for."""
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    peer = Peer(accepts=False)
    peer.ends(error)
    assert not peer.socket.is_open
    if error is not None:
        with pytest.raises(InvalidMessage):
            await peer.socket.upgraded
    cancelled = Peer(accepts=False)
    cancelled.socket.upgraded.cancel()
    assert not cancelled.socket.is_open
    del peer, cancelled
    gc.collect()
    assert complaints == []


@pytest.mark.parametrize("answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"SSH-2.0-x\r\n"])
@async_test
async def test_a_refused_upgrade(answer: bytes) -> None:
    """An answer that is no upgrade is its error, once."""
    peer = Peer(accepts=False)
    peer.comes(answer)
    peer.socket.eof_received()
    peer.ends()
    assert isinstance(peer.socket.upgraded.exception(), Exception)
    assert not peer.socket.is_open
    assert await peer.socket.closed() == (1006, "")


@async_test
async def test_messages() -> None:
    """Messages that come together are pushed together; pieces are put together; binary ones are dropped and counted."""
    peer = Peer()
    peer.listens()
    peer.sends((TEXT, b"a", True), (TEXT, b"b", False), (PING, b"p", True), (CONT, b"c", False))
    peer.sends(
        (CONT, b"d", True), (BINARY, b"no", True), (BINARY, b"no", False), (CONT, b"no", True), (TEXT, b"e", True)
    )
    assert peer.received == [[b"a"], [b"bcd", b"e"]]
    assert peer.socket.binary_frames == 2
    assert peer.texts() == [("PONG", b"p")]


@pytest.mark.parametrize("closing", [True, False])
@async_test
async def test_a_message_that_is_too_large(closing: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message in pieces beyond the limit ends the connection with 1009, once."""
    monkeypatch.setattr(messages, "MAX_FRAME_BYTES", 5)
    peer = Peer()
    peer.listens()
    closes = asyncio.ensure_future(peer.socket.close(1000, "bye", 0.001)) if closing else None
    await asyncio.sleep(0)
    peer.sends((TEXT, b"123", False), (CONT, b"456", False))
    assert [(frame.opcode, Close.parse(frame.data)) for frame in peer.frames] == [
        (
            Opcode.CLOSE,
            Close(1000, "bye") if closing else Close(1009, "a message of more than 5 bytes or 16,384 fragments"),
        )
    ]
    if closes is not None:
        await closes
    assert peer.received == []
    peer.ends()
    assert (await peer.socket.closed())[0] == (1000 if closing else 1009)


@async_test
async def test_pings_of_the_peer() -> None:
    """A ping is answered at once; while nothing can be written the last one is answered later, and once."""
    peer = Peer()
    peer.sends((PING, b"1", True))
    peer.socket.pause_writing()
    peer.sends((PING, b"2", True), (PING, b"3", True))
    peer.sends((PING, b"4", True), (PING, b"5", True))
    assert peer.texts() == [("PONG", b"1")]
    peer.socket.resume_writing()
    peer.socket.resume_writing()
    assert peer.texts() == [("PONG", b"1"), ("PONG", b"5")]


@async_test
async def test_a_close_frame_is_written_though_nobody_reads() -> None:
    """The answer to a close frame does not wait until something can be written."""
    peer = Peer()
    peer.socket.pause_writing()
    peer.sends((Opcode.CLOSE, Close(1012, "restart").serialize(), True))
    assert [Close.parse(frame.data) for frame in peer.frames] == [Close(1012, "restart")]


@async_test
async def test_our_pings() -> None:
    """A ping is sent with a payload of its own, and its answer ends it; the end of the socket does, too."""
    peer = Peer()
    for number in range(2):
        ping = asyncio.ensure_future(peer.socket.ping())
        await asyncio.sleep(0)
        assert len(peer.frames) == number + 1
        peer.sends((PONG, b"another", True))
        assert not ping.done()
        peer.sends((PONG, bytes(peer.frames[-1].data), True))
        assert await ping >= 0
    ping = asyncio.ensure_future(peer.socket.ping())
    await asyncio.sleep(0)
    peer.ends()
    for waiting in (ping, peer.socket.ping()):
        with pytest.raises(TransportClosed):
            await waiting


@pytest.mark.parametrize("has_eof", [True, False], ids=["TCP", "TLS"])
@async_test
async def test_the_peer_closes(has_eof: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A close frame is answered, and tells how it ended; a peer that does not hang up then is cut off."""
    monkeypatch.setattr(module, "CLOSE_GRACE", 0.001)
    peer = Peer()
    peer.has_eof = has_eof
    peer.sends((Opcode.CLOSE, Close(1012, "restart").serialize(), True))
    assert peer.calls == []
    peer.socket.write(b"late")
    peer.socket.eof_received()
    assert peer.calls == ["eof" if has_eof else "close"]
    async with asyncio.timeout(5):
        while "abort" not in peer.calls:
            await asyncio.sleep(0)
    peer.ends()
    assert await peer.socket.closed() == (1012, "restart")
    assert peer.calls.count("abort") == 1
    assert len(peer.frames) == 1


@async_test
async def test_nothing_holds_a_socket_that_ended() -> None:
    """A socket that ended is not held by the timer that would have cut it off."""
    peer = Peer()
    peer.sends((Opcode.CLOSE, Close(1000, "").serialize(), True))
    peer.ends()
    ended = weakref.ref(peer.socket)
    peer.received.clear()
    del peer
    await asyncio.sleep(0)
    gc.collect()
    assert ended() is None


@async_test
async def test_a_line_that_is_cut() -> None:
    """Without a close frame the connection ends with 1006, for whoever waits or asks later; nothing is written."""
    peer = Peer()
    waiting = asyncio.ensure_future(peer.socket.closed())
    await asyncio.sleep(0)
    peer.ends()
    assert (await waiting, await peer.socket.closed()) == ((1006, ""), (1006, ""))
    peer.socket.write(b"late")
    assert peer.frames == []


@pytest.mark.parametrize("answered", [True, False])
@async_test
async def test_closing(answered: bool) -> None:
    """Closing sends one close frame, waits for the end for a while, then cuts the line."""
    peer = Peer()
    peer.socket.write(b"last")
    closing = asyncio.ensure_future(peer.socket.close(1000, "bye", 5.0 if answered else 0.001))
    await asyncio.sleep(0)
    if answered:
        peer.ends()
    await closing
    assert peer.calls == ([] if answered else ["abort"])
    await peer.socket.close(1000, "bye", 0.0)
    assert [(frame.opcode.name, bytes(frame.data)) for frame in peer.frames] == [
        ("TEXT", b"last"),
        ("CLOSE", Close(1000, "bye").serialize()),
    ]


@async_test
async def test_pausing() -> None:
    """Reading is paused and goes on as asked."""
    peer = Peer()
    peer.socket.pause()
    peer.socket.resume()
    assert peer.calls == ["pause", "resume"]
