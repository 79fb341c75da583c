"""The gateway's records as DataFrames, transcripts, and search."""

from __future__ import annotations

import asyncio
import math
import uuid
from typing import Any

import atif
import pandas as pd
import pytest

import gateway_nb as gnb
from gateway_nb.records.frames import DTYPES
from gateway_nb.records.reading import Reader
from gateway_nb.records.steps import Ask, Steps
from gateway_nb.sync.loop_thread import loop_thread
from tests.helpers.nodes import offering, owner, text
from tests.helpers.real import AnyGateway
from tests.helpers.records import BOOKS
from tests.helpers.support import async_test, comes_true, until


def session() -> str:
    return f"agent:main:{uuid.uuid4()}"


def admin(gateway: AnyGateway) -> gnb.Gateway:
    return gnb.connect(gateway.url, token=gateway.token)


@pytest.mark.parametrize("name", BOOKS)
def test_every_book(gateway: AnyGateway, name: str) -> None:
    """Each book is one call, whose dtypes are the same whatever is in it."""
    book, read = BOOKS[name]
    with admin(gateway) as gw:
        frame = read(gw.data)
    expected = {column.name: DTYPES[column.kind] for column in book.columns} | {"more": "string"}
    assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == expected


@async_test
async def test_a_run_in_every_book(gateway: AnyGateway) -> None:
    """A run with a tool is found in sessions, messages, tool calls, tasks and audit rows, which merge by its keys."""
    key = session()
    async with owner(gateway) as agw, offering(gateway, agw, lambda request: text("forty-two"), "sales"):
        run = agw.run('tool:sales:{"month": 3}', session=key)
        await run.result()

        async def finished() -> bool:
            rows = await agw.data.sessions()
            return bool((rows["run"] == run.run_id).any())

        await comes_true(finished)
        (mine,) = (await agw.data.sessions()).query("session == @key").to_dict("records")
        assert (mine["agent"], mine["status"], mine["archived"]) == ("main", "done", False)
        assert mine["seconds"] == (mine["ended"] - mine["started"]).total_seconds()
        said = await agw.data.messages(key)
        assert said[said["role"] != "custom"]["role"].tolist() == ["user", "assistant", "toolResult", "assistant"]
        assert set(said["run"]) == {run.run_id}
        assert said["number"].tolist() == list(range(1, len(said) + 1))
        assert "forty-two" in said["text"].iloc[-1]
        calls = await agw.data.tool_calls(key)
        (sales,) = calls[calls["tool"] == "sales"].to_dict("records")
        assert (sales["status"], sales["arguments"], sales["run"]) == ("ok", '{"month":3}', run.run_id)
        assert "forty-two" in sales["result"]
        assert sales["message"] in set(said["message"])
        merged = calls.merge(said, on=["session", "run", "message"]).merge(await agw.data.sessions(), on="session")
        assert len(merged) == len(calls)

        async def audited() -> bool:
            rows = await agw.data.audit(session=key, kind="agent_run")
            return rows["status"].tolist() == ["succeeded", "started"]

        await comes_true(audited)
        (task,) = (await agw.data.tasks()).query("run == @run.run_id").to_dict("records")
        assert (task["session"], task["runtime"]) == (key, "cli")
        tools = await agw.data.tools(key)
        assert "sales" in set(tools["tool"])
        (node,) = (await agw.data.nodes()).query("connected").to_dict("records")
        assert "sales" in node["tools"]


@async_test
async def test_pages_and_limits(gateway: AnyGateway) -> None:
    """Sessions are read by pattern, archived ones too, and a limit gives the newest messages."""
    mark = uuid.uuid4().hex[:8]
    keys = [f"agent:main:{mark}-{number}" for number in range(3)]
    async with owner(gateway) as agw:
        for key in keys:
            await agw.run(f"echo:{key}", session=key).result()
        described = (await agw.request("sessions.describe", {"key": keys[0]}))["session"]
        archive = {"key": keys[0], "archived": True, "expectedSessionId": described["sessionId"]}
        await agw.request("sessions.patch", archive)
        said = await agw.data.messages(f"agent:main:{mark}-*")
        assert sorted(set(said["session"])) == keys
        assert len(said) == 6
        newest = await agw.data.messages(keys[1], limit=1)
        assert newest["role"].tolist() == ["assistant"]
        assert len(await agw.data.sessions(limit=2)) == 2
        assert len(await agw.data.messages(limit=3)) == 3
        assert len(await agw.data.audit(limit=2)) == 2
        assert len(await agw.data.tasks(limit=2)) == 2


@pytest.mark.parametrize("by", ["model", "day", "session", "agent"])
def test_usage(gateway: AnyGateway, by: Any) -> None:
    """The gateway's totals, once they are fresh, are the sums over the messages, to the last token."""
    key = session()
    with admin(gateway) as gw:
        gw.run("echo:hello there", session=key).result()
        used = gw.data.usage(by, since="7d")
        said = gw.data.messages()
        assert used["fresh"].all()
        assert used.attrs["currency"] == "USD"
        assert used["message_tokens"].sum() == said["total_tokens"].sum()
        assert used["message_cost"].sum() == pytest.approx(math.fsum(said["cost"].dropna()), abs=1e-9)
        if by == "session":
            (mine,) = used[used["session"] == key].to_dict("records")
            own = said[said["session"] == key]
            assert (mine["total_tokens"], mine["token_difference"]) == (own["total_tokens"].sum(), 0)
            assert mine["cost"] == pytest.approx(own["cost"].sum(), abs=1e-9)
            assert mine["priced_cost"] == pytest.approx(mine["cost"], abs=1e-9)


def test_cost_is_drawn(gateway: AnyGateway) -> None:
    """The cost of the messages is a picture by day and model."""
    with admin(gateway) as gw:
        gw.run("echo:hello", session=session()).result()
        cost = gw.data.messages()["cost"].sum()
        plot = gw.plot.cost(since="2d")
        assert repr(plot) == f"<Plot cost by day and model: {cost:,.6g} USD>"


def test_cron_runs(gateway: AnyGateway) -> None:
    """What became of a job's runs is read for one job and for all."""
    job = {
        "name": f"job {uuid.uuid4()}",
        "schedule": {"kind": "every", "everyMs": 3_600_000},
        "sessionTarget": "isolated",
        "wakeMode": "now",
        "payload": {"kind": "agentTurn", "message": "echo:from a job"},
        "delivery": {"mode": "none"},
    }
    with admin(gateway) as gw:
        job_id = gw.request("cron.add", job)["id"]
        try:
            gw.request("cron.run", {"id": job_id, "mode": "force"})
            until(lambda: len(gw.data.cron_runs(job_id)) == 1, 60)
            (run,) = gw.data.cron_runs(job_id).to_dict("records")
            assert (run["job"], run["name"], run["status"]) == (job_id, job["name"], "ok")
            assert run["total_tokens"] == run["input_tokens"] + run["output_tokens"]
            assert job_id in set(gw.data.cron_runs()["job"])
        finally:
            gw.request("cron.remove", {"id": job_id})
        with pytest.raises(gnb.GatewayRequestError, match="none"):
            gw.data.cron_runs("none")


@async_test
async def test_approvals(gateway: AnyGateway) -> None:
    """An approval is a row while it waits, and afterwards with who decided what."""
    async with owner(gateway, caps=["approvals"]) as agw, owner(gateway) as asker:
        asked = asyncio.create_task(agw.wait_for("exec.approval.requested"))
        await asyncio.sleep(0)
        decided = asyncio.create_task(asker.request("exec.approval.request", {"command": "ls -l", "host": "gateway"}))
        approval = (await asked).payload["id"]
        rows = (await agw.data.approvals()).query("approval == @approval").to_dict("records")
        assert [(row["kind"], row["status"], row["command"]) for row in rows] == [("exec", "pending", "ls -l")]
        await agw.request("exec.approval.resolve", {"id": approval, "decision": "allow-once"})
        await decided
        (row,) = (await agw.data.approvals()).query("approval == @approval").to_dict("records")
        assert (row["kind"], row["status"], row["decision"], row["command"]) == (
            "exec",
            "allowed",
            "allow-once",
            "ls -l",
        )
        assert row["resolved"] >= row["created"]


def test_what_it_is_made_of(gateway: AnyGateway) -> None:
    """Models have their prices, tools their group, log lines their time and level."""
    with admin(gateway) as gw:
        models = gw.data.models()
        assert models["input_price"].notna().all()
        assert models.attrs["currency"] == "USD"
        tools = gw.data.tools()
        assert tools["tool"].notna().all()
        assert tools["group"].notna().all()
        gw.request("health")
        logs = gw.data.logs(5)
        assert 1 <= len(logs) <= 5
        assert logs["time"].notna().all()
        with pytest.raises(ValueError, match="n must be at most 5,000"):
            gw.data.logs(5001)


def test_a_device(gateway: AnyGateway) -> None:
    """A paired device is a row, without its secrets."""
    with gnb.connect(gateway.url, token=gateway.token, client_name="cli", mode="cli") as gw:
        devices = gw.data.devices()
        (mine,) = devices[devices["connected"] & (devices["client"] == "cli")].to_dict("records")
        assert (mine["status"], mine["role"], mine["scopes"]) == ("paired", "operator", '["operator.admin"]')


def test_scopes_that_are_missing(gateway: AnyGateway) -> None:
    """A book that needs a scope which was not granted says which."""
    with (
        gnb.connect(gateway.url, token=gateway.token, scopes=["operator.read"]) as gw,
        pytest.raises(gnb.MissingScopeError, match=r"approval\.list: missing scope: operator\.approvals"),
    ):
        gw.data.approvals()


@pytest.mark.parametrize("scopes", [["operator.admin"], ["operator.read"]])
def test_methods_that_are_missing(gateway: AnyGateway, scopes: list[str]) -> None:
    """A method that this gateway lacks is named as that, also to who is told of a scope instead."""

    def ask() -> Steps[None]:
        yield Ask("no.such.list", {})

    with (
        gnb.connect(gateway.url, token=gateway.token, scopes=scopes) as gw,
        pytest.raises(gnb.GatewayRequestError, match=r"no\.such\.list: this gateway \(.+\) has no such method"),
    ):
        Reader(gw.core).read(ask(), "nothing", loop_thread())


@pytest.mark.parametrize("read", ["messages", "tool_calls", "transcript"])
def test_unknown_sessions(gateway: AnyGateway, read: str) -> None:
    """A session that is not there is an error that names it, not an empty frame."""
    with admin(gateway) as gw:
        key = session()
        with pytest.raises(gnb.GatewayRequestError, match=f"no session '{key}' on this gateway"):
            (gw.transcript if read == "transcript" else getattr(gw.data, read))(key)
        gw.request("sessions.create", {"key": key})
        assert len(gw.data.messages(key)) == len(gw.transcript(key)) == 0


@async_test
async def test_transcript(gateway: AnyGateway) -> None:
    """A transcript has every message and tool call, in order, whole, and exports as ATIF."""
    key = session()
    long = "long " + "x" * 9000
    async with owner(gateway) as agw, offering(gateway, agw, lambda request: text("forty-two"), "sales"):
        await agw.run('tool:sales:{"month": 3}', session=key).result()
        await agw.run(f"echo:{long}", session=key).result()
        await agw.run("echo:<b>bold</b>", session=key).result()
        transcript = await agw.transcript(key)
        assert [each["role"] for each in transcript.messages if each["role"] != "custom"] == [
            *("user", "assistant", "toolResult", "assistant"),
            *("user", "assistant"),
            *("user", "assistant"),
        ]
        assert long in transcript.text
        assert "sales: ok" in transcript.to_markdown()
        assert "&lt;b&gt;bold&lt;/b&gt;" in transcript.to_html()
        assert len(transcript.df) == len(transcript) == len(transcript.to_jsonl().splitlines())
        assert transcript.df["cut"].isna().all()
        trajectory = atif.Trajectory.model_validate(transcript.to_atif())
        assert trajectory.final_metrics is not None
        tokens = transcript.df["total_tokens"].sum()
        totals = trajectory.final_metrics
        assert (totals.total_prompt_tokens or 0) + (totals.total_completion_tokens or 0) == tokens


@async_test
async def test_a_transcript_of_a_run_that_goes_on(gateway: AnyGateway) -> None:
    """What a run has said so far is in the transcript while it goes on."""
    key = session()
    async with owner(gateway) as agw:
        run = agw.run("count:100:60", session=key)
        async for _ in run:
            break

        async def begun() -> bool:
            messages = (await agw.transcript(key)).messages
            return bool(messages) and messages[-1].get("stopReason") == "running"

        await comes_true(begun)
        await run.abort()
        with pytest.raises(gnb.RunAbortedError):
            await run.result()


@async_test
async def test_search(gateway: AnyGateway) -> None:
    """A word is found in every session that has it, and each match opens the transcript at its place."""
    word, keys = f"word{uuid.uuid4().hex[:10]}", [session(), session()]
    async with owner(gateway) as agw:
        for key in keys:
            await agw.run(f"echo:{word}", session=key).result()

        async def found() -> bool:
            return len(await agw.search(word)) == 4

        await comes_true(found, 20)
        matches = await agw.search(word)
        assert set(matches["session"]) == set(keys)
        assert set(matches["kind"]) == {"message"}
        first = matches.iloc[0]
        place = (await agw.transcript(first["session"])).around(first["message"], 0)
        assert word in place.text
        assert first["open"] == f"gw.transcript({first['session']!r}).around({first['message']!r})"


def test_secrets_are_replaced(gateway: AnyGateway) -> None:
    """The connection's token, said in a session, is in no frame and in no transcript."""
    key = session()
    with admin(gateway) as gw:
        gw.run(f"echo:my token is {gateway.token}", session=key).result()
        transcript = gw.transcript(key)
        frame = gw.data.messages(key)
        shown = [
            frame.to_csv(),
            transcript.to_html(),
            transcript.to_jsonl(),
            str(transcript.to_atif()),
            transcript.text,
        ]
        assert not [form for form in shown if gateway.token in form]
        assert "my token is" in transcript.text
        assert isinstance(frame, pd.DataFrame)


def test_following(gateway: AnyGateway) -> None:
    """A transcript that is followed grows by what is said, each message once and whole, and stops when it is asked."""
    key = session()
    with admin(gateway) as gw:
        gw.run("echo:one", session=key).result()
        with gw.transcript(key).follow() as following:
            states = iter(following)
            assert len(next(states)) == 2
            gw.run(f"echo:two {'x' * 9000}", session=key).result()
            assert len(next(each for each in states if len(each) == 4).df["cut"].dropna()) == 0
            assert following.transcript.df["number"].tolist() == [1, 2, 3, 4]
            assert "two " + "x" * 9000 in following.transcript.text
        assert list(states) == []
        assert (following.alive, following.error, following.state) == (False, None, "ended")
        gw.run("echo:three", session=key).result()
        assert len(following.transcript) == 4
        with pytest.raises(ValueError, match="only a whole transcript can be followed"):
            gw.transcript(key).around(following.transcript.df["message"].iloc[0]).follow()


def test_following_what_begins_again(gateway: AnyGateway) -> None:
    """Of a session that is reset, what is followed is what it has since."""
    key = session()
    with admin(gateway) as gw:
        gw.run("echo:one", session=key).result()
        with gw.transcript(key).follow() as following:
            gw.request("sessions.reset", {"key": key})
            gw.run("echo:two", session=key).result()
            begun = next(each for each in following if "two" in each.text)
            assert "echo:one" not in begun.text


def test_following_ends_with_the_connection(gateway: AnyGateway) -> None:
    """With the connection the following ends, without an error; with the session, with one that names it."""
    key = session()
    with admin(gateway) as gw:
        gw.run("echo:one", session=key).result()
        deleted = gw.transcript(key).follow()
        gw.request("sessions.subscribe")
        gw.request("sessions.delete", {"key": key})
        with pytest.raises(gnb.GatewayRequestError, match=f"no session '{key}'"):
            list(deleted)
        assert "no session" in repr(deleted)
        other = session()
        gw.run("echo:one", session=other).result()
        ended = gw.transcript(other).follow()
    assert [len(each) for each in ended] == [2]
    assert repr(ended) == f"<Following {other}: 2 messages, ended>"
