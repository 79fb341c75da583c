"""Connections by name: one for each name, whatever threads and signals do, and for each user of a process."""

from __future__ import annotations

import gc
import sys
import threading
import weakref
from collections.abc import Callable
from types import SimpleNamespace

import pytest

import gateway_nb as gnb
from gateway_nb.sync.loop_thread import loop_thread
from tests.helpers.scripts import running
from tests.helpers.silent import Silent
from tests.helpers.support import until


def together(work: Callable[[int], object], count: int = 8) -> None:
    """Do something on several threads at once."""
    barrier = threading.Barrier(count)

    def body(number: int) -> None:
        barrier.wait()
        work(number)

    threads = [threading.Thread(target=body, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_threads_and_one_name() -> None:
    """Of eight threads that connect under one name, one has the connection in the end, and the others' are closed."""
    with gnb.LocalGateway() as local:
        made: list[gnb.Gateway] = []
        together(lambda _: made.append(gnb.connect(local.url, token=local.token, device_identity=None)))
        until(lambda: len(local.peers) == 1)
        assert sorted(gateway.status.state for gateway in made) == ["closed"] * 7 + ["connected"]
        (last,) = gnb.connections().values()
        assert last.status.state == "connected"
        last.close()


@pytest.mark.slow
def test_threads_and_names_of_their_own() -> None:
    """Threads that connect under names of their own do not wait for one another, nor for one that can't connect."""
    with gnb.LocalGateway() as local, Silent() as silent:

        def fail() -> None:
            with pytest.raises(gnb.HandshakeTimeoutError):
                gnb.connect(silent.url, device_identity=None, timeout=5)

        stuck = threading.Thread(target=fail)
        stuck.start()
        until(lambda: silent.connections)
        names = [f"own-{number}" for number in range(8)]
        together(lambda n: gnb.connect(local.url, token=local.token, device_identity=None, name=names[n], timeout=4))
        assert stuck.is_alive()
        assert sorted(gnb.connections()) == names
        for gateway in gnb.connections().values():
            gateway.close()
        stuck.join()


def test_a_name_that_could_not_be_connected() -> None:
    """A connection that failed leaves its name's former one as it was; the next replaces that, with its events."""
    with gnb.LocalGateway() as local:
        first = gnb.connect(local.url, token=local.token, device_identity=None)
        with pytest.raises(gnb.AuthenticationError):
            gnb.connect(local.url, token="wrong-token-value", device_identity=None)
        assert (gnb.connections(), first.status.state) == ({"default": first}, "connected")
        local.emit("before", 1)
        until(lambda: "before" in first.events.stats.events)
        second = gnb.connect(local.url, token=local.token, device_identity=None)
        assert (second.events is first.events, first.status.state) == (True, "closed")
        local.emit("after", 1)
        until(lambda: "after" in second.events.stats.events)
        assert list(second.events.df["kind"]) == ["start", "event", "stop", "start", "event"]
        second.close()


def test_an_interrupt_while_the_former_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the former connection of a name is being closed leaves the new one open, with all the events."""
    with gnb.LocalGateway() as local:
        first = gnb.connect(local.url, token=local.token, device_identity=None)
        close = gnb.Gateway.close

        def interrupted(gateway: gnb.Gateway) -> None:
            close(gateway)
            raise KeyboardInterrupt

        monkeypatch.setattr(gnb.Gateway, "close", interrupted)
        with pytest.raises(KeyboardInterrupt):
            gnb.connect(local.url, token=local.token, device_identity=None)
        monkeypatch.undo()
        (second,) = gnb.connections().values()
        assert (second is first, second.events is first.events, second.request("health")["ok"]) == (False, True, True)
        second.close()


def test_a_name_on_the_loops_thread() -> None:
    """On the loop's own thread connecting raises, also where another thread has the name and waits for the loop."""
    with gnb.LocalGateway() as local, Silent() as silent:
        asking = gnb.connect(local.url, token=local.token, device_identity=None, name="asking")

        def fail() -> None:
            with pytest.raises(gnb.HandshakeTimeoutError):
                gnb.connect(silent.url, device_identity=None, timeout=3)

        stuck = threading.Thread(target=fail)
        stuck.start()
        until(lambda: silent.connections)
        raised: list[str] = []

        def connect() -> None:
            try:
                gnb.connect(local.url, token=local.token, device_identity=None)
            except RuntimeError as error:
                raised.append(str(error))

        loop_thread().call(connect)
        until(lambda: raised)
        assert "the loop's own thread" in raised[0]
        assert stuck.is_alive()
        stuck.join()
        asking.close()


SIGINT_WHILE_WAITING = """
import os, signal, threading, time
import gateway_nb as gnb
from tests.helpers.silent import Silent

with gnb.LocalGateway() as local, Silent() as silent:
    def connecting():
        try:
            gnb.connect(silent.url, device_identity=None, timeout=6)
        except gnb.GatewayError as error:
            print("other:", type(error).__name__)
    other = threading.Thread(target=connecting)
    other.start()
    while not silent.connections:
        time.sleep(0.01)
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    began = time.monotonic()
    try:
        gnb.connect(local.url, token=local.token, device_identity=None)
    except KeyboardInterrupt:
        print("interrupted", time.monotonic() - began < 4)
    print(list(gnb.connections()), len(local.peers))
    other.join()
    gw = gnb.connect(local.url, token=local.token, device_identity=None)
    threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    try:
        gnb.connect(silent.url, device_identity=None, timeout=60)
    except KeyboardInterrupt:
        print("interrupted again")
    print(list(gnb.connections()), gnb.connect(local.url, token=local.token, device_identity=None).status.state)
    gnb.connections()["default"].close()
"""


@pytest.mark.slow
def test_an_interrupt() -> None:
    """Ctrl-C ends the waiting for a name that another thread connects, as it ends connecting; the name is free then."""
    with running(SIGINT_WHILE_WAITING) as script:
        assert script.rest() == [
            "interrupted True",
            "[] 0",
            "other: HandshakeTimeoutError",
            "interrupted again",
            "['default'] connected",
        ]


class Session:
    """What marimo has for each session, and stands for it here."""


def test_sessions_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Users of one marimo server have the same names for connections of their own; they end with the session.

    marimo is a stub here: an object for each session, asked for by marimo's public names.
    """
    sessions: list[Session] = []
    here = threading.local()
    marimo = SimpleNamespace(
        running_in_notebook=lambda: hasattr(here, "session"),
        query_params=lambda: here.session,
    )
    monkeypatch.setitem(sys.modules, "marimo", marimo)
    with gnb.LocalGateway() as local:
        mine = gnb.connect(local.url, token=local.token, device_identity=None)

        def use(number: int) -> None:
            here.session = Session()
            sessions.append(here.session)
            gateway = gnb.connect(local.url, token=local.token, device_identity=None)
            found.append((number, gnb.connections() == {"default": gateway}, gateway.status.state))
            kept.append(weakref.ref(gateway))

        found: list[tuple[int, bool, str]] = []
        kept: list[weakref.ref[gnb.Gateway]] = []
        together(use, 2)
        assert sorted(found) == [(0, True, "connected"), (1, True, "connected")]
        assert (gnb.connections(), mine.status.state, len(local.peers)) == ({"default": mine}, "connected", 3)
        sessions.clear()
        gc.collect()
        until(lambda: len(local.peers) == 1)
        assert [reference() for reference in kept] == [None, None]
        mine.close()
