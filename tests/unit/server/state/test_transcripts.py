"""Messages: pages, cursors, cuts."""

from __future__ import annotations

import pytest

from gateway_nb.server.state.transcripts import Transcripts, shown

KEY = "agent:main:a"


def of(count: int) -> Transcripts:
    transcripts = Transcripts()
    for number in range(count):
        transcripts.append(KEY, {"role": "user", "content": str(number)})
    return transcripts


@pytest.mark.parametrize(
    ("limit", "offset", "texts", "before"),
    [
        (2, 0, ["3", "4"], 2),
        (2, 2, ["1", "2"], 4),
        (2, 4, ["0"], None),
        (5, 0, ["0", "1", "2", "3", "4"], None),
        (2, 9, [], None),
    ],
)
def test_pages(limit: int, offset: int, texts: list[str], before: int | None) -> None:
    """A page is counted back from the newest and told from the oldest, with where the one before it begins."""
    messages, more = of(5).page(KEY, limit, offset, 8000)
    assert ([message["content"] for message in messages], more) == (texts, before)


def test_a_cursor() -> None:
    """A cursor gives what came since, of its own session and since its last reset only."""
    transcripts = of(2)
    cursor = transcripts.cursor(KEY)
    assert transcripts.since(KEY, cursor) == []
    kept = transcripts.append(KEY, {"role": "user", "content": "new"})
    assert transcripts.since(KEY, cursor) == [kept]
    assert transcripts.since("another", cursor) is None
    transcripts.forget(KEY)
    assert transcripts.since(KEY, cursor) is None


@pytest.mark.parametrize("cursor", ["", "none", "bnVsbA==", "W10=", "é", "W1tb" * 50_000])
def test_a_cursor_that_is_none(cursor: str) -> None:
    """Anything else than a cursor gives nothing."""
    assert of(1).since(KEY, cursor) is None


def test_cuts() -> None:
    """What is shown is cut and marked, what is kept is not."""
    transcripts = of(0)
    block = {"type": "text", "text": "x" * 11}
    kept = transcripts.append(KEY, {"role": "assistant", "content": [block, {"type": "toolCall", "id": "1"}]})
    cut = shown(kept, 10)
    assert cut["content"][0]["text"] == "x" * 10 + "\n...(truncated)..."
    assert cut["__openclaw"]["truncated"] is True
    assert kept["content"][0]["text"] == "x" * 11
    assert shown(kept, 11) is kept


def test_searching() -> None:
    """A text is found whatever its case, the newest first, and it is said that there is more."""
    transcripts = of(12)
    results, more = transcripts.search("1", None, 2)
    assert (len(results), more) == (2, True)
    assert transcripts.search("nothing", None, 2) == ([], False)
    assert transcripts.search("1", ["another"], 2) == ([], False)
