"""Spans as Perfetto and Chrome's tracing have them: JSON with one track per run. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from .conventions import attributes
from .spans import Span

_PROCESS = 1


class Tracks:
    """The events of a Perfetto file, made as spans come; each run has a track of its own."""

    def __init__(self) -> None:
        self._tracks: dict[str, int] = {}

    def events(self, spans: Iterable[Span], *, content: bool) -> Iterator[dict[str, Any]]:
        """Yield the events of spans; one whose end was not seen begins and does not end, as Perfetto shows it.

        Args:
            spans: of a trace.
            content: with messages, arguments and results.
        """
        for span in spans:
            run = str(span.attributes["run"])
            if run not in self._tracks:
                self._tracks[run] = len(self._tracks) + 1
                yield self._about("thread_name", run, {"name": f"run {run}"})
                yield self._about("thread_sort_index", run, {"sort_index": self._tracks[run]})
            yield {
                "name": span.name,
                "cat": f"{span.kind},{span.status}",
                **_times(span),
                "pid": _PROCESS,
                "tid": self._tracks[run],
                "args": attributes(span, content=content),
            }

    def _about(self, what: str, run: str, values: dict[str, Any]) -> dict[str, Any]:
        return {"name": what, "ph": "M", "pid": _PROCESS, "tid": self._tracks[run], "args": values}


def _times(span: Span) -> dict[str, Any]:
    """Return phase and times in microseconds: complete, only begun, or where the start is not known, an instant."""
    if span.start is None:
        return {"ph": "i", "s": "t", "ts": (span.end or 0) / 1000}
    if span.end is None:
        return {"ph": "B", "ts": span.start / 1000}
    return {"ph": "X", "ts": span.start / 1000, "dur": max(span.end - span.start, 0) / 1000}
