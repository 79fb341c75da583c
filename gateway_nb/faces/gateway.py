"""`Gateway`: the sync face of the client, for notebooks: the core's coroutines, run on the loop's thread."""

from __future__ import annotations

import contextlib
import functools
import html
import time
import warnings
import weakref
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Literal, Never, Unpack, overload

from ..capture.detached import DetachedCapture
from ..capture.detached import start as start_capture
from ..capture.journal import Capture
from ..client import options as options_
from ..client.calls import call, refuse_keywords, subscribe, wait_for
from ..client.core import STOP_TIMEOUT, Core
from ..client.event import Event
from ..client.feed import Subscription
from ..client.options import ConnectOptions, portable
from ..client.pairing import start_when_paired
from ..client.redaction.redactor import Redactor
from ..client.status import Status
from ..errors import CaptureError, PairingRequiredError
from ..events import widgets
from ..events.log import EventLog
from ..protocol.lines import torn_end
from ..sync.dispatcher import Dispatcher
from ..sync.handle import RequestHandle
from ..sync.loop_thread import LoopThread, loop_thread
from .agents import Agents
from .method_path import MethodPath
from .records import Records

if TYPE_CHECKING:
    from ..events.widgets import EventTable, Panel
    from ..tools.tool import Decorator
    from .tools import Tools


class Gateway(Agents, Records):
    """A connection to a gateway, for code without ``await``. Made by `gateway_nb.connect`.

    Every method may be called from any thread, from a handler, and in a cell with a running loop. Ctrl-C
    cancels the call, waits for its cleanup, and leaves the connection alive.

    Attributes:
        name: of the connection.
        events: what arrived, as an `EventLog`.
        call: any method as attributes: ``gw.call.sessions.list(limit=5)``.
        closed: `close` was called last, not `connect`.
        core: the client's core, of which this is a face: for what is built on this package.
        dispatcher: the thread of the handlers.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        token: str | None = None,
        password: str | None = None,
        device_token: str | None = None,
        bootstrap_token: str | None = None,
        timeout: float = 15.0,
        name: str = "default",
        **options: Unpack[ConnectOptions],
    ) -> None:
        self.name = name
        self.closed = False
        self.call = MethodPath(self, "")
        self._connect_timeout = options_.timeout(timeout)
        self.core = Core(
            options_.resolve(
                url,
                token=token,
                password=password,
                device_token=device_token,
                bootstrap_token=bootstrap_token,
                options=options,
            )
        )
        self.events = EventLog(redactor=self.redactor)
        self._captures: weakref.WeakSet[Capture] = weakref.WeakSet()
        self.dispatcher = Dispatcher()
        self.core.handlers.dispatch = self.dispatcher.call
        self._remove_log = self.core.feed.keep(self.events)
        self._thread: LoopThread = loop_thread()
        self._thread.at_exit(self.core, STOP_TIMEOUT)
        # The finalizer must not hold this object, and must not wait.
        self._finalizer = weakref.finalize(self, _abandon, self._thread, self.core, self.dispatcher)
        self._finalizer.atexit = False  # the loop thread closes what is left, with a close frame

    def connect(self, timeout: float | EllipsisType | None = ...) -> Gateway:
        """Connect again after `close` or a pause; does nothing while connected.

        Args:
            timeout: seconds until connected; default: as given to `gateway_nb.connect`.

        Raises:
            GatewayConnectError: or one of its kinds, saying why.
        """
        limit = self._connect_timeout if isinstance(timeout, EllipsisType) else options_.timeout(timeout)
        self._thread.run(lambda: self.core.start(limit), "connect")
        self.closed = False
        return self

    def wait_until_paired(
        self, timeout: float = 300.0, on_pending: Callable[[PairingRequiredError], object] | None = None
    ) -> Gateway:
        """Connect, and where the gateway's owner has to approve this device first, wait until that is done.

        Args:
            timeout: seconds to wait for the owner.
            on_pending: called once with the error that says what to approve, on the loop's thread; what it raises is
                logged, and in `status`.

        Raises:
            PairingRequiredError: nobody approved it in time.
            GatewayConnectError: connecting failed for another reason.
        """
        limit, patience = self._connect_timeout, options_.timeout(timeout)
        self._thread.run(lambda: start_when_paired(self.core, limit, patience, on_pending), "wait_until_paired")
        self.closed = False
        return self

    def close(self) -> None:
        """Close the connection: open requests fail, handlers hear nothing more, captures end, tools are gone.

        The events stay. Calling it again does nothing.
        """
        self.closed = True
        for capture in list(self._captures):
            try:
                capture.stop()
            except CaptureError as error:
                if capture.stats.error is None:  # else it was told when it happened
                    self.core.log.problem(error)
        with contextlib.ExitStack() as ends:  # the last first, each whatever becomes of the others
            ends.callback(self.dispatcher.stop)
            if self._thread.is_alive():
                ends.callback(self._thread.run, lambda: self.core.stop(STOP_TIMEOUT), "close")
            for offer in {"tools", "approvals"} & vars(self).keys():
                ends.callback(getattr(self, offer).stop)

    def __enter__(self) -> Gateway:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _continue(self, log: EventLog) -> None:
        """Continue another connection's event log, as `gateway_nb.connect` does when a cell is run again."""
        self._remove_log()
        self.redactor.keep_also(log.redactor)
        log.redactor = self.redactor
        self.events = log
        self._remove_log = self.core.feed.keep(log)

    # Calling

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | EllipsisType | None = ...,
        expect_final: bool = False,
        **others: Never,
    ) -> Any:
        """Call a method and return the payload of its answer.

        Args:
            method: e.g. ``"sessions.list"``.
            params: a mapping; an `idempotencyKey` is added for the methods that need one.
            timeout: seconds, ``None`` for no limit; default `request_timeout` (30 s), and no limit with
                `expect_final`. Requests that the gateway asks to repeat are repeated within it.
            expect_final: an answer ``status: "accepted"`` is only an acknowledgement; wait for the next. For
                ``chat.send`` it is the ``chat`` event that ends the run.

        Returns:
            The payload, decoded: dict, list, str, number, bool or ``None``.

        Raises:
            GatewayRequestError: the gateway said no; `MissingScopeError` and `RateLimitedError` are kinds of it.
            GatewayTimeoutError: no answer in time.
            GatewayClosedError: not connected, or not any more.
            BadParamsError: the params are not JSON.

        Example:
            >>> gw.request("health")["ok"]
            True
        """
        refuse_keywords(others)
        return self._thread.run(lambda: call(self.core, method, params, timeout, expect_final), method)

    def submit(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | EllipsisType | None = ...,
        expect_final: bool = False,
    ) -> RequestHandle[Any]:
        """Call a method in the background. Arguments as for `request`.

        Returns:
            A handle: ``.result(timeout)``, ``await handle``, ``.cancel()``, ``.done()``.
        """
        return self._thread.submit(call(self.core, method, params, timeout, expect_final), method)

    # Listening

    def on(self, event: str, handler: Callable[[Event], object]) -> Subscription:
        """Call a handler for each event, in order, on a thread of the handlers' own.

        It may call this object's methods. What it raises is logged, and counted in ``gw.status.counters``.

        Args:
            event: name or glob pattern, e.g. ``"chat"``, ``"session.*"``.
            handler: called with an `Event`.

        Returns:
            A `Subscription`; ``.cancel()`` ends it.
        """
        return subscribe(self.core, event, handler)

    def wait_for(
        self, event: str, where: Callable[[Event], object] | None = None, timeout: float | None = 30.0
    ) -> Event:
        """Return the next event of that name for which `where` is true.

        Args:
            event: name or glob pattern.
            where: called with each on the loop's thread, so it must be quick; default: the first will do.
            timeout: seconds, ``None`` for no limit.

        Raises:
            GatewayTimeoutError: none came in time.
            GatewayClosedError: the connection was closed.
        """
        return self._thread.run(lambda: wait_for(self.core, event, where, timeout), f"wait_for({event!r})")

    @overload
    def capture(
        self,
        path: str | Path | None = None,
        events: str | Iterable[str] = ("*",),
        *,
        append: bool = False,
        requests: bool = False,
        rotate: str | None = None,
        detached: Literal[False] = False,
    ) -> Capture: ...

    @overload
    def capture(
        self,
        path: str | Path | None = None,
        events: str | Iterable[str] = ("*",),
        *,
        append: bool = False,
        rotate: str | None = None,
        detached: Literal[True],
    ) -> DetachedCapture: ...

    def capture(
        self,
        path: str | Path | None = None,
        events: str | Iterable[str] = ("*",),
        *,
        append: bool = False,
        requests: bool = False,
        rotate: str | None = None,
        detached: bool = False,
    ) -> Capture | DetachedCapture:
        """Write events to a file as they come, one JSON line each.

        Args:
            path: the file; a name that ends in ``.zst`` is compressed. Default: a name with the time, in this folder.
            events: patterns of the event names to keep.
            append: continue a capture that exists, not a compressed one. What a killed writer left of its last line
                is moved to a file beside it, named in a warning and in ``stats.torn``.
            requests: keep requests and their answers, too, for a replay; secrets are replaced.
            rotate: ``"100MB"`` or ``"1h"``: go on in another file then, ``run-00001.jsonl`` and so on.
            detached: capture in a process of its own, with a connection of its own, which goes on when this kernel
                ends. Asked for the same file again, it returns the one that runs.

        Returns:
            A `Capture`, a context manager; ``.stop()`` ends it. Or a `DetachedCapture`; `gateway_nb.captures` finds it.

        Raises:
            CaptureError: the file exists, its folder does not, it is not a capture to append to, another capture writes
                to it, or it can't be written. If the disk fails later, `status` says so.
            ValueError: `rotate` says no size and no time, or these options don't go together.
        """
        patterns = (events,) if isinstance(events, str) else tuple(events)
        file = Path(path or time.strftime("gateway-%Y%m%d-%H%M%S.jsonl"))
        if detached:
            if requests:
                raise ValueError("requests=True keeps this process's requests, and detached=True is another process")
            started = start_capture(portable(self.core.settings), file, events=patterns, append=append, rotate=rotate)
            if (torn := started.stats.torn) is not None:
                warnings.warn(torn_end(started.path, torn), stacklevel=2)
            return started
        attached: list[Capture] = []

        def attach(capture: Capture) -> Callable[[], object]:
            attached.append(capture)
            self._captures.add(capture)
            removals = [self.core.feed.keep(capture)]
            if requests:
                removals.append(self.core.requests.record(capture))
            return lambda: [remove() for remove in removals]

        try:
            return Capture(
                file,
                patterns,
                append=append,
                rotate=rotate,
                redactor=self.redactor,
                attach=attach,
                on_error=self.core.log.problem,
            )
        except BaseException:  # Ctrl-C between the last step and the return: nobody has the capture
            for capture in attached:
                capture.discard()
            raise

    # Offering

    @property
    def tool(self) -> Decorator:
        """Offers a function as a tool of the gateway's agents: ``@gw.tool``; options: `tools.tool.ToolOptions`."""
        from ..tools.tool import Decorator

        return Decorator(self.tools.offer)

    @functools.cached_property
    def tools(self) -> Tools:
        """The functions that are offered, and their calls."""
        from .tools import Tools

        return Tools(self._thread, self.core)

    # Seeing

    def table(self) -> EventTable:
        """Return a live table of the events, a widget."""
        return widgets.connection_table(self)

    def panel(self) -> Panel:
        """Return status, events, requests and runs in tabs, a widget."""
        return widgets.panel(self)

    @property
    def status(self) -> Status:
        """A frozen snapshot: state, url, protocol, server_version, scopes, epoch, rtt, counters. No I/O."""
        return self.core.status

    @property
    def hello(self) -> dict[str, Any] | None:
        """The last hello-ok, with its secrets replaced; ``None`` before the first."""
        return self.core.hello.raw if self.core.hello else None

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods the gateway advertised (some callable ones are not among them)."""
        return self.core.hello.methods if self.core.hello else ()

    @property
    def event_names(self) -> tuple[str, ...]:
        """The event names the gateway advertised."""
        return self.core.hello.events if self.core.hello else ()

    @property
    def redactor(self) -> Redactor:
        """What takes this connection's secrets out of what is shown, written or exported."""
        return self.core.log.redactor

    @property
    def log(self) -> tuple[str, ...]:
        """The last 500 log lines, secrets replaced."""
        return self.core.log.lines

    def __repr__(self) -> str:
        return f"<Gateway {self.name!r} {self.status.state} {self.status.url}>"

    def _repr_html_(self) -> str:
        title = f"<div><b>{html.escape(self.name)}</b> · events kept: {len(self.events):,}</div>"
        return title + self.status._repr_html_()


def _abandon(thread: LoopThread, core: Core, dispatcher: Dispatcher) -> None:
    thread.call(core.abort)
    dispatcher.stop()
