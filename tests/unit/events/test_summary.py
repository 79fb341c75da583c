"""An event in one line, by its kind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_nb.events.summary import summary

S = {"runId": "4da7c354", "sessionKey": "agent:main:x"}


@pytest.mark.parametrize(
    ("event", "payload", "line"),
    [
        ("agent", {**S, "stream": "lifecycle", "data": {"phase": "start"}}, "agent:main:x · lifecycle start"),
        (
            "agent",
            {**S, "stream": "assistant", "data": {"text": "hello you", "delta": " you"}},
            "agent:main:x · assistant ·  you",
        ),
        (
            "agent",
            {**S, "stream": "tool", "data": {"phase": "start", "name": "exec", "args": {"command": "echo hi"}}},
            'agent:main:x · tool start · exec · {"command":"echo hi"}',
        ),
        (
            "agent",
            {
                **S,
                "stream": "tool",
                "data": {"phase": "result", "name": "exec", "result": {"content": [{"type": "text", "text": "hi"}]}},
            },
            "agent:main:x · tool result · exec · hi",
        ),
        ("agent", {**S, "stream": "usage", "data": {"outputTokens": 4040}}, "agent:main:x · usage · 4,040 tokens"),
        ("session.tool", {**S, "phase": "start", "toolName": "exec"}, "agent:main:x · start · exec"),
        (
            "session.message",
            {**S, "toolName": "no", "message": {"role": "toolResult", "toolName": "read", "content": "ok"}},
            "agent:main:x · toolResult · read · ok",
        ),
        (
            "agent",
            {**S, "stream": "lifecycle", "data": {"phase": "error", "error": "no model"}},
            "agent:main:x · lifecycle error · no model",
        ),
        (
            "chat",
            {**S, "state": "delta", "deltaText": "Hel", "message": {"content": "Hel"}},
            "agent:main:x · delta · Hel",
        ),
        (
            "chat",
            {
                **S,
                "state": "final",
                "message": {"role": "assistant", "content": [{"type": "text", "text": "Hello\n\nyou"}]},
            },
            "agent:main:x · final · Hello  you",
        ),
        ("chat", {**S, "state": "error", "errorMessage": "model refused"}, "agent:main:x · error · model refused"),
        ("session.message", {**S, "message": {"role": "user", "content": "hello"}}, "agent:main:x · user · hello"),
        (
            "session.message",
            {**S, "message": {"role": "assistant", "content": [{"type": "toolCall", "name": "exec", "arguments": {}}]}},
            "agent:main:x · assistant · exec",
        ),
        (
            "sessions.changed",
            {"sessionKey": "agent:main:x", "reason": "create", "status": "running", "session": {"key": 1}},
            "agent:main:x · create",
        ),
        (
            "task",
            {"action": "upserted", "task": {"status": "running", "title": "say hello", "sessionKey": "agent:main:x"}},
            "agent:main:x · upserted · running · say hello",
        ),
        ("cron", {"jobId": "1", "action": "added", "job": {"name": "nightly"}}, "added · nightly"),
        ("exec.approval.requested", {"id": "1", "request": {"command": "rm x", "sessionKey": "main"}}, "main · rm x"),
        ("shutdown", {"reason": "restart", "restartExpectedMs": 100}, "restart"),
        ("tick", {"ts": 1700000000000}, "ts=1700000000000"),
        ("health", {"ok": True, "plugins": {"loaded": []}, "durationMs": 142}, "ok=true durationMs=142"),
        ("x", {}, ""),
        ("x", [1, 2], "[1,2]"),
        ("x", "text", "text"),
        ("x", None, ""),
        ("agent", {"data": "odd", "stream": 7, "sessionKey": ["a"]}, '["a"] · 7'),
    ],
)
def test_kinds(event: str, payload: Any, line: str) -> None:
    """Session, state or phase, tool and text, as far as an event has them; else its first plain fields."""
    assert summary(event, json.dumps(payload)) == line


def test_how_much_is_shown() -> None:
    """Each part has at most 240 characters unless more are asked for; of other events six fields are shown."""
    chat = json.dumps({"sessionKey": "s" * 300, "state": "delta", "deltaText": "t" * 240})
    assert summary("chat", chat) == f"{'s' * 240} · delta · {'t' * 240}"
    assert summary("chat", chat, 1) == "s · d · t"
    assert summary("odd", json.dumps(dict.fromkeys("abcdefg", 1) | {"list": []})) == "a=1 b=1 c=1 d=1 e=1 f=1"


@pytest.mark.parametrize(("size", "read"), [(65_536, True), (65_537, False)])
def test_the_largest_payload(size: int, read: bool) -> None:
    """A payload of up to 64 KiB is looked into."""
    assert summary("tick", '{"ts":1}'.ljust(size)) == ("ts=1" if read else "")


@pytest.mark.parametrize(
    "payload", ["", "{", '{"a": 1', "[" * 2000, "\ud800", '{"sessionKey": "' + "x" * 300_000 + '"}']
)
def test_what_cannot_be_read(payload: str) -> None:
    """What is not JSON, or too large to be decoded for a line about it, says nothing."""
    assert summary("agent", payload) == ""


@pytest.mark.long
@given(
    st.sampled_from(["agent", "chat", "session.message", "task", None]),
    st.text()
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["data", "message", "content", "type", "task", "phase", "text", "sessionKey"]), inner
            )
        ),
    ),
)
def test_any_payload(event: str | None, payload: Any) -> None:
    """Whatever a gateway sends, the line is one line, and no part of it is longer than asked for."""
    line = summary(event, json.dumps(payload), 50)
    assert not set(line) & set("\n\r\t\x1b\x00")
    assert len(line) <= 5 * 50 + 4 * 3
