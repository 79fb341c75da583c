"""What a tool answered, as agents and operators see it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ..params import parse

MAX_MODEL_CHARS = 32_000


@dataclass(frozen=True)
class ToolResult:
    """What a tool answered.

    Attributes:
        content: blocks of text and images.
        details: where it comes from; with ``status: "error"`` where the tool said that it failed.
        source: ``core`` or ``plugin``.
    """

    content: list[dict[str, Any]]
    details: dict[str, Any] = field(default_factory=dict)
    source: str = "core"

    @property
    def is_error(self) -> bool:
        """Whether the tool said that it failed."""
        return self.details.get("status") == "error"

    @property
    def output(self) -> dict[str, Any]:
        """The result as an operator sees it: whole."""
        return {"content": self.content, "details": self.details}

    def event(self) -> dict[str, Any]:
        """Return the result as events show it: an image by its size."""
        blocks = [
            {"type": "image", "mimeType": block["mimeType"], "bytes": len(block["data"]) * 3 // 4, "omitted": True}
            if block["type"] == "image"
            else block
            for block in self.content
        ]
        return {"content": blocks, "details": self.details}

    def text(self) -> str:
        """Return the result as a model reads it, cut at 32,000 characters."""
        return shortened("\n".join(block["text"] for block in self.content if block["type"] == "text"))


def text_result(text: str, *, is_error: bool = False) -> ToolResult:
    """Return the result of a tool of the gateway's own."""
    return ToolResult([{"type": "text", "text": text}], {"status": "error"} if is_error else {})


def shortened(text: str) -> str:
    """Return a text as long as a model gets it, with a word about what is missing."""
    cut = len(text) - MAX_MODEL_CHARS
    return text if cut <= 0 else f"{text[:MAX_MODEL_CHARS]}\n[... {cut} more characters truncated; ask for less ...]"


def from_node(answer: dict[str, Any], mcp: dict[str, Any]) -> ToolResult:
    """Read a node's answer, the params of ``node.invoke.result``, to a call of an MCP tool."""
    payload = _payload(answer)
    is_error = payload.get("isError") is True
    blocks = payload.get("content")
    content = [_block(block) for block in blocks] if isinstance(blocks, list) else []
    if isinstance(structured := payload.get("structuredContent"), dict):
        content.insert(0, _text(f"structuredContent:\n{json.dumps(structured, indent=2, sort_keys=True)}"))
    if not content:
        content = [_text(f"MCP tool {'failed' if is_error else 'completed'} without returning content.")]
    details = {"mcpServer": mcp["server"], "mcpTool": mcp["tool"], **({"status": "error"} if is_error else {})}
    return ToolResult(content, details, "plugin")


def parsed(payload: str) -> Any:
    """Return what a node sent as JSON text, ``None`` where it is not JSON."""
    try:
        return parse(payload)
    except ValueError:
        return None


def _payload(answer: dict[str, Any]) -> dict[str, Any]:
    given = answer.get("payloadJSON")
    payload = answer.get("payload") if given is None else parsed(given)
    return payload if isinstance(payload, dict) else {}


def _block(block: Any) -> dict[str, Any]:
    kind = block.get("type") if isinstance(block, dict) else None
    if kind == "text" and isinstance(block.get("text"), str):
        return _text(block["text"])
    if kind == "image" and isinstance(block.get("data"), str) and isinstance(block.get("mimeType"), str):
        return {"type": "image", "data": block["data"], "mimeType": block["mimeType"]}
    if kind == "audio" and isinstance(block.get("mimeType"), str):
        return _text(f"[audio {block['mimeType']}]")
    return _text(block if isinstance(block, str) else json.dumps(block, ensure_ascii=False, separators=(",", ":")))


def _text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}
