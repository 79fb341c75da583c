"""What a widget sends, and what a browser would say to it, without a browser."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway_nb.notebook.widgets.live import LiveWidget


class Heard:
    """What a widget sends, instead of a browser."""

    def __init__(self, widget: LiveWidget) -> None:
        self.widget = widget
        self.messages: list[tuple[str, Any]] = []
        widget.send = self.hear

    def hear(self, content: dict[str, Any], buffers: list[bytes]) -> None:
        self.messages.append((content["type"], msgspec.json.decode(buffers[0])))

    def say(self, kind: str, view: str = "view", **content: Any) -> None:
        self.widget._receive(self.widget, {"type": kind, "view": view, **content}, [])

    def of(self, kind: str) -> list[Any]:
        return [body for name, body in self.messages if name == kind]
