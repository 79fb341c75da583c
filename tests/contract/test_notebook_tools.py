"""Python functions as tools of agents: from the decorator to the agent's answer."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import uuid
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pandas as pd
import pytest

import gateway_nb as gnb
from tests.helpers.nodes import OWNER, owner
from tests.helpers.real import AnyGateway, RealGateway
from tests.helpers.support import async_test, comes_true, until


@pytest.fixture
def gw(gateway: AnyGateway) -> Iterator[gnb.Gateway]:
    """The notebook's connection, whose node is approved."""
    with gnb.connect(gateway.url, token=gateway.token, scopes=OWNER) as connection:
        yield connection


def session() -> str:
    return f"agent:main:{uuid.uuid4()}"


def approved(gw: gnb.Gateway) -> None:
    gw.tools.approve()
    assert gw.tools.notice is None


def invoke(gw: gnb.Gateway, name: str, **args: Any) -> tuple[bool, str]:
    """Call a tool as an operator; return whether that went well, and the text."""
    answer = gw.request("tools.invoke", {"name": name, "args": args})
    if not answer["ok"]:
        return False, answer["error"]["code"]
    output = answer["output"]
    return output["details"].get("status") != "error", output["content"][0]["text"]


def offer_sales(gw: gnb.Gateway, **options: Any) -> None:
    frame = pd.DataFrame({"month": [1, 3, 3], "region": ["north", "north", "south"], "sum": [10, 20, 42]})

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the first is not approved yet

        @gw.tool(**options)
        def sales(month: int, region: Literal["north", "south", "all"] = "all") -> pd.DataFrame:
            """Sales of one month.

            Args:
                month: 1 to 12.
                region: which shops.
            """
            print("asked for", month)
            return frame[(frame.month == month) & ((frame.region == region) | (region == "all"))]


def test_an_agent_calls_a_function(gw: gnb.Gateway) -> None:
    """A run calls a decorated function, and its answer contains the function's; the call is in the book."""
    key = session()
    with pytest.warns(UserWarning, match=r"run gw.tools.approve\(\) here, or on the gateway's host: openclaw nodes"):

        @gw.tool
        def double(number: int) -> str:
            """Double a number."""
            print("doubling")
            gnb.tools.progress("half way")
            return f"it is {2 * number}"

    assert double(4) == "it is 8"
    assert gw.tools.names == ("double",)
    approved(gw)
    run = gw.run('tool:double:{"number": 21}', session=key)
    assert "it is 42" in run.result(60).text
    (call,) = gw.tools.calls.itertuples()
    assert (call.tool, call.session, call.run, call.arguments, call.status) == (
        "double",
        key,
        run.run_id,
        '{"number":21}',
        "ok",
    )
    assert (call.size, call.answer, call.printed, call.progress) == (8, "it is 42", "doubling\n", "half way")
    assert 0 <= call.seconds < 10


def test_arguments_are_checked_and_tables_answered(gw: gnb.Gateway) -> None:
    """A table goes back as Markdown with its shape; wrong arguments as an error that says what is allowed."""
    offer_sales(gw)
    approved(gw)
    ok, text = invoke(gw, "sales", month=3)
    assert ok
    assert "| 2 | 3 | south | 42 |" in text
    assert "[2 rows x 3 columns]" in text
    wrong = "sales: 'month': Expected `int`, got `str`; 'region': Invalid enum value 'east'; it takes month, region"
    assert invoke(gw, "sales", month="March", region="east") == (False, wrong)
    assert list(gw.tools.calls.status) == ["ok", "invalid"]


def test_what_agents_are_told(gw: gnb.Gateway) -> None:
    """A session's tools have the function with its docstring's text."""
    key = session()
    gw.request("sessions.create", {"key": key})
    offer_sales(gw)
    approved(gw)
    groups = gw.request("tools.effective", {"sessionKey": key})["groups"]
    (offered,) = [tool for group in groups if group["id"] == "mcp" for tool in group["tools"]]
    assert (offered["id"], offered["description"]) == ("sales", "Sales of one month. (node: gateway_nb)")


def test_only_own_runs_may_call(gateway: AnyGateway, gw: gnb.Gateway) -> None:
    """Another client's run is refused, in a session where this connection has no run in flight; sessions="*" opens."""
    offer_sales(gw)
    approved(gw)
    key = session()
    with gnb.connect(gateway.url, token=gateway.token, name="other") as other:
        ask = 'tool:sales:{"month": 3}'
        assert "sales is not offered to this session" in other.run(ask, session=key).result(60).text
        assert "42" in gw.run(ask, session=key).result(60).text
        assert "sales is not offered to this session" in other.run(ask, session=key).result(60).text
        offer_sales(gw, sessions="*")
        assert "42" in other.run(ask, session=session()).result(60).text
        offer_sales(gw, sessions=["agent:main:reports-*"])
        assert "not offered" in other.run(ask, session=session()).result(60).text
        assert "42" in other.run(ask, session=f"agent:main:reports-{uuid.uuid4()}").result(60).text
    assert list(gw.tools.calls.status) == ["refused", "ok", "refused", "ok", "refused", "ok"]
    assert any("was called by session" in line for line in gw.log)


def test_sub_agents_of_own_runs_may_call(real: RealGateway) -> None:
    """A sub-agent of this connection's run may call, after that run's end, too; the call is in the book as its own."""
    with gnb.connect(real.url, token=real.token, scopes=OWNER) as gw:
        offer_sales(gw)
        approved(gw)
        task = {"agentId": "main", "task": 'tool:sales:{"month": 3}'}
        run = gw.run(f"tool:sessions_spawn:{json.dumps(task)}", session=session())
        assert "accepted" in run.result(60).text
        until(lambda: list(gw.tools.calls.status) == ["ok"], 60)
        (call,) = gw.tools.calls.itertuples()
        assert call.session.startswith("agent:main:subagent:")
        assert call.run != run.run_id


@async_test
async def test_a_run_that_may_call_some_tools_alone(gateway: AnyGateway) -> None:
    """Tools that a run may not call are refused, and its agent is told; the next run calls them again."""
    async with owner(gateway) as agw:

        @agw.tool
        def add(a: int) -> int:
            """Add one."""
            return a + 1

        @agw.tool
        def drop() -> str:
            """Drop everything."""
            return "dropped"

        await agw.tools.publish()
        await agw.tools.approve()
        with pytest.raises(gnb.GatewayError, match="there is no tool 'sub'; this connection offers add, drop"):
            agw.tools.restrict("run", ["sub"])
        texts = []
        for message in ("tool:drop:{}", 'tool:add:{"a": 41}'):
            run = agw.run(message, session=session())
            agw.tools.restrict(run.run_id, ["add"])
            texts.append((await run.result()).text)
        assert "drop is not one of the tools that this run may call" in texts[0]
        assert "42" in texts[1]
        assert "dropped" in (await agw.run("tool:drop:{}", session=session()).result()).text
        assert list(agw.tools.calls.status) == ["refused", "ok", "ok"]
        await agw.tools.stop()


def test_a_run_that_calls_two_tools(gw: gnb.Gateway) -> None:
    """An agent calls one tool after the other in one run, and its answer has both results."""
    offer_sales(gw)
    approved(gw)

    @gw.tool
    def months() -> str:
        """List the months."""
        return "January and March"

    run = gw.run('Look first.\ntool:months:{}\ntool:sales:{"month": 3, "region": "north"}', session=session())
    text = run.result(60).text
    assert text.index("January and March") < text.index("[1 rows x 3 columns]")
    assert list(gw.tools.calls.tool) == ["months", "sales"]
    assert set(gw.tools.calls.run) == {run.run_id}


def test_arguments_and_results_are_heard(gw: gnb.Gateway) -> None:
    """A connection hears the arguments and the result of its agents' tool calls without asking for that."""
    offer_sales(gw)
    approved(gw)
    run = gw.run('tool:sales:{"month": 3}', session=session())
    run.result(60)
    heard = [event.payload["data"] for event in run.events if event.payload.get("stream") == "tool"]
    assert {"month": 3} in [data.get("args") for data in heard]
    assert any("[2 rows x 3 columns]" in str(data.get("result")) for data in heard)


def test_exceptions_reach_agent_and_user(gw: gnb.Gateway) -> None:
    """What a function raises, SystemExit, too, is an error for the agent with type and message, without the token; the
    user has the traceback, and later calls work.
    """
    token = gw.core.settings.credentials.token
    assert token is not None

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        @gw.tool
        def fail(how: str) -> None:
            """Fail."""
            if how == "exit":
                raise SystemExit(3)
            raise ValueError(f"no such month, {token.reveal()}")

    approved(gw)
    ok, text = invoke(gw, "fail", how="raise")
    assert not ok
    assert text.startswith("ValueError: no such month, ")
    assert token.reveal() not in text
    assert invoke(gw, "fail", how="exit") == (False, "SystemExit: 3")
    assert "no such month" in gw.run('tool:fail:{"how": "raise"}', session=session()).result(60).text
    assert (shown := gw.tools.last_error()) is not None
    assert "raise ValueError(" in shown
    assert token.reveal() not in gw.tools.calls.to_csv()


def test_slow_tools_stop_nobody(gw: gnb.Gateway) -> None:
    """A call beyond its tool's timeout is answered, its function learns it; others are answered meanwhile."""
    go, seen = threading.Event(), threading.Event()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        @gw.tool(timeout=0.5)
        def hang() -> None:
            """Hang."""
            go.wait()
            if gnb.tools.cancelled():
                seen.set()

        @gw.tool
        def quick() -> str:
            """Answer."""
            return "here"

    approved(gw)
    gw.tools.workers = 1
    try:
        assert invoke(gw, "hang") == (False, "hang took longer than its 0.5 s and was given up")
        assert invoke(gw, "quick") == (True, "here")
    finally:
        go.set()
    assert seen.wait(10)
    assert list(gw.tools.calls.status) == ["timeout", "ok"]


def test_aborting_a_run_reaches_the_function(gw: gnb.Gateway) -> None:
    """When a run is aborted, the function that it waits for learns it."""
    started, seen = threading.Event(), threading.Event()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        @gw.tool
        def wait() -> None:
            """Wait."""
            started.set()
            until(gnb.tools.cancelled, 30)
            seen.set()

    approved(gw)
    run = gw.run("tool:wait:{}", session=session())
    assert started.wait(60)
    run.abort()
    assert seen.wait(10)
    with pytest.raises(gnb.RunAbortedError):
        run.result(60)
    until(lambda: list(gw.tools.calls.status) == ["cancelled"])


def test_many_calls_while_a_cell_runs(gw: gnb.Gateway) -> None:
    """Each of many calls, eight at a time, is answered once with its own result, while the main thread is busy."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        @gw.tool
        def square(number: int) -> int:
            """Square a number."""
            return number * number

    approved(gw)
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: invoke(gw, "square", number=number), range(1000)))
    assert answers == [(True, str(number * number)) for number in range(1000)]
    assert len(gw.tools.calls) == 1000


def test_a_restart_in_the_middle_of_calls(gateway: AnyGateway, gw: gnb.Gateway) -> None:
    """A thousand calls go through a restart: those under way fail with a reason, later ones get their own result."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        @gw.tool
        def square(number: int) -> int:
            """Square a number."""
            return number * number

    approved(gw)
    failures: list[str] = []
    answered: list[int] = []
    pause = threading.Event()

    def call(number: int) -> str:
        """Call until it is answered."""
        while True:
            try:
                ok, text = invoke(gw, "square", number=number)
            except gnb.GatewayError as error:
                ok, text = False, str(error)
            if ok:
                answered.append(number)
                return text
            failures.append(text)
            pause.wait(0.1)

    with ThreadPoolExecutor(8) as threads:
        calls = [threads.submit(call, number) for number in range(1000)]
        until(lambda: len(answered) > 300, 60)
        gateway.restart()
        assert [each.result(120) for each in calls] == [str(number * number) for number in range(1000)]
    assert failures
    clear = r"not_found|internal_error|gateway closed \(1012\)|not connected|connection|unavailable|starting"
    assert [text for text in failures if not re.search(clear, text)] == []
    assert sorted(answered) == list(range(1000))


def test_calls_wait_for_the_user(gw: gnb.Gateway) -> None:
    """With confirm=True nothing runs before the user allows it; denied, or too late, nothing runs at all."""
    ran: list[int] = []

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")

        @gw.tool(confirm=True, confirm_timeout=30)
        def delete(number: int) -> str:
            """Delete something."""
            ran.append(number)
            return "gone"

        @gw.tool(confirm=True, confirm_timeout=0.2)
        def drop() -> None:
            """Drop something."""
            ran.append(-1)

    approved(gw)
    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(invoke, gw, "delete", number=1)
        until(lambda: 'call 1 waits: delete({"number":1})' in repr(gw.tools))
        assert not ran
        gw.tools.allow(1)
        assert first.result(30) == (True, "gone")
        second = threads.submit(invoke, gw, "delete", number=2)
        until(lambda: "call 2 waits" in repr(gw.tools))
        gw.tools.deny(2)
        assert second.result(30) == (False, "delete: the user did not allow this call")
    answered, why = invoke(gw, "drop")
    assert not answered
    assert re.fullmatch(r"drop: the user was asked to allow this call, but nobody answered within .* s, .*", why)
    with pytest.raises(gnb.GatewayError, match=r"call 3 does not wait to be allowed \(any more\); those that do: none"):
        gw.tools.allow(3)
    assert ran == [1]
    assert list(gw.tools.calls.status) == ["ok", "denied", "denied"]


def test_tools_come_and_go(gw: gnb.Gateway) -> None:
    """Defined again a tool is replaced; removed, stopped or closed it is gone at the gateway."""
    offer_sales(gw)
    approved(gw)

    @gw.tool(name="sales")
    def better() -> str:
        """Sales."""
        return "better"

    assert (gw.tools.names, invoke(gw, "sales")) == (("sales",), (True, "better"))
    gw.tools.remove("sales")
    assert (gw.tools.names, invoke(gw, "sales")) == ((), (False, "not_found"))
    with pytest.raises(KeyError, match="there is no tool 'sales'; offered are none"):
        gw.tools.remove("sales")
    offer_sales(gw)
    assert invoke(gw, "sales", month=3)[0]
    gw.tools.stop()
    until(lambda: invoke(gw, "sales", month=3) == (False, "not_found"))
    offer_sales(gw)  # with the same key, which is approved
    assert gw.tools.notice is None
    assert invoke(gw, "sales", month=3)[0]


def test_a_restart_of_the_gateway(gateway: AnyGateway, gw: gnb.Gateway) -> None:
    """After the gateway has restarted, the tools are there again without a call of ours."""
    offer_sales(gw)
    approved(gw)
    epoch = gw.status.epoch
    gateway.restart()

    def answered() -> bool:
        try:
            return gw.status.epoch > epoch and invoke(gw, "sales", month=3)[0]
        except gnb.GatewayError:
            return False

    until(answered, 60)


def test_two_notebooks_with_one_name(gateway: AnyGateway, gw: gnb.Gateway) -> None:
    """Where two connections offer one name, each has a key of its own, and is told by which name agents know it."""
    offer_sales(gw)
    approved(gw)
    with gnb.connect(gateway.url, token=gateway.token, scopes=OWNER, name="second") as second:
        offer_sales(second)
        approved(second)
        (renamed,) = second.tools.renamed.values()
        assert renamed.endswith("_sales")
        assert f"agents call it {renamed!r}" in "\n".join(second.log)
        assert invoke(gw, renamed, month=3)[0]
        assert invoke(gw, "sales", month=3) == (False, "not_found")
    assert len(second.tools.calls) == 1


def test_an_approval_that_is_taken_back(gw: gnb.Gateway) -> None:
    """Where the owner removes the node, the tools are gone, and what to do is said; approved again, they are back."""
    offer_sales(gw)
    approved(gw)
    (node,) = {row["nodeId"] for row in gw.request("node.list")["nodes"] if row["connected"]}
    gw.request("node.pair.remove", {"nodeId": node})
    until(lambda: gw.tools.notice is not None, 30)
    assert "openclaw nodes approve" in str(gw.tools.notice)
    assert invoke(gw, "sales", month=3) == (False, "not_found")
    approved(gw)
    assert invoke(gw, "sales", month=3)[0]


def test_names_of_the_gateways_own(gw: gnb.Gateway) -> None:
    """A tool that would replace one of the gateway's own is refused, and nothing else of the kernel is offered."""
    with pytest.raises(ValueError, match="must not be called 'exec': it would replace the gateway's own"):

        @gw.tool(name="exec")
        def run() -> None:
            """Run."""

    assert gw.tools.names == ()


def test_more_tools_than_a_gateway_keeps(gw: gnb.Gateway) -> None:
    """Beyond 128 tools, which a gateway would drop without a word, a tool is refused; the others stay."""

    def work() -> str:
        """Work."""
        return "done"

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(128):
            gw.tool(name=f"tool_{number}")(work)
    with pytest.raises(gnb.GatewayError, match=r"at most 128 tools.*remove one with gw\.tools\.remove"):
        gw.tool(name="tool_128")(work)
    gw.tool(name="tool_0")(work)
    approved(gw)
    assert len(gw.tools.names) == 128
    assert invoke(gw, "tool_99") == (True, "done")


def test_an_operator_who_may_not_approve(gateway: AnyGateway) -> None:
    """Without the scopes to approve, that is said, and that it is the owner's."""
    with gnb.connect(gateway.url, token=gateway.token, scopes=["operator.write"]) as gw:
        offer_sales(gw)
        with pytest.raises(gnb.MissingScopeError, match=r"operator\.pairing"):
            gw.tools.approve()
        assert "openclaw nodes approve" in str(gw.tools.notice)


@async_test
async def test_coroutine_functions(gateway: AnyGateway) -> None:
    """With asyncio, coroutine functions and generators are tools as well; a cancelled call cancels its task."""
    cancelled = asyncio.Event()
    async with owner(gateway) as agw:

        @agw.tool
        async def add(a: int, b: int = 1) -> int:
            """Add."""
            print("adding")
            await asyncio.sleep(0)
            return a + b

        @agw.tool(timeout=0.2)
        async def forever() -> None:
            """Wait."""
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        @agw.tool
        def steps(count: int) -> Any:
            """Do steps."""
            for number in range(count):
                yield f"step {number}"
            return "done"

        @agw.tool
        async def leave() -> None:
            """Leave."""
            raise SystemExit(3)

        await agw.tools.publish()
        await agw.tools.approve()

        async def call(name: str, **args: Any) -> Any:
            answer = await agw.request("tools.invoke", {"name": name, "args": args})
            return answer["output"]["content"][0]["text"]

        assert await call("add", a=2) == "3"
        assert await call("steps", count=2) == "done"
        assert await call("leave") == "SystemExit: 3"
        assert "was given up" in await call("forever")
        await asyncio.wait_for(cancelled.wait(), 10)
        assert "5" in (await agw.run('tool:add:{"a": 2, "b": 3}', session=session()).result()).text
        calls = agw.tools.calls
        assert list(calls.status) == ["ok", "ok", "error", "timeout", "ok"]
        assert (calls.printed[0], calls.progress[1]) == ("adding\n", "step 0\nstep 1")
        await agw.tools.stop()

        async def gone() -> bool:
            answer = await agw.request("tools.invoke", {"name": "add", "args": {"a": 1}})
            return not answer["ok"]

        await comes_true(gone)
