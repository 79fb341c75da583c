"""Messages in pieces, and round trips: what both WebSocket libraries share."""

from __future__ import annotations

import asyncio
import gc

import pytest

from gateway_nb.client.transport.interface import TransportClosed
from gateway_nb.client.transport.messages import Fragments, Pings, TooLarge
from tests.helpers.support import async_test

MOST_BYTES, MOST_PIECES = 26_214_400, 16_384


def test_a_message_in_pieces() -> None:
    """The pieces of a message are put together when the last has come; the next message begins anew."""
    fragments = Fragments()
    assert [fragments.add(piece, last) for piece, last in ((b"a", False), (b"", False), (b"bc", True))] == [
        None,
        None,
        b"abc",
    ]
    assert fragments.add(b"d", last=True) == b"d"


@pytest.mark.parametrize(("more", "taken"), [(0, True), (1, False)])
def test_the_largest_message(more: int, taken: bool) -> None:
    """A message has at most 25 MiB, all its pieces together; after a larger one the next begins anew."""
    fragments, half = Fragments(), bytes(MOST_BYTES // 2)
    for _ in range(2):
        assert fragments.add(half, last=False) is None
        if taken:
            assert len(fragments.add(half, last=True) or b"") == MOST_BYTES
        else:
            with pytest.raises(TooLarge, match="more than 26,214,400 bytes"):
                fragments.add(half + b"x", last=True)
    assert fragments.add(b"", last=False) is None
    assert len(fragments.add(bytes(MOST_BYTES), last=True) or b"") == MOST_BYTES


@pytest.mark.parametrize(("pieces", "taken"), [(MOST_PIECES, True), (MOST_PIECES + 1, False)])
def test_the_most_pieces(pieces: int, taken: bool) -> None:
    """A message has at most 16,384 pieces."""
    fragments = Fragments()
    for _ in range(pieces - 1):
        assert fragments.add(b"", last=False) is None
    if taken:
        assert fragments.add(b"x", last=True) == b"x"
    else:
        with pytest.raises(TooLarge, match="16,384 fragments"):
            fragments.add(b"x", last=True)
    assert fragments.add(b"next", last=True) == b"next"


@async_test
async def test_round_trips() -> None:
    """The answer of the newest ping ends its measurement, once; those of earlier ones, and unasked ones, do not."""
    pings, time = Pings(), asyncio.get_running_loop().time
    pings.settle(b"")
    began = time()
    first, first_payload = pings.start(), pings.payload
    await asyncio.sleep(0.05)
    second = pings.start()
    assert pings.payload != first_payload
    pings.settle(first_payload)
    assert not second.done()
    pings.settle(pings.payload)
    assert 0 <= second.result() <= time() - began - 0.05
    pings.settle(pings.payload)
    assert not first.done()


@async_test
async def test_the_end_of_round_trips() -> None:
    """When the socket closes whoever waits for an answer is told so, and so is whoever asks later."""
    pings = Pings()
    pings.end()
    with pytest.raises(TransportClosed):
        pings.start()
    pings = Pings()
    waiting = pings.start()
    pings.end()
    with pytest.raises(TransportClosed):
        await waiting
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    pings = Pings()
    pings.start()
    pings.end()
    del pings
    gc.collect()
    assert complaints == [], "nobody need wait for an answer"
    pings = Pings()
    answered = pings.start()
    pings.settle(pings.payload)
    pings.end()
    assert answered.result() >= 0
