"""Questions of agents: asked, answered, cancelled, over."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import pytest

import gateway_nb as gnb
from tests.helpers.nodes import owner
from tests.helpers.real import AnyGateway
from tests.helpers.support import async_test

COLOR = {
    "questionId": "color",
    "header": "Color",
    "question": "Which?",
    "options": [{"label": "red"}, {"label": "blue"}],
}
SIZES = {**COLOR, "questionId": "sizes", "multiSelect": True}
FREE = {**COLOR, "questionId": "free", "isOther": True}
RECORD = {"id", "questions", "createdAtMs", "expiresAtMs", "status"}


async def ask(agw: gnb.AsyncGateway, *questions: dict[str, Any], timeout_ms: int = 20_000) -> str:
    """Ask; return the id."""
    answer = await agw.request("question.request", {"questions": list(questions), "timeoutMs": timeout_ms})
    assert set(answer) == {"id", "expiresAtMs"}
    asked: str = answer["id"]
    return asked


async def resolve(agw: gnb.AsyncGateway, asked: str, **answers: list[str]) -> Any:
    return await agw.request("question.resolve", {"id": asked, "answers": {"answers": answers}})


@async_test
async def test_several_questions_at_once(gateway: AnyGateway) -> None:
    """One option, several, and free text are answered together; who waits and who listens get the answers."""
    async with owner(gateway) as agw:
        heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        agw.on("question.*", lambda event: heard.put_nowait(event.payload))
        asked = await ask(agw, COLOR, SIZES, FREE)
        requested = await asyncio.wait_for(heard.get(), 10)
        assert (requested["id"], requested["status"], set(requested) >= RECORD) == (asked, "pending", True)
        assert requested["questions"] == [COLOR, SIZES, FREE]
        assert requested in (await agw.request("question.list"))["questions"]
        assert (await agw.request("question.get", {"id": asked}))["question"] == requested
        waiting = agw.submit("question.waitAnswer", {"id": asked})
        answers = {"color": ["red"], "sizes": ["red", "blue"], "free": ["mauve"]}
        answered = {"status": "answered", "answers": {"answers": answers}}
        assert await resolve(agw, asked, **answers) == answered
        assert await waiting == answered
        assert (await asyncio.wait_for(heard.get(), 10)).items() >= {"id": asked, **answered}.items()
        assert asked not in [each["id"] for each in (await agw.request("question.list"))["questions"]]
        with pytest.raises(gnb.GatewayRequestError, match="is already answered") as caught:
            await resolve(agw, asked, **answers)
        assert caught.value.details["reason"] == "QUESTION_ALREADY_TERMINAL"


@async_test
async def test_without_an_answer(gateway: AnyGateway) -> None:
    """A cancelled question and one whose time is over end without answers, and can't be answered any more."""
    async with owner(gateway) as agw:
        asked = await ask(agw, COLOR)
        waiting = agw.submit("question.waitAnswer", {"id": asked})
        assert await agw.request("question.waitAnswer", {"id": asked, "timeoutMs": 1}) == {"status": "pending"}
        assert await agw.request("question.resolve", {"id": asked, "cancel": True}) == {"status": "cancelled"}
        assert await waiting == {"status": "cancelled"}
        short = await ask(agw, COLOR, timeout_ms=200)
        assert await agw.request("question.waitAnswer", {"id": short}) == {"status": "expired"}
        for ended, status in ((asked, "cancelled"), (short, "expired")):
            with pytest.raises(gnb.GatewayRequestError, match=f"is already {status}"):
                await resolve(agw, ended, color=["red"])


WRONG: list[tuple[dict[str, list[str]], str]] = [
    ({"other": ["red"]}, "question 'other' is not part of this request"),
    ({}, "question 'color' requires an answer"),
    ({"color": [" "]}, "question 'color' contains an empty answer"),
    ({"color": ["red", "blue"]}, "question 'color' does not allow multiple answers"),
    ({"color": ["mauve"]}, "question 'color' contains an unknown option"),
]


@async_test
async def test_wrong_answers(gateway: AnyGateway) -> None:
    """An answer that does not fit is refused with the reason, and the question waits on."""
    async with owner(gateway) as agw:
        asked = await ask(agw, COLOR)
        for answers, words in WRONG:
            with pytest.raises(gnb.GatewayRequestError, match=words) as caught:
                await resolve(agw, asked, **answers)
            assert caught.value.details["reason"] == "QUESTION_INVALID_ANSWER"
        assert (await resolve(agw, asked, color=["blue"]))["status"] == "answered"
        for method in ("question.get", "question.waitAnswer"):
            with pytest.raises(gnb.GatewayRequestError, match="question 'none' was not found") as caught:
                await agw.request(method, {"id": "none"})
            assert caught.value.details["reason"] == "QUESTION_NOT_FOUND"
        with pytest.raises(gnb.GatewayRequestError, match="must have required property 'questions'"):
            await agw.request("question.request", {})


def asking() -> tuple[str, str]:
    question = {"id": "color", "header": "Color", "question": "Which?", "options": COLOR["options"]}
    return f"tool:ask_user:{json.dumps({'questions': [question]})}", f"agent:main:{uuid.uuid4()}"


@async_test
async def test_a_run_asks(gateway: AnyGateway) -> None:
    """A run asks its user a question with options, and its answer has what was chosen."""
    message, key = asking()
    async with owner(gateway) as agw:
        requested = asyncio.create_task(agw.wait_for("question.requested", timeout=30))
        await asyncio.sleep(0)
        run = agw.run(message, session=key)
        result = asyncio.ensure_future(run.result())
        record = (await requested).payload
        assert (record["sessionKey"], record["runId"], record["agentId"]) == (key, run.run_id, "main")
        assert record["questions"] == [{**COLOR, "isOther": True}]
        assert record["expiresAtMs"] - record["createdAtMs"] == 900_000
        await resolve(agw, record["id"], color=["green"])
        assert "green" in (await result).text


@async_test
async def test_an_aborted_run_asks_no_more(gateway: AnyGateway) -> None:
    """When a run is aborted, its question is cancelled."""
    message, key = asking()
    async with owner(gateway) as agw:
        requested = asyncio.create_task(agw.wait_for("question.requested", timeout=30))
        resolved = asyncio.create_task(agw.wait_for("question.resolved", timeout=30))
        await asyncio.sleep(0)
        run = agw.run(message, session=key)
        result = asyncio.ensure_future(run.result())
        record = (await requested).payload
        await run.abort()
        with pytest.raises(gnb.RunAbortedError):
            await result
        assert (await resolved).payload["status"] == "cancelled"
        kept = (await agw.request("question.get", {"id": record["id"]}))["question"]
        assert (kept["status"], kept["resolvedBy"]) == ("cancelled", "requester-inactive")
