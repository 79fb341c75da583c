"""Events: complete, in order, kept, waited for, and again after a restart."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pandas as pd
import pytest

import gateway_nb as gnb
from tests.helpers.real import AnyGateway
from tests.helpers.support import async_test, until


def test_every_event_is_kept_in_order(gateway: AnyGateway, tmp_path: Path) -> None:
    """Five hundred events of another client are all in the DataFrame and in the capture, in order."""
    with (
        gnb.connect(gateway.url, token=gateway.token, name="listening") as gw,
        gnb.connect(gateway.url, token=gateway.token, name="talking") as talking,
        gw.capture(tmp_path / "run.jsonl", events=("talk.*",)) as capture,
    ):
        seen: list[int] = []
        all_seen = threading.Event()

        def handler(event: gnb.Event) -> None:
            seen.append(int(event.payload["phase"]))
            if len(seen) == 500:
                all_seen.set()

        gw.on("talk.mode", handler)
        calls = [talking.submit("talk.mode", {"enabled": True, "phase": str(number)}) for number in range(500)]
        assert all_seen.wait(30)
        assert [call.result(10)["enabled"] for call in calls] == [True] * 500
        frame = gw.events.df
        frame = frame[frame["event"] == "talk.mode"]
        assert [int(json.loads(payload)["phase"]) for payload in frame["payload"]] == list(range(500))
        assert frame["seq"].is_monotonic_increasing
        assert seen == list(range(500))
        assert gw.status.counters.gaps == 0
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert [int(line["payload"]["phase"]) for line in lines if line.get("event") == "talk.mode"] == list(range(500))
    assert (lines[0]["kind"], lines[-1]["kind"], capture.stats.events) == ("start", "stop", 500)


def test_the_frame(gateway: AnyGateway) -> None:
    """The DataFrame has its columns and dtypes, empty or not."""
    with gnb.connect(gateway.url, token=gateway.token) as gw:
        expected = {
            "time": "datetime64[ns, UTC]",
            "epoch": "int32",
            "seq": "Int64",
            "event": "category",
            "kind": "category",
            "payload": "string",
        }
        gw.events.clear()
        assert {name: str(dtype) for name, dtype in gw.events.df.dtypes.items()} == expected
        before = pd.Timestamp.now("UTC")
        gw.request("talk.mode", {"enabled": False, "phase": "now"})
        until(lambda: gw.events.stats.events)
        frame = gw.events.df
        assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == expected
        assert abs(frame["time"].iloc[-1] - before) < pd.Timedelta("10s")


@async_test
async def test_streams(gateway: AnyGateway) -> None:
    """A stream gives the events of its pattern, and ends when the client is closed."""
    agw = gnb.AsyncGateway(gateway.url, token=gateway.token)
    await agw.connect()
    seen: list[str] = []

    async def listen() -> None:
        async for event in agw.stream("talk.*"):
            seen.append(event.payload["phase"])

    listening = asyncio.create_task(listen())
    await asyncio.sleep(0)
    for phase in ("a", "b"):
        await agw.request("talk.mode", {"enabled": True, "phase": phase})
    await agw.close()
    await asyncio.wait_for(listening, 5)
    assert seen == ["a", "b"]


@async_test
async def test_waiting_in_vain(gateway: AnyGateway) -> None:
    """An event that does not come is a timeout that names it."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token) as agw:
        with pytest.raises(gnb.GatewayTimeoutError, match=r"no event 'never' within 0.05 s"):
            await agw.wait_for("never", timeout=0.05)


def test_a_restart(gateway: AnyGateway) -> None:
    """After a restart the client is connected again by itself, with its subscriptions, and says so in the log."""
    states: list[str] = []
    back = threading.Event()

    def on_state(status: gnb.Status) -> None:
        states.append(status.state)
        if status.state == "connected" and status.epoch == 2:
            back.set()

    with gnb.connect(gateway.url, token=gateway.token, on_state=on_state) as gw:
        boot = gw.hello["server"]["bootId"] if gw.hello else None
        gw.request("sessions.subscribe")
        gateway.restart()
        assert back.wait(60)
        assert gw.hello is not None
        assert gw.hello["server"]["bootId"] != boot
        assert gw.status.counters.reconnects == 1
        assert "restarting" in states
        marker = gw.events.df.query("kind == 'reconnect'")
        assert list(marker["epoch"]) == [2]
        heard: list[gnb.Event] = []
        gw.on("sessions.changed", heard.append)
        until(lambda: gw.status.counters.in_flight == 0)  # the subscription is made again
        gw.request("sessions.create", {"key": "agent:main:after-restart"})
        until(lambda: any(event.payload.get("reason") == "create" for event in heard), 20)
        assert {event.epoch for event in heard} == {2}
