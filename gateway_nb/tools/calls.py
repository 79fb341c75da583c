"""The book of calls: who called which tool with what, how that ended, and what the function said meanwhile."""

from __future__ import annotations

import itertools
import threading
import time
import traceback
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ..client.redaction.redactor import Redactor
from .answers import Answer

KEPT = 10_000
"""Calls."""
_LONGEST = 2000  # characters of what is kept of each text
_MOST_PROGRESS = 20
_LONGEST_REPORT = 200
_COLUMNS = (
    "id",
    "time",
    "tool",
    "session",
    "run",
    "tool_call",
    "arguments",
    "status",
    "seconds",
    "size",
    "answer",
    "progress",
    "printed",
    "error",
)


@dataclass(eq=False)
class Call:
    """One call of a tool.

    Attributes:
        id: its number, from 1.
        tool: the tool's name.
        session: the session that called.
        tool_call: the id by which its caller knows it.
        time: when it came, in seconds since 1970.
        run: the run that called, where that is known.
        status: ``running``, ``waiting`` (for the user to allow it), ``ok``, ``error`` (the function raised),
            ``invalid`` (wrong arguments), ``unknown`` (no such tool), ``refused`` (not offered to this session),
            ``denied``, ``busy``, ``timeout`` or ``cancelled`` (by its caller, or since the connection was lost).
        seconds: it took, ``None`` until it has ended.
        size: characters of the answer, ``None`` until then.
        cancelled: nobody waits for its answer any more.
    """

    id: int
    tool: str
    session: str
    tool_call: str
    redactor: Redactor = field(repr=False)
    time: float = field(default_factory=time.time)
    run: str | None = None
    status: str = "running"
    seconds: float | None = None
    size: int | None = None
    cancelled: threading.Event = field(default_factory=threading.Event, repr=False)
    _texts: dict[str, str] = field(default_factory=dict, repr=False)
    _printed: list[str] = field(default_factory=list, repr=False)
    _printed_size: int = field(default=0, repr=False)
    _progress: deque[str] = field(default_factory=lambda: deque(maxlen=_MOST_PROGRESS), repr=False)
    _progressed: int = field(default=0, repr=False)

    def set_arguments(self, arguments: bytes) -> None:
        """Keep the arguments, which are JSON."""
        window = arguments[: _LONGEST + self.redactor.overlap + 1].decode("utf-8", "replace")
        self._texts["arguments"] = self.redactor.start(window, _LONGEST, json=True)

    def end(self, status: str, answer: Answer | None, error: BaseException | None = None) -> None:
        """Note how it ended.

        Args:
            status: as in `status`.
            answer: what it is answered with, if it is.
            error: what the function raised; its traceback is kept for the user.
        """
        self.status, self.seconds = status, time.time() - self.time
        if answer is not None:
            self.size = sum(len(part.get("text") or part.get("data", "")) for part in answer.content)
            self._texts["answer"] = self._clean(answer.text)
        if error is not None:
            self._texts["error"] = self._clean("".join(traceback.format_exception(error))[-_LONGEST:])

    def write(self, text: str) -> None:
        """Keep what the function prints, up to a bound. From any thread."""
        if self._printed_size < _LONGEST:
            self._printed.append(text[:_LONGEST])
        self._printed_size += len(text)

    def report(self, text: str) -> None:
        """Keep how far the function says it is; of many reports the latest. From any thread."""
        self._progressed += 1
        self._progress.append(text[:_LONGEST_REPORT])

    @property
    def arguments(self) -> str:
        """What it was called with, as JSON; of much the beginning."""
        return self._texts.get("arguments", "")

    @property
    def answer(self) -> str:
        """What it was answered with; of much the beginning."""
        return self._texts.get("answer", "")

    @property
    def error(self) -> str | None:
        """The traceback of what the function raised."""
        return self._texts.get("error")

    @property
    def printed(self) -> str:
        """What the function printed; of much the beginning."""
        more = self._printed_size - sum(map(len, self._printed))
        return self._clean("".join(self._printed)) + (f"\n[{more:,} more characters]" if more else "")

    @property
    def progress(self) -> str:
        """What the function reported, a line each; of much the end."""
        left = self._progressed - len(self._progress)
        return (f"[{left:,} earlier]\n" if left else "") + self._clean("\n".join(self._progress))

    def _clean(self, text: str) -> str:
        return self.redactor.start(text, _LONGEST)


class Calls:
    """The last 10,000 calls.

    Args:
        redactor: takes the connection's secrets out of them.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._calls: deque[Call] = deque(maxlen=KEPT)
        self._ids = itertools.count(1)
        self._last_error: str | None = None

    def begin(self, tool: str, session: str, tool_call: str, arguments: bytes) -> Call:
        """Note a call that has come, and return its record."""
        tool, session, tool_call = (self._redactor.start(text, _LONGEST) for text in (tool, session, tool_call))
        call = Call(next(self._ids), tool, session, tool_call, self._redactor)
        call.set_arguments(arguments)
        self._calls.append(call)
        return call

    def end(self, call: Call, status: str, answer: Answer | None, error: BaseException | None = None) -> None:
        """Note how a call ended; see `Call.end`."""
        call.end(status, answer, error)
        self._last_error = call.error or self._last_error

    @property
    def last_error(self) -> str | None:
        """The traceback of the latest function that raised."""
        return self._last_error

    @property
    def all(self) -> tuple[Call, ...]:
        """Every call that is kept, oldest first."""
        return tuple(self._calls)

    @property
    def df(self) -> pd.DataFrame:
        """One row for each call, oldest first."""
        calls = self.all
        columns: dict[str, Any] = {name: [getattr(call, name) for call in calls] for name in _COLUMNS}
        frame = pd.DataFrame(columns)
        frame["time"] = pd.to_datetime(frame["time"].astype("float64"), unit="s", utc=True)
        types = {"id": "int64", "seconds": "float64", "size": "Int64"}
        return frame.astype(types)
