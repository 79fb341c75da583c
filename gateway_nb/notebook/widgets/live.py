"""What all widgets share: messages to and from their views, ten updates a second while somebody watches, and an end.

A view is one place in one browser. It says when it opens, that it is still there, and when it closes. Data goes in
custom messages, as JSON in a binary buffer, and never in a synced trait: traits are saved into the notebook. What is
seen where no kernel runs is an output of its own, a picture, which a view hides while it is live.

Handlers run on whichever thread the kernel chooses: the main one or a subshell's.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections.abc import Mapping
from importlib import resources
from typing import Any, ClassVar

import anywidget
import ipywidgets
from IPython.core.getipython import get_ipython
from IPython.display import publish_display_data

from ...errors import GatewayError, printable
from ...protocol.frames import encode

PERIOD = 0.1
SLOW_AFTER = 15.0
"""Seconds without a message of a view after which it gets one a second: its browser may be busy, or gone."""
GONE_AFTER = 600.0
"""Seconds after which it counts as gone: the server would keep all messages for a browser that never comes back."""
_SLOW_PERIOD = 1.0
_LOADING = 3.0
_LOGGER = logging.getLogger("gateway_nb")


def bundle(widget: str, kind: str) -> str:
    """Return what a browser gets of a widget; ``python -m tests.bundle`` builds it from the sources beside it.

    Args:
        widget: its folder.
        kind: ``js`` or ``css``.
    """
    return (resources.files(__package__) / widget / f"bundle.{kind}").read_text("utf-8")


def excerpt(text: str, longest: int) -> str:
    """Return the beginning of a text of an agent as it may be shown, and how much is left out."""
    left_out = f"… {len(text) - longest:,} characters more" if len(text) > longest else ""
    return printable(text[:longest]) + left_out


def display(widget: LiveWidget | ipywidgets.Tab, bundle: Any) -> None:
    """Display a widget, and its picture as an output of its own: exporters of notebooks show only one form of each.

    Args:
        widget: with `picture` and `text`.
        bundle: what its front end shows of it, by MIME type.
    """
    publish_display_data({**bundle, "text/plain": repr(widget)})
    picture = {"text/html": widget.picture(), "text/plain": widget.text()}
    if any(picture.values()):
        publish_display_data({kind: content for kind, content in picture.items() if content})


def close_all() -> None:
    """Close every widget of this package."""
    for widget in list(_all):
        widget.close()


class _View:
    """A place where a widget is seen."""

    def __init__(self) -> None:
        self.heard = time.monotonic()
        self.paused = False


class LiveWidget(anywidget.AnyWidget):
    """A widget with views. `refresh` is called about ten times a second while there are any.

    Attributes:
        MESSAGES: the messages of a view that have a method of their own, ``_on_NAME``.
    """

    MESSAGES: ClassVar[tuple[str, ...]] = ()

    def __init__(self) -> None:
        super().__init__()
        self._views: dict[str, _View] = {}
        self._lock = threading.RLock()
        self._next_refresh = 0.0
        self._loaded = time.monotonic() + _LOADING
        self._ends: float | None = None
        self.on_msg(self._receive)
        _answer_during_a_cell(self.comm)
        register(self)

    def refresh(self, slow: bool) -> None:
        """Send the views what changed; called on the widgets' thread.

        Args:
            slow: no view has sent anything for a while: send little.
        """

    def opened(self, view: str) -> None:
        """Send a new view everything it needs."""

    def html(self) -> str:
        """Return what is seen where no kernel runs, empty for nothing. Everything from a gateway is escaped in it."""
        return ""

    def text(self) -> str:
        """Return the same for a terminal, without its control sequences."""
        return ""

    def picture(self) -> str:
        """Return `html` in an element that a live view hides."""
        content = self.html()
        return content and f'<div id="{self._picture_id}">{content}</div>'

    @property
    def _picture_id(self) -> str:
        return f"gnb-{self.model_id}"

    def post(self, kind: str, body: Any = None, to: str | None = None) -> None:
        """Send the views a message.

        Args:
            kind: what it is.
            body: anything that is JSON.
            to: one view; default: all of them.
        """
        try:
            self.send({"type": kind, "to": to}, buffers=[encode(body)])
        except Exception as error:  # noqa: BLE001 - closed in this very moment, or the kernel is on its way out
            _LOGGER.debug("a widget could not send: %s", error)

    @property
    def watched(self) -> bool:
        """Whether any view wants to see rows now."""
        return any(not view.paused for view in list(self._views.values()))

    def close(self) -> None:
        """End it: its views go away, and it sends nothing more."""
        if self.comm is None:  # closed before; this may be its __del__, on any thread, within any lock
            return
        self._views.clear()
        if time.monotonic() < self._loaded and getattr(self.comm, "kernel", None) is not None:
            # A front end that still loads a model which goes away would complain of it, seconds later.
            self._ends = self._loaded
            ticker.add(self)
            return
        ticker.remove(self)
        layout = self.layout
        super().close()
        layout.close()  # a model of its own, which nothing else closes

    def _receive(self, widget: Any, content: Any, buffers: Any) -> None:
        if not isinstance(content, Mapping):
            return
        kind, name = content.get("type"), str(content.get("view"))
        if self._ends is not None:
            return
        try:
            if kind == "close":
                self._views.pop(name, None)
                return
            if name not in self._views:
                self._views[name] = _View()
                self.post("live", self._picture_id, to=name)
                self.opened(name)
                ticker.add(self)
            view = self._views[name]
            view.heard = time.monotonic()
            view.paused = bool(content.get("paused", view.paused))
            if kind in self.MESSAGES:
                getattr(self, f"_on_{kind}")(name, content)
        except GatewayError as error:
            self.post("problem", str(error), to=name)
        except Exception as error:
            _LOGGER.exception("a widget failed")
            self.post("problem", f"a bug in gateway_nb: {type(error).__name__}; gateway_nb's log has the rest", to=name)

    def _pulse(self, now: float) -> None:
        if self._ends is not None:
            if now >= self._ends:
                self.close()
            return
        for name, view in list(self._views.items()):
            if now - view.heard >= GONE_AFTER:
                self._views.pop(name, None)
        heard = max((view.heard for view in list(self._views.values())), default=None)
        if heard is None:
            ticker.remove(self)
            return
        slow = now - heard >= SLOW_AFTER
        if now >= self._next_refresh:
            self._next_refresh = now + (_SLOW_PERIOD if slow else 0.0)
            self.refresh(slow)

    def _ipython_display_(self) -> None:
        bundle: Any = self._repr_mimebundle_()
        display(self, bundle[0])

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class Ticker:
    """The widgets' thread: it lives while there is a widget that somebody watches, and no longer.

    Not the event loop: looking for a text in a million rows must not keep the socket waiting.
    """

    def __init__(self) -> None:
        self._widgets: set[LiveWidget] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._wake = threading.Event()

    def add(self, widget: LiveWidget) -> None:
        """Call a widget's pulse from now on, and at once."""
        with self._lock:
            self._widgets.add(widget)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="gateway_nb-widgets", daemon=True)
                self._thread.start()
        self._wake.set()

    def remove(self, widget: LiveWidget) -> None:
        """Call it no more."""
        with self._lock:
            self._widgets.discard(widget)
        self._wake.set()

    def stop(self) -> None:
        """End the thread: the interpreter exits."""
        with self._lock:
            self._widgets.clear()
            thread = self._thread
        self._wake.set()
        if thread is not None:
            thread.join(1.0)

    def _run(self) -> None:
        while True:
            with self._lock:
                widgets = list(self._widgets)
                if not widgets:
                    self._thread = None
                    return
            began = time.monotonic()
            for widget in widgets:
                try:
                    widget._pulse(began)
                except Exception:
                    _LOGGER.exception("a widget failed, and is updated no more")
                    self.remove(widget)
            del widgets, widget
            # Never faster than the period, even where somebody wakes it: a browser and its server have other work, too.
            self._wake.wait(PERIOD)
            self._wake.clear()
            time.sleep(max(began + PERIOD / 2 - time.monotonic(), 0.0))


ticker = Ticker()
atexit.register(ticker.stop)


def _answer_during_a_cell(comm: Any) -> None:
    """Let messages of this widget be heard on the thread that the browser asks for, while a cell runs on the main one.

    ipykernel 7.4 sends them to the thread that spoke last, mostly the main one, where they wait for the cell's end.
    Others do what is wanted by themselves, or have no such threads.
    """
    if hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = lambda data, default: default


_all: weakref.WeakSet[ipywidgets.Widget] = weakref.WeakSet()
_by_cell: dict[str, tuple[str, weakref.WeakSet[ipywidgets.Widget]]] = {}
"""By cell: the run that made its last widgets, and these."""


def register(widget: ipywidgets.Widget) -> None:
    """Take note of a new widget: another run of its cell closes it, since its views are gone; so does `close_all`."""
    _all.add(widget)
    shell: Any = get_ipython()
    parent = shell.get_parent() if hasattr(shell, "get_parent") else {}
    header = parent.get("header", {})
    cell = parent.get("metadata", {}).get("cellId")
    if header.get("msg_type") != "execute_request" or not isinstance(cell, str):
        return
    run, widgets = _by_cell.get(cell, ("", weakref.WeakSet()))
    if run != header["msg_id"]:
        for earlier in list(widgets):
            earlier.close()
        widgets = weakref.WeakSet()
    widgets.add(widget)
    _by_cell[cell] = (header["msg_id"], widgets)
