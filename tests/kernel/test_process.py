"""Signals, threads, forks, exits: each in a process of its own, with true signals and an empty stderr."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
from pathlib import Path

import pytest

import gateway_nb as gnb
from gateway_nb.client.run import AsyncRun
from gateway_nb.sync.loop_thread import loop_thread
from tests.helpers.scripts import CONNECT, running, script
from tests.helpers.support import until


def test_ctrl_c_cancels_the_request(local: gnb.LocalGateway) -> None:
    """Ctrl-C during a request cancels it, cleans up, then raises; the next request works."""
    code = """
def announce():
    while not gw.status.counters.in_flight:
        time.sleep(0.01)
    print("waiting")
threading.Thread(target=announce).start()
try:
    gw.request("agent.wait", {"runId": "nobody", "timeoutMs": 60000}, timeout=None)
except KeyboardInterrupt:
    print("interrupted", gw.status.counters.in_flight, gw.status.state)
print(gw.request("health")["ok"])
"""
    with script(local, code) as running_script:
        running_script.wait_for("waiting")
        running_script.interrupt()
        assert running_script.rest() == ["interrupted 0 connected", "True"]


def test_the_loop_does_not_wait_for_pandas(local: gnb.LocalGateway) -> None:
    """Keeping events imports no pandas: that takes a third of a second, on the thread that reads the socket."""
    code = """
import sys
print("ready")
while len(gw.events) < 10_000:
    time.sleep(0.01)
print(len(gw.events.pieces()[0]), "pandas" in sys.modules)
print(len(gw.events.df) >= 10_000, "pandas" in sys.modules)
"""
    with script(local, code) as running_script:
        running_script.wait_for("ready")
        for number in range(10_000):
            local.emit("tick", number)
        assert running_script.rest() == ["1 False", "True True"]


SAY_WHEN_WAITING = """
from gateway_nb.sync.loop_thread import LoopThread
from gateway_nb.sync.handle import RequestHandle
def saying(wait):
    def said(*arguments):
        print("waiting")
        return wait(*arguments)
    return said
RequestHandle.result = saying(RequestHandle.result)
LoopThread.run = saying(LoopThread.run)
"""


def test_ctrl_c_aborts_the_run(local: gnb.LocalGateway) -> None:
    """Ctrl-C while waiting for a run asks the gateway to abort it, and says so."""
    code = """
run = gw.run("count:1000:20")
try:
    run.result()
except KeyboardInterrupt as interrupt:
    print(str(interrupt).replace(run.run_id, "ID"))
try:
    run.result(10)
except gnb.RunAbortedError:
    print("aborted")
"""
    with script(local, SAY_WHEN_WAITING + code) as running_script:
        running_script.wait_for("waiting")
        until(lambda: local.methods.agents.active("agent:main:main"))
        running_script.interrupt()
        said = [line for line in running_script.rest() if line != "waiting"]
        assert said == ["run ID: the gateway was asked to abort it", "aborted"]


def test_ctrl_c_while_iterating(local: gnb.LocalGateway) -> None:
    """Ctrl-C while waiting for a run's next piece aborts the run, too."""
    code = """
run = gw.run("count:1000:300")
try:
    for piece in run:
        print("piece")
except KeyboardInterrupt:
    print("interrupted")
try:
    run.result(10)
except gnb.RunAbortedError:
    print("aborted")
"""
    with script(local, SAY_WHEN_WAITING + code) as running_script:
        running_script.wait_for("piece")
        running_script.wait_for("waiting")
        running_script.interrupt()
        assert [line for line in running_script.rest() if line != "waiting"] == ["interrupted", "aborted"]


def test_an_error_in_an_interrupted_call(local: gnb.LocalGateway) -> None:
    """What an interrupted call raises while it is cleaned up is nobody's any more: nothing is printed."""
    code = """
import asyncio, gc
from gateway_nb.sync.loop_thread import loop_thread
async def fails_when_cancelled():
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        raise ValueError("too late")
try:
    loop_thread().run(fails_when_cancelled, "work")
except KeyboardInterrupt:
    print("interrupted")
gc.collect()
"""
    with script(local, SAY_WHEN_WAITING + code) as running_script:
        running_script.wait_for("waiting")
        running_script.interrupt()
        assert [line for line in running_script.rest() if line != "waiting"] == ["interrupted"]


def test_fork(local: gnb.LocalGateway) -> None:
    """In a forked child a used connection says what to do, and a new one works; the parent's lives on."""
    code = """
pid = os.fork()
if pid == 0:
    try:
        gw.request("health")
    except RuntimeError as error:
        print("child:", "connect again" in str(error))
    other = gnb.connect(os.environ["URL"], token=os.environ["TOKEN"])
    print("child:", other.request("health")["ok"])
    other.close()
    os._exit(0)
os.waitpid(pid, 0)
print("parent:", gw.request("health")["ok"])
"""
    with running(
        "import warnings; warnings.simplefilter('ignore')\n" + CONNECT + code, URL=local.url, TOKEN=local.token
    ) as it:
        assert it.rest() == ["child: True", "child: True", "parent: True"]


def test_exit_closes_politely(local: gnb.LocalGateway) -> None:
    """A process that ends without closing closes with code 1000, at once, and prints nothing."""
    with script(local, 'print("connected"); time.sleep(0.2)') as running_script:
        running_script.wait_for("connected")
        (peer,) = local.peers
        began = time.monotonic()
        running_script.rest()
        assert time.monotonic() - began < 3
        assert peer._socket.close_code == 1000


def test_exit_during_a_request(local: gnb.LocalGateway) -> None:
    """A process that ends while another thread waits for an answer ends all the same."""
    code = """
def ask():
    try:
        gw.request("agent.wait", {"runId": "nobody", "timeoutMs": 60000}, timeout=None)
    except gnb.GatewayClosedError:
        pass
threading.Thread(target=ask, daemon=True).start()
while not gw.status.counters.in_flight:
    time.sleep(0.01)
print("asked")
"""
    with script(local, code) as running_script:
        assert running_script.rest(10) == ["asked"]


def test_a_capture_ends_with_its_process_or_connection(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """A capture that nobody stopped is whole after the process has ended, and after its connection was closed."""
    code = f"""
capture = gw.capture({str(tmp_path / "exit.jsonl")!r})
for number in range(100):
    gw.request("talk.mode", {{"enabled": True, "phase": str(number)}})
print("done")
"""
    with script(local, code) as running_script:
        assert running_script.rest() == ["done"]
    frame = gnb.load(tmp_path / "exit.jsonl").df
    assert (frame["event"] == "talk.mode").sum() == 100
    assert frame["kind"].iloc[-1] == "stop"
    gw = gnb.connect(local.url, token=local.token)
    capture = gw.capture(tmp_path / "close.jsonl")
    gw.close()
    assert list(gnb.load(tmp_path / "close.jsonl").df["kind"]) == ["start", "stop"]
    assert capture.stop().events == 0


def test_garbage(local: gnb.LocalGateway) -> None:
    """A connection that nobody holds any more is closed by the garbage collector, without waiting."""
    gateway = gnb.Gateway(local.url, token=local.token)
    gateway.connect()
    until(lambda: len(local.peers) == 1)
    del gateway
    gc.collect()
    until(lambda: not local.peers)


def test_a_named_connection_is_replaced(local: gnb.LocalGateway) -> None:
    """Running the connect cell again closes the former connection and keeps its events."""
    first = gnb.connect(local.url, token=local.token)
    local.emit("before")
    until(lambda: first.events.stats.events)
    second = gnb.connect(local.url, token=local.token)
    assert first.status.state == "closed"
    assert list(second.events.df["event"].dropna()) == ["before"]
    assert list(second.events.df["kind"]) == ["start", "event", "stop", "start"]
    assert gnb.connections() == {"default": second}
    with pytest.raises(gnb.GatewayClosedError):
        first.request("health")


def test_closing_after_a_capture_failed(
    local: gnb.LocalGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A capture whose file is gone is told in status and log; closing closes all the same."""
    monkeypatch.setattr("gateway_nb.capture.journal.SYNC_SECONDS", 0.01)
    gw = gnb.connect(local.url, token=local.token)
    capture = gw.capture(tmp_path / "run.jsonl")
    (tmp_path / "run.jsonl").unlink()
    until(lambda: capture.stats.error)
    until(lambda: gw.status.problems)
    assert "was removed while it was written" in gw.status.problems[0]
    gw.close()
    assert gw.status.state == "closed"
    until(lambda: not local.peers)


def test_a_failed_connect_leaves_the_former_alone(local: gnb.LocalGateway, tmp_path: Path) -> None:
    """When connecting again fails, the former connection of that name, its handlers and its captures continue."""
    with gnb.connect(local.url, token=local.token) as former:
        heard: list[object] = []
        former.on("mine", lambda event: heard.append(event.payload))
        capture = former.capture(tmp_path / "run.jsonl")
        with pytest.raises(gnb.AuthenticationError):
            gnb.connect(local.url, token="wrong", device_identity=None)
        assert gnb.connections() == {"default": former}
        assert former.request("health")["ok"] is True
        local.emit("mine", 1)
        until(lambda: heard == [1] and capture.stats.events)
    until(lambda: not local.peers)


def test_a_text_that_is_not_there_yet(local: gnb.LocalGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the text of a run that has none yet is told how to wait for it."""
    with gnb.connect(local.url, token=local.token) as gw:
        run = gw.run("count:200:50")
        with monkeypatch.context() as patch:
            patch.setattr(AsyncRun, "text", "")
            with pytest.warns(UserWarning, match=r"no text yet; \.result\(\)\.text waits"):
                assert run.text == ""
        until(lambda: run.events)
        run.abort()
        with pytest.raises(gnb.RunAbortedError):
            run.result(10)


def test_from_a_running_loop(local: gnb.LocalGateway) -> None:
    """The sync face works in a cell with a running loop, and handles can be awaited there."""

    async def cell() -> None:
        with gnb.connect(local.url, token=local.token) as gw:
            assert gw.request("health")["ok"] is True
            assert (await gw.submit("health"))["ok"] is True
            answers = await asyncio.gather(*(gw.submit("last-heartbeat") for _ in range(20)))
            assert len(answers) == 20

    asyncio.run(cell())


def test_from_many_threads(local: gnb.LocalGateway) -> None:
    """Calls from several threads do not disturb each other."""
    results: list[bool] = []
    with gnb.connect(local.url, token=local.token) as gw:
        threads = [
            threading.Thread(target=lambda: results.extend(gw.request("health")["ok"] for _ in range(20)))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [True] * 160


def test_from_a_handler(local: gnb.LocalGateway) -> None:
    """A handler may call the sync face; a failing or slow one harms neither the socket nor the others."""
    answered = threading.Event()
    release = threading.Event()

    def slow(event: gnb.Event) -> None:
        release.wait(10)

    def failing(event: gnb.Event) -> None:
        raise RuntimeError("a bug of the user's")

    with gnb.connect(local.url, token=local.token) as gw:
        gw.on("x", slow)
        gw.on("x", failing)
        gw.on("x", lambda event: answered.set() if gw.request("health")["ok"] else None)
        local.emit("x", 1)
        until(lambda: gw.events.stats.events)
        assert gw.request("health")["ok"] is True
        release.set()
        assert answered.wait(10)
        assert gw.status.counters.handler_errors == 1
        assert any("a bug of the user's" in line for line in gw.log)


def test_from_the_loop_thread(local: gnb.LocalGateway) -> None:
    """Waiting on the loop's own thread would never end: it raises at once and says what to do."""
    with gnb.connect(local.url, token=local.token) as gw:

        async def on_the_loop() -> None:
            with pytest.raises(RuntimeError, match=r"gw.submit"):
                gw.request("health")

        loop_thread().run(on_the_loop, "test")


def test_a_handle(local: gnb.LocalGateway) -> None:
    """A handle's result can be waited for, given up, and cancelled; its repr says how it stands."""
    with gnb.connect(local.url, token=local.token) as gw:
        handle = gw.submit("agent.wait", {"runId": "nobody", "timeoutMs": 60_000}, timeout=None)
        assert repr(handle) == "<RequestHandle agent.wait: running>"
        with pytest.raises(TimeoutError):
            handle.result(timeout=0.05)
        assert not handle.done()
        assert handle.cancel()
        until(lambda: gw.status.counters.in_flight == 0)
        assert repr(handle) == "<RequestHandle agent.wait: cancelled>"
        failed = gw.submit("no.such")
        assert isinstance(failed.exception(10), gnb.GatewayRequestError)
        assert "unknown method" in repr(failed)
        done = gw.submit("health")
        done.result(10)
        assert repr(done) == "<RequestHandle health: done>"


def test_close_twice_and_connect_again(local: gnb.LocalGateway) -> None:
    """Closing twice is closing once, and a closed connection can be opened again."""
    gw = gnb.connect(local.url, token=local.token)
    gw.close()
    gw.close()
    assert gw.connect().request("health")["ok"] is True
    gw.close()
    assert os.getpid() == loop_thread().pid
