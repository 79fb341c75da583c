"""What a tool's answer becomes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway_nb.server.state.results import MAX_MODEL_CHARS, from_node, text_result

MCP = {"server": "notebook", "tool": "sales"}
NOTHING = "MCP tool completed without returning content."
PAYLOADS: list[tuple[Any, str]] = [
    ({"content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}, "a\nb"),
    ({"content": [{"type": "audio", "mimeType": "audio/ogg"}]}, "[audio audio/ogg]"),
    ({"content": [{"type": "odd", "x": 1}]}, '{"type":"odd","x":1}'),
    ({"content": ["plain"]}, "plain"),
    ({"structuredContent": {"b": 1, "a": 2}}, 'structuredContent:\n{\n  "a": 2,\n  "b": 1\n}'),
    ({"content": []}, NOTHING),
    ({"content": "no list"}, NOTHING),
    ({"isError": True}, "MCP tool failed without returning content."),
    ("a string", NOTHING),
    (None, NOTHING),
]


@pytest.mark.parametrize(("payload", "expected"), PAYLOADS)
def test_what_a_model_reads(payload: Any, expected: str) -> None:
    """Whatever a node answers, the model gets text, also from JSON text."""
    assert from_node({"payload": payload}, MCP).text() == expected
    assert from_node({"payloadJSON": json.dumps(payload)}, MCP).text() == expected


@pytest.mark.parametrize("given", ["NaN", "{", "[" * 100_000, '{"content": [{"type": "text", "text": NaN}]}'])
def test_no_json(given: str) -> None:
    """What is not JSON is as if nothing had come."""
    assert from_node({"payloadJSON": given}, MCP).text() == NOTHING


def test_a_long_result_is_cut() -> None:
    """A model gets 32,000 characters and is told how many are missing; an operator gets all."""
    result = text_result("x" * (MAX_MODEL_CHARS + 7))
    assert "7 more characters truncated" in result.text()
    assert len(result.output["content"][0]["text"]) == MAX_MODEL_CHARS + 7


def test_an_image_in_events() -> None:
    """Events show an image by its type and size; the result has it whole."""
    image = {"type": "image", "data": "QUJD", "mimeType": "image/png"}
    result = from_node({"payload": {"content": [image]}}, MCP)
    assert result.output["content"] == [image]
    shown = {"type": "image", "mimeType": "image/png", "bytes": 3, "omitted": True}
    assert result.event()["content"] == [shown]
    assert result.text() == ""
