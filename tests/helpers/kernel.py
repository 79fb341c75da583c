"""A real kernel, driven over the wire."""

from __future__ import annotations

import queue
import time
from dataclasses import dataclass, field
from typing import Any

from tests.helpers.support import SESSION_PROCESSES

FOLDERS = ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
"""The variables that name the folders of IPython and Jupyter."""


@dataclass
class Outcome:
    """What a cell did.

    Attributes:
        status: ``ok`` or ``error``.
        text: what it printed.
        displays: the MIME bundles it showed.
        error: traceback lines, if it failed.
    """

    status: str = ""
    text: str = ""
    displays: list[dict[str, Any]] = field(default_factory=list)
    error: list[str] = field(default_factory=list)

    @property
    def everything(self) -> str:
        """All that a notebook would keep of it."""
        return repr((self.text, self.displays, self.error))


class Kernel:
    """A kernel and its client."""

    def __init__(self, manager: Any) -> None:
        self.manager = manager
        manager.start_kernel()
        SESSION_PROCESSES.add(manager.provisioner.process.pid)
        self.client = manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def start(self, code: str) -> str:
        """Send a cell; return its message id."""
        # After an error a kernel refuses for a moment what is queued; here each cell is run whatever came before.
        message_id: str = self.client.execute(code, stop_on_error=False)
        return message_id

    def outcome(self, message_id: str, timeout: float = 60) -> Outcome:
        """Wait for a cell's end."""
        found = Outcome()
        until = time.monotonic() + timeout
        while True:
            message = self.client.get_iopub_msg(timeout=max(until - time.monotonic(), 0.01))
            if message["parent_header"].get("msg_id") != message_id:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                found.text += content["text"]
            elif kind in ("display_data", "execute_result", "update_display_data"):
                found.displays.append(content["data"])
            elif kind == "error":
                found.error = content["traceback"]
            elif kind == "status" and content["execution_state"] == "idle":
                break
        reply = self.client.get_shell_msg(timeout=timeout)
        while reply["parent_header"].get("msg_id") != message_id:
            reply = self.client.get_shell_msg(timeout=timeout)
        found.status = reply["content"]["status"]
        return found

    def run(self, code: str, timeout: float = 60) -> Outcome:
        """Run a cell."""
        return self.outcome(self.start(code), timeout)

    def wait_for_text(self, message_id: str, text: str, timeout: float = 30) -> None:
        """Wait until a running cell has printed or shown this."""
        until = time.monotonic() + timeout
        seen = ""
        while text not in seen:
            try:
                message = self.client.get_iopub_msg(timeout=max(until - time.monotonic(), 0.01))
            except queue.Empty:
                raise AssertionError(f"{text!r} was not printed; {seen!r} was") from None
            if message["parent_header"].get("msg_id") == message_id:
                content = message["content"]
                seen += content.get("text") or content.get("data", {}).get("text/plain", "")

    def wait_for_update(self, text: str, timeout: float = 30) -> None:
        """Wait until a display was updated with HTML that holds this."""
        until = time.monotonic() + timeout
        while True:
            message = self.client.get_iopub_msg(timeout=max(until - time.monotonic(), 0.01))
            shown = message["content"].get("data", {}) if message["msg_type"] == "update_display_data" else {}
            if text in shown.get("text/html", ""):
                return

    def stop(self) -> None:
        """End it."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)
        self.manager.context.destroy(linger=0)
