"""What the gateway keeps of what happened: sessions, messages, usage, audit rows, tasks, jobs, log."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
import uuid
from typing import Any

import pytest

import gateway_nb as gnb
from tests.helpers.nodes import offering, owner, text
from tests.helpers.real import AnyGateway
from tests.helpers.support import async_test, comes_true

TOTALS = {"input", "output", "cacheRead", "cacheWrite", "totalTokens", "totalCost", "inputCost", "outputCost"}
TOTALS |= {"cacheReadCost", "cacheWriteCost", "missingCostEntries"}
SESSION = {
    "key",
    "sessionId",
    "agentId",
    "createdAt",
    "updatedAt",
    "archived",
    "modelProvider",
    "model",
    "activeRunIds",
}
RAN = SESSION | {"status", "startedAt", "endedAt", "runtimeMs", "lastRunId", "lastActivityAt"}
RAN |= {"inputTokens", "outputTokens", "totalTokens", "estimatedCostUsd"}
AUDIT = {"schemaVersion", "sequence", "eventId", "occurredAt", "kind", "action", "status", "agentId", "sessionKey"}
AUDIT |= {"sessionId", "runId", "actor"}
TASK = {"id", "runtime", "status", "title", "agentId", "sessionKey", "childSessionKey", "runId", "createdAt"}
TASK |= {"startedAt", "endedAt", "terminalSummary"}


def session() -> str:
    return f"agent:main:{uuid.uuid4()}"


async def answer(agw: gnb.AsyncGateway, message: str, key: str) -> str:
    """Let an agent answer; return the run's id."""
    run = agw.run(message, session=key)
    await run.result()
    return str(run.run_id)


async def row(agw: gnb.AsyncGateway, key: str) -> dict[str, Any]:
    rows = (await agw.request("sessions.list", {"limit": 1000}))["sessions"]
    (found,) = [row for row in rows if row["key"] == key]
    return dict(found)


@async_test
async def test_a_sessions_row(gateway: AnyGateway) -> None:
    """A session's row tells its last run: how it ended, when, and what it used."""
    key = session()
    async with owner(gateway) as agw:
        await agw.request("sessions.create", {"key": key, "label": key[-8:]})
        assert set(await row(agw, key)) >= SESSION
        run_id = await answer(agw, "echo:hello", key)

        async def settled() -> bool:
            return (await row(agw, key)).get("lastRunId") == run_id

        await comes_true(settled)
        ran = await row(agw, key)
        assert set(ran) >= RAN
        assert (ran["status"], ran["activeRunIds"], ran["hasActiveRun"]) == ("done", [], False)
        assert ran["runtimeMs"] == ran["endedAt"] - ran["startedAt"]
        assert ran["estimatedCostUsd"] >= 0
        described = (await agw.request("sessions.describe", {"key": key}))["session"]
        assert (described["key"], described["label"], described["lastRunId"]) == (key, key[-8:], run_id)
        for by in ({"key": key}, {"sessionId": ran["sessionId"]}, {"label": key[-8:]}):
            assert (await agw.request("sessions.resolve", by))["key"] == key
        for by in ({"key": session()}, {"label": "no such label"}):
            with pytest.raises(gnb.GatewayRequestError, match="No session found"):
                await agw.request("sessions.resolve", by)
        assert await agw.request("sessions.describe", {"key": session()}) == {"session": None}
        with pytest.raises(gnb.RunFailedError):
            await answer(agw, "fail:400", key)

        async def failed() -> bool:
            return (await row(agw, key))["status"] == "failed"

        await comes_true(failed)


@async_test
async def test_finding_sessions(gateway: AnyGateway) -> None:
    """Sessions are listed page by page, and by label, text, agent, and whether they are archived."""
    mark = uuid.uuid4().hex[:8]
    keys = [f"agent:main:{mark}-{number}" for number in range(5)]
    async with owner(gateway) as agw:
        for key in keys:
            await agw.request("sessions.create", {"key": key, "label": f"label {key[-10:]}"})
        seen: list[str] = []
        page: dict[str, Any] = {"nextOffset": 0}
        while page["nextOffset"] is not None:
            page = await agw.request("sessions.list", {"search": mark, "limit": 2, "offset": page["nextOffset"]})
            seen += [row["key"] for row in page["sessions"]]
            assert (page["totalCount"], page["hasMore"]) == (5, page["nextOffset"] is not None)
        assert sorted(seen) == keys
        for params, expected in (
            ({"label": f"label {keys[3][-10:]}"}, [keys[3]]),
            ({"search": mark, "agentId": "main", "limit": 10}, keys),
            ({"search": mark, "archived": True}, []),
        ):
            rows = (await agw.request("sessions.list", params))["sessions"]
            assert sorted(row["key"] for row in rows) == expected
        archive = {"key": keys[0], "archived": True}
        with pytest.raises(gnb.GatewayRequestError, match="expectedSessionId required"):
            await agw.request("sessions.patch", archive)
        first = (await row(agw, keys[0]))["sessionId"]
        await agw.request("sessions.patch", {**archive, "expectedSessionId": first})
        for archived, expected in ((False, keys[1:]), (True, keys[:1]), ("all", keys)):
            rows = (await agw.request("sessions.list", {"search": mark, "archived": archived}))["sessions"]
            assert sorted(row["key"] for row in rows) == expected


@async_test
async def test_messages(gateway: AnyGateway) -> None:
    """A session's messages have their role, time, number and run; an agent's has its model, tokens and cost."""
    key = session()
    async with owner(gateway) as agw, offering(gateway, agw, lambda request: text("forty-two"), "sales"):
        before = time.time() * 1000 - 1000
        run_id = await answer(agw, 'tool:sales:{"month": 3}', key)
        history = await agw.request("chat.history", {"sessionKey": key})
        messages = [message for message in history["messages"] if message["role"] != "custom"]
        assert [message["role"] for message in messages] == ["user", "assistant", "toolResult", "assistant"]
        about = [message["__openclaw"] for message in history["messages"]]
        assert [each["seq"] for each in about] == list(range(1, len(about) + 1))
        assert len({each["id"] for each in about}) == len(about) == history["totalMessages"]
        assert all(before < each["recordTimestampMs"] <= time.time() * 1000 + 1000 for each in about)
        user, calling, result, final = messages
        assert user["content"] == 'tool:sales:{"month": 3}'
        assert user["idempotencyKey"] == f"{run_id}:user"
        assert {message["__openclaw"]["runId"] for message in (calling, result, final)} == {run_id}
        (call,) = [block for block in calling["content"] if block["type"] == "toolCall"]
        assert (result["toolCallId"], result["toolName"], result["isError"]) == (call["id"], call["name"], False)
        assert "forty-two" in result["content"][0]["text"]
        assert (calling["stopReason"], final["stopReason"]) == ("toolUse", "stop")
        for message in (calling, final):
            assert {"provider", "model", "timestamp"} <= set(message)
            usage = message["usage"]
            assert {"input", "output", "cacheRead", "cacheWrite", "totalTokens", "cost"} <= set(usage)
            assert usage["totalTokens"] == sum(usage[kind] for kind in ("input", "output", "cacheRead", "cacheWrite"))
            kinds = {"input", "output", "cacheRead", "cacheWrite"}
            assert usage["cost"]["total"] == pytest.approx(sum(usage["cost"][kind] for kind in kinds))
        one = await agw.request("chat.message.get", {"sessionKey": key, "messageId": final["__openclaw"]["id"]})
        assert (one["ok"], one["message"]["content"]) == (True, final["content"])
        missing = await agw.request("chat.message.get", {"sessionKey": key, "messageId": "none"})
        assert missing == {"ok": False, "unavailableReason": "not_found"}
        whole = (await agw.request("sessions.get", {"key": key}))["messages"]
        assert [message["__openclaw"]["id"] for message in whole] == [each["id"] for each in about]


@async_test
async def test_pages_of_messages(gateway: AnyGateway) -> None:
    """Pages of a session's messages go from the newest to the oldest, complete and without repetition."""
    key = session()
    async with owner(gateway) as agw:
        for number in range(4):
            await answer(agw, f"echo:{number}", key)
        pages: list[dict[str, Any]] = []
        params: dict[str, Any] = {"sessionKey": key, "limit": 3}
        while True:
            pages.append(await agw.request("chat.history", params))
            if not pages[-1]["hasMore"]:
                break
            params["offset"] = pages[-1]["nextOffset"]
        assert "nextOffset" not in pages[-1]
        assert [page.get("offset", 0) for page in pages] == [0, 3, 6]
        seqs = [message["__openclaw"]["seq"] for page in reversed(pages) for message in page["messages"]]
        assert seqs == list(range(1, 9))
        assert {page["totalMessages"] for page in pages} == {8}
        empty = await agw.request("chat.history", {"sessionKey": session()})
        assert (empty["messages"], empty["hasMore"], empty["totalMessages"]) == ([], False, 0)


@async_test
async def test_only_what_is_new(gateway: AnyGateway) -> None:
    """A cursor gives the messages that came since; after a reset it says to begin again, and the old ones are gone."""
    key = session()
    async with owner(gateway) as agw:
        await answer(agw, "echo:one", key)
        cursor = (await agw.request("chat.history", {"sessionKey": key}))["deltaCursor"]
        none = await agw.request("chat.history", {"sessionKey": key, "cursor": cursor})
        assert (none["kind"], none["messages"]) == ("delta", [])
        await answer(agw, "echo:two", key)
        delta = await agw.request("chat.history", {"sessionKey": key, "cursor": none["deltaCursor"]})
        assert [message["message"]["role"] for message in delta["messages"]] == ["user", "assistant"]
        assert all({"messageId", "messageSeq", "sessionKey"} <= set(message) for message in delta["messages"])
        old = {message["messageId"] for message in delta["messages"]}
        before = await row(agw, key)
        assert (await agw.request("sessions.reset", {"key": key}))["entry"]["sessionId"] == before["sessionId"]
        for gone in (delta["deltaCursor"], "none"):
            assert (await agw.request("chat.history", {"sessionKey": key, "cursor": gone}))["kind"] == "reset"
        history = await agw.request("chat.history", {"sessionKey": key})
        assert old.isdisjoint(message["__openclaw"]["id"] for message in history["messages"])


@async_test
async def test_long_messages(gateway: AnyGateway) -> None:
    """A long text is cut and marked; asked for alone it is whole."""
    key = session()
    async with owner(gateway) as agw:
        await answer(agw, f"echo:{'x' * 9000}", key)
        for max_chars in (None, 100):
            params = {"sessionKey": key} | ({"maxChars": max_chars} if max_chars else {})
            final = (await agw.request("chat.history", params))["messages"][-1]
            assert (final["__openclaw"]["truncated"], final["__openclaw"]["reason"]) == (True, "display-cap")
            shown = final["content"][0]["text"]
            assert shown == "x" * (max_chars or 8000) + "\n...(truncated)..."
        whole = await agw.request("chat.message.get", {"sessionKey": key, "messageId": final["__openclaw"]["id"]})
        assert whole["message"]["content"][0]["text"].strip() == "x" * 9000
        assert "truncated" not in whole["message"]["__openclaw"]


@async_test
async def test_hearing_messages(gateway: AnyGateway) -> None:
    """Who subscribed to a session's messages hears each as it is kept, and others do not."""
    key = session()
    async with owner(gateway) as agw, owner(gateway) as without:
        heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        other: list[gnb.Event] = []
        agw.on("session.message", lambda event: heard.put_nowait(event.payload))
        without.on("session.message", other.append)
        await agw.request("sessions.messages.subscribe", {"key": key})
        await answer(agw, "echo:hello", key)
        messages = [await asyncio.wait_for(heard.get(), 10) for _ in range(2)]
        assert [message["message"]["role"] for message in messages] == ["user", "assistant"]
        assert [message["messageSeq"] for message in messages] == [1, 2]
        history = (await agw.request("chat.history", {"sessionKey": key}))["messages"]
        assert [message["__openclaw"]["id"] for message in history] == [each["messageId"] for each in messages]
        await agw.request("sessions.messages.unsubscribe", {"key": key})
        await answer(agw, "echo:again", key)
        await agw.request("health")
        assert heard.empty()
        assert other == []


@async_test
async def test_what_an_aborted_run_said(gateway: AnyGateway) -> None:
    """What an aborted run had said is kept as a message that cost nothing, and the run and its session say killed."""
    key = session()
    async with owner(gateway) as agw:
        run = agw.run("count:100:60", session=key)
        async for _ in run:
            break
        await run.abort()
        with pytest.raises(gnb.RunAbortedError):
            await run.result()

        async def killed() -> bool:
            return (await row(agw, key)).get("status") == "killed"

        await comes_true(killed)
        final = (await agw.request("chat.history", {"sessionKey": key}))["messages"][-1]
        assert (final["role"], final["provider"], final["model"]) == ("assistant", "openclaw", "gateway-injected")
        assert (final["usage"]["totalTokens"], final["usage"]["cost"]["total"]) == (0, 0)
        assert final["content"][0]["text"].startswith("1")


@async_test
async def test_searching(gateway: AnyGateway) -> None:
    """Messages of users and agents are found by a word, all of them or those of some sessions."""
    word, keys = f"word{uuid.uuid4().hex[:10]}", [session(), session()]
    async with owner(gateway) as agw:
        for key in keys:
            await answer(agw, f"echo:{word}", key)

        async def found() -> bool:
            return len((await agw.request("sessions.search", {"query": word, "limit": 25}))["results"]) == 4

        await comes_true(found, 20)
        for chosen in (keys, keys[:1]):
            params = {"query": word, "limit": 25, "sessionKeys": chosen}
            results = (await agw.request("sessions.search", params))["results"]
            assert {result["sessionKey"] for result in results} == set(chosen)
            assert {result["role"] for result in results} == {"user", "assistant"}
            assert all({"messageId", "timestamp", "snippet", "score"} <= set(result) for result in results)
        with pytest.raises(gnb.GatewayRequestError, match="must not have fewer than 1 characters"):
            await agw.request("sessions.search", {"query": ""})


async def fresh(agw: gnb.AsyncGateway, method: str, params: dict[str, Any], since: float) -> dict[str, Any]:
    """Ask until the figures are of after a time in milliseconds; the real gateway keeps old ones for 50 s."""
    answers: list[dict[str, Any]] = []

    async def is_fresh() -> bool:
        answers.append(await agw.request(method, params))
        status = answers[-1].get("cacheStatus", {})
        if status.get("status") == "fresh" and status.get("refreshedAt", 0) >= since:
            return True
        await asyncio.sleep(1)
        return False

    await comes_true(is_fresh, 90)
    return answers[-1]


@async_test
async def test_usage(gateway: AnyGateway) -> None:
    """Tokens and cost of a session are the sums over its messages; those of all are told by day, model and agent."""
    key = session()
    async with owner(gateway) as agw, offering(gateway, agw, lambda request: text("forty-two"), "sales"):
        await answer(agw, 'tool:sales:{"month": 3}', key)
        await answer(agw, "echo:hello", key)
        since = time.time() * 1000
        messages = (await agw.request("chat.history", {"sessionKey": key}))["messages"]
        used = [message["usage"] for message in messages if "usage" in message]
        usage = await fresh(agw, "sessions.usage", {"range": "7d", "limit": 1000, "agentScope": "all"}, since)
        (mine,) = [each for each in usage["sessions"] if each["key"] == key]
        assert {"sessionId", "agentId", "updatedAt", "usage"} <= set(mine)
        assert set(mine["usage"]) >= TOTALS | {"firstActivity", "lastActivity", "durationMs", "messageCounts"}
        for kind in ("input", "output", "cacheRead", "cacheWrite", "totalTokens"):
            assert mine["usage"][kind] == sum(call[kind] for call in used)
        assert mine["usage"]["totalCost"] == pytest.approx(sum(call["cost"]["total"] for call in used), abs=1e-12)
        assert mine["usage"]["messageCounts"].items() >= {"user": 2, "assistant": 3, "toolResults": 1}.items()
        (model,) = mine["usage"]["modelUsage"]
        assert (model["provider"], model["model"]) == (messages[1]["provider"], messages[1]["model"])
        assert model["count"] == 3
        assert set(model["totals"]) == set(usage["totals"]) == TOTALS
        aggregates = usage["aggregates"]
        assert set(aggregates) >= {"messages", "tools", "byModel", "byProvider", "byAgent", "modelDaily", "daily"}
        assert sum(each["totals"]["totalTokens"] for each in aggregates["byModel"]) == usage["totals"]["totalTokens"]
        assert sum(each["tokens"] for each in aggregates["modelDaily"]) == usage["totals"]["totalTokens"]
        assert [each["agentId"] for each in aggregates["byAgent"]] == ["main"]
        assert usage["endDate"] == time.strftime("%Y-%m-%d", time.gmtime())

        cost = await fresh(agw, "usage.cost", {"days": 2, "agentScope": "all"}, since)
        assert (cost["days"], len(cost["daily"]), set(cost["totals"])) == (2, 2, TOTALS)
        assert set(cost["daily"][0]) == TOTALS | {"date"}
        assert cost["totals"]["totalTokens"] == usage["totals"]["totalTokens"]
        assert cost["daily"][-1]["totalTokens"] + cost["daily"][0]["totalTokens"] == cost["totals"]["totalTokens"]


WRONG = [
    ("usage.cost", {"startDate": "2026-01-01"}, "startDate and endDate must be provided together"),
    ("sessions.usage", {"range": "week"}, "invalid sessions.usage params: at /range"),
    ("sessions.usage", {"days": 3}, "unexpected property 'days'"),
    ("audit.activity.list", {"cursor": "none"}, "cursor"),
    ("audit.activity.list", {"limit": 501}, "must be <= 500"),
    ("tasks.list", {"cursor": "none"}, "invalid or expired tasks.list cursor"),
    ("logs.tail", {"limit": 5001}, "must be <= 5000"),
    ("cron.runs", {"id": "none"}, "Automation not found: none"),
    ("cron.run", {"id": "none", "mode": "force"}, "Automation not found: none"),
    ("cron.add", {}, "must have required property 'name'"),
]


@pytest.mark.parametrize(("method", "params", "words"), WRONG)
def test_what_is_refused(gateway: AnyGateway, method: str, params: dict[str, Any], words: str) -> None:
    """A wrong question about what happened is refused in the gateway's words."""
    with gnb.connect(gateway.url, token=gateway.token) as gw, pytest.raises(gnb.GatewayRequestError) as caught:
        gw.request(method, params)
    assert words in str(caught.value)


@async_test
async def test_audit_and_tasks(gateway: AnyGateway) -> None:
    """Each run leaves rows of its start, its tools and its end, and a task; both are listed page by page."""
    key = session()
    async with owner(gateway) as agw, offering(gateway, agw, lambda request: text("forty-two"), "sales") as received:
        run_id = await answer(agw, 'tool:sales:{"month": 3}', key)
        with pytest.raises(gnb.RunFailedError):
            await answer(agw, "fail:400", key)

        async def ended() -> bool:
            rows = (await agw.request("audit.activity.list", {"sessionKey": key, "kind": "agent_run"}))["events"]
            tasks = (await agw.request("tasks.list", {"sessionKey": key}))["tasks"]
            return len(rows) == 4 and all("endedAt" in task for task in tasks)

        await comes_true(ended, 60)  # the real gateway writes the end of a failed run down some seconds later
        rows = (await agw.request("audit.activity.list", {"runId": run_id}))["events"]
        assert all(set(row) >= AUDIT for row in rows)
        numbers = [row["sequence"] for row in rows]
        assert numbers == sorted(numbers, reverse=True)
        runs = [row for row in rows if row["kind"] == "agent_run"]
        assert [row["action"] for row in runs] == ["agent.run.finished", "agent.run.started"]
        assert [row["status"] for row in runs] == ["succeeded", "started"]
        tools = [row for row in rows if row["kind"] == "tool_action" and row["toolName"] == "sales"]
        assert [row["action"] for row in tools] == ["tool.action.finished", "tool.action.started"]
        assert [row["status"] for row in tools] == ["succeeded", "started"]
        digest = hashlib.sha256(received[0]["idempotencyKey"].encode()).hexdigest()
        assert {row["toolCallId"] for row in tools} == {f"sha256:{digest}"}
        failed = (await agw.request("audit.list", {"sessionKey": key, "status": "failed"}))["events"]
        assert [(row["kind"], row["errorCode"]) for row in failed] == [("agent_run", "run_failed")]
        every = (await agw.request("audit.activity.list", {"sessionKey": key}))["events"]
        paged: list[dict[str, Any]] = []
        page: dict[str, Any] = {}
        while not paged or "nextCursor" in page:
            params = {"sessionKey": key, "limit": 2} | ({"cursor": page["nextCursor"]} if page else {})
            page = await agw.request("audit.activity.list", params)
            paged += page["events"]
        assert [row["eventId"] for row in paged] == [row["eventId"] for row in every]

        tasks = (await agw.request("tasks.list", {"sessionKey": key}))["tasks"]
        assert all(set(task) >= TASK for task in tasks)
        assert [task["status"] for task in tasks] == ["failed", "completed"]
        assert (tasks[1]["runId"], tasks[1]["runtime"], tasks[1]["toolUseCount"] >= 1) == (run_id, "cli", True)
        assert "error" in tasks[0]
        first = await agw.request("tasks.list", {"sessionKey": key, "limit": 1})
        second = await agw.request("tasks.list", {"sessionKey": key, "limit": 1, "cursor": first["nextCursor"]})
        assert [page["tasks"][0]["id"] for page in (first, second)] == [task["id"] for task in tasks]
        done = (await agw.request("tasks.list", {"sessionKey": key, "status": "completed"}))["tasks"]
        assert [task["runId"] for task in done] == [run_id]


@async_test
async def test_jobs(gateway: AnyGateway) -> None:
    """A job is kept, listed, run, and what its run came to is told with its tokens; a removed one is gone."""
    job = {
        "name": f"job {uuid.uuid4()}",
        "schedule": {"kind": "every", "everyMs": 3_600_000},
        "sessionTarget": "isolated",
        "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": "echo:from a job"},
        "delivery": {"mode": "none"},
    }
    async with owner(gateway) as agw:
        added = await agw.request("cron.add", job)
        assert (added["name"], added["enabled"], added["payload"]["message"]) == (job["name"], True, "echo:from a job")
        assert {"createdAtMs", "updatedAtMs", "state", "schedule"} <= set(added)
        listed = await agw.request("cron.list", {"limit": 200})
        assert {"total", "offset", "limit", "hasMore", "nextOffset"} <= set(listed)
        assert added["id"] in [each["id"] for each in listed["jobs"]]
        finished = asyncio.create_task(
            agw.wait_for("cron", lambda e: (e.payload["jobId"], e.payload["action"]) == (added["id"], "finished"), 60)
        )
        await asyncio.sleep(0)
        started = await agw.request("cron.run", {"id": added["id"], "mode": "force"})
        assert (started["ok"], started["enqueued"]) == (True, True)
        assert (await finished).payload["runId"] == started["runId"]
        runs = await agw.request("cron.runs", {"id": added["id"]})
        (entry,) = runs["entries"]
        assert (runs["total"], runs["hasMore"], runs["nextOffset"]) == (1, False, None)
        assert (entry["jobId"], entry["runId"], entry["status"]) == (added["id"], started["runId"], "ok")
        assert {"ts", "runAtMs", "durationMs", "model", "provider", "deliveryStatus", "sessionKey"} <= set(entry)
        assert "from a job" in entry["summary"]
        assert set(entry["usage"]) >= {"input_tokens", "output_tokens", "total_tokens"}
        assert (await agw.request("cron.runs", {"id": added["id"], "statuses": ["error"]}))["entries"] == []
        everything = await agw.request("cron.runs", {"scope": "all", "limit": 1})
        assert everything["entries"][0]["runId"] == started["runId"]
        assert await agw.request("cron.remove", {"id": added["id"]}) == {"ok": True, "removed": True}
        with pytest.raises(gnb.GatewayRequestError, match="Automation not found"):
            await agw.request("cron.remove", {"id": added["id"]})


@async_test
async def test_the_log(gateway: AnyGateway) -> None:
    """The log's lines are JSON with time, level and message, and a cursor gives those that came since."""
    async with owner(gateway) as agw:
        await agw.request("health")
        tail = await agw.request("logs.tail", {"limit": 3})
        assert {"file", "cursor", "size", "lines", "truncated", "reset"} <= set(tail)
        assert 1 <= len(tail["lines"]) <= 3
        for line in map(json.loads, tail["lines"]):
            assert {"time", "_meta", "message"} <= set(line)
            assert "logLevelName" in line["_meta"]
        with pytest.raises(gnb.GatewayRequestError):
            await agw.request("no.such.method")

        async def logged() -> bool:
            return "no.such.method" in "".join((await agw.request("logs.tail", {"cursor": tail["cursor"]}))["lines"])

        await comes_true(logged)


def test_models_and_agents(gateway: AnyGateway) -> None:
    """Models are listed by provider, with their prices in the configuration; agents with their model."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        (model,) = gw.request("models.list")["models"]
        assert {"id", "name", "provider", "contextWindow", "reasoning", "available", "thinkingLevels"} <= set(model)
        providers = gw.request("config.get")["config"]["models"]["providers"]
        (priced,) = providers[model["provider"]]["models"]
        assert priced["id"] == model["id"]
        assert set(priced["cost"]) == {"input", "output", "cacheRead", "cacheWrite"}
        agents = gw.request("agents.list")
        assert (agents["defaultId"], agents["mainKey"]) == ("main", "main")
        (agent,) = agents["agents"]
        assert (agent["id"], agent["model"]["primary"]) == ("main", f"{model['provider']}/{model['id']}")
        assert {"sessions.usage", "sessions.get", "sessions.resolve"}.isdisjoint(gw.methods)


@async_test
async def test_devices(gateway: AnyGateway) -> None:
    """A paired device is listed with its client, roles, scopes and tokens, and no secret."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, client_name="cli", mode="cli") as agw:
        assert agw.hello is not None
        devices = (await agw.request("device.pair.list"))["paired"]
        (mine,) = [device for device in devices if device["connected"] and device["clientId"] == "cli"]
        assert {"deviceId", "publicKey", "platform", "clientMode", "createdAtMs", "approvedAtMs"} <= set(mine)
        assert (mine["role"], mine["roles"], mine["scopes"]) == ("operator", ["operator"], ["operator.admin"])
        (token,) = mine["tokens"]
        assert set(token) == {"role", "scopes", "createdAtMs"}
