"""The messages of a session: complete, in order, each once."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_nb.errors import GatewayRequestError
from gateway_nb.records.history import History, about, cut_reason, read_history, read_on
from gateway_nb.records.messages import read_messages, read_tool_calls
from tests.helpers.records import history, message, read, refusal

KEY = "agent:main:s"


def ids(messages: list[dict[str, Any]]) -> list[str]:
    return [about(each)["id"] for each in messages]


@pytest.mark.parametrize("count", [0, 1, 7, 1000, 1001, 5000])
def test_all_messages_in_order(count: int) -> None:
    """Every message of a session is there, once, the oldest first, however many pages they are on."""
    kept = [message(number) for number in range(1, count + 1)]
    assert ids(read(read_history(KEY), history(kept)).messages) == [f"m{number}" for number in range(1, count + 1)]


def test_messages_that_come_meanwhile() -> None:
    """Messages that come while pages are read shift them: none is lost, and none is there twice."""
    kept = [message(number) for number in range(1, 8)]

    def answer(method: str, params: dict[str, Any]) -> Any:
        payload = history(kept, largest=3)(method, params)
        kept.append(message(len(kept) + 1))
        return payload

    found = ids(read(read_history(KEY), answer).messages)
    assert found == [f"m{number}" for number in range(1, 8)]


def test_the_newest_messages() -> None:
    """With a limit the newest messages are read, in order."""
    kept = [message(number) for number in range(1, 8)]
    assert ids(read(read_history(KEY, 3), history(kept)).messages) == ["m5", "m6", "m7"]


def test_a_session_that_is_reset_meanwhile() -> None:
    """A session that is reset between two pages is read again: no half of the old one."""
    kept = [message(number) for number in range(1, 8)]
    asked: list[dict[str, Any]] = []

    def answer(method: str, params: dict[str, Any]) -> Any:
        asked.append(params)
        if len(asked) == 2:
            kept[:] = [message(10), message(11)]
        return history(kept, largest=3)(method, params)

    assert ids(read(read_history(KEY), answer).messages) == ["m10", "m11"]


@pytest.mark.parametrize("becomes", ["reset", "deleted"])
def test_a_session_that_never_stays_the_same(becomes: str) -> None:
    """A session that changes each time while it is read is an error that names it."""
    kept = [message(number) for number in range(1, 8)]

    def answer(method: str, params: dict[str, Any]) -> Any:
        payload = history(kept, largest=3)(method, params)
        if "offset" in params:
            payload |= {"sessionId": "other"} if becomes == "reset" else {"messages": [], "totalMessages": 0}
        return payload

    with pytest.raises(GatewayRequestError, match=f"session '{KEY}' was reset or deleted while it was read"):
        read(read_history(KEY), answer)


def test_an_unknown_session() -> None:
    """A session that is not there is an error that names it; by a pattern there are just no messages."""
    with pytest.raises(GatewayRequestError, match="no session 'agent:main:none' on this gateway"):
        read(read_messages("agent:main:none"), history([]))
    assert len(read(read_messages("agent:*:none"), history([message(1)]))) == 0


@pytest.mark.parametrize("following", [0, -5, 1.5, "next", 1000])
def test_pages_that_do_not_go_on(following: Any) -> None:
    """Pages whose next one is not further on are refused, whatever the gateway calls it."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        return {"sessionId": "id", "messages": [message(1)], "totalMessages": 9, "nextOffset": following}

    with pytest.raises(GatewayRequestError, match=r"chat\.history: the gateway answers pages without end"):
        read(read_history(KEY), answer)


def test_cut_messages_are_made_whole() -> None:
    """A message that a page cuts is asked for alone; one that the gateway does not give whole stays, marked."""
    meta = {"truncated": True, "reason": "display-cap"}
    kept = [message(number, content="sho", __openclaw=meta) for number in (1, 2, 3)]

    def answer(method: str, params: dict[str, Any]) -> Any:
        if method == "chat.message.get":
            if params["messageId"] == "m2":
                raise refusal("too large")
            if params["messageId"] == "m3":
                return {"ok": False, "unavailableReason": "oversized"}
            return {"ok": True, "message": {"role": "user", "content": "shown whole", "__openclaw": {"id": "m1"}}}
        return history(kept)(method, params)

    first, second, third = read(read_history(KEY), answer).messages
    assert (first["content"], cut_reason(first), about(first)["seq"]) == ("shown whole", None, 1)
    assert [cut_reason(second), cut_reason(third)] == ["display-cap", "display-cap"]
    assert read(read_messages(KEY), answer)["cut"].tolist()[1:] == ["display-cap", "display-cap"]


def test_prompts_that_pages_hide() -> None:
    """Messages that pages leave out, as the gateway's own prompts, are there; what it has not is a marked row."""
    kept = [message(number) for number in range(1, 5)]

    def answer(method: str, params: dict[str, Any]) -> Any:
        if method == "sessions.get":
            return {"messages": kept[1:]}
        pages = {0: ([kept[3]], 2), 2: ([], 3), 3: ([], None)}
        messages, following = pages[params.get("offset", 0)]
        return {"sessionId": "id", "messages": messages, "totalMessages": 4, "nextOffset": following}

    found = read(read_history(KEY), answer).messages
    assert found[1:] == kept[1:]
    assert cut_reason(found[0]) == "1 messages are not told by the gateway"


def test_a_session_that_is_written_anew_meanwhile() -> None:
    """A session that is reset and grows beyond what it was, between two pages, is read again."""
    kept = [message(number) for number in range(1, 8)]
    asked: list[dict[str, Any]] = []

    def answer(method: str, params: dict[str, Any]) -> Any:
        asked.append(params)
        if len(asked) == 2:
            kept[:] = [message(number, __openclaw={"id": f"new{number}"}) for number in range(1, 10)]
        return history(kept, largest=3)(method, params)

    assert ids(read(read_history(KEY), answer).messages) == [f"new{number}" for number in range(1, 10)]


def test_gateways_without_pages() -> None:
    """A gateway that has no pages of messages is asked for all at once."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        return {"messages": [message(number) for number in range(1, 2001 if method == "sessions.get" else 1001)]}

    assert len(read(read_history(KEY), answer).messages) == 2000


def test_what_goes_on_is_told() -> None:
    """A run that goes on is known with what it has said so far."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        return history([message(1)])(method, params) | {"inFlightRun": {"runId": "r2", "text": "so f"}}

    assert read(read_history(KEY), answer).running == {"runId": "r2", "text": "so f"}


def call(number: int, call_id: str, tool: str = "sales", **more: Any) -> dict[str, Any]:
    block = {"type": "toolCall", "id": call_id, "name": tool, "arguments": {"month": 3}, **more}
    return message(number, "assistant", [block], provider="p", model="m")


def result(number: int, call_id: str, text: str, **more: Any) -> dict[str, Any]:
    content = [{"type": "text", "text": text}]
    return message(number, "toolResult", content, toolCallId=call_id, toolName="sales", **more)


def test_tool_calls() -> None:
    """Each tool call is a row with its result; an id that comes again is another call, one without a result open."""
    kept = [call(1, "a"), result(2, "a", "one"), call(3, "a"), result(4, "a", "no", isError=True), call(5, "b")]
    calls = read(read_tool_calls(KEY), history(kept))
    assert calls["status"].tolist() == ["ok", "error", "open"]
    assert calls["result"].tolist()[:2] == ["one", "no"]
    assert calls["message"].tolist() == ["m1", "m3", "m5"]
    assert calls["seconds"].tolist()[:2] == [0.001, 0.001]
    assert set(calls["arguments"]) == {'{"month":3}'}
    assert calls["more"].isna().all()
    assert len(read(read_tool_calls(KEY, 2), history(kept))) == 2


def test_calls_that_tools_made() -> None:
    """A call that a tool made stands after it, with the call that made it."""
    nested = [
        {"type": "toolCall", "id": "a:1", "name": "sales", "arguments": {}, "parentToolCallId": "a", "timestamp": 10},
        {"type": "toolResult", "toolCallId": "a:1", "timestamp": 510, "content": [{"type": "text", "text": "42"}]},
    ]
    kept = [call(1, "a", "tool_call"), message(2, "custom", nested), result(3, "a", "wrapped")]
    calls = read(read_tool_calls(KEY), history(kept))
    assert calls["tool"].tolist() == ["tool_call", "sales"]
    assert calls["parent"].tolist()[1] == "a"
    assert (calls["result"].tolist(), calls["seconds"][1]) == (["wrapped", "42"], 0.5)


HOSTILE: list[dict[str, Any]] = [
    {},
    {"role": 5, "content": {"a": 1}, "timestamp": "now", "__openclaw": "meta"},
    {"content": [1, None, {"type": ["x"]}, {"type": "text", "text": 5}], "usage": "much", "idempotencyKey": []},
    {"role": "toolResult", "toolCallId": {"a": []}, "content": None, "__openclaw": {"id": [], "seq": "one"}},
    {"role": "assistant", "content": [{"type": "toolCall", "id": [1], "name": None}], "timestamp": 1e400},
]


def test_messages_of_other_shapes() -> None:
    """Messages of any shape are rows, none is lost, and none is an error."""
    assert len(read(read_messages(KEY), history(HOSTILE))) == len(HOSTILE)
    assert read(read_tool_calls(KEY), history(HOSTILE))["status"].tolist() == ["open"]


def grown(kept: list[dict[str, Any]], since: History) -> History:
    """Return a history read on, of a gateway whose cursor is the count of messages."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        if method == "chat.history" and "cursor" in params:
            count = int(params["cursor"])
            if count > len(kept):
                return {"kind": "reset"}
            new = [{"message": each, "messageId": about(each)["id"]} for each in kept[max(count - 1, 0) :]]
            return {"kind": "delta", "messages": new, "deltaCursor": str(len(kept))}
        return history(kept)(method, params) | ({"deltaCursor": str(len(kept))} if method == "chat.history" else {})

    return read(read_on(since), answer)


def test_reading_on() -> None:
    """Only what is new is asked for, a message that comes again is kept once, and after a reset all is read anew."""
    kept = [message(number) for number in range(1, 4)]
    first = grown(kept, History(KEY))
    assert (ids(first.messages), first.cursor) == (["m1", "m2", "m3"], "3")
    kept.append(message(4))
    second = grown(kept, first)
    assert (ids(second.messages), second.cursor) == (["m1", "m2", "m3", "m4"], "4")
    kept[:] = [message(9)]
    assert ids(grown(kept, second).messages) == ["m9"]
    with pytest.raises(GatewayRequestError, match=f"no session '{KEY}'"):
        read(read_on(second), lambda method, params: {"session": None} if "key" in params else EMPTY)


EMPTY: dict[str, Any] = {"kind": "reset", "messages": [], "totalMessages": 0}


def test_gateways_without_an_archive() -> None:
    """A gateway that has no archive lists its sessions all the same; another refusal is an error."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        if "archived" in params:
            raise refusal("invalid sessions.list params: at root: unexpected property 'archived'")
        return history([message(1)])(method, params)

    assert len(read(read_messages(), answer)) == 1

    def refuse(method: str, params: dict[str, Any]) -> Any:
        raise refusal("no")

    with pytest.raises(GatewayRequestError, match="no"):
        read(read_messages(), refuse)


def test_a_tool_result_of_25_mb() -> None:
    """A result of 25 MB is whole in the DataFrame where the gateway gives it, and where it does not, that is marked."""
    large = "x" * 25_000_000
    kept = [call(1, "a"), result(2, "a", large)]
    assert read(read_tool_calls(KEY), history(kept))["result"].str.len().tolist() == [25_000_000]
    kept[1] = result(2, "a", "[chat.history omitted]", __openclaw={"truncated": True, "reason": "oversized"})
    (left,) = read(read_tool_calls(KEY), history(kept)).to_dict("records")
    assert (left["result"], left["cut"]) == ("[chat.history omitted]", "oversized")
