"""Everything that happened, in order, to whoever keeps it or listens."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from typing import Any

import msgspec
import pytest

from gateway_nb.client import feed as module
from gateway_nb.client.event import Event
from gateway_nb.client.feed import Feed, matches
from gateway_nb.client.log import Log
from gateway_nb.client.stream import EventStream
from gateway_nb.errors import GatewayClosedError, GatewayTimeoutError
from gateway_nb.protocol.frames import EventFrame
from tests.helpers.support import async_test


class Heard:
    """A keeper, a listener and a callback for gaps, whose notes are in one order."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.log = Log()
        self.feed = Feed(self.log, lambda expected, received: self.notes.append(f"missed {expected}-{received}"))
        self.forget = self.feed.keep(self)
        self.feed.subscribe("*", lambda event: self.notes.append(f"heard {event.event}"))

    def extend(self, events: list[Event]) -> None:
        self.notes.append("kept " + "".join(event.event for event in events))

    def mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
        self.notes.append(" ".join([kind, str(epoch), *map(str, detail.values())]))


def frames(names: str) -> list[EventFrame]:
    return [EventFrame(name, msgspec.Raw(b'{"x":1}'), number) for number, name in enumerate(names, 1)]


@pytest.mark.parametrize(
    ("glob", "name", "matching"),
    [
        ("*", "", True),
        ("chat", "chat", True),
        ("chat", "chats", False),
        ("session.*", "session.message", True),
        ("session.*", "session", False),
        ("[", "[", True),
        ("c?at", "chat", True),
    ],
)
def test_patterns(glob: str, name: str, matching: bool) -> None:
    """A pattern is a name, or has wildcards; it matches whole names."""
    assert matches(glob, name) is matching


def test_order() -> None:
    """Events that come together are kept before anybody hears of the first, with their time and connection."""
    heard = Heard()
    heard.feed.start({"bootId": "b"})
    events: list[Event] = []
    heard.feed.subscribe("*", events.append)
    before = time.time()
    heard.feed.receive(frames("ab"))
    assert heard.notes == ["start 1 b", "kept ab", "heard a", "heard b"]
    assert [(event.event, event.epoch, event.seq, event.payload) for event in events] == [
        ("a", 1, 1, {"x": 1}),
        ("b", 1, 2, {"x": 1}),
    ]
    assert before <= events[0].received == events[1].received <= time.time()
    heard.forget()
    heard.feed.receive(frames("c"))
    assert heard.notes[4:] == ["heard c"]
    assert heard.feed.events == 3


def test_marks() -> None:
    """The first connection starts, further ones reconnect, until the user stops; a stop is noted once."""
    heard = Heard()
    heard.feed.stop()
    for starts in (True, True, False, False, True):
        heard.feed.start({}) if starts else heard.feed.stop()
    assert heard.notes == ["start 1", "reconnect 2", "stop 2", "start 3"]
    assert heard.feed.epoch == 3


def test_holes() -> None:
    """Gaps are counted with what is missing in them; of jumps those ahead mean missing events, too."""
    heard = Heard()
    heard.feed.gap(5, 9)
    heard.feed.gap(10, 11)
    heard.feed.jump(12, 3)
    heard.feed.jump(4, 4)
    heard.feed.jump(4, 99_999)
    assert heard.notes == [
        *("gap 0 5 9", "missed 5-9", "gap 0 10 11", "missed 10-11"),
        *("jump 0 12 3", "jump 0 4 4", "jump 0 4 99999", "missed 4-99999"),
    ]
    assert (heard.feed.gaps, heard.feed.missed, heard.feed.jumps) == (2, 5, 3)
    assert heard.log.lines[0] == "warning: missed 4 events: expected 5, received 9"
    assert heard.log.lines[2] == "warning: the events' numbers jump: expected 12, received 3"


@pytest.mark.parametrize("kept", [1024, 1])
def test_listeners(kept: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Listeners hear what they asked for, in the order they came, until they cancel, whatever names there are."""
    monkeypatch.setattr(module, "_NAMES_KEPT", kept)
    feed, notes = Feed(Log()), list[str]()
    feed.receive(frames("a"))
    first = feed.subscribe("a", lambda event: notes.append(f"1{event.event}"))
    feed.receive(frames("ab"))
    with feed.subscribe("*", lambda event: notes.append(f"2{event.event}")) as second:
        feed.receive(frames("ab"))
        assert repr(second) == "Subscription('*')"
    feed.receive(frames("ab"))
    first.cancel()
    first.cancel()
    feed.receive(frames("ab"))
    assert notes == ["1a", "1a", "2a", "2b", "1a"]
    assert len(feed._by_name) <= kept


@pytest.mark.parametrize("pattern", ["", None, 7])
def test_what_is_no_pattern(pattern: Any) -> None:
    """A pattern is a string with something in it."""
    with pytest.raises(TypeError, match=r"event must be a name or a pattern like 'chat' or 'session\.\*'"):
        Feed(Log()).subscribe(pattern, print)


@async_test
async def test_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream yields what matches until the client stops; one that is left is held by nobody."""
    feed, streams = Feed(Log()), list[weakref.ref[EventStream]]()
    feed.start({})

    def make() -> EventStream:
        stream = EventStream()
        streams.append(weakref.ref(stream))
        return stream

    monkeypatch.setattr(module, "EventStream", make)
    whole, left = feed.stream("[ab]"), feed.stream()
    names: list[str] = []

    async def read() -> None:
        names.extend([event.event async for event in whole])

    reading = asyncio.create_task(read())
    first = asyncio.create_task(anext(left))
    await asyncio.sleep(0)
    feed.receive(frames("abc"))
    assert (await first).event == "a"
    await left.aclose()
    feed.receive(frames("c"))
    gc.collect()
    assert [stream() is None for stream in streams] == [False, True]
    feed.stop()
    await reading
    assert names == ["a", "b"]
    assert [event async for event in feed.stream()] == []
    feed.start({})
    again = asyncio.create_task(anext(feed.stream()))
    await asyncio.sleep(0)
    feed.receive(frames("d"))
    assert (await again).event == "d"


@async_test
async def test_waiting_for_an_event() -> None:
    """Who waits gets the next event that matches and is as they want it; marks of what was dropped are none."""
    feed = Feed(Log())
    feed.start({})
    waiting = asyncio.create_task(feed.wait_for("a", lambda event: (event.seq or 0) > 1, None))
    nearest = asyncio.create_task(feed.wait_for("*", None, 5.0))
    await asyncio.sleep(0)
    feed.receive(frames("aba"))
    assert ((await waiting).seq, (await nearest).seq) == (3, 1)


@async_test
async def test_what_was_dropped_is_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mark of events that were dropped is not the event that somebody waits for."""
    monkeypatch.setattr(module, "EventStream", lambda: EventStream(limit=1))
    feed = Feed(Log())
    waiting = asyncio.create_task(feed.wait_for("*", None, None))
    await asyncio.sleep(0)
    feed.receive(frames("abc"))
    assert ((await waiting).kind, (await waiting).event) == ("event", "c")


@async_test
async def test_waiting_in_vain() -> None:
    """Who waits in vain is told why: the time is over, the client stopped, or their own function failed."""
    feed = Feed(Log())
    with pytest.raises(TypeError, match="where must be callable, or None, not 7"):
        await feed.wait_for("a", 7, None)  # type: ignore[arg-type]
    with pytest.raises(GatewayTimeoutError, match=r"no event 'a' within 0\.001 s"):
        await feed.wait_for("a", None, 0.001)
    for error in (GatewayTimeoutError("of their own"), ValueError("a bug")):

        def where(event: Event, error: Exception = error) -> bool:
            raise error

        waiting = asyncio.create_task(feed.wait_for("a", where, 5.0))
        await asyncio.sleep(0)
        feed.receive(frames("a"))
        with pytest.raises(type(error), match=str(error)):
            await waiting
    waiting = asyncio.create_task(feed.wait_for("a", None, None))
    await asyncio.sleep(0)
    feed.stop()
    with pytest.raises(GatewayClosedError, match="no event 'a': gateway client stopped"):
        await waiting
