"""The transport over picows, called as the library calls it, without a socket."""

from __future__ import annotations

import asyncio
import gc
from types import SimpleNamespace
from typing import Any

import picows
import pytest

from gateway_nb.client.transport import messages
from gateway_nb.client.transport.interface import TransportClosed
from gateway_nb.client.transport.picows import _Listener
from tests.helpers.support import async_test

TEXT, BINARY, CONTINUATION = picows.WSMsgType.TEXT, picows.WSMsgType.BINARY, picows.WSMsgType.CONTINUATION
PING, PONG, CLOSE = picows.WSMsgType.PING, picows.WSMsgType.PONG, picows.WSMsgType.CLOSE


class Library:
    """What the library gives a listener, and what the listener asks of it.

    Attributes:
        calls: what it asked for, in order.
        why: why the library ended the connection, for whoever asks.
    """

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.is_close_frame_sent = False
        self.is_closing = False
        self.close_handshake: Any = None
        self.why: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.underlying_transport = SimpleNamespace(
            is_closing=lambda: self.is_closing,
            pause_reading=lambda: self.calls.append("pause"),
            resume_reading=lambda: self.calls.append("resume"),
        )
        self.listener = _Listener()
        self.listener.on_ws_connected(self)
        self.received: list[list[bytes]] = []

    def send(self, kind: Any, data: bytes) -> None:
        self.calls.append(("text", data))

    def send_pong(self, payload: bytes) -> None:
        assert isinstance(payload, bytes)
        self.calls.append(("pong", payload))

    def send_ping(self, payload: bytes) -> None:
        self.calls.append(("ping", payload))

    def send_close(self, code: int, reason: bytes = b"") -> None:
        self.calls.append(("close", code, reason))
        self.is_close_frame_sent = True

    def disconnect(self, graceful: bool = True) -> None:
        self.calls.append("disconnect" if graceful else "abort")

    async def wait_disconnected(self) -> None:
        await self.why

    def listens(self) -> None:
        self.listener.listen(self.received.append)

    def comes(self, kind: Any, payload: bytes = b"", *, fin: bool = True, last: bool = True, rsv: int = 0) -> None:
        """A frame comes; `last`: nothing else is in the buffer; `rsv`: which reserved bit is set."""
        frame = SimpleNamespace(
            msg_type=kind,
            fin=fin,
            last_in_buffer=last,
            get_payload_as_bytes=lambda: payload,
            **{f"rsv{number}": number == rsv for number in (1, 2, 3)},
        )
        self.listener.on_ws_frame(self, frame)

    async def ends(self, error: BaseException | None = None) -> None:
        """The library ends the connection, and says why to whoever asks."""
        self.listener.on_ws_disconnected(self)
        await asyncio.sleep(0)
        if error is None:
            self.why.set_result(None)
        else:
            self.why.set_exception(error)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


@async_test
async def test_messages() -> None:
    """Messages that come together are pushed together, those that came early first; what is no message, is not."""
    library = Library()
    library.comes(TEXT, b"a")
    library.listens()
    library.comes(TEXT, b"b", last=False)
    library.comes(TEXT, b"c", fin=False, last=False)
    library.comes(PING, b"p", last=False)
    library.comes(CONTINUATION, b"d", fin=False)
    library.comes(CONTINUATION, b"e")
    library.comes(BINARY, b"no")
    library.comes(BINARY, b"no", fin=False)
    library.comes(CONTINUATION, b"no")
    library.comes(TEXT, b"f")
    assert library.received == [[b"a"], [b"b"], [b"cde"], [b"f"]]
    assert library.listener.binary_frames == 2
    assert library.calls == [("pong", b"p")]


@pytest.mark.parametrize(
    "frames",
    [
        [(CONTINUATION, True, 0)],
        [(TEXT, False, 0), (TEXT, True, 0)],
        [(TEXT, False, 0), (TEXT, False, 0)],
        [(BINARY, False, 0), (TEXT, True, 0)],
        *([(TEXT, True, bit)] for bit in (1, 2, 3)),
    ],
)
@async_test
async def test_violations(frames: list[tuple[Any, bool, int]]) -> None:
    """A message inside another, a piece of none, or a reserved bit ends the connection with 1002."""
    library = Library()
    for kind, fin, bit in frames[:-1]:
        library.comes(kind, b"x", fin=fin, rsv=bit)
    kind, fin, bit = frames[-1]
    with pytest.raises(picows.WSProtocolError) as error:
        library.comes(kind, b"x", fin=fin, rsv=bit)
    assert error.value.code == 1002


@async_test
async def test_a_message_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message in pieces beyond the limit ends the connection; once it ends, pieces are of no interest."""
    monkeypatch.setattr(messages, "MAX_FRAME_BYTES", 5)
    library = Library()
    library.comes(TEXT, b"123", fin=False)
    with pytest.raises(picows.WSProtocolError, match="a message of more than 5 bytes") as error:
        library.comes(CONTINUATION, b"456", fin=False)
    assert error.value.code == 1009
    library.is_close_frame_sent = True
    library.comes(CONTINUATION, b"456", fin=False)
    library.comes(CONTINUATION, b"456789")
    library.listens()
    assert library.received == []


@async_test
async def test_pings_of_the_peer() -> None:
    """A ping is answered at once; while nothing can be written the last one is answered later; after the end none."""
    library = Library()
    library.comes(PING, b"1")
    library.listener.pause_writing()
    library.comes(PING, b"2")
    library.comes(PING, b"3")
    assert library.calls == [("pong", b"1")]
    library.listener.resume_writing()
    library.listener.resume_writing()
    assert library.calls == [("pong", b"1"), ("pong", b"3")]
    library.listener.pause_writing()
    library.comes(PING, b"4")
    library.is_close_frame_sent = True
    library.listener.resume_writing()
    library.comes(PING, b"5")
    library.is_close_frame_sent, library.is_closing = False, True
    library.comes(PING, b"6")
    library.listener.write(b"x")
    assert library.calls == [("pong", b"1"), ("pong", b"3")]


@async_test
async def test_our_pings() -> None:
    """A ping is sent with a payload of its own, and its answer ends it; the end of the socket does, too."""
    library = Library()
    for number in range(2):
        ping = asyncio.ensure_future(library.listener.ping())
        await asyncio.sleep(0)
        kind, payload = library.calls[number]
        assert kind == "ping"
        library.comes(PONG, b"another")
        assert not ping.done()
        library.comes(PONG, payload)
        assert await ping >= 0
    library.is_close_frame_sent = True
    ping = asyncio.ensure_future(library.listener.ping())
    await asyncio.sleep(0)
    assert len(library.calls) == 2
    await library.ends()
    with pytest.raises(TransportClosed):
        await ping


@pytest.mark.parametrize(
    ("payload", "closed", "sent"),
    [
        (b"", (1005, ""), ("close", 0, b"")),
        (b"\x03\xe8", (1000, ""), ("close", 1000, b"")),
        (b"\x03\xf4restart", (1012, "restart"), ("close", 1012, b"")),
    ],
)
@pytest.mark.parametrize("ours", [True, False])
@async_test
async def test_the_peer_closes(payload: bytes, closed: tuple[int, str], sent: Any, ours: bool) -> None:
    """A close frame is answered with its code, unless it is the answer to ours; it is how the connection ended."""
    library = Library()
    library.is_close_frame_sent = ours
    library.comes(CLOSE, payload)
    assert library.calls == ["disconnect"] if ours else [sent, "disconnect"]
    ending = asyncio.ensure_future(library.listener.closed())
    await asyncio.sleep(0)
    assert not ending.done()
    await library.ends()
    assert await ending == closed


@pytest.mark.parametrize(
    ("ours", "closed"),
    [
        (None, (1006, "")),
        (SimpleNamespace(sent=None), (1006, "")),
        (SimpleNamespace(sent=SimpleNamespace(code=1009, reason="too large")), (1009, "too large")),
    ],
)
@async_test
async def test_no_close_frame(ours: Any, closed: tuple[int, str]) -> None:
    """Without a close frame of the peer's, ours is how the connection ended, else it was cut."""
    library = Library()
    library.close_handshake = ours
    await library.ends()
    assert await library.listener.closed() == closed


@async_test
async def test_why_the_library_ended_is_printed_by_nobody() -> None:
    """An error with which the library ends a connection is in its close frame; asyncio complains of nothing."""
    complaints: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    for error in (None, ValueError("a violation"), asyncio.CancelledError()):
        library = Library()
        if isinstance(error, asyncio.CancelledError):
            library.listener.on_ws_disconnected(library)
            await asyncio.sleep(0)
            library.why.cancel()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        else:
            await library.ends(error)
        del library
    gc.collect()
    assert complaints == []


@pytest.mark.parametrize("answered", [True, False])
@async_test
async def test_closing(answered: bool) -> None:
    """Closing sends one close frame, waits for the end for a while, then cuts the line."""
    library = Library()
    closing = asyncio.ensure_future(library.listener.close(1000, "bye", 5.0 if answered else 0.001))
    await asyncio.sleep(0)
    assert library.calls == [("close", 1000, b"bye")]
    if answered:
        await library.ends()
    await closing
    assert library.calls[1:] == ([] if answered else ["abort"])
    await library.listener.close(1000, "bye", 0.0)
    assert len([call for call in library.calls if call[0] == "close"]) == 1


@async_test
async def test_writing_and_pausing() -> None:
    """What is written is sent as text; reading is paused and goes on as asked."""
    library = Library()
    library.listener.write(b"x")
    library.listener.pause()
    library.listener.resume()
    library.listener.abort()
    assert library.calls == [("text", b"x"), "pause", "resume", "abort"]
