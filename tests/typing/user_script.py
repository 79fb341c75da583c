"""What a user writes, for a type checker alone: nothing runs it. ``# wrong: CODE`` marks what has to be refused."""

from __future__ import annotations

from typing import Any

import gateway_nb as gnb


def calls(url: str) -> dict[str, Any]:
    gw = gnb.connect(url, token=None, timeout=5.0, scopes=["operator.read"], request_timeout=3)
    answer: Any = gw.request("sessions.list", {"limit": 5})
    answer = gw.call.sessions.list(limit=5)
    gw.call.sessions.list(limit="5")  # wrong: arg-type
    gw.call.sessions.list(limti=5)  # wrong: call-arg
    key: int = gw.call.sessions.create(key="main")["key"]  # wrong: assignment
    gw.call.a_newer.method(of_any=key)
    handle = gw.submit("health", timeout=None)
    handle.result(timeout=1.0)
    gw.request(5)  # wrong: arg-type
    gw.request("health", timeout="soon")  # wrong: arg-type
    gw.requests("health")  # wrong: attr-defined
    gnb.connect(url, scopes="operator.read", colour="red")  # wrong: call-arg
    gnb.connect(url, max_protocol="4")  # wrong: arg-type
    gnb.conect(url)  # wrong: attr-defined
    return dict(answer)


def fleets() -> int:
    with gnb.fleet("fleet.yaml", timeout=5, scopes=["operator.read"]) as fleet:
        frame = fleet.select("prod-*", region="eu").request("health", {"probe": True}, timeout=None)
        print(frame["ok"].all(), fleet.data.usage(by="day"), fleet.events.tail(5), fleet.status.df, fleet.run("hello"))
        gateway: gnb.Gateway = fleet["north"]
        fleet.request(5)  # wrong: arg-type
        fleet.data.usage(by="week")  # wrong: arg-type
        fleet.select(3)  # wrong: arg-type
        print(gateway.name, [each.status.state for each in fleet])
    gnb.fleet(7)  # wrong: arg-type
    return len(fleet)


def events(gw: gnb.Gateway) -> float:
    def seen(event: gnb.Event) -> None:
        print(event.event, event.payload)

    def wrong(number: int) -> None:
        print(number)

    with gw.on("session.*", seen), gw.capture("run.jsonl", events=("chat",)) as capture:
        gw.wait_for("tick", where=lambda event: event.seq, timeout=None)
    gw.on("chat", wrong)  # wrong: arg-type
    frame = gw.events.df
    print(frame["event"].value_counts(), capture.stats.events + 1)
    status: gnb.Status = gw.status
    print(status.protocol + 1)  # wrong: operator
    print(status.rttt)  # wrong: attr-defined
    return status.rtt or 0.0


def runs(gw: gnb.Gateway) -> str:
    run = gw.run("hello", agent="main")
    pieces: list[str] = list(run)
    number: int = run.result(timeout=5).text  # wrong: assignment
    return "".join(pieces) + str(number)


def tools(gw: gnb.Gateway) -> int:
    @gw.tool(timeout=10, sessions=["agent:main:*"])
    def add(a: int, b: int = 1) -> int:
        """Add."""
        gnb.tools.progress("adding")
        return a + b

    gw.tools.approve()
    print(gw.tools.calls["status"], gw.tools.names[0].upper())
    add("4")  # wrong: arg-type
    return add(4)


def records(gw: gnb.Gateway) -> int:
    costs = gw.data.usage(by="model", since="7d")
    gw.data.usage(by="week")  # wrong: arg-type
    gw.data.session()  # wrong: attr-defined
    print(gw.transcript("agent:main:main").to_html().title(), gw.search("text").shape, gw.plot.cost(since="7d").svg)
    return len(costs.columns)


def recordings() -> gnb.LocalGateway:
    recording: gnb.Recording = gnb.load("run.jsonl")
    print(recording.query("select 1").shape, recording.stats.events["chat"])
    return recording.replay(speed=2.0)


async def without_threads(url: str) -> None:
    async with gnb.AsyncGateway(url) as agw:
        print(await agw.request("health"))
        agw.request("health")  # wrong: unused-coroutine
        async for event in agw.stream("agent"):
            print(event.epoch)
        for event in agw.stream("agent"):  # wrong: attr-defined
            print(event)


def faults(url: str) -> list[str]:
    try:
        gnb.connect(url)
    except gnb.PairingRequiredError as error:
        return [error.approve_command]  # wrong: list-item
    except (gnb.MissingScopeError, gnb.GatewayError) as error:
        print(error.code, error.retry_after)
    report = gnb.doctor(url, token="t")
    return [finding.advice or finding.detail for finding in report.failures]
