"""`Trace`: what an agent did in a run and in those it started, as a tree of spans."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from ...client.redaction.redactor import Redactor
from ...errors import BadArgumentError, one_line, printable
from ...protocol.frames import encode
from .. import widgets
from . import atif, otlp, perfetto, waterfall
from .compare import TraceDiff
from .spans import Span, announced_by, linked, run_spans
from .steps import StepReader

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_GENERATIONS = 4
_SHOWN_PROBLEMS = 3


class Trace:
    """What an agent did in a run and in the runs it started: a tree of spans. Shows itself in a notebook.

    It holds what there was when it was asked for. Where it is shown in a notebook, it grows until the run has ended.

    Args:
        spans: as the tree is read, the root first.
        again: returns it as it is by now, ``None`` if nothing came; ``None`` for one that does not grow.

    Example:
        >>> trace = gnb.load("run.jsonl").traces()[0]
        >>> frame = trace.spans
    """

    def __init__(self, spans: list[Span], again: Callable[[], Trace | None] | None = None) -> None:
        self.tree = spans
        self.again = again

    @property
    def run(self) -> str:
        """The id of the run with which it begins."""
        return str(self.tree[0].attributes["run"])

    @property
    def status(self) -> str:
        """How that ended: ok, error, aborted, running, or unknown where its end may have been missed."""
        return self.tree[0].status

    @property
    def is_open(self) -> bool:
        """Whether there may be more: a run of it has not ended, or the answer of a sub-agent was not announced."""
        runs = [span for span in self.tree if span.kind == "run"]
        awaited = {span.attributes["child_run"] for span in self.tree if "child_run" in span.attributes}
        announced = {announced_by(str(span.attributes["run"])) for span in runs}
        return any(span.status in ("running", "unknown") for span in runs) or not awaited <= announced

    @property
    def problems(self) -> list[str]:
        """What is wrong with it, each once: what was missed, out of order, or can't be."""
        return list(dict.fromkeys(problem for span in self.tree for problem in span.problems))

    @property
    def spans(self) -> pd.DataFrame:
        """The spans as a DataFrame, as the tree is read; see `spans_frame` for its columns."""
        return spans_frame(self.tree)

    def to_otlp(self, path: str | Path, *, content: bool = False) -> Path:
        """Write the spans as OpenTelemetry's OTLP, with attributes for GenAI and OpenInference.

        Args:
            path: a new file; the suffix decides: ``.json`` or ``.pb`` (protobuf).
            content: with messages, arguments and results.

        Returns:
            The path.

        Raises:
            BadArgumentError: the suffix is another one.
            FileExistsError: there is such a file.
            ImportError: protobuf needs the extra ``otel``.

        Example:
            >>> trace = gnb.load("run.jsonl").traces()[0]
            >>> path = trace.to_otlp("trace.json")
        """
        writers = {".json": otlp.to_json, ".pb": otlp.to_protobuf}
        path = Path(path)
        if path.suffix not in writers:
            raise BadArgumentError(f"to_otlp: {path.name} must end in .json or .pb, which decides how it is written")
        return _written(path, writers[path.suffix](self.tree, content=content))

    def to_perfetto(self, path: str | Path, *, content: bool = False) -> Path:
        """Write the spans as JSON for Perfetto (ui.perfetto.dev), with a track for each run.

        Args:
            path: a new file.
            content: with messages, arguments and results.

        Returns:
            The path.

        Raises:
            FileExistsError: there is such a file.
        """
        events = list(perfetto.Tracks().events(self.tree, content=content))
        return _written(Path(path), encode({"traceEvents": events, "displayTimeUnit": "ms"}))

    def to_atif(self, path: str | Path, *, content: bool = False) -> Path:
        """Write the trace in the Agent Trajectory Interchange Format, version 1.8: a step for each model call.

        Arguments and parameters as for `to_perfetto`.
        """
        return _written(Path(path), encode(atif.trajectory(self.tree, content=content)))

    def send(self, endpoint: str, *, content: bool = False) -> None:
        """Send the spans to a collector over OTLP and HTTP, with the exporter of OpenTelemetry's SDK.

        What the collector wants to see of headers is taken from ``OTEL_EXPORTER_OTLP_HEADERS``, as the SDK does.

        Args:
            endpoint: its address; ``/v1/traces`` is added where there is no path.
            content: with messages, arguments and results.

        Raises:
            ImportError: the extra ``otel`` is not installed.
            GatewayError: the collector did not take them.
        """
        otlp.send(self.tree, endpoint, content=content)

    def diff(self, other: Trace) -> TraceDiff:
        """Return this trace and another one step by step: what differs in tools, arguments, tokens and time.

        Args:
            other: of another run.

        Returns:
            A `TraceDiff`, which shows itself; ``.df`` is a DataFrame.

        Example:
            >>> trace = gnb.load("run.jsonl").traces()[0]
            >>> frame = trace.diff(trace).df
        """
        return TraceDiff(self.tree, other.tree)

    @property
    def svg(self) -> str:
        """The picture as SVG text: a tree, and bars to scale; at most 300 KB."""
        return waterfall.svg(repr(self), waterfall.rows(self.tree))

    @property
    def text(self) -> str:
        """The picture as text."""
        return waterfall.text(repr(self), waterfall.rows(self.tree))

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        return {"image/svg+xml": self.svg, "text/plain": self.text}

    def _ipython_display_(self) -> None:
        if not widgets.backend.show_trace(self):
            print(self.text)

    def __len__(self) -> int:
        return len(self.tree)

    def __repr__(self) -> str:
        root = self.tree[0]
        took = "" if root.seconds is None else f", {root.seconds:.2f} s"
        problems = self.problems
        more = f" and {len(problems) - _SHOWN_PROBLEMS:,} more" if len(problems) > _SHOWN_PROBLEMS else ""
        wrong = f"; {', '.join(problems[:_SHOWN_PROBLEMS])}{more}" if problems else ""
        return printable(one_line(f"<Trace of run {self.run}: {root.status}{took}, {len(self):,} spans{wrong}>"))


def _written(path: Path, data: bytes) -> Path:
    with open(path, "xb") as file:
        file.write(data)
    return path


class Traces(Sequence[Trace]):
    """The traces of all runs, by their start. Made by `EventLog.traces` and `Recording.traces`.

    Args:
        traces: of which it consists.
    """

    def __init__(self, traces: Iterable[Trace]) -> None:
        self._traces = list(traces)

    @property
    def spans(self) -> pd.DataFrame:
        """The spans of all as one DataFrame; see `spans_frame` for its columns."""
        return spans_frame([span for trace in self._traces for span in trace.tree])

    @overload
    def __getitem__(self, index: int) -> Trace: ...

    @overload
    def __getitem__(self, index: slice) -> Traces: ...

    def __getitem__(self, index: int | slice) -> Trace | Traces:
        return Traces(self._traces[index]) if isinstance(index, slice) else self._traces[index]

    def __iter__(self) -> Iterator[Trace]:
        return iter(self._traces)

    def __len__(self) -> int:
        return len(self._traces)

    def __repr__(self) -> str:
        return f"<{len(self):,} traces>"


def spans_frame(spans: Sequence[Span]) -> pd.DataFrame:
    """Return spans as a DataFrame.

    Returns:
        Columns: `trace`, `span`, `parent` (string: 32, 16 and 16 hexadecimal digits), `kind` (string: run, model,
        tool), `name` (string), `start`, `end` (datetime64[ns, UTC], the gateway's clock), `seconds` (Float64),
        `status` (string: ok, error, aborted, running, unknown), `model` (string), `input_tokens`, `output_tokens`
        (Int64), `cost` (Float64, USD), `attributes` (string: JSON with run, session, agent, tool_call, sizes in bytes
        and problems). What is not known is missing.
    """
    import pandas as pd

    text, time = pd.StringDtype("pyarrow"), pd.DatetimeTZDtype("ns", "UTC")
    kinds: dict[str, Any] = {
        **dict.fromkeys(("trace", "span", "parent", "kind", "name"), text),
        **dict.fromkeys(("start", "end"), time),
        "seconds": "Float64",
        **dict.fromkeys(("status", "model"), text),
        **dict.fromkeys(("input_tokens", "output_tokens"), "Int64"),
        "cost": "Float64",
    }
    columns = {name: pd.array([getattr(span, name) for span in spans], kind) for name, kind in kinds.items()}
    columns["attributes"] = pd.array([encode(span.attributes).decode() for span in spans], text)
    return pd.DataFrame(columns)


def traces_of(reader: StepReader) -> Traces:
    """Return the traces of the runs that were read, by their start."""
    traces = linked(run_spans(steps, reader.losses(steps)) for steps in reader.runs.values())
    return Traces(map(Trace, sorted(traces, key=lambda spans: spans[0].start or 0)))


def read_traces(table: pa.Table, redactor: Redactor) -> Traces:
    """Return the traces of all runs in rows with the columns of the event log."""
    reader = StepReader(redactor)
    reader.extend(table)
    return traces_of(reader)


def read_trace(rows: Callable[[set[str] | None], pa.Table], run: str, redactor: Redactor) -> Trace:
    """Return the trace that a run is part of.

    Args:
        rows: returns the marks and those rows whose payload has one of some texts in it, or with ``None`` all rows,
            with the columns of the event log; so only those that name the run or its relatives are decoded.
        run: its id.
        redactor: takes the secrets out of it.

    Raises:
        BadArgumentError: there is no event of such a run.
    """
    wanted: set[str] = set()
    new = {run}
    for _ in range(_GENERATIONS):
        wanted |= new
        reader = StepReader(redactor)
        reader.extend(rows({encode(name).decode()[1:-1] for name in wanted}))
        new = _relatives(reader, wanted) - wanted
        if not new:
            break
    else:  # more generations than anybody has: read everything once
        reader = StepReader(redactor)
        reader.extend(rows(None))
        wanted = set(reader.runs)
    reader.runs = {name: steps for name, steps in reader.runs.items() if name in wanted}
    if run in reader.runs:
        for trace in traces_of(reader):
            if any(span.attributes["run"] == run for span in trace.tree):
                return trace
    raise BadArgumentError(
        f"trace: there is no event of a run {one_line(run, 80)!r} here; .runs() lists those there are"
    )


def naming(table: pa.Table, texts: set[str] | None) -> pa.Table:
    """Return the marks of a table and the rows whose payload has one of these texts in it; with ``None`` all rows."""
    import pyarrow.compute as compute

    if texts is None:
        return table
    chosen = compute.is_null(table.column("event"))
    for text in texts:
        chosen = compute.or_(chosen, compute.match_substring(table.column("payload"), text))
    return table.filter(chosen)


def _relatives(reader: StepReader, runs: set[str]) -> set[str]:
    """Return the runs that these started, that started these, and that announce their answers."""
    found = set()
    for name, steps in reader.runs.items():
        children = set(steps.children)
        if name in runs:
            found |= children
        announced = announced_by(name)
        if children & runs or announced in runs:
            found.add(name)
        if name in runs and announced is not None:
            found.add(announced)
    return found
