"""The text of an answer as it grows, and what is kept of it."""

from __future__ import annotations

import time

import pytest

from gateway_nb.client import run_text as answer
from gateway_nb.client.run_text import Answer, answer_after


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


def test_a_reader_that_lags_gets_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pieces had to give way for a reader that lags, the next one is the whole answer, not what came last."""
    monkeypatch.setattr(answer, "LONGEST", 10)
    whole = Answer()
    for text in ("x" * 10, "abcdefgh"):
        whole.replace(text)
    whole.take({"state": "delta", "deltaText": "i"})
    assert pieces(whole) == ["x" * 10, "\nabcdefgh", "i"]
    for text in ("x" * 10, "abcdefgh"):
        whole.replace(text)
    whole.take({"state": "delta", "deltaText": "ij"})
    assert pieces(whole) == ["\nabcdefghij"]


def test_additions_to_a_long_answer() -> None:
    """Adding to a long answer costs what is added, not what is there; pieces that nobody reads come together."""
    whole, smile = Answer(), "\U0001f600"
    whole.replace(smile * (answer.LONGEST - 2000))
    began = time.process_time()
    for _ in range(3000):
        whole.take({"state": "delta", "deltaText": smile})
    assert time.process_time() - began < 2
    assert whole.text == smile * answer.LONGEST
    assert len(pieces(whole)) < 1100
