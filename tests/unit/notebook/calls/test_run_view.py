"""The display of a run: tool calls folded, an answer in Markdown, and what it cost."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway_nb.client.event import Event
from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.notebook.calls.run_view import RunView
from gateway_nb.protocol.frames import encode

ARGS = {"month": 3}


def view_of(*events: tuple[str, dict[str, Any]]) -> RunView:
    """Return a view that has heard these agent events, a second apart."""
    view = RunView("agent", "r", Redactor(["secret-token-1234"]))
    for number, (stream, data) in enumerate(events):
        payload = {"runId": "r", "stream": stream, "data": data}
        view.take(Event(float(number), number, "agent", 1, msgspec.Raw(encode(payload))))
    return view


def html_of(view: RunView) -> str:
    return view._repr_mimebundle_()["text/html"]


def tool(phase: str, id: str = "k", name: str = "sales", **more: Any) -> tuple[str, dict[str, Any]]:
    return "tool", {"phase": phase, "toolCallId": id, "name": name, **more}


def item(phase: str, id: str = "k", name: str = "sales", **more: Any) -> tuple[str, dict[str, Any]]:
    return "item", {"phase": phase, "toolCallId": id, "name": name, **more}


RESULT = {"content": [{"type": "text", "text": "<b>42</b>"}, {"type": "image", "mimeType": "image/png", "bytes": 9}]}


def test_a_tool_call() -> None:
    """A call is folded: its name, how it ended and its time; in it its arguments and its answer, as text."""
    view = view_of(item("start"), tool("start", args=ARGS), tool("result", isError=False, result=RESULT), item("end"))
    assert '<summary class="gnb-caption">sales · ok · 2.00 s</summary>' in html_of(view)
    assert ">arguments</div><pre>{&quot;month&quot;: 3}</pre>" in html_of(view)
    assert ">answer</div><pre>&lt;b&gt;42&lt;/b&gt;\n[image/png]</pre>" in html_of(view)
    assert "tools: sales" in view.caption


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([item("start"), item("end", status="failed")], "sales · failed · 1.00 s"),
        ([item("start"), item("end", status="completed")], "sales · ok · 1.00 s"),
        ([tool("start"), tool("result", isError=True)], "sales · failed · 1.00 s"),
        ([tool("start")], "sales · …"),
    ],
)
def test_how_it_ended(events: list[tuple[str, dict[str, Any]]], line: str) -> None:
    """Calls that failed, that are under way, and those of which only the time is known, are shown as such."""
    assert f">{line}</summary>" in html_of(view_of(*events))


def test_calls_in_calls() -> None:
    """Of a call that the gateway's tool search wraps, the inner one is shown; ids that come again are other calls."""
    inner = tool("start", "search:1", parentToolCallId="k", args=ARGS)
    wrapped = view_of(tool("start", name="tool_call"), item("start", "search:1"), inner, tool("result", "search:1"))
    assert "tools: sales" in wrapped.caption
    assert "tool_call" not in html_of(wrapped)
    assert "tools: sales, sales" in view_of(tool("start"), tool("result"), tool("start"), tool("result")).caption


def test_what_it_used() -> None:
    """The last answer says model, cost and tokens, those read from the cache included; and the text, if it was lost."""
    usage = {"input": 10, "cacheRead": 1000, "cacheWrite": 5, "output": 7, "cost": {"total": 0.0123}}
    about = {"provider": "openai", "model": "gpt", "usage": usage, "costUsd": 0.0123}
    view = view_of(("lifecycle", {"phase": "model", "provider": "openai", "model": "gpt"}))
    assert view.caption == "agent · running · 0.0 s · openai/gpt"
    view.take_final({"result": {"payloads": [{"text": "**Done**"}], "meta": {"agentMeta": about}}})
    assert view.caption.endswith(" · openai/gpt · $0.0123 · 1,015 input tokens · 7 output tokens")
    assert "<strong>Done</strong>" in html_of(view)


@pytest.mark.parametrize(
    "payload",
    [{}, {"result": []}, {"result": {"meta": {"agentMeta": {"usage": 3, "costUsd": "x", "model": None}}}}],
)
def test_a_last_answer_without_figures(payload: dict[str, Any]) -> None:
    """What a gateway does not say, or says in another shape, is left out."""
    view = view_of(("lifecycle", {"phase": "model", "provider": None, "model": None}))
    view.take_final(payload)
    assert view.caption == "agent · running · 0.0 s"


def test_hostile_texts() -> None:
    """Secrets, control characters and pages of arguments or answers reach no display."""
    token = "secret-token-1234"
    long = tool("start", name="\u202e<i>", args={"a": token + "x" * 100_000})
    view = view_of(long, tool("result", result={"content": [{"text": f"{token} \x1b[31m" + "y" * 100_000}]}))
    view.text = f"{token} \u202e" + "z" * 100_000
    shown = html_of(view)
    assert token not in shown + repr(view)
    assert "\u202e" not in shown + repr(view)
    assert "<i>" not in shown
    assert len(shown) < 60_000
    assert "the end of an answer of 100,01" in shown


def test_calls_that_never_end() -> None:
    """Of calls whose end is never heard the oldest give way; an id of a page is none."""
    view = view_of(*(tool("start", str(number)) for number in range(1200)), tool("start", "i" * 100_000))
    assert view.caption.count("sales …") == 20
    assert "1,180 earlier" in view.caption
    assert len(view._open) == 1000
