"""One display of an agent's run that grows: its answer, its tools, how long it takes, what it used."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

from ..client.events import Event
from ..protocol.errors import printable
from ..protocol.frames import MalformedFrame

_LONGEST = 20_000


@dataclass
class RunView:
    """What is known of a run. Fed with its events on one thread, shown on another: fields are replaced, not changed.

    Attributes:
        method: what started it.
        run_id: the run's id.
        seconds: since it began, set by whoever shows it.
        state: ``running``, ``ok``, ``failed`` or ``aborted``.
        text: the answer so far.
        tools: names of the tools it called, in order, each with whether the call has ended.
        tokens: output tokens, where the gateway told them.
        last_event: the last event's name and stream.
    """

    method: str
    run_id: str
    seconds: float = 0.0
    state: str = "running"
    text: str = ""
    tools: dict[str, tuple[str, bool]] = field(default_factory=dict)
    tokens: int = 0
    last_event: str = ""

    def take(self, event: Event) -> None:
        """Take in an event; those of other runs are passed over."""
        try:
            payload = event.payload
        except MalformedFrame:
            return
        if not isinstance(payload, dict) or payload.get("runId") != self.run_id:
            return
        stream = payload.get("stream") or payload.get("state") or ""
        self.last_event = f"{event.event} {stream}".strip()
        found = payload.get("data")
        data: dict[str, Any] = found if isinstance(found, dict) else {}
        if event.event == "chat" and payload.get("state") == "delta" and isinstance(payload.get("deltaText"), str):
            self.text = payload["deltaText"] if payload.get("replace") is True else self.text + payload["deltaText"]
        elif stream == "usage" and isinstance(data.get("outputTokens"), int):
            self.tokens += data["outputTokens"]
        elif stream in ("tool", "item") and isinstance(data.get("toolCallId"), str):
            ended = data.get("phase") in ("result", "end")
            self.tools = {**self.tools, data["toolCallId"]: (str(data.get("name") or "?"), ended)}

    @property
    def caption(self) -> str:
        """One line: method, state, seconds, tools, tokens."""
        parts = [f"{self.method} · {self.state} · {self.seconds:.1f} s"]
        if self.tools:
            parts.append("tools: " + ", ".join(f"{name}{'' if done else ' …'}" for name, done in self.tools.values()))
        if self.tokens:
            parts.append(f"{self.tokens:,} output tokens")
        return " · ".join(parts)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        text = self.text if len(self.text) <= _LONGEST else "… " + self.text[-_LONGEST:]
        return {
            "text/plain": repr(self),
            "text/html": (
                '<div style="color:var(--jp-ui-font-color2,#666);font-size:90%">'
                f'{html.escape(self.caption)}</div><div style="white-space:pre-wrap">{html.escape(text)}</div>'
            ),
        }

    def __repr__(self) -> str:
        return printable(f"{self.text}\n{self.caption}" if self.text else self.caption)
