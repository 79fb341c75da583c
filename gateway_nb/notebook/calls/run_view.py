"""One display of an agent's run that grows: its answer, its tools, how long it takes, what it used."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

from ...client.event import Event
from ...client.redaction.redactor import Redactor
from ...client.run_text import LONGEST, answer_after
from ...errors import printable
from ...events.runs import AgentRun, take
from ...protocol.frames import MalformedFrame

_LONGEST = 20_000
_SHOWN_NAME = 80
_SHOWN_TOOLS = 20


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
    _runs: dict[str, AgentRun] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """Take in an event; those of other runs are passed over."""
        try:
            payload = event.payload
        except MalformedFrame:
            return
        if not isinstance(payload, dict) or payload.get("runId") != self.run_id:
            return
        what = payload.get("stream") or payload.get("state")
        self.last_event = " ".join(self._short(name) for name in (event.event, what) if isinstance(name, str))
        take(self._runs, event.received, event.event, event.raw)
        self.text = answer_after(event.event, payload, self.text)[:LONGEST]

    @property
    def caption(self) -> str:
        """One line: method, state, seconds, connection, tools, tokens."""
        parts = [f"{self.method} · {self.state} · {self.seconds:.1f} s", *([self.where] if self.where else [])]
        run = self._runs.get(self.run_id, AgentRun(self.run_id))
        if run.calls:
            parts.append(f"tools: {self._tools(run)}")
        if run.tokens:
            parts.append(f"{run.tokens:,} output tokens")
        return " · ".join(parts)

    def _tools(self, run: AgentRun) -> str:
        shown = [self._short(call.tool) + (" …" if call.end is None else "") for call in run.calls[-_SHOWN_TOOLS:]]
        earlier = len(run.calls) - len(shown)
        return (f"{earlier:,} earlier, " if earlier else "") + ", ".join(shown)

    def _short(self, name: str) -> str:
        return self.redactor.start(name, _SHOWN_NAME)[:_SHOWN_NAME]

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
