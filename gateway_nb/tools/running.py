"""What a tool's function can do while it runs: report progress, see that nobody waits any more, and print."""

from __future__ import annotations

import contextlib
import contextvars
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO

from .calls import Call

_current: contextvars.ContextVar[Call | None] = contextvars.ContextVar("gateway_nb_tool_call", default=None)


def progress(text: object) -> None:
    """Say how far a tool's function is: it is kept in the call's record. Without effect where no tool's call runs.

    Args:
        text: anything; shown as text.

    Example:
        >>> @gw.tool
        ... def count(files: list[str]) -> int:
        ...     '''Count the lines of files.'''
        ...     for number, file in enumerate(files):
        ...         gnb.tools.progress(f"{number} of {len(files)}")
    """
    if (call := _current.get()) is not None:
        call.report(str(text))


def cancelled() -> bool:
    """Return whether nobody waits for this call's answer any more: it took too long, or its run was aborted.

    Where no tool's call runs, as in a call by the user: ``False``.
    """
    call = _current.get()
    return call is not None and call.cancelled.is_set()


class _Router:
    """Stands in for ``sys.stdout`` while tools run: what one prints goes to its call, all else to where it went."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        call = _current.get()
        if call is None:
            return self._stream.write(text)
        call.write(text)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_lock = threading.Lock()
_running = 0
_NAMES = ("stdout", "stderr")


@contextlib.contextmanager
def current(call: Call) -> Iterator[None]:
    """Make a call the current one, on this thread or in this task; what is printed within goes to its record."""
    global _running
    with _lock:
        _running += 1
        for name in _NAMES:
            if not isinstance(stream := getattr(sys, name), _Router) and stream is not None:
                setattr(sys, name, _Router(stream))
    token = _current.set(call)
    try:
        yield
    finally:
        _current.reset(token)
        with _lock:
            _running -= 1
            for name in _NAMES if not _running else ():
                if isinstance(router := getattr(sys, name), _Router):
                    setattr(sys, name, router._stream)
