"""The steps of runs: what traces need of the events, read out of rows as they come. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
import pyarrow as pa

from ...client.redaction.redactor import Redactor
from ...protocol.frames import MAX_NAME, MalformedFrame, decode_payload, encode, mapping
from ..rows import redacted
from ..runs import condensed

MAX_STEPS = 200_000
"""Steps of a run beyond which further ones are counted, not kept."""
_MILLION = 1_000_000
_LAST = 2**63 // _MILLION
_LOSSES = {
    "gap": "events were missed",
    "jump": "events were missed",
    "dropped": "events were dropped",
    "reconnect": "the connection was lost",
    "stop": "the capture or the connection ended",
}
_CALL_PHASES = frozenset({"start", "result", "end"})
_READ: dict[str, frozenset[str]] = {
    **dict.fromkeys(("lifecycle", "usage", "run_status", "assistant", "chat"), frozenset()),
    **dict.fromkeys(("tool", "item"), _CALL_PHASES),
}
"""The streams that a trace is made of, and their phases where not all are: others, as thinking, have no part in it."""
_STEP_BYTES = 500
_SPAWN = "sessions_spawn"
_LONGEST_SPAWN = 65_536


_Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Time = int | float | None


class Data(msgspec.Struct, rename="camel", gc=False):
    """What is read of an event's data; a value of another type is as good as none."""

    phase: str = ""
    name: str | None = None
    tool_call_id: str | None = None
    parent_tool_call_id: str | None = None
    args: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()
    is_error: bool | None = None
    status: str | None = None
    started_at: _Time = None
    ended_at: _Time = None
    error: str | None = None
    aborted: bool | None = None
    provider: str | None = None
    model: str | None = None
    output_tokens: _Count | None = None
    retrying: bool | None = None


class Payload(msgspec.Struct, rename="camel", gc=False):
    """What is read of an ``agent`` or ``chat`` event."""

    run_id: str = ""
    session_key: str | None = None
    agent_id: str | None = None
    spawned_by: str | None = None
    stream: str | None = None
    state: str | None = None
    seq: int | None = None
    ts: _Time = None
    data: Data = msgspec.field(default_factory=Data)


_payloads = msgspec.json.Decoder(Payload)
_anything = msgspec.json.Decoder(dict[str, Any])
_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class Step(msgspec.Struct, gc=False):
    """An event of a run; times are nanoseconds since 1970 on the gateway's clock.

    Attributes:
        stream: the agent's, or ``chat``.
        phase: within it.
        seq: its number in the run; a chat event has none of its own.
        at: when it was sent, or where the gateway does not say so, received.
        data: what else it tells.
        content: ``arguments`` and ``result`` of a tool call, as JSON.
        child: the run that a tool call started.
    """

    stream: str
    phase: str
    seq: int | None
    at: int
    data: Data
    content: dict[str, str]
    child: str | None

    @property
    def started(self) -> int:
        """When what it tells of started."""
        started = nanoseconds(self.data.started_at)
        return self.at if started is None else started

    @property
    def ended(self) -> int:
        """When what it tells of ended."""
        ended = nanoseconds(self.data.ended_at)
        return self.at if ended is None else ended

    @property
    def failed(self) -> bool:
        """Whether the tool failed."""
        return self.data.is_error is True or self.data.status in ("failed", "blocked")


@dataclass
class RunSteps:
    """The steps of a run so far.

    Attributes:
        run: its id.
        first_row: of its first event, counted over everything that was read.
        last_row: of its last event.
        pieces: of its answer.
        left_out: steps beyond `MAX_STEPS`.
        held: bytes of memory, about.
    """

    run: str
    first_row: int
    last_row: int
    session: str | None = None
    agent: str | None = None
    spawned_by: str | None = None
    steps: list[Step] = field(default_factory=list)
    pieces: int = 0
    left_out: int = 0
    held: int = 0

    @property
    def ended(self) -> bool:
        """Whether its last event came."""
        return any(step.stream == "lifecycle" and step.phase in ("end", "error") for step in self.steps[-3:])

    @property
    def children(self) -> list[str]:
        """The runs that its tool calls started."""
        return [step.child for step in self.steps if step.child is not None]

    @property
    def problems(self) -> list[str]:
        """What is wrong with what was read of it."""
        return [f"{self.left_out:,} further events were left out"] if self.left_out else []


class StepReader:
    """Reads steps out of rows as they come.

    Args:
        redactor: takes the secrets out of them.

    Attributes:
        runs: the steps of each run, by its id.
        rows: that were read.
        held: bytes of memory, about.
        late: events of runs that were forgotten.
    """

    def __init__(self, redactor: Redactor) -> None:
        self.runs: dict[str, RunSteps] = {}
        self._redactor = redactor
        self.rows = self.held = self.late = 0
        self._forgotten: set[int] = set()
        self._losses: list[tuple[int, str]] = []

    def extend(self, table: pa.Table) -> None:
        """Read on.

        Args:
            table: the next rows, with the columns of the event log.
        """
        self.take(condensed(table), table)

    def take(self, found: pa.Table, table: pa.Table) -> None:
        """Read on in rows as `condensed` returns them.

        Args:
            found: these rows.
            table: of which they are, and in which the marks are.
        """
        for row, kind in _marks(table):
            if kind in _LOSSES:
                self._losses.append((self.rows + row, _LOSSES[kind]))
        rows = redacted(found, self._redactor)
        columns = (rows[name].to_pylist() for name in ("row", "time", "event", "payload", "count"))
        for row, time, event, text, count in zip(*columns, strict=True):
            self._take(self.rows + row, time, event, text, count)
        self.rows += table.num_rows

    def losses(self, run: RunSteps) -> list[str]:
        """Return what was missed while a run went on: up to its last event, or where that never came, up to now."""
        until = run.last_row if run.ended else self.rows
        return list(dict.fromkeys(text for row, text in self._losses if run.first_row < row <= until))

    def forget(self, runs: Iterable[str]) -> None:
        """Drop the steps of runs; what still comes of them is counted as late."""
        for name in runs:
            self.held -= self.runs.pop(name).held
            self._forgotten.add(hash(name))

    def _take(self, row: int, time: int, event: str, text: str, count: int) -> None:
        payload = _payload(text)
        if payload is None or not 0 < len(payload.run_id) <= MAX_NAME:
            return
        run = self.runs.get(payload.run_id)
        if run is None and hash(payload.run_id) in self._forgotten:
            self.late += count
            return
        if run is None:
            run = self.runs[payload.run_id] = RunSteps(payload.run_id, row, row)
        run.last_row = max(row, run.last_row)
        run.session = run.session or (payload.session_key and payload.session_key[:MAX_NAME])
        run.agent = run.agent or (payload.agent_id and payload.agent_id[:MAX_NAME])
        run.spawned_by = run.spawned_by or (payload.spawned_by and payload.spawned_by[:MAX_NAME])
        if payload.stream == "assistant":
            run.pieces += count
        step = _step(payload, time, event)
        phases = _READ.get(step.stream)
        if phases is None or (phases and step.phase not in phases):
            return
        if len(run.steps) >= MAX_STEPS:
            run.left_out += count
        else:
            run.steps.append(step)
            size = _STEP_BYTES + sum(map(len, step.content.values()))
            run.held += size
            self.held += size


def _step(payload: Payload, received: int, event: str) -> Step:
    sent, data = nanoseconds(payload.ts), payload.data
    at = received if sent is None else sent
    if event == "chat":
        return Step("chat", payload.state or "", None, at, data, {}, None)
    stream = payload.stream or ""
    if stream != "tool":
        return Step(stream, data.phase, payload.seq, at, data, {}, None)
    child = _child(data.result) if data.name == _SPAWN else None
    texts = {"arguments": bytes(data.args), "result": bytes(data.result)}
    content = {name: text.decode("utf-8", "replace") for name, text in texts.items() if text}
    data.args = data.result = msgspec.Raw()  # they would keep the whole payload
    return Step(stream, data.phase, payload.seq, at, data, content, child)


def _payload(text: str) -> Payload | None:
    """Return an event's payload; of one with values of other types than expected, the others."""
    try:
        return _payloads.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        try:
            return _leniently(Payload, _anything.decode(text))
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return None


def _leniently(kind: type[_Struct], values: dict[str, Any]) -> _Struct:
    kept: dict[str, Any] = {}
    for known in msgspec.structs.fields(kind):
        value = values.get(known.encode_name)
        if known.type is Data and isinstance(value, dict):
            kept[known.name] = _leniently(Data, value)
        elif known.type is msgspec.Raw and value is not None:
            kept[known.name] = msgspec.Raw(encode(value))
        else:
            with contextlib.suppress(msgspec.ValidationError):
                kept[known.name] = msgspec.convert(value, known.type)
    return kind(**kept)


def _child(result: msgspec.Raw) -> str | None:
    """Return the run that a sub-agent's tool call started; its result is a text of JSON."""
    try:
        content = mapping(decode_payload(bytes(result)[:_LONGEST_SPAWN])).get("content")
        blocks = content if isinstance(content, list) else []
        texts = [block["text"] for block in blocks if isinstance(block, dict) and isinstance(block.get("text"), str)]
        run = mapping(decode_payload("".join(texts).encode("utf-8", "replace"))).get("runId")
        return run if isinstance(run, str) and 0 < len(run) <= MAX_NAME else None
    except MalformedFrame:
        return None


def nanoseconds(value: _Time) -> int | None:
    """Return milliseconds as nanoseconds, ``None`` of what is no time."""
    return int(value * _MILLION) if value is not None and 0 <= value < _LAST else None


def _marks(table: pa.Table) -> Iterator[tuple[int, str]]:
    """Yield the row and the kind of each mark."""
    import pyarrow.compute as compute

    rows = np.flatnonzero(compute.is_null(table.column("event")).to_numpy())
    if len(rows):
        yield from zip(rows.tolist(), table.column("kind").cast(pa.string()).take(rows).to_pylist(), strict=True)
