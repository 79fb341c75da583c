"""How a run ended, by the gateway's final answer or by its session's messages."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_nb.experiments.outcome import Found, Outcome, Used, find_run, found_in, of_final, read_used
from gateway_nb.records.history import History
from gateway_nb.records.steps import Ask, Done, advance

RUN = "run-1"


def user(run: str = RUN, time: int = 1000) -> dict[str, Any]:
    return {"role": "user", "content": "hello", "timestamp": time, "idempotencyKey": f"{run}:user", "__openclaw": {}}


def assistant(stop: str | None = "stop", run: str = RUN, **more: Any) -> dict[str, Any]:
    usage = {"input": 10, "output": 5, "cost": {"total": 0.02}}
    about = {"role": "assistant", "provider": "p", "model": "m", "usage": usage, "stopReason": stop}
    meta = {"runId": run, "recordTimestampMs": 3500}
    return {**about, "content": [{"type": "text", "text": "the answer "}], "__openclaw": meta, **more}


WELL = Outcome("ok", "the answer", "p/m", 2.5)


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        ([], Found("new")),
        ([user()], Found("lost")),
        ([user(), assistant("toolUse")], Found("lost")),
        ([user(), assistant(None)], Found("lost")),
        ([user("run-2"), assistant(run="run-2")], Found("lost")),
        ([user(), assistant()], Found("ended", WELL)),
        ([user(), assistant("toolUse"), assistant("length")], Found("ended", WELL)),
        # A gateway that restarted went on with a run of its own, whose answer is none to the prompt.
        ([user(), user("run-2", 9000), assistant(run="run-2")], Found("lost")),
        (
            [user(), assistant("error", errorMessage="too much")],
            Found("ended", Outcome("failed", None, "p/m", 2.5, None, "too much")),
        ),
        (
            [user(), assistant("aborted")],
            Found("ended", Outcome("aborted", None, "p/m", 2.5, None, "the model stopped: aborted")),
        ),
        # What an aborted run had said is a message of the gateway's own, which stopped well.
        (
            [user(), assistant(provider="openclaw", model="gateway-injected")],
            Found("ended", Outcome("aborted", None, None, 2.5, None, "the model stopped: aborted")),
        ),
    ],
)
def test_messages_tell_how_a_run_ended(messages: list[dict[str, Any]], found: Found) -> None:
    """A run that nobody listened to has ended, will never, or was never asked for, by its session's messages."""
    assert found_in(History("s", messages), RUN) == found


@pytest.mark.parametrize(
    "payload",
    [{"sessionInfo": {"activeRunIds": ["other", RUN]}}, {"inFlightRun": {"runId": RUN, "text": "the"}}],
)
def test_a_run_that_goes_on_is_waited_for(payload: dict[str, Any]) -> None:
    """What a gateway still works on has not ended, whatever its messages say."""
    steps = find_run("s", RUN)
    ask = advance(steps, None)
    assert isinstance(ask, Ask)
    assert ask.method == "chat.history"
    assert advance(steps, payload | {"messages": [user(), assistant()]}) == Done(Found("active"))


def final(**meta: Any) -> dict[str, Any]:
    usage = {"input": 10, "output": 5, "total": 15, "cost": {"total": 0.02}}
    about = {"provider": "p", "model": "m", "usage": usage, **meta}
    return {"status": "ok", "result": {"payloads": [{"text": "hello"}], "meta": {"agentMeta": about}}}


@pytest.mark.parametrize(
    ("payload", "outcome"),
    [
        (final(costUsd=0.03), Outcome("ok", "hello", "p/m", None, Used(10, 5, 0.03))),
        (final(), Outcome("ok", "hello", "p/m", None, Used(10, 5, 0.02))),
        (final(usage={"input": 10, "output": 5}), Outcome("ok", "hello", "p/m", None, None)),
        (final(usage={"input": "many", "output": 5}, costUsd=1), Outcome("ok", "hello", "p/m", None, None)),
        (final(usage=None, provider=7), Outcome("ok", "hello", None, None, None)),
        ({"status": "ok", "terminalReply": {"text": "hello"}}, Outcome("ok", "hello")),
        ({"status": "ok"}, Outcome("ok", None)),
    ],
)
def test_final_answers_tell_what_was_used(payload: dict[str, Any], outcome: Outcome) -> None:
    """What a run used is in its final answer; where that lacks it, as in one that was fetched later, it is unknown."""
    assert of_final(payload) == outcome


def test_what_sessions_used_is_the_sum_of_their_messages() -> None:
    """Tokens and cost are those of all model calls of all the sessions; what is no number counts as nothing."""
    steps = read_used(["s", "s-2"])
    step: Any = advance(steps, None)
    pages = {
        "s": [user(), assistant("toolUse"), assistant()],
        "s-2": [user(), assistant(usage={"input": "?", "output": 1, "cost": {"total": float("nan")}})],
    }
    while not isinstance(step, Done):
        messages = [
            {**message, "__openclaw": {**message["__openclaw"], "id": str(number), "seq": number}}
            for number, message in enumerate(pages[step.params["sessionKey"]])
        ]
        step = advance(steps, {"messages": messages, "totalMessages": len(messages), "sessionId": "x"})
    assert step.result == Used(20, 11, 0.04)
