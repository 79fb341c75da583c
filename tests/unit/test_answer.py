"""The text of an answer as it grows, and what is kept of it."""

from __future__ import annotations

import pytest

from gateway_nb.client import answer
from gateway_nb.client.answer import Answer, answer_after


def pieces(whole: Answer) -> list[str]:
    return list(iter(whole.next_piece, None))


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["a", "ab", "abc"], ["a", "b", "c"]),
        (["a", "a"], ["a"]),
        (["[Thu", "hello"], ["[Thu", "\nhello"]),
        (["hello", "hell"], ["hello"]),
        (["a\n b", "a b"], ["a\n b"]),
        ([], []),
    ],
)
def test_pieces(texts: list[str], expected: list[str]) -> None:
    """The pieces of an answer together are the answer; where it was taken back, a line break comes before it."""
    whole = Answer()
    for text in texts:
        whole.replace(text)
    assert pieces(whole) == expected
    assert whole.text == (texts[-1] if texts else "")


def test_an_answer_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an answer that never ends the beginning is kept, of its pieces that nobody reads the newest."""
    monkeypatch.setattr(answer, "LONGEST", 10)
    whole = Answer()
    whole.replace("x" * 100)
    assert whole.text == "x" * 10
    for number in range(100):
        whole.replace(f"{number:010}")
    assert pieces(whole) == ["\n0000000099"]


@pytest.mark.parametrize(
    ("event", "payload", "text"),
    [
        ("chat", {"state": "delta", "deltaText": "c"}, "abc"),
        ("chat", {"state": "delta", "deltaText": "c", "replace": True}, "c"),
        ("chat", {"state": "delta", "message": {"content": [{"text": "ab"}, {"text": "c"}]}}, "abc"),
        ("chat", {"state": "final", "message": {"content": [{"text": "abc"}]}}, "abc"),
        ("chat", {"state": "final", "message": {"content": "abc"}}, "ab"),
        ("chat", {"state": "final"}, "ab"),
        ("chat", {"state": "error", "deltaText": "c"}, "ab"),
        ("agent", {"state": "delta", "deltaText": "c"}, "ab"),
        ("chat", {}, "ab"),
    ],
    ids=str,
)
def test_an_answer_after_an_event(event: str, payload: dict[str, object], text: str) -> None:
    """Pieces are added, a replacement replaces, and gateways that send the whole so far are read, too."""
    assert answer_after(event, payload, "ab") == text
