"""A gateway that repeats what it was told: nothing that is shown, logged or written has a part of a secret in it."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import re
import stat
import string
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

import gateway_nb as gnb
from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.notebook.widgets.live import LiveWidget
from tests.helpers.secret_names import OTHER_NAMES, SECRET_NAMES, part_of
from tests.helpers.servers import CHALLENGE, HELLO, answer_all, socket_server, welcome
from tests.helpers.support import async_test, until

TOKEN = "".join(random.Random(2).choices(string.ascii_letters + string.digits, k=903))
BASIC = base64.b64encode(b"me:" + TOKEN.encode()).decode()


@async_test
async def test_errors_that_repeat_it() -> None:
    """Of a long token no part is in an error, its details, a close reason, the status or the log; the cut is later."""
    closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def refuse(socket: ServerConnection) -> None:
        await socket.send(CHALLENGE)
        request = json.loads(await socket.recv())
        details = {"code": "PAIRING_REQUIRED", "reason": TOKEN, "requestId": TOKEN[:100], "requestedScopes": [TOKEN]}
        error = {"code": "X", "message": f"no {BASIC}", "details": details}
        await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": False, "error": error}))
        await socket.close(1008, f"it was {TOKEN}"[:120])

    async def repeat(socket: ServerConnection) -> None:
        await welcome(socket)
        request = json.loads(await socket.recv())
        error = {"code": f"C{TOKEN}", "message": f"no {TOKEN} but {TOKEN[:300]}", "details": {TOKEN: [BASIC]}}
        await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": False, "error": error}))
        await socket.recv()
        shutdown = {"type": "event", "event": "shutdown", "payload": {"reason": f"{TOKEN} asked for it"}}
        await socket.send(json.dumps(shutdown))
        await socket.close(1012, f"it was {TOKEN}"[:120])

    told: list[gnb.GatewayError] = []
    scripts = iter([refuse, repeat, answer_welcomed])
    async with socket_server(lambda socket: next(scripts)(socket)) as url:
        agw = gnb.AsyncGateway(
            url,
            token=TOKEN,
            device_identity=None,
            on_connect_error=told.append,
            on_close=lambda code, reason: closed.done() or closed.set_result(reason),
        )
        with pytest.raises(gnb.PairingRequiredError) as refused:
            await agw.connect()
        await agw.connect()
        with pytest.raises(gnb.GatewayRequestError) as failed:
            await agw.request("x")
        with pytest.raises(gnb.GatewayClosedError) as ended:
            await agw.request("y")
        assert (await asyncio.wait_for(closed, 10)) == "it was [secret]"
        shown = [str(agw.status), repr(agw.status), *agw.log]
        for error in (refused.value, failed.value, ended.value, *told):
            shown += [str(error), repr(error), str(vars(error)), *error._render_traceback_()]
        await agw.close()
    for text in shown:
        assert part_of(TOKEN, text) < 12
        assert part_of(BASIC[8:], text) < 12


async def answer_welcomed(socket: ServerConnection) -> None:
    """Welcome, and answer every request with its own params."""
    await welcome(socket)
    await answer_all(socket)


@async_test
async def test_a_hello_that_repeats_it() -> None:
    """What a hello-ok says is shown without the connection's own secrets, also within longer strings and names."""
    hello = HELLO | {
        "server": {"version": f"v {TOKEN}", "connId": "c", "bootId": TOKEN},
        "features": {"methods": ["health", f"x.{TOKEN}"], "events": [BASIC, "tick"]},
        "auth": {"role": TOKEN, "scopes": [TOKEN, "operator.admin"]},
        "snapshot": {TOKEN: [{"auth": f"Basic {BASIC}", "token": "short"}], "fine": 1},
    }
    seen: list[Any] = []

    async def repeat(socket: ServerConnection) -> None:
        await socket.send(CHALLENGE)
        request = json.loads(await socket.recv())
        await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": hello}))
        await answer_all(socket)

    async with (
        socket_server(repeat) as url,
        gnb.AsyncGateway(url, token=TOKEN, device_identity=None, on_hello_ok=seen.append) as agw,
    ):
        status = agw.status
        shown = (
            f"{agw.hello} {status} {status!r} {status._repr_html_()} {agw.methods} {agw.event_names} {agw.log} {seen}"
        )
        shown += f"{seen[0].raw}{await agw.connect()}"
        assert part_of(TOKEN, shown) < 12
        assert part_of(BASIC[8:], shown) < 12
        assert agw.methods == ("health", "x.[secret]")
        assert agw.hello is not None
        assert agw.hello["snapshot"] == {"[secret]": [{"auth": "Basic [secret]", "token": "[secret]"}], "fine": 1}


@async_test
async def test_an_error_of_25_megabytes() -> None:
    """A huge message or huge details hold up the loop for no longer than reading the frame takes."""
    message = "x" * 24_000_000
    error: dict[str, Any] = {"code": "X", "message": message, "details": {"many": [1] * 100_000, "see": TOKEN}}

    async def hostile(socket: ServerConnection) -> None:
        await welcome(socket)
        async for data in socket:
            await socket.send(json.dumps({"type": "res", "id": json.loads(data)["id"], "ok": False, "error": error}))

    async with (
        socket_server(hostile) as url,
        gnb.AsyncGateway(url, token=TOKEN, device_identity=None) as agw,
    ):
        with pytest.raises(gnb.GatewayRequestError) as failed:
            await agw.request("x")
    assert str(failed.value).endswith("…")
    assert len(str(failed.value)) == 600
    assert re.fullmatch(r"[\d,]+ bytes, left out", failed.value.details)


@async_test
async def test_runs_that_fail_with_it() -> None:
    """How a run failed is told without the secrets, by each way to wait for it."""

    async def failing(socket: ServerConnection) -> None:
        await welcome(socket)
        async for data in socket:
            request = json.loads(data)
            payload = {"status": "error", "summary": f"no {TOKEN}", "error": BASIC}
            if request["method"] == "chat.send":
                payload = {"status": "started"}
                end = {"runId": request["params"]["idempotencyKey"], "state": "error", "errorMessage": f"no {TOKEN}"}
                await socket.send(json.dumps({"type": "event", "event": "chat", "payload": end}))
            await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": True, "payload": payload}))

    async with socket_server(failing) as url, gnb.AsyncGateway(url, token=TOKEN, device_identity=None) as agw:
        for work in (
            agw.request("agent", {"message": "x", "sessionKey": "a"}, expect_final=True),
            agw.request("chat.send", {"message": "x", "sessionKey": "b"}, expect_final=True),
            agw.run("x").result(),
        ):
            with pytest.raises(gnb.RunFailedError) as failed:
                await work
            assert "[secret]" in str(failed.value)
            assert part_of(TOKEN, f"{failed.value} {vars(failed.value)}") < 12
            assert part_of(BASIC[8:], f"{failed.value} {vars(failed.value)}") < 12


def emitted(local: gnb.LocalGateway, gw: gnb.Gateway) -> None:
    """Let events come that repeat the token in every place."""
    before = gw.status.counters.events
    for payload in ({"x": "y" * 100 + TOKEN}, {TOKEN: [TOKEN]}, {"auth": f"Basic {BASIC}"}, {"password": "main"}):
        local.emit("repeats", payload)
    local.emit(f"e.{TOKEN}", {"agentId": "main", "n": 5})
    until(lambda: gw.status.counters.events >= before + 5)


@pytest.fixture
def gateway() -> Iterator[tuple[gnb.LocalGateway, gnb.Gateway]]:
    """A gateway with that token, and a connection that has a short password, too."""
    with (
        gnb.LocalGateway(token=TOKEN) as local,
        gnb.connect(local.url, token=TOKEN, password="main", device_identity=None) as gw,
    ):
        yield local, gw


Both = tuple[gnb.LocalGateway, gnb.Gateway]


@pytest.mark.parametrize("name", ["run.jsonl", "run.jsonl.zst"])
def test_a_capture(gateway: Both, tmp_path: Path, name: str) -> None:
    """A capture holds no known secret, only its owner can read it, and events are otherwise as they came."""
    local, gw = gateway
    with gw.capture(tmp_path / name) as capture:
        emitted(local, gw)
    frame = gnb.load(capture.path).df
    assert part_of(TOKEN, frame.to_csv()) < 12
    assert part_of(BASIC[8:], frame.to_csv()) < 12
    found = list(frame[frame["event"].notna()]["payload"])
    assert found[1:] == [
        '{"[secret]":["[secret]"]}',
        '{"auth":"Basic bWU[secret]"}',
        '{"password":"[secret]"}',
        '{"agentId":"main","n":5}',
    ]
    assert stat.S_IMODE(os.stat(capture.path).st_mode) == 0o600
    kept = gw.events.df
    assert TOKEN in kept["payload"].iloc[1]
    assert TOKEN in gw.events.to_arrow().column("payload")[2].as_py()


def test_a_capture_of_requests(gateway: Both, tmp_path: Path) -> None:
    """Of requests and answers all that looks like a secret is replaced, and what does not stays."""
    _, gw = gateway
    secrets = {name: f"value-of-{name}" for name in SECRET_NAMES.split()}
    others = {name: f"value-of-{name}" for name in OTHER_NAMES.split()}
    shapes = {
        "list": {"tokenList": ["kept"], "botTokens": ["in-a-list-1", {"deep": ["in-a-list-2"]}]},
        "json": json.dumps({"clientSecret": "in-json-1", "args": ["--token", "in-json-2"]}),
        "text": "curl -H 'Authorization: Bearer in-text-1' --token in-text-2 wss://h/?token=in-text-3 https://u:in-text-4@h",
        "own": f"it is {BASIC}",
    }
    with gw.capture(tmp_path / "run.jsonl", requests=True):
        gw.request("last-heartbeat", secrets | others | shapes)
        with pytest.raises(gnb.GatewayRequestError):
            gw.request("sessions.list", {"limit": f"no {TOKEN}"})
    text = (tmp_path / "run.jsonl").read_text()
    assert [name for name, value in secrets.items() if f'"{value}"' in text] == []
    assert [name for name, value in others.items() if f'"{value}"' not in text] == []
    assert re.findall(r"in-(?:a-list|json|text)-\d", text) == []
    assert '"tokenList":["kept"]' in text
    assert part_of(TOKEN, text) < 12
    assert part_of(BASIC[8:], text) < 12
    assert all(json.loads(line) for line in text.splitlines())


def test_a_replay_of_hidden_params(gateway: Both, tmp_path: Path) -> None:
    """A notebook whose params held secrets gets its recorded answers again, each request its own."""
    _, gw = gateway
    calls = [
        ("sessions.create", {"label": f"is {TOKEN} it"}),
        ("sessions.create", {"label": "another"}),
        ("last-heartbeat", {"password": "hunter2", "list": [f"x{TOKEN}"]}),
        ("last-heartbeat", {"password": "hunter2", "list": ["y"]}),
    ]
    with gw.capture(tmp_path / "run.jsonl", requests=True):
        first = [json.dumps(gw.request(*call)).replace(TOKEN, "[secret]") for call in calls]
    recording = gnb.load(tmp_path / "run.jsonl")
    with recording.replay(speed=None) as replay, gnb.connect(replay.url, token=replay.token) as again:
        assert [json.dumps(again.request(*call)) for call in calls] == first
        with pytest.raises(gnb.GatewayRequestError, match="was not recorded"):
            again.request("sessions.create", {"label": f"was {TOKEN} it"})
        with pytest.raises(gnb.GatewayRequestError, match="was not recorded"):
            again.request("last-heartbeat", {"password": "hunter2", "list": ["y", "z"]})


@async_test
async def test_answers_in_a_capture(tmp_path: Path) -> None:
    """An answer is searched for secrets beside the loop: however long that takes, other requests are answered."""
    searching, go = threading.Event(), threading.Event()

    class Slow(Redactor):
        def json(self, data: bytes, *, guess: bool = False) -> bytes:
            searching.set()
            go.wait(30)
            return super().json(data, guess=guess)

    async def answering(socket: ServerConnection) -> None:
        await welcome(socket)
        async for data in socket:
            payload = {"tokens": [{"token": f"secret-number-{n}"} for n in range(1000)]}
            await socket.send(json.dumps({"type": "res", "id": json.loads(data)["id"], "ok": True, "payload": payload}))

    async with socket_server(answering) as url, gnb.AsyncGateway(url, token=TOKEN, device_identity=None) as agw:
        capture = gnb.Capture(tmp_path / "run.jsonl", redactor=Slow())
        agw.core.requests.record(capture)
        await agw.request("large")
        assert await asyncio.to_thread(searching.wait, 10)
        for _ in range(20):
            await agw.request("small")
        assert not go.is_set()
        go.set()
        await asyncio.to_thread(capture.stop)
    assert b"secret-number" not in (tmp_path / "run.jsonl").read_bytes()


class Sent:
    """What widgets send to their views."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bodies: dict[str, Any] = {}
        monkeypatch.setattr(LiveWidget, "send", self._send)

    def _send(self, content: Any, buffers: Any = None) -> None:
        self.bodies[content["type"]] = json.loads(buffers[0])

    def __str__(self) -> str:
        return json.dumps(self.bodies)


def test_what_is_shown_of_events(gateway: Both, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Reprs, static HTML and every message to a browser are without secrets; the data in Python is not changed."""
    local, gw = gateway
    emitted(local, gw)
    sent, table, runs = Sent(monkeypatch), gw.table(), gw.panel()
    table.expand("x", "auth")
    table.opened("view")
    for row in range(table._rows.end):
        table._on_row("view", {"id": row})
        assert part_of(TOKEN, str(sent)) < 12
    shown = f"{gw.events!r} {gw.events._repr_html_()} {table.html()} {runs._repr_mimebundle_()} {sent}"
    assert part_of(TOKEN, shown) < 12
    assert part_of(BASIC[8:], shown) < 12
    assert "agentId" in shown
    assert TOKEN in table.df["payload"].iloc[1]
    table.close()
    runs.close()


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_exports_of_the_table(gateway: Both, tmp_path: Path, suffix: str) -> None:
    """What the table exports holds no secret, in names or payloads, and has the same columns."""
    local, gw = gateway
    emitted(local, gw)
    table = gw.table()
    path = table.export(tmp_path / f"events{suffix}")
    table.close()
    if suffix == ".parquet":
        import pyarrow.parquet as parquet

        exported = parquet.read_table(path)
        assert exported.schema.names == gw.events.to_arrow().schema.names
        text = str(exported.to_pydict())
    else:
        text = path.read_text()
    assert part_of(TOKEN, text) < 12
    assert part_of(BASIC[8:], text) < 12
    assert "agentId" in text
    assert "e.[secret]" in text


def test_a_log_that_goes_on(gateway: Both) -> None:
    """Events of an earlier connection of the same name are shown without its secrets, too."""
    local, gw = gateway
    emitted(local, gw)
    with (
        gnb.LocalGateway(token="another-token") as other,
        gnb.connect(other.url, token="another-token", device_identity=None) as again,
    ):
        assert len(again.events) > 5
        assert part_of(TOKEN, repr(again.events) + again.events._repr_html_()) < 12
