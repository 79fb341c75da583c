"""Finding sessions and messages."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_nb.records.search import read_matches
from tests.helpers.records import read

KEYS = [f"agent:main:{number}" for number in range(450)]


def gateway(matches: int) -> Any:
    """Return a gateway with 450 sessions, each with so many messages that match."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        if method == "sessions.list":
            sessions = [{"key": key, "label": "a Label" if key == KEYS[0] else None, "updatedAt": 1} for key in KEYS]
            return {"sessions": sessions, "nextOffset": None}
        assert (method, len(params["sessionKeys"]) <= 200, params["limit"]) == ("sessions.search", True, 25)
        results = [
            {"sessionKey": key, "messageId": f"{key}/{number}", "score": number, "snippet": "label"}
            for key in params["sessionKeys"]
            for number in range(matches)
        ]
        return {"results": results[:25]} | ({"truncated": True} if len(results) > 25 else {})

    return answer


def test_every_match_is_found() -> None:
    """However many messages match, each is found once, though the gateway tells 25 at a time."""
    found = read(read_matches("label"), gateway(3))
    messages = found[found["kind"] == "message"]
    assert len(messages) == messages["message"].nunique() == 3 * len(KEYS)
    assert messages["score"].is_monotonic_decreasing


def test_sessions_are_found_by_their_label() -> None:
    """A session is found by its key or its label, and each match names the call that shows it."""
    found = read(read_matches("LABEL"), gateway(1))
    assert found["kind"].iloc[0] == "session"
    assert found["open"].iloc[0] == "gw.transcript('agent:main:0')"
    assert found["open"].iloc[1] == "gw.transcript('agent:main:0').around('agent:main:0/0')"


def test_what_is_not_told_is_a_row() -> None:
    """Where one session has more matches than the gateway tells, a row says so."""
    found = read(read_matches("label"), gateway(30))
    cuts = found[found["kind"] == "cut"]
    assert len(cuts) == len(KEYS)
    assert cuts["text"].str.contains("only 25 matches of this session are here").all()


@pytest.mark.parametrize("text", ["", "  ", None, 5])
def test_nothing_to_search_for(text: Any) -> None:
    """What is no text is refused before anything is sent."""
    with pytest.raises(ValueError, match="text must be something to search for"):
        read(read_matches(text), lambda *_: pytest.fail("sent"))
