"""An offline model for a real gateway: a small OpenAI-compatible server that says what it is told to say.

The last user message chooses, as `commands` says; the agents of `LocalGateway` understand the same.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ..protocol import origins as browsers
from .commands import command, tool_calls

_BY_NAME = "tool_call"
"""The gateway's tool that calls those that it does not offer to the model one by one."""

_WRAPPING = re.compile(r"\n\n(Runtime: |Begin\. Execute the assigned task).*", re.DOTALL)
"""What the gateway writes behind a session's first prompt, and behind the task of a sub-agent."""

_TIME_PREFIX = re.compile(r"\[[A-Za-z]{3} \d{4}-\d\d-\d\d \d\d:\d\d[^\]]*\] *")


class OfflineModel:
    """Serves the model on a free port of 127.0.0.1. A context manager.

    Attributes:
        base_url: for the gateway's configuration.
    """

    def __init__(self) -> None:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        self._thread = threading.Thread(target=self._server.serve_forever, name="gateway_nb-model", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> OfflineModel:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the notebook's output is not a server's log."""

    def parse_request(self) -> bool:
        """Read the request line and headers; refuse what a web page sends."""
        if not super().parse_request():
            return False
        why = browsers.refusal(self.headers.get_all("Host", []), self.headers.get_all("Origin", []))
        if why is not None:
            self.close_connection = True  # its body is not read
            self._error(403, why)
        return why is None

    def do_GET(self) -> None:
        self._json(200, {"object": "list", "data": [{"id": "mock-1", "object": "model"}]})

    def do_POST(self) -> None:
        try:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            kind, argument = _command(request["messages"])
            results = _results(request["messages"])
            tools = {tool["function"]["name"] for tool in request.get("tools", [])}
            calls = tool_calls(argument)[len(results) :] if kind == "tool" else []
            function = _function(*calls[0], tools) if calls else {}
        except (TypeError, ValueError, KeyError, AttributeError):
            self.close_connection = True
            self._error(400, "the body must be a chat completion request with its length, a tool's arguments JSON")
            return
        if kind == "fail":
            self._error(int(argument), "the offline model was told to fail")
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        if kind == "tool" and not calls:
            kind, argument = "echo", "\n\n".join(results)
        try:
            for chunk in _answer(kind, argument, {"id": f"call_{len(results) + 1}", "function": function}):
                self.wfile.write(b"data: " + json.dumps(chunk).encode() + b"\n\n")
                self.wfile.flush()
            self.wfile.write(b"data: [DONE]\n\n")
        except (BrokenPipeError, ConnectionResetError):
            pass  # the run was aborted
        self.close_connection = True

    def _error(self, status: int, message: str) -> None:
        self._json(status, {"error": {"message": message}})

    def _json(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def _command(messages: list[dict[str, Any]]) -> tuple[str, str]:
    """Find the command: the gateway adds a line to a session's first turn, and the time before each."""
    prompts = [_text(message) for message in messages if _is_prompt(message)]
    prompt = _WRAPPING.sub("", prompts[-1]) if prompts else ""
    return command(_TIME_PREFIX.sub("", prompt, count=1))


def _results(messages: list[dict[str, Any]]) -> list[str]:
    """Return what tools answered since the prompt."""
    since = itertools.takewhile(lambda message: not _is_prompt(message), reversed(messages))
    return [_text(message) for message in since if message.get("role") == "tool"][::-1]


def _is_prompt(message: dict[str, Any]) -> bool:
    """Return whether a message is the user's; the gateway adds one that is not."""
    return message.get("role") == "user" and "OPENCLAW_INTERNAL_CONTEXT" not in _text(message)


def _text(message: dict[str, Any]) -> str:
    content = message.get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _function(name: str, arguments: dict[str, Any], tools: set[str]) -> dict[str, str]:
    """Return the call of a tool: by its name where the gateway offers it, else through the one that finds it."""
    if name not in tools and _BY_NAME in tools:
        name, arguments = _BY_NAME, {"id": name, "args": arguments}
    return {"name": name, "arguments": json.dumps(arguments)}


def _answer(kind: str, argument: str, call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    reason = "stop"
    if kind == "count":
        number, _, pause = argument.partition(":")
        for index in range(int(number)):
            yield _chunk({"role": "assistant", "content": f"{index + 1} "})
            time.sleep(int(pause or 0) / 1000)
    elif kind == "tool":
        yield _chunk({"tool_calls": [{"index": 0, "type": "function", **call}]})
        reason = "tool_calls"
    else:
        for word in argument.split(" "):
            yield _chunk({"role": "assistant", "content": f"{word} "})
    yield _chunk({}, reason)
    yield {**_chunk({}), "choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}


def _chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
    return {
        "id": "offline",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": "mock-1",
        "choices": [{"index": 0, "delta": delta, "finish_reason": reason}],
    }
