"""One display of an agent's run that grows: its answer, its tools, how long it takes, what it used."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

from ..capture.runs import AgentRun, take
from ..client.answer import answer_after
from ..client.events import Event
from ..client.redact import Redactor
from ..protocol.errors import printable
from ..protocol.frames import MalformedFrame

_LONGEST = 20_000


@dataclass
class RunView:
    """What is known of a run. Fed with its events on one thread, shown on another.

    Attributes:
        method: what started it.
        run_id: the run's id.
        redactor: takes the secrets out of what is shown.
        seconds: since it began, set by whoever shows it.
        state: ``running``, ``ok``, ``failed`` or ``aborted``.
        text: the answer so far.
        last_event: the last event's name and stream.
    """

    method: str
    run_id: str
    redactor: Redactor
    seconds: float = 0.0
    state: str = "running"
    text: str = ""
    last_event: str = ""
    _runs: dict[str, AgentRun] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Take in an event; those of other runs are passed over."""
        try:
            payload = event.payload
        except MalformedFrame:
            return
        if not isinstance(payload, dict) or payload.get("runId") != self.run_id:
            return
        self.last_event = f"{event.event} {payload.get('stream') or payload.get('state') or ''}".strip()
        take(self._runs, event.received, event.event, event.raw)
        self.text = answer_after(event.event, payload, self.text)

    @property
    def caption(self) -> str:
        """One line: method, state, seconds, tools, tokens."""
        parts = [f"{self.method} · {self.state} · {self.seconds:.1f} s"]
        run = self._runs.get(self.run_id, AgentRun(self.run_id))
        if run.calls:
            parts.append("tools: " + ", ".join(call.tool + (" …" if call.end is None else "") for call in run.calls))
        if run.tokens:
            parts.append(f"{run.tokens:,} output tokens")
        return " · ".join(parts)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        text = self.redactor.text(self.text)
        text = text if len(text) <= _LONGEST else "… " + text[-_LONGEST:]
        caption = self.redactor.text(self.caption)
        return {
            "text/plain": repr(self),
            "text/html": (
                '<div style="color:var(--jp-ui-font-color2,#666);font-size:90%">'
                f'{html.escape(caption)}</div><div style="white-space:pre-wrap">{html.escape(text)}</div>'
            ),
        }

    def __repr__(self) -> str:
        return printable(self.redactor.text(f"{self.text}\n{self.caption}" if self.text else self.caption))
