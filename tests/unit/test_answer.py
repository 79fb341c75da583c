"""The text of an answer as it grows, and what is kept of it."""

from __future__ import annotations

import pytest

from gateway_nb.client import answer
from gateway_nb.client.answer import Answer


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
