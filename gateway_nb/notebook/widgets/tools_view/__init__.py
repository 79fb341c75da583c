"""The tools of a connection: what is offered, calls that wait for the user, and the latest calls."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

from ....errors import printable
from ....faces.tools import Tools
from ....tools.calls import Call
from ..live import LiveWidget, bundle
from ..marks import marked

_CALLS = 20
_LONGEST = 2000  # characters of each text of a call


class ToolsView(LiveWidget):
    """What a connection offers to agents, and what they ask of it. Shown by ``gw.tools``, and in the panel.

    Args:
        tools: returns those of the connection, which may have been made again; ``None`` if there were none.
    """

    _esm = bundle("tools_view", "js")
    _css = bundle("tools_view", "css")
    MESSAGES = ("allow", "deny")

    def __init__(self, tools: Callable[[], Tools | None]) -> None:
        self._tools = tools
        self._posted: Any = None
        super().__init__()

    def opened(self, view: str) -> None:
        """Send a new view everything."""
        self.post("tools", self._describe(), to=view)

    def refresh(self, slow: bool) -> None:
        """Send the views what is new."""
        state = self._describe()
        if state != self._posted:
            self._posted = state
            self.post("tools", state)

    def html(self) -> str:
        """Return the tools, and what stands in their way."""
        return f"<pre>{html.escape(self.text())}</pre>"

    def text(self) -> str:
        """Return the same for a terminal."""
        return printable(repr(self._tools() or "no tools"))

    def __repr__(self) -> str:
        return "<ToolsView>"

    def _on_allow(self, view: str, content: Mapping[str, Any]) -> None:
        if (tools := self._tools()) is not None:
            tools.allow(_number(content))

    def _on_deny(self, view: str, content: Mapping[str, Any]) -> None:
        if (tools := self._tools()) is not None:
            tools.deny(_number(content))

    def _describe(self) -> dict[str, Any]:
        tools = self._tools()
        if tools is None:
            return {"names": [], "notice": None, "waiting": [], "calls": []}
        waiting = [
            {"id": call.id, "text": marked(f"{call.tool}({call.arguments})"), "session": printable(call.session)}
            for call in tools.waiting
        ]
        calls = [_row(call) for call in reversed(tools.latest(_CALLS))]
        return {"names": tools.names, "notice": tools.notice, "waiting": waiting, "calls": calls}


def _number(content: Mapping[str, Any]) -> int:
    number = content.get("id")
    return number if isinstance(number, int) else 0


def _row(call: Call) -> dict[str, Any]:
    seconds = "" if call.seconds is None else f" · {call.seconds:.2f} s"
    texts = [printable(text[:_LONGEST]) for text in (call.arguments, call.answer, call.printed, call.progress)]
    line = printable(f"{call.id} · {call.tool} · {call.status}{seconds} · {call.session}")
    return {"id": call.id, "line": line, "texts": texts}
