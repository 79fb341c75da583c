"""Traces of a recording of any size as one file: read, linked and written as they end, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import IO

import pyarrow as pa

from ...client.redaction.redactor import Redactor
from ...protocol.frames import encode
from . import atif, otlp, perfetto
from .spans import Span, linked, run_spans
from .steps import StepReader

MAX_HELD = 256 * 1024 * 1024
"""Bytes of runs that have not ended; beyond them the oldest are written as they are."""


class TraceStream:
    """Traces as their runs end; a run that ends after the one that started it has the same trace and parent.

    Args:
        redactor: takes the secrets out of them.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._reader = StepReader(redactor)
        self._above: dict[str, tuple[str, str]] = {}

    @property
    def late(self) -> int:
        """Events that came after their run was written; they are left out."""
        return self._reader.late

    def read(self, tables: Iterable[pa.Table]) -> Iterator[list[Span]]:
        """Yield the spans of traces, as their trees are read.

        Args:
            tables: rows with the columns of the event log. A run is written when nothing came of it in a whole table.
        """
        for table in tables:
            before = self._reader.rows
            self._reader.extend(table)
            yield from self._released(self._ready(before))
        yield from self._released(set(self._reader.runs))

    def _ready(self, before: int) -> set[str]:
        runs = self._reader.runs
        ready = {name for name, run in runs.items() if run.ended and run.last_row < before}
        # A sub-agent waits for the run that started it, which knows its place.
        ready -= {name for name in ready if runs[name].spawned_by and name not in self._above}
        ready |= {child for name in ready for child in runs[name].children if child in runs and runs[child].ended}
        if (held := self._reader.held) > MAX_HELD:
            for name in sorted(runs, key=lambda name: runs[name].last_row):
                ready.add(name)
                held -= runs[name].held
                if held < MAX_HELD // 2:
                    break
        return ready

    def _released(self, ready: set[str]) -> Iterator[list[Span]]:
        runs = {name: self._reader.runs[name] for name in ready}
        for spans in linked(run_spans(run, self._reader.losses(run)) for run in runs.values()):
            root = str(spans[0].attributes["run"])
            announced = f"announce:{root.rpartition(':')[2]}" if root.startswith("announce:") else root
            if announced in self._above:
                trace, spans[0].parent = self._above[announced]
                for span in spans:
                    span.trace = trace
            for span in spans:
                if isinstance(child := span.attributes.get("child_run"), str):
                    self._above[child] = (span.trace, span.span)
                if span.kind == "run" and (span.attributes["run"] in self._above or "spawned_by" in span.attributes):
                    self._above[f"announce:{span.attributes['run']}"] = (span.trace, span.span)
            yield spans
        self._reader.forget(ready)


def write_otlp_json(traces: Iterable[list[Span]], file: IO[bytes], *, content: bool) -> None:
    """Write traces as one OTLP document of JSON."""
    head, tail = otlp.to_json([], content=content).split(b'"spans":[')
    file.write(head + b'"spans":[')
    _joined((encode(span) for spans in traces for span in otlp.json_spans(spans, content=content)), file)
    file.write(tail)


def write_otlp_protobuf(traces: Iterable[list[Span]], file: IO[bytes], *, content: bool) -> None:
    """Write traces as one OTLP message of protobuf: messages one after the other are one."""
    for spans in traces:
        file.write(otlp.to_protobuf(spans, content=content))


def write_perfetto(traces: Iterable[list[Span]], file: IO[bytes], *, content: bool) -> None:
    """Write traces as one document for Perfetto."""
    tracks = perfetto.Tracks()
    file.write(b'{"displayTimeUnit":"ms","traceEvents":[')
    _joined((encode(event) for spans in traces for event in tracks.events(spans, content=content)), file)
    file.write(b"]}")


def write_atif(traces: Iterable[list[Span]], file: IO[bytes], *, content: bool) -> None:
    """Write traces as trajectories, one on each line."""
    for spans in traces:
        file.write(encode(atif.trajectory(spans, content=content)) + b"\n")


def _joined(parts: Iterable[bytes], file: IO[bytes]) -> None:
    for number, part in enumerate(parts):
        file.write(b",\n" + part if number else part)
