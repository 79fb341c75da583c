"""A capture: events as they come, one JSON line each, on disk soon enough that a crash loses next to nothing.

A line is the raw frame with the receive time and the epoch in front:
``{"t":SECONDS,"epoch":N,"event":NAME,"seq":N,"payload":...}``. A mark has ``"kind"`` instead of ``"event"``: start,
stop, gap, reconnect, dropped, and request and answer where these are kept.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..client.event import Event, size_of
from ..client.feed import matches, patterns_of
from ..client.log import LOGGER
from ..client.redaction.redactor import Redactor
from ..errors import CaptureError, printable
from ..protocol.frames import encode
from ..protocol.lines import torn_end
from .files import Output, Rotation, parse_rotation

if TYPE_CHECKING:
    import pandas as pd

FLUSH_EVENTS = 256
FLUSH_SECONDS = 0.05
_LARGEST_WRITE = 4 * 1024 * 1024
SYNC_SECONDS = 1.0
_QUEUE_BYTES = 128 * 1024 * 1024
_STOP_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class CaptureStats:
    """What a capture has done.

    Attributes:
        path: the file.
        events: events written.
        bytes: bytes written.
        dropped: events, requests, answers and marks that the disk was too slow for; a mark in the file says where.
        error: why it stopped by itself, or ``None``.
        torn: where the torn last line of the file that was appended to is now, or ``None``.
    """

    path: Path
    events: int
    bytes: int
    dropped: int
    error: str | None
    torn: Path | None = None


class _Line(NamedTuple):
    """A line beside the events'.

    Attributes:
        text: the line.
        is_call: it is a request's or an answer's, in which a secret may be that nobody knows by value yet.
    """

    text: bytes
    is_call: bool


class Capture:
    """Writes events to a file from a thread of its own, until `stop`. A context manager.

    Args:
        path: as for `Gateway.capture`, like `events`, `append` and `rotate`.
        redactor: takes the secrets out of what is written.
        attach: called on the writer's thread once the file is open, with this capture: connects it to where events
            come from, and returns what disconnects it again.
        on_error: called on the writer's thread with the `CaptureError` if the disk fails.
        waits: as for `Output`; called on the writer's thread. What comes meanwhile waits in memory, 128 MiB of it, and
            is dropped and counted beyond.

    Raises:
        BadArgumentError: the patterns are not strings; the other errors are those of `Gateway.capture`.

    Attributes:
        asked_for: the path as it was given.
    """

    def __init__(
        self,
        path: str | Path,
        events: Iterable[str] = ("*",),
        *,
        append: bool = False,
        rotate: str | Rotation | None = None,
        redactor: Redactor | None = None,
        attach: Callable[[Capture], Callable[[], object]] | None = None,
        on_error: Callable[[CaptureError], object] | None = None,
        waits: Callable[[OSError], bool] | None = None,
    ) -> None:
        self._patterns = patterns_of(events)
        rotation = parse_rotation(rotate) if isinstance(rotate, str) else rotate
        self.asked_for = Path(path)
        self._open_output = partial(Output, self.asked_for, append=append, rotation=rotation, waits=waits)
        self._redactor = redactor or Redactor()
        self._attach = attach
        self._detach: Callable[[], object] = lambda: None
        self._on_error = on_error
        self._every = "*" in self._patterns
        self._queue: deque[tuple[list[Event], Source | None] | bytes | _Line] = deque()
        self._queued = self._taken = 0  # events
        self._queued_bytes = self._taken_bytes = 0
        self._wake = threading.Event()
        self._events = self._bytes = self._lines = self._dropped = self._untold = 0
        self._putting = threading.Lock()
        self._error: CaptureError | None = None
        self._stopped = self._discarded = False
        self._put(_mark_line("start", 0, {}))
        self._opened: Future[Output] = Future()
        self._thread = threading.Thread(target=self._run, name="gateway_nb-capture", daemon=True)
        try:
            self._thread.start()
            self._output = self._opened.result()
            if self._output.torn is not None:
                warnings.warn(torn_end(self.path, self._output.torn), stacklevel=2)
        except BaseException:
            self.discard()
            raise

    # Called by the loop thread

    def extend(self, events: list[Event], source: Source | None = None) -> None:
        """Take events, those whose names are wanted; in the journal of many gateways with their source."""
        wanted = events if self._every else [event for event in events if self._wants(event.event)]
        with self._putting:
            if self._stopped or not wanted:
                return
            size = size_of(wanted)
            lost = 0
            while size > self._room:
                lost += 1
                size -= wanted[-lost].size
            if lost < len(wanted):
                self._note_dropped()
                self._queue.append((wanted[: len(wanted) - lost], source))
                self._queued += len(wanted) - lost
                self._queued_bytes += size
            self._dropped += lost
            self._untold += lost
        if self._queued - self._taken >= FLUSH_EVENTS:
            self._wake.set()

    def mark(self, kind: str, epoch: int, detail: dict[str, Any], source: Source | None = None) -> None:
        """Take a note: ``gap``, ``reconnect``."""
        line = _mark_line(kind, epoch, detail, source)
        self._take(_Line(line if source is None else source.redactor.json(line), is_call=False))

    def asked(self, request_id: str, method: str, params: bytes) -> None:
        """Take a request."""
        line = _mark_line("request", 0, {"id": request_id, "method": method, "params": msgspec.Raw(params)})
        self._take(_Line(line, is_call=True))

    def answered(self, request_id: str, ok: bool, answer: bytes) -> None:
        """Take an answer."""
        line = _mark_line("answer", 0, {"id": request_id, "ok": ok, "answer": msgspec.Raw(on_one_line(answer))})
        self._take(_Line(line, is_call=True))

    def _wants(self, name: str) -> bool:
        return any(matches(pattern, name) for pattern in self._patterns)

    @property
    def _room(self) -> int:
        """Bytes that may still wait for the disk."""
        return _QUEUE_BYTES - self._queued_bytes + self._taken_bytes

    def _take(self, line: _Line) -> None:
        with self._putting:
            if self._stopped:
                return
            if len(line.text) > self._room:
                self._dropped += 1
                self._untold += 1
                return
            self._note_dropped()
            self._queue.append(line)
            self._queued_bytes += len(line.text)

    def _put(self, line: bytes) -> None:
        with self._putting:
            if not self._stopped:
                self._note_dropped()
                self._queue.append(line)

    def _note_dropped(self) -> None:
        """Put down how many fell out here, before what comes after them; with the lock held."""
        if self._untold:
            self._queue.append(_mark_line("dropped", 0, {"events": self._untold}))
            self._untold = 0

    # Called by the user

    def stop(self) -> CaptureStats:
        """Write what is left, and close the file. Calling it again does nothing.

        Raises:
            CaptureError: the disk failed, or does not take what is left within 10 s; what was written is readable.
        """
        if not self._stopped:
            self._put(_mark_line("stop", 0, {}))
            self._stopped = True
            self._detach()
            self._wake.set()
        self._thread.join(_STOP_PATIENCE)
        if not self.alive:
            atexit.unregister(self._stop_at_exit)
        if self._error is not None:
            raise self._error
        if self.alive:
            left = self._queued - self._events
            what = f"lacks {left:,} events" if left else "is being written"
            raise CaptureError(f"{self.path} still {what}: the disk is slow; call stop() again to wait")
        return self.stats

    def discard(self) -> None:
        """End it as if it had never begun: the file is removed, unless it was there before.

        For whoever was interrupted before the capture was in anybody's hands.
        """
        self._discarded = self._stopped = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_PATIENCE)

    def _stop_at_exit(self) -> None:
        with contextlib.suppress(CaptureError):  # at exit there is nobody to tell
            self.stop()

    @property
    def alive(self) -> bool:
        """Whether it still writes."""
        return self._thread.is_alive()

    @property
    def stats(self) -> CaptureStats:
        """What was written so far."""
        error = None if self._error is None else str(self._error)
        return CaptureStats(self._output.path, self._events, self._bytes, self._dropped, error, self._output.torn)

    @property
    def path(self) -> Path:
        """The file; with `rotate`, the one that is written now."""
        return self._output.path

    @property
    def df(self) -> pd.DataFrame:
        """What was written so far, in all files of this capture, as in `Recording.df`."""
        from .recording import Recording

        return Recording(self._output.files).df

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return printable(f"<Capture {self.path}: {self._events:,} events{', stopped' if self._stopped else ''}>")

    # The writer thread

    def _run(self) -> None:
        """Open, connect and write: all on this thread, since no Ctrl-C comes between two steps of it."""
        if self._discarded:
            return
        try:
            self._output = self._open_output()
            if self._attach is not None:
                self._detach = self._attach(self)
            atexit.register(self._stop_at_exit)
            self._opened.set_result(self._output)
        except BaseException as error:  # noqa: BLE001 - whoever waits raises it
            self._opened.set_exception(error)
            return
        self._write()
        if self._discarded:
            self._detach()
            self._output.discard()
            atexit.unregister(self._stop_at_exit)

    def _write(self) -> None:
        synced = time.monotonic()
        try:
            with contextlib.closing(self._output):
                while True:
                    last = self._stopped  # what came before it was set is in the queue by now
                    with self._putting:
                        self._note_dropped()
                    self._flush()
                    if last:
                        break
                    self._rotate_if_due()
                    if time.monotonic() - synced >= SYNC_SECONDS:
                        self._output.sync()
                        synced = time.monotonic()
                    self._wake.wait(FLUSH_SECONDS)
                    self._wake.clear()
                self._output.sync()
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing is written any more, and that is told
            if not isinstance(error, (OSError, CaptureError)):
                LOGGER.exception("a bug in the writing of captures")
            why = getattr(error, "strerror", None) or error
            self._error = CaptureError(f"the capture {self.path} ended: {why}; what was written before is readable")
            self._stopped = True
            self._detach()
            if self._on_error is not None:
                self._on_error(self._error)

    def _flush(self) -> None:
        """Write all there is. Few large writes: each one lets go of the interpreter, and must win it back."""
        while self._queue:
            pieces: list[bytes | msgspec.Raw] = []
            before, bytes_before = self._taken, self._taken_bytes
            while self._queue and self._taken_bytes - bytes_before < _LARGEST_WRITE:
                item = self._queue.popleft()
                if isinstance(item, _Line):
                    pieces.append(self._redactor.json(item.text, guess=True) if item.is_call else item.text)
                    self._taken_bytes += len(item.text)
                elif isinstance(item, bytes):
                    pieces.append(item)
                else:
                    events, source = item
                    pieces += _lines(events) if source is None else [source.lines(events)]
                    self._taken += len(events)
                    self._taken_bytes += size_of(events)
            self._put_down(self._redactor.lines(b"".join(pieces)))
            self._events += self._taken - before

    def _put_down(self, data: bytes) -> None:
        self._rotate_if_due()
        self._output.write(data)
        self._bytes += len(data)
        self._lines += data.count(b"\n")

    def _rotate_if_due(self) -> None:
        if self._output.is_due:
            self._output.write(_mark_line("stop", 0, {"next": True}))
            self._lines += 2
            head = {"number": len(self._output.files) + 1, "line": self._lines}
            self._output.rotate(_mark_line("start", 0, head))


class Source:
    """One of the gateways whose events a capture takes: a keeper, whose lines name the gateway.

    Args:
        capture: writes them.
        gateway: the name.
        redactor: takes that gateway's secrets out of its lines.
    """

    def __init__(self, capture: Capture, gateway: str, redactor: Redactor) -> None:
        self.redactor = redactor
        self.head = b'"gateway":%b,' % encode(gateway)
        self._capture = capture

    def extend(self, events: list[Event]) -> None:
        """Take events."""
        self._capture.extend(events, self)

    def mark(self, kind: str, epoch: int, detail: dict[str, Any]) -> None:
        """Take a note."""
        self._capture.mark(kind, epoch, detail, self)

    def lines(self, events: list[Event]) -> bytes:
        """Return events as lines, without secrets."""
        return self.redactor.lines(b"".join(_lines(events, self.head)))


def _lines(events: list[Event], place: bytes = b"") -> list[bytes | msgspec.Raw]:
    """Return the pieces of the events' lines, to be joined once: a copy per event would cost most of it."""
    pieces: list[bytes | msgspec.Raw] = []
    heads: dict[str, bytes] = {}
    received, epoch = -1.0, -1
    for event in events:
        if event.received != received or event.epoch != epoch:
            received, epoch = event.received, event.epoch
            heads = {}
        head = heads.get(event.event)
        if head is None:
            head = b'{"t":%.6f,"epoch":%d,%b"event":%b' % (received, epoch, place, encode(event.event))
            heads[event.event] = head
        if event.seq is None:
            pieces += (head, b',"payload":', event.raw, b"}\n")
        else:
            pieces += (head, b',"seq":%d,"payload":' % event.seq, event.raw, b"}\n")
    whole = b"".join(pieces)
    if whole.count(b"\n") == len(events) and b"\r" not in whole:
        return [whole]
    return [piece if piece == b"}\n" else on_one_line(piece) for piece in pieces]


def on_one_line(piece: bytes | msgspec.Raw) -> bytes:
    """Return a payload without the line breaks between its tokens; inside a string JSON has none."""
    return bytes(piece).replace(b"\n", b" ").replace(b"\r", b" ")


def _mark_line(kind: str, epoch: int, detail: dict[str, Any], source: Source | None = None) -> bytes:
    line = encode({"t": round(time.time(), 6), "epoch": epoch, "kind": kind, "payload": detail}) + b"\n"
    return line if source is None else b"{" + source.head + line[1:]
