"""What waits for a person, met and answered by a client: live, after a reconnect, after a restart, with its limits."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

import gateway_nb as gnb
from gateway_nb.approvals.approvals import AsyncWaiting
from gateway_nb.approvals.waiting import Approval, Question
from tests.helpers.nodes import OWNER, owner
from tests.helpers.proxy import Proxy
from tests.helpers.real import AnyGateway
from tests.helpers.support import async_test, comes_true, until

EXEC = {"command": "echo hi", "cwd": "/tmp", "host": "gateway", "security": "allowlist", "ask": "on-miss"}
EXEC |= {"agentId": "main", "timeoutMs": 60_000, "twoPhase": True}
PLUGIN = {"title": "Post it?", "description": "to everybody", "severity": "warning", "pluginId": "demo"}
PLUGIN |= {"toolName": "post", "agentId": "main", "timeoutMs": 60_000, "twoPhase": True}
COLOR = {"questionId": "color", "header": "Color", "question": "Which?"}
COLOR |= {"options": [{"label": "red", "description": "like fire"}, {"label": "blue"}]}
SIZES = {**COLOR, "questionId": "sizes", "multiSelect": True}
FREE = {**COLOR, "questionId": "free", "options": [], "isOther": True}
AsyncApproval = Approval[Coroutine[Any, Any, None]]
RUN = 'tool:exec:{"command": "echo hi there"}'


def session() -> str:
    return f"agent:main:{uuid.uuid4()}"


@contextlib.asynccontextmanager
async def deciding(gateway: AnyGateway, **options: Any) -> AsyncIterator[gnb.AsyncGateway]:
    """Yield a connection whose user is asked."""
    async with owner(gateway, **options) as agw:
        with pytest.warns(UserWarning, match=r"now decides for the gateway.*gw\.approvals\.stop\(\)"):
            await agw.approvals.start()
        yield agw


def ask(agw: gnb.AsyncGateway, kind: str = "exec", **changes: Any) -> asyncio.Task[Any]:
    """Ask for an approval; the task's result is the gateway's last answer."""
    params = {**(EXEC if kind == "exec" else PLUGIN), "sessionKey": session(), **changes}
    return asyncio.create_task(agw.request(f"{kind}.approval.request", params, expect_final=True))


async def guarded(agw: gnb.AsyncGateway) -> str:
    """Return the key of a session whose agent has to ask."""
    key = session()
    await agw.request("sessions.patch", {"key": key, "permissionMode": "guarded"})
    return key


async def approval(agw: gnb.AsyncGateway) -> AsyncApproval:
    """Return the next approval that waits."""
    item = await agw.approvals.wait(60)
    assert isinstance(item, Approval)
    return item


async def ended(item: AsyncWaiting, seconds: float = 10) -> None:
    """Wait until an item does not wait any more."""

    async def over() -> bool:
        return item.status != "pending"

    await comes_true(over, seconds)


DECISIONS = [
    ("exec", "allow_once", "allow-once", "allowed"),
    ("exec", "allow_always", "allow-always", "allowed"),
    ("exec", "deny", "deny", "denied"),
    ("plugin", "allow_once", "allow-once", "allowed"),
    ("plugin", "allow_always", "allow-always", "allowed"),
    ("plugin", "deny", "deny", "denied"),
]


@pytest.mark.parametrize(("kind", "method", "decision", "status"), DECISIONS)
@async_test
async def test_decisions(gateway: AnyGateway, kind: str, method: str, decision: str, status: str) -> None:
    """Each decision reaches who asked, and the item says what became of it and by whom."""
    async with deciding(gateway) as agw:
        asked = ask(agw, kind)
        item = await approval(agw)
        assert (item.kind, item.agent, item.status) == (kind, "main", "pending")
        assert item.command == ("echo hi" if kind == "exec" else "Post it?\nto everybody")
        assert 50 < (item.expires - item.created).total_seconds() <= 60
        assert [each.id for each in agw.approvals.pending] == [item.id]
        await getattr(item, method)()
        assert (await asked)["decision"] == decision
        assert (item.status, item.decided_by) == (status, "gateway_nb")
        assert agw.approvals.pending == ()


@async_test
async def test_the_capability_is_declared_while_it_is_used(gateway: AnyGateway) -> None:
    """Before the first use and after stop() the gateway refuses at once; as soon as start() returns, requests wait."""
    async with owner(gateway) as agw:
        assert (await ask(agw))["decision"] is None
        with pytest.warns(UserWarning, match="now decides"):
            assert await agw.approvals.start()
        assert not await agw.approvals.start()
        asked = ask(agw)
        await (await approval(agw)).allow_once()
        assert (await asked)["decision"] == "allow-once"
        await agw.approvals.stop()

        async def refused() -> bool:
            final = await ask(agw, timeoutMs=200)
            approval = (await agw.request("approval.get", {"id": final["id"]}))["approval"]
            return bool(approval["reason"] == "no-route")

        await comes_true(refused)
        with pytest.warns(UserWarning, match="now decides"):
            await agw.approvals.start()
        asked = ask(agw)
        await (await approval(agw)).deny()
        assert (await asked)["decision"] == "deny"


@pytest.mark.parametrize("by", [None, "other", "time", "gone"])
@async_test
async def test_what_does_not_wait_any_more(gateway: AnyGateway, by: str | None) -> None:
    """Answering what was answered or is over raises an error that says who decided what, and changes nothing."""
    async with deciding(gateway) as agw, owner(gateway, client_display_name="the other") as other:
        asked = ask(agw, timeoutMs=700 if by == "time" else 20_000)
        item = await approval(agw)
        if by is None:
            await item.deny("never")
            words = r"denied \(deny\) by gateway_nb: never"
        elif by == "other":
            await other.request("exec.approval.resolve", {"id": item.id, "decision": "deny"})
            words = r"denied \(deny\) by the other"
            await ended(item)
        elif by == "time":
            assert (await asked)["decision"] is None
            words = "expired"
            await ended(item)
        else:
            await agw.approvals.stop()
            with pytest.raises(gnb.GatewayClosedError, match="approvals were stopped"):
                await item.allow_once()
            await agw.request("exec.approval.resolve", {"id": item.id, "decision": "deny"})
            with pytest.warns(UserWarning, match="now decides"):
                await agw.approvals.start()
            words = r"denied \(deny\) by gateway_nb"
        for answer in (item.allow_once, item.deny):
            with pytest.raises(gnb.GatewayRequestError, match=words):
                await answer()
        assert item.status == ("expired" if by == "time" else "denied")
        assert (await asked)["decision"] == (None if by == "time" else "deny")


@async_test
async def test_an_answer_races_with_another(gateway: AnyGateway) -> None:
    """Of two that decide at once one wins; the other gets an error that says how it was decided."""
    async with deciding(gateway) as agw, deciding(gateway, client_display_name="the other") as other:
        asked = ask(agw)
        here, there = await approval(agw), await approval(other)
        assert here.id == there.id
        outcomes = await asyncio.gather(here.allow_once(), there.allow_once(), return_exceptions=True)
        (error,) = [outcome for outcome in outcomes if outcome is not None]
        assert isinstance(error, gnb.GatewayRequestError)
        assert "allowed (allow-once)" in str(error)
        assert (await asked)["decision"] == "allow-once"


@async_test
async def test_a_decision_that_is_not_offered(gateway: AnyGateway) -> None:
    """Allowing always, where the gateway does not offer that, is refused here: it would count as a denial there."""
    async with deciding(gateway) as agw:
        asked = ask(agw, ask="always")
        item = await approval(agw)
        assert item.decisions == ("allow-once", "deny")
        with pytest.raises(gnb.GatewayError, match="does not offer allow-always, only allow-once, deny"):
            await item.allow_always()
        await item.allow_once()
        assert (await asked)["decision"] == "allow-once"


@async_test
async def test_questions(gateway: AnyGateway) -> None:
    """Several questions are answered together: one option, several, and free text; a wrong answer is refused here."""
    async with deciding(gateway) as agw:
        own = await agw.request("question.request", {"questions": [COLOR, SIZES, FREE], "timeoutMs": 20_000})
        item = await agw.approvals.wait(10)
        assert isinstance(item, Question)
        assert (item.id, item.kind, item.command) == (own["id"], "question", "Which?\nWhich?\nWhich?")
        assert [option.label for option in item.questions[0].options] == ["red", "blue"]
        assert item.questions[0].options[0].description == "like fire"
        with pytest.raises(ValueError, match="no such option; choose from 'red', 'blue'"):
            await item.answer({"color": "mauve", "sizes": "red", "free": "x"})
        waiting = agw.submit("question.waitAnswer", {"id": item.id})
        await item.answer({"color": "red", "sizes": ["red", "blue"], "free": "mauve"})
        answers = {"color": ["red"], "sizes": ["red", "blue"], "free": ["mauve"]}
        assert await waiting == {"status": "answered", "answers": {"answers": answers}}
        assert (item.status, item.decided_by) == ("answered", "gateway_nb")
        for late in (lambda: item.answer({"color": "red", "sizes": "red", "free": "x"}), item.cancel):
            with pytest.raises(gnb.GatewayRequestError, match="does not wait any more: answered by gateway_nb"):
                await late()


@async_test
async def test_a_question_without_an_answer(gateway: AnyGateway) -> None:
    """A question can be cancelled; one that is cancelled elsewhere, or whose time is over, is shown so."""
    async with deciding(gateway) as agw:
        for timeout in (20_000, 20_000, 500):
            await agw.request("question.request", {"questions": [COLOR], "timeoutMs": timeout})
        here, there, late = [await agw.approvals.wait(10) for _ in range(3)]
        assert isinstance(here, Question)
        await here.cancel()
        await agw.request("question.resolve", {"id": there.id, "cancel": True})
        for item, status in ((here, "cancelled"), (there, "cancelled"), (late, "expired")):
            await ended(item)
            assert isinstance(item, Question)
            assert item.status == status
            with pytest.raises(gnb.GatewayRequestError, match=f"does not wait any more: {status}"):
                await item.answer("red")


@async_test
async def test_two_wait_while_the_connection_is_lost(gateway: AnyGateway) -> None:
    """After a lost connection what waits is there again, each once, and what was decided meanwhile is known."""
    async with (
        Proxy(urlsplit(gateway.url).port or 0) as proxy,
        gnb.AsyncGateway(proxy.url, token=gateway.token, scopes=OWNER) as agw,
        owner(gateway) as asking,
        owner(gateway, caps=["approvals"]) as other,
    ):
        with pytest.warns(UserWarning, match="now decides"):
            await agw.approvals.start()
        run = asking.run(RUN, session=await guarded(asking))
        result = asyncio.ensure_future(run.result())
        first = await approval(agw)
        asked = ask(asking)
        second = await approval(agw)
        proxy.refusing = True
        proxy.cut()

        async def lost() -> bool:
            try:
                await second.deny()
            except gnb.GatewayClosedError:
                return True
            return False

        await comes_true(lost)
        await other.request("exec.approval.resolve", {"id": second.id, "decision": "deny"})
        assert (await asked)["decision"] == "deny"
        heard = asyncio.create_task(other.wait_for("exec.approval.requested"))
        await asyncio.sleep(0)
        third = ask(asking, command="echo third")
        await heard
        proxy.refusing = False
        await comes_true(lambda: asyncio.sleep(0, len(agw.approvals.pending) == 2 and second.status == "denied"), 60)
        await comes_true(lambda: asyncio.sleep(0, agw.approvals.current))
        with pytest.raises(gnb.GatewayRequestError, match=r"denied \(deny\) by gateway_nb"):
            await second.allow_once()
        assert first.status == "pending"
        await first.allow_once()
        assert "hi there" in (await result).text
        last = await approval(agw)
        assert last.command == "echo third"
        await last.deny()
        assert (await third)["decision"] == "deny"


@async_test
async def test_two_wait_while_the_gateway_restarts(gateway: AnyGateway) -> None:
    """A gateway that restarts forgets what waits: that is said, nothing of it can be allowed, and new requests come."""
    async with deciding(gateway) as agw:
        asked = [ask(agw, timeoutMs=600_000), ask(agw, "plugin", timeoutMs=600_000)]
        items = [await approval(agw) for _ in asked]
        await asyncio.to_thread(gateway.restart)
        for task in asked:
            with pytest.raises(gnb.GatewayError):
                await task
        for item in items:
            await ended(item, 60)
            with pytest.raises(gnb.GatewayRequestError, match=r"does not wait any more: cancelled: gateway-restart"):
                await item.allow_once()
        assert agw.approvals.pending == ()
        await comes_true(lambda: asyncio.sleep(0, agw.status.state == "connected"), 60)
        again = ask(agw)
        item = await approval(agw)
        await item.allow_once()
        assert (await again)["decision"] == "allow-once"


@pytest.mark.parametrize(("method", "words"), [("allow_once", "hi there"), ("deny", "denied")])
@async_test
async def test_a_run_goes_on(gateway: AnyGateway, method: str, words: str) -> None:
    """A run in a guarded session waits for its command to be allowed, and goes on with the decision."""
    async with deciding(gateway) as agw:
        key = await guarded(agw)
        run = agw.run(RUN, session=key)
        result = asyncio.ensure_future(run.result())
        item = await approval(agw)
        assert (item.command, item.session, item.run) == ("echo hi there", key, run.run_id)
        assert item.tool_call
        await getattr(item, method)()
        assert words in (await result).text


@async_test
async def test_an_aborted_run_asks_no_more(gateway: AnyGateway) -> None:
    """What a run waits for is cancelled with it."""
    async with deciding(gateway) as agw:
        run = agw.run(RUN, session=await guarded(agw))
        result = asyncio.ensure_future(run.result())
        item = await approval(agw)
        await run.abort()
        with pytest.raises(gnb.RunAbortedError):
            await result
        await ended(item)
        assert item.status == "cancelled"
        with pytest.raises(gnb.GatewayRequestError, match="cancelled"):
            await item.allow_once()


@async_test
async def test_iterating(gateway: AnyGateway) -> None:
    """Iterating yields what waits and what comes, each once, until stop()."""
    async with owner(gateway) as agw:
        met: list[str] = []
        allowed = asyncio.Event()

        async def allow_all() -> None:
            async for item in agw.approvals:
                await item.allow_once()
                met.append(item.id)
                if len(met) == 2:
                    allowed.set()

        with pytest.warns(UserWarning, match="now decides"):
            await agw.approvals.start()
        first = ask(agw)
        loop = asyncio.create_task(allow_all())
        await first
        assert (await ask(agw))["decision"] == "allow-once"
        await asyncio.wait_for(allowed.wait(), 10)  # the asker may hear of it first
        await agw.approvals.stop()
        await asyncio.wait_for(loop, 10)
        assert len(met) == len(set(met)) == 2


@async_test
async def test_waiting_in_vain(gateway: AnyGateway) -> None:
    """wait() raises when nothing comes in time, and at once when it is stopped or the connection is closed."""
    async with deciding(gateway) as agw:
        with pytest.raises(gnb.GatewayTimeoutError, match=r"within 0\.05 s"):
            await agw.approvals.wait(0.05)
        waiting = asyncio.create_task(agw.approvals.wait(30))
        await asyncio.sleep(0)
        await agw.approvals.stop()
        with pytest.raises(gnb.GatewayClosedError, match="stopped"):
            await waiting
    with pytest.raises(gnb.GatewayClosedError, match="connect first"):
        await agw.approvals.start()


@async_test
async def test_scopes(gateway: AnyGateway) -> None:
    """Without the scopes it is refused before anything is declared; with one of two, what is missing is said."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, scopes=["operator.write"]) as agw:
        with pytest.raises(gnb.MissingScopeError, match=r"missing scope: operator\.approvals; connect with scopes="):
            await agw.approvals.wait(1)
        assert not agw.approvals.listening
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, scopes=["operator.questions"]) as agw:
        with pytest.warns(UserWarning, match="now decides"):
            await agw.approvals.start()
        assert "has not the scope operator.approvals" in (agw.approvals.notice or "")
        assert "without operator.admin" in (agw.approvals.notice or "")


@async_test
async def test_history(gateway: AnyGateway) -> None:
    """The history has what was asked, by whom, what was decided, by whom and when; the latest first, over pages."""
    async with deciding(gateway) as agw:
        key = session()
        for kind in ("exec", "plugin", "exec"):
            asked = ask(agw, kind, sessionKey=key)
            await (await approval(agw)).deny()
            await asked
        frame = await agw.approvals.history(3)
        assert sorted(frame["kind"]) == ["exec", "exec", "plugin"]
        assert list(frame["command"].dropna()) == ["echo hi", "echo hi"]
        assert set(frame["session"]) == {key}
        assert set(frame["decision"]) == {"deny"}
        assert frame["resolver"].notna().all()
        assert frame["resolved"].is_monotonic_decreasing
        assert len(await agw.approvals.history(1)) == 1


@async_test
async def test_two_hundred_wait(gateway: AnyGateway) -> None:
    """With 200 waiting the list takes less than 50 ms, and each is decided once."""
    async with deciding(gateway) as agw, owner(gateway) as asking, owner(gateway) as other:
        # A connection has at most 128 requests unanswered.
        asked = [ask((asking, other)[n % 2], command=f"echo {n}") for n in range(200)]
        await comes_true(lambda: asyncio.sleep(0, len(agw.approvals.pending) == 200), 60)
        began = time.perf_counter()
        items = agw.approvals.pending
        commands = {item.command for item in items}
        assert time.perf_counter() - began < 0.05
        assert commands == {f"echo {n}" for n in range(200)}
        await asyncio.gather(*(item.allow_once() for item in items if isinstance(item, Approval)))
        assert {(await task)["decision"] for task in asked} == {"allow-once"}
        assert agw.approvals.pending == ()


@contextlib.contextmanager
def answering(gateway: AnyGateway) -> Iterator[gnb.Gateway]:
    """Yield a connection whose user is asked, for code without ``await``."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        with pytest.warns(UserWarning, match="now decides for the gateway"):
            gw.approvals.start()
        yield gw


def test_a_script_answers_its_run(gateway: AnyGateway) -> None:
    """on_approval and on_question of a run are called on the handlers' thread, and answer what that run asks."""
    question = {"id": "color", "header": "Color", "question": "Which?", "options": COLOR["options"]}
    threads: list[str] = []

    def allow(item: Approval[None]) -> None:
        threads.append(threading.current_thread().name)
        item.allow_once()

    with answering(gateway) as gw:
        key = session()
        gw.request("sessions.patch", {"key": key, "permissionMode": "guarded"})
        run = gw.run(RUN, session=key, on_approval=allow)
        assert "hi there" in run.result(60).text
        run = gw.run(
            f"tool:ask_user:{json.dumps({'questions': [question]})}",
            session=session(),
            on_question=lambda item: item.answer("blue"),
        )
        assert "blue" in run.result(60).text
        assert threads == ["gateway_nb-handlers"]


def test_other_runs_are_left_alone(gateway: AnyGateway) -> None:
    """A run's handlers answer that run alone; what it raises is counted, and its approval waits for somebody else."""

    def fail(item: Approval[None]) -> None:
        raise RuntimeError("no")

    with answering(gateway) as gw:
        keys = [session(), session()]
        for key in keys:
            gw.request("sessions.patch", {"key": key, "permissionMode": "guarded"})
        runs = [gw.run(RUN, session=keys[0], on_approval=fail), gw.run(RUN, session=keys[1])]
        for _ in runs:
            gw.approvals.wait(60)
        until(lambda: gw.status.counters.handler_errors == 1)
        assert len(gw.approvals) == 2
        assert {item.run for item in gw.approvals} == {run.run_id for run in runs}
        for item in gw.approvals:
            assert isinstance(item, Approval)
            item.allow_once()
        assert all("hi there" in run.result(60).text for run in runs)
        assert gw.status.counters.handler_errors == 1


@pytest.mark.parametrize("option", ["on_approval", "on_question"])
def test_handlers_are_checked(gateway: AnyGateway, option: str) -> None:
    """A handler that can't be called is refused before the run starts, and nothing is declared."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        with pytest.raises(TypeError, match="must be callable"):
            gw.run("hello", **{option: 5})  # type: ignore[call-overload]
        assert not gw.approvals.listening
