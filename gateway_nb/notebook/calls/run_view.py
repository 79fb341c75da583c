"""One display of an agent's run that grows: its answer, its tools, how long it takes, what it used."""

from __future__ import annotations

import html
import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ...client.event import Event
from ...client.redaction.redactor import Redactor
from ...client.run import agent_meta, answer_of, is_of_run
from ...client.run_text import LONGEST, answer_after
from ...errors import printable
from ...protocol.frames import MAX_NAME, MalformedFrame
from ..display.markdown import STYLE as CODE_STYLE
from ..display.markdown import rendered
from ..display.result import STYLE
from ..display.table import folded

_LONGEST = 50_000
_SHOWN_NAME = 80
_SHOWN_TOOLS = 20
_MOST_OPEN = 1000
_SHOWN_TEXT = 2000  # characters of a tool's arguments, and of its answer


@dataclass
class _ToolCall:
    """A tool that the run called; its texts are without secrets, and only the beginning of long ones."""

    tool: str
    began: float
    ended: float | None = None
    status: str = "…"
    arguments: str = ""
    answer: str = ""

    @property
    def line(self) -> str:
        seconds = "" if self.ended is None else f" · {self.ended - self.began:.2f} s"
        return f"{self.tool} · {self.status}{seconds}"


@dataclass
class RunView:
    """What is known of a run. Fed with its events on one thread, shown on another.

    Attributes:
        method: what started it.
        run_id: the run's id.
        redactor: takes the secrets out of what is shown.
        where: the connection.
        seconds: since it began, set by whoever shows it.
        state: ``running``, ``ok``, ``failed`` or ``aborted``.
        text: the answer so far, as much of it as a run keeps.
        last_event: the last event's name and stream, without secrets; of long ones the beginning.
    """

    method: str
    run_id: str
    redactor: Redactor
    where: str = ""
    seconds: float = 0.0
    state: str = "running"
    text: str = ""
    last_event: str = ""
    _model: str = ""
    _cost: float | None = None
    _tokens: dict[str, int] = field(default_factory=dict)
    _calls: deque[_ToolCall] = field(default_factory=lambda: deque(maxlen=_SHOWN_TOOLS))
    _called: int = 0
    _open: dict[str, _ToolCall] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Take in an event; those of other runs are passed over."""
        if not is_of_run(event, self.run_id):
            return
        try:
            payload = event.payload
        except MalformedFrame:
            return
        what = payload.get("stream") or payload.get("state")
        self.last_event = " ".join(self._short(name) for name in (event.event, what) if isinstance(name, str))
        data = payload.get("data")
        if event.event == "agent" and isinstance(data, dict):
            self._take_agent(payload.get("stream"), data, event.received)
        self.text = answer_after(event.event, payload, self.text)[:LONGEST]

    def take_final(self, payload: dict[str, Any]) -> None:
        """Take in the run's last answer: events may have been lost with a connection."""
        self.text = (answer_of(payload) or self.text)[:LONGEST]
        about = agent_meta(payload)
        self._take_model(about)
        usage = about.get("usage")
        counts = {kind: n for kind, n in usage.items() if isinstance(n, int)} if isinstance(usage, dict) else {}
        self._tokens |= {kind: counts[kind] for kind in ("input", "output") if kind in counts}
        if "input" in counts:
            self._tokens["input"] += counts.get("cacheRead", 0) + counts.get("cacheWrite", 0)
        cost = about.get("costUsd")
        self._cost = cost if isinstance(cost, int | float) else None

    def _take_agent(self, stream: object, data: dict[str, Any], when: float) -> None:
        if stream == "usage" and isinstance(data.get("outputTokens"), int):
            self._tokens["output"] = data["outputTokens"]  # of the run so far: the gateway adds up its model calls
        elif stream == "lifecycle" and data.get("phase") == "model":
            self._take_model(data)
        elif stream in ("tool", "item") and isinstance(id := data.get("toolCallId"), str) and len(id) <= MAX_NAME:
            self._take_tool(id, data, when)

    def _take_model(self, data: dict[str, Any]) -> None:
        name = "/".join(str(data[part]) for part in ("provider", "model") if data.get(part))
        self._model = self._short(name) or self._model

    def _take_tool(self, id: str, data: dict[str, Any], when: float) -> None:
        """Both streams, item around tool, tell of a call; an id may come again when its call has ended.

        Of a call that only wraps another, as the gateway's tool search makes it, the inner one is shown.
        """
        call, phase = self._open.get(id), data.get("phase")
        wrapper = self._open.get(str(data.get("parentToolCallId")))
        if wrapper is not None and wrapper in self._calls:
            self._calls.remove(wrapper)
            self._called -= 1
        if phase == "start" and call is None:
            call = _ToolCall(self._short(str(data.get("name") or "?")), when)
            self._called += 1
            self._calls.append(call)
            self._open[id] = call
            if len(self._open) > _MOST_OPEN:
                del self._open[next(iter(self._open))]
        if call is None:
            return
        if "args" in data:
            call.arguments = self._start(json.dumps(data["args"], ensure_ascii=False))
        if phase in ("result", "end"):
            failed = data.get("isError") is True or data.get("status") in ("failed", "blocked")
            call.ended, call.status = when, "failed" if failed else "ok"
            call.answer = self._start(_result_text(data.get("result")))
            del self._open[id]

    @property
    def caption(self) -> str:
        """One line: method, state, seconds, connection, model, cost, tools, tokens."""
        parts = [f"{self.method} · {self.state} · {self.seconds:.1f} s", self.where, self._model]
        parts.append("" if self._cost is None else f"${self._cost:.4f}")
        parts.append(f"tools: {self._tools}" if self._calls else "")
        parts += [f"{self._tokens[kind]:,} {kind} tokens" for kind in ("input", "output") if kind in self._tokens]
        return " · ".join(part for part in parts if part)

    @property
    def _tools(self) -> str:
        shown = [call.tool + (" …" if call.ended is None else "") for call in list(self._calls)]
        earlier = self._called - len(shown)
        return (f"{earlier:,} earlier, " if earlier else "") + ", ".join(shown)

    def _short(self, name: str) -> str:
        return self.redactor.start(name, _SHOWN_NAME)[:_SHOWN_NAME]

    def _start(self, text: str) -> str:
        return self.redactor.start(text, _SHOWN_TEXT)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        caption = html.escape(printable(self.redactor.text(self.caption)))
        tools = "".join(_folded(call) for call in list(self._calls))
        text = self.redactor.text(self.text)
        note = ""
        if len(text) > _LONGEST:
            note = f'<div class="gnb-caption">the end of an answer of {len(text):,} characters; -o NAME keeps all</div>'
            text = "… " + text[-_LONGEST:]
        shown = f'<div class="gnb-result"><div class="gnb-caption">{caption}</div>{tools}</div>{note}{rendered(text)}'
        return {"text/plain": repr(self), "text/html": STYLE + CODE_STYLE + shown}

    def __repr__(self) -> str:
        return printable(self.redactor.text(f"{self.text}\n{self.caption}" if self.text else self.caption))


def _folded(call: _ToolCall) -> str:
    texts = "".join(
        f'<div class="gnb-caption">{name}</div><pre>{html.escape(printable(text))}</pre>'
        for name, text in (("arguments", call.arguments), ("answer", call.answer))
        if text
    )
    return folded(printable(call.line), f"<div>{texts}</div>")


def _result_text(result: Any) -> str:
    """Return the texts of a tool's result; of one of another shape its JSON."""
    if result is None:
        return ""
    content = result.get("content") if isinstance(result, dict) else None
    if not isinstance(content, list):
        return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
    parts = [part if isinstance(part, dict) else {} for part in content]
    return "\n".join(str(part.get("text") or f"[{part.get('mimeType') or part.get('type')}]") for part in parts)
