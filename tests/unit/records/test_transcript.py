"""Transcripts: what they show and export, and that nothing in them acts."""

from __future__ import annotations

import html.parser
import json
from typing import Any

import atif
import pytest

from gateway_nb.records.history import History
from gateway_nb.records.transcript import Transcript, read_transcript
from tests.helpers.price import price
from tests.helpers.records import history, message, read, usage

KEY = "agent:main:s"
HOSTILE = "<script>alert(1)</script>\n# heading\n```\n````\n<img src=x onerror=y>\x1b[31mred\u202eevil\tend"
CALL = {"type": "toolCall", "id": "c1", "name": "sales", "arguments": {"month": 3}}
NESTED = [
    {"type": "toolCall", "id": "c1:1", "name": "inner", "arguments": {"deep": True}, "parentToolCallId": "c1"},
    {"type": "toolResult", "toolCallId": "c1:1", "timestamp": 9, "content": [{"type": "text", "text": "inside"}]},
]
MODEL: dict[str, Any] = {"provider": "p", "model": "mock-1"}
MESSAGES = [
    message(1, content="how much?"),
    message(2, "assistant", [{"type": "thinking", "thinking": "hm"}, CALL], usage=usage(10, 0.25), **MODEL),
    message(3, "custom", NESTED),
    message(4, "toolResult", [{"type": "text", "text": "forty-two"}], toolCallId="c1", toolName="sales"),
    message(5, "assistant", [{"type": "text", "text": "42."}], usage=usage(20, 0.5), stopReason="stop", **MODEL),
    message(6, content=[{"type": "text", "text": "see"}, {"type": "image", "mimeType": "image/png", "bytes": 1234}]),
    message(7, "system", "compacted", __openclaw={"kind": "compaction"}),
    message(8, "toolResult", "lost", toolCallId="gone"),
    message(9, "assistant", "no", stopReason="error", __openclaw={"truncated": True, "reason": "oversized"}),
]


def transcript(messages: list[dict[str, Any]] = MESSAGES, running: Any = None) -> Transcript:
    return Transcript(History(KEY, list(messages), running), "2026.9.6")


class Tags(html.parser.HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.mark.parametrize("form", ["text", "to_markdown", "to_html", "_repr_html_"])
def test_everything_is_in_it(form: str) -> None:
    """Each form has roles, times, texts, thinking, calls with arguments and results, images, and what is missing."""
    shown = getattr(transcript(), form)
    shown = (shown if isinstance(shown, str) else shown()).replace("&quot;", '"').replace("\\", "")
    for part in ("how much?", "hm", "sales: ok", '{"month":3}', "forty-two", "inner: ok", "inside", "42.", "compacted"):
        assert part in shown
    for part in ("image image/png, 1.2 kB", "stopped: error", "a part is missing: oversized", "lost", "mock-1"):
        assert part in shown
    assert "2023-11-14 22:13:20 UTC" in shown
    assert shown.count("forty-two") == 1


@pytest.mark.parametrize("messages", [[], MESSAGES, [{}], [{"role": ["x"], "content": [{"type": "toolCall"}]}]])
def test_atif(messages: list[dict[str, Any]]) -> None:
    """The trajectory is one that the format's own models accept."""
    assert atif.Trajectory.model_validate(transcript(messages).to_atif()).schema_version == "ATIF-v1.8"


def test_atif_steps() -> None:
    """Steps have their source, tool calls with results, tokens and cost; a tool's own calls are no model's."""
    trajectory = atif.Trajectory.model_validate(transcript().to_atif())
    steps = trajectory.steps
    assert [step.source for step in steps] == ["user", "agent", "agent", "agent", "user", "system", "system", "agent"]
    calling = steps[1]
    assert calling.tool_calls is not None
    assert calling.observation is not None
    assert (calling.tool_calls[0].function_name, calling.tool_calls[0].arguments) == ("sales", {"month": 3})
    assert calling.observation.results[0].content == "forty-two"
    assert (calling.reasoning_content, calling.model_name) == ("hm", "mock-1")
    assert (steps[2].llm_call_count, steps[2].metrics) == (0, None)
    assert trajectory.final_metrics is not None
    assert trajectory.final_metrics.total_cost_usd == 0.75
    assert trajectory.final_metrics.total_prompt_tokens == 60
    assert (trajectory.agent.name, trajectory.agent.version, trajectory.session_id) == ("main", "2026.9.6", KEY)


def test_jsonl() -> None:
    """Lines of JSON are the messages as the gateway keeps them."""
    assert [json.loads(line) for line in transcript().to_jsonl().splitlines()] == MESSAGES


def hostile() -> list[dict[str, Any]]:
    call = {"type": "toolCall", "id": HOSTILE, "name": HOSTILE, "arguments": {HOSTILE: HOSTILE}}
    return [
        message(1, HOSTILE, HOSTILE),
        message(2, "assistant", [{"type": "thinking", "thinking": HOSTILE}, call], model=HOSTILE, stopReason="error"),
        message(3, "toolResult", HOSTILE, toolCallId=HOSTILE),
        message(4, content=[{"type": "image", "mimeType": HOSTILE}], __openclaw={"truncated": True, "reason": HOSTILE}),
    ]


@pytest.mark.parametrize("form", ["to_html", "_repr_html_"])
def test_hostile_html(form: str) -> None:
    """No tag, attribute, terminal code or direction mark of a message becomes one of the page."""
    page = getattr(Transcript(History(HOSTILE, hostile())), form)()
    parsed = Tags(page)
    own = {"html", "head", "meta", "title", "style", "body", "div", "b", "article", "header", "p", "pre", "small"}
    assert set(parsed.tags) <= own | {"details", "summary", "em"}
    assert parsed.attributes <= {"class", "charset"}
    assert not {"\x1b", "\u202e"} & set(page)
    assert "<script>alert(1)</script>" in "".join(parsed.texts)


def test_hostile_markdown() -> None:
    """In Markdown, what was said stays inside its fence, and elsewhere no character of it is Markdown's."""
    lines = Transcript(History(KEY, hostile())).to_markdown().splitlines()
    fence, outside = None, []
    for line in lines:
        ticks = len(line) - len(line.lstrip("`"))
        if fence is None and ticks >= 3:
            fence = ticks
        elif fence is not None and line == "`" * fence:
            fence = None
        elif fence is None:
            outside.append(line)
    assert fence is None
    assert not [line for line in outside if "<" in line or (line.startswith("#") and "heading" in line[:12])]
    assert not {"\x1b", "\u202e"} & set("\n".join(lines))


def test_hostile_text() -> None:
    """As text, and as a repr, control characters and direction marks are written out."""
    shown = Transcript(History(HOSTILE, hostile()))
    assert not {"\x1b", "\u202e"} & set(shown.text + repr(shown))
    assert "\\u001b[31mred\\u202eevil" in shown.text


def test_a_run_that_goes_on() -> None:
    """What a run that goes on has said so far is the last message, and says that it is not the end."""
    shown = transcript(running={"runId": "r9", "text": "so f"})
    assert len(shown) == len(MESSAGES) + 1
    assert "assistant · still running" in shown.text
    assert (shown.df["text"].iloc[-1], shown.df["run"].iloc[-1], shown.df["stop"].iloc[-1]) == ("so f", "r9", "running")


def test_around_a_message() -> None:
    """A message of a search is shown with those before and after it; one that is not there is an error."""
    assert [each["__openclaw"]["id"] for each in transcript().around("m5", 1).messages] == ["m4", "m5", "m6"]
    with pytest.raises(KeyError, match="no message 'none' in session"):
        transcript().around("none")


def test_long_transcripts_are_quick_and_small() -> None:
    """1,000 messages are shown within 300 ms, in at most 1 MB; where more is left out, that is said."""
    many = [message(number, "assistant", "x" * 700) for number in range(1000)]
    page: list[str] = []
    assert price(lambda: page.append(transcript(many)._repr_html_()), 3) < 0.3
    assert len(page[0].encode()) < 1_000_000
    huge = [message(number, "assistant", "é" * 3_000_000) for number in range(3)]
    huge += [message(number, "assistant", "y" * 5000) for number in range(3, 1000)]
    view = transcript(huge)._repr_html_()
    assert len(view.encode()) < 1_000_000
    assert "earlier messages are not shown; .to_html() has all" in view
    assert "3,000 more characters; .to_html() has all" in view
    assert transcript(huge).to_html().count("é") == 9_000_000


def test_a_tool_result_of_25_mb() -> None:
    """A result of 25 MB is shown as its beginning, within 1 MB, and exported whole."""
    large = "x" * 25_000_000
    kept = [*MESSAGES[:2], message(4, "toolResult", [{"type": "text", "text": large}], toolCallId="c1")]
    assert len(transcript(kept)._repr_html_()) < 100_000
    assert "24,998,000 more characters; .to_html() has all" in transcript(kept)._repr_html_()
    assert len(transcript(kept).to_html()) > 25_000_000
    assert transcript(kept).to_atif()["steps"][1]["observation"]["results"][0]["content"] == large


@pytest.mark.parametrize(("session", "error"), [(None, TypeError), (5, TypeError), ("", ValueError)])
def test_sessions_that_are_none(session: Any, error: type[Exception]) -> None:
    """What is no key is refused before anything is sent."""
    with pytest.raises(error, match="session must be a session's key"):
        read(read_transcript(session, None), lambda *_: pytest.fail("sent"))


def test_reading() -> None:
    """A transcript is read with all its messages."""
    assert read(read_transcript(KEY, None), history(MESSAGES, largest=4)).messages == MESSAGES
