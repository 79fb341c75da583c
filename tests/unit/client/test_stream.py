"""What waits for a slow reader is bounded in bytes, and what gives way is counted."""

from __future__ import annotations

import asyncio

import msgspec

from gateway_nb.client.event import Event
from gateway_nb.client.stream import STREAM_BYTES, EventStream


def event(number: int, size: int = 1000) -> Event:
    return Event(0.0, 1, "x", number, msgspec.Raw(b'"' + b"x" * size + b'"'))


def test_a_stream_says_what_it_lost() -> None:
    """A reader that lags gets a mark with the number of events that were dropped, where they are missing."""

    async def read() -> list[Event]:
        stream = EventStream(limit=10 * event(0).size)
        for number in range(15):
            stream.put(event(number))
        first = [await anext(stream) for _ in range(3)]
        for number in range(15, 20):
            stream.put(event(number))
        stream.end()
        return first + [item async for item in stream]

    items = asyncio.run(read())
    shown = [item.payload["events"] if item.kind == "dropped" else item.seq for item in items]
    assert shown == [5, 5, 6, 3, *range(10, 20)]
    assert [item.kind for item in items].count("dropped") == 2


def test_a_stream_keeps_one_event_however_large() -> None:
    """An event larger than the limit is read all the same."""

    async def read() -> list[Event]:
        stream = EventStream(limit=10)
        for number in range(3):
            stream.put(event(number))
        stream.end()
        return [item async for item in stream]

    dropped, last = asyncio.run(read())
    assert (dropped.payload, last.seq) == ({"events": 2}, 2)
    assert STREAM_BYTES == 64 * 1024 * 1024


def test_a_stream_waits() -> None:
    """A reader that has read everything waits for the next event, or the end, each time anew."""

    async def read() -> None:
        stream = EventStream()
        for number in range(2):
            waiting = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0)
            assert not waiting.done()
            stream.put(event(number))
            assert (await waiting).seq == number
        end = asyncio.create_task(_rest(stream))
        await asyncio.sleep(0)
        stream.end()
        assert await end == []

    asyncio.run(asyncio.wait_for(read(), 5))


async def _rest(stream: EventStream) -> list[Event]:
    return [item async for item in stream]
