"""`Following`: a transcript that grows as its session goes on."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import weakref
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, TypeVar

from ..client.core import Core
from ..client.event import Event
from ..errors import GatewayClosedError, printable
from ..events import widgets
from .history import History, read_on
from .reading import Reader

T = TypeVar("T")
_PAUSE = 0.2  # seconds: messages that come together are read together
_SUBSCRIBE, _UNSUBSCRIBE = "sessions.messages.subscribe", "sessions.messages.unsubscribe"
_NEWS = ("session.message", "sessions.changed")
_followed: weakref.WeakKeyDictionary[Core, Counter[str]] = weakref.WeakKeyDictionary()
"""By client: how many follow a session, the user's own subscription counted as one of them."""


class Following(Generic[T]):
    """A transcript that grows as its session goes on. Made by `Transcript.follow`; shows itself in a notebook.

    Iterate it for the transcript as it is now, and again whenever there is more. It ends with `stop`, with the
    connection, or with an error, which the iteration raises. What came while the connection was lost is read when it is
    back.

    Args:
        core: the client's.
        loop: where the client lives.
        history: the session as it was read.
        transcript: makes a transcript of a history.

    Attributes:
        transcript: the latest.
        alive: whether it may still grow.
        error: why it ended, if it was an error.

    Example:
        >>> with gw.transcript("agent:main:main").follow() as following:
        ...     for transcript in following:
        ...         if len(transcript) > 0:
        ...             break
    """

    def __init__(
        self, core: Core, loop: asyncio.AbstractEventLoop, history: History, transcript: Callable[[History], T]
    ) -> None:
        self.transcript = transcript(history)
        self.alive = True
        self.error: Exception | None = None
        self._core = core
        self._loop = loop
        self._history = history
        self._make = transcript
        self._params = {"key": history.session}
        self._subscribed = False
        self._ending = False
        self._wanted = asyncio.Event()
        self._changed = threading.Condition()
        asyncio.run_coroutine_threadsafe(self._follow(), loop)

    def stop(self) -> None:
        """Let it grow no more; from any thread. Calling it again does nothing."""
        self._ending = True
        with contextlib.suppress(RuntimeError):  # the loop has ended, and this with it
            self._loop.call_soon_threadsafe(self._wanted.set)

    def __enter__(self) -> Following[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __iter__(self) -> Iterator[T]:
        seen: T | None = None
        while True:
            with self._changed:
                while self.transcript is seen and self.alive:
                    self._changed.wait()
                latest = self.transcript
            if latest is seen:
                break
            seen = latest
            yield latest
        if self.error is not None:
            raise self.error

    # What the feed brings, on the loop

    def extend(self, events: list[Event]) -> None:
        """Read on where there is news of a session."""
        if any(event.event in _NEWS for event in events):
            self._wanted.set()

    def mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
        """Read on after a gap or another connection; end with the last one."""
        self._ending = self._ending or kind == "stop"
        self._wanted.set()

    async def _follow(self) -> None:
        ignore = self._core.feed.keep(self)
        try:
            async with self._counted():
                while not self._ending:
                    self._wanted.clear()
                    await self._read_on()
                    await self._wanted.wait()
                    await asyncio.sleep(_PAUSE)
        except Exception as error:  # noqa: BLE001 - it is raised where the states are iterated
            self.error = None if self._ending else error
        finally:
            ignore()
            with self._changed:
                self.alive = False
                self._changed.notify_all()

    @contextlib.asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        """Count who follows the session: once nobody does, the client hears of its messages no longer."""
        followers, session = _followed.setdefault(self._core, Counter()), self._history.session
        if not followers[session] and self._core.requests.subscriptions.has(_SUBSCRIBE, self._params):
            followers[session] += 1
        followers[session] += 1
        try:
            yield
        finally:
            followers[session] -= 1
            if self._subscribed and not followers[session]:
                with contextlib.suppress(GatewayClosedError):  # what ends the connection ends its subscriptions
                    await self._ask(_UNSUBSCRIBE)

    async def _ask(self, method: str) -> None:
        await self._core.requests.ask(method, self._params, self._core.settings.request_timeout)

    async def _read_on(self) -> None:
        try:
            if not self._subscribed:
                await self._ask(_SUBSCRIBE)
                self._subscribed = True
            history = await Reader(self._core).read_silently(read_on(self._history))
        except GatewayClosedError:
            if self._core.status.state == "closed":
                raise
            return  # there is news when there is another connection
        grown = history.messages != self._history.messages or history.running != self._history.running
        self._history = history
        if grown:
            with self._changed:
                self.transcript = self._make(history)
                self._changed.notify_all()

    def __repr__(self) -> str:
        return printable(f"<Following {self._history.session}: {len(self._history.messages)} messages, {self.state}>")

    @property
    def state(self) -> str:
        """Whether it goes on, or why it does not."""
        if self.alive:
            return "following"
        return "ended" if self.error is None else f"ended: {self.error}"

    def _ipython_display_(self) -> None:
        widgets.backend.show_following(self)
