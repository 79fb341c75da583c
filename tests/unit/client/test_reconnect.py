"""How a client continues when a connection has ended, as a table: no socket, no clock."""

from __future__ import annotations

import pytest

from gateway_nb.client.reconnect import Pause, Reconnect, Stop, Wait
from gateway_nb.errors import GatewayConnectError, PairingRequiredError
from gateway_nb.protocol.auth import Recovery

ERROR = GatewayConnectError("no")


def after(recovery: Recovery, *, first: bool, owner: bool = True, code: int = 1006) -> Wait | Pause | Stop:
    reconnect = Reconnect("operator")
    reconnect.begin(waits_for_owner=owner)
    if not first:
        reconnect.connected()
    return reconnect.after(recovery, ERROR, code, "why")


@pytest.mark.parametrize("recovery", Recovery)
@pytest.mark.parametrize("first", [True, False])
def test_what_follows(recovery: Recovery, first: bool) -> None:
    """A first connection is given up where waiting would not help; a later one is made again, or waits for the user."""
    decision = after(recovery, first=first)
    if first and not recovery.transient:
        assert decision == Stop(ERROR)
    elif recovery is Recovery.PAUSE:
        assert decision == Pause(ERROR, "why")
    else:
        assert isinstance(decision, Wait)
        assert (decision.reason, 0 <= decision.seconds <= 1) == ("why", True)
        assert decision.state == ("restarting" if recovery is Recovery.STARTING else "reconnecting")


@pytest.mark.parametrize("recovery", Recovery)
def test_who_does_not_give_up(recovery: Recovery) -> None:
    """A client that persists goes on after its first connection failed as after a later one."""
    reconnect = Reconnect("operator")
    reconnect.begin(waits_for_owner=True)
    assert isinstance(reconnect.go_on(recovery, ERROR, 1006, "why"), Pause if recovery is Recovery.PAUSE else Wait)


def test_the_owner() -> None:
    """Who does not wait for the gateway's owner is told at once that this device has to be approved."""
    assert isinstance(after(Recovery.PAIRING, first=True, owner=True), Wait)
    assert after(Recovery.PAIRING, first=True, owner=False) == Stop(ERROR)


def test_the_last_pairing_is_remembered() -> None:
    """Who waited in vain is told what to approve, as long as that is what is in the way."""
    reconnect = Reconnect("operator")
    pairing = PairingRequiredError("approve it")
    reconnect.after(Recovery.PAIRING, pairing, 1008, "why")
    assert reconnect.pairing is pairing
    reconnect.after(Recovery.STARTING, ERROR, 1013, "why")
    assert reconnect.pairing is None


@pytest.mark.parametrize(("code", "state"), [(1012, "restarting"), (1006, "reconnecting"), (4000, "reconnecting")])
def test_a_restart_by_its_close_code(code: int, state: str) -> None:
    """A gateway that closes with 1012 restarts, and is said to until it is back."""
    reconnect = Reconnect("operator")
    reconnect.connected()
    assert reconnect.lose(code) == state
    refused = reconnect.after(Recovery.BACKOFF, ERROR, 1006, "refused")
    assert isinstance(refused, Wait)
    assert refused.state == state
    reconnect.connected()
    assert reconnect.lose(1006) == "reconnecting"


def test_an_announced_shutdown() -> None:
    """What the gateway announced is why it is away, until it is back."""
    reconnect = Reconnect("operator")
    reconnect.connected()
    assert reconnect.announce("the gateway shuts down: update") == "restarting"
    lost = reconnect.after(Recovery.BACKOFF, None, 1006, "lost")
    assert isinstance(lost, Wait)
    assert (lost.state, lost.reason) == ("restarting", "the gateway shuts down: update")
    reconnect.connected()
    assert reconnect.shutdown is None


def test_the_pause_grows() -> None:
    """Pauses grow to half a minute at most, and begin anew after a hello-ok."""

    class Highest:
        def uniform(self, low: float, high: float) -> float:
            return high

    reconnect = Reconnect("operator", Highest())  # type: ignore[arg-type]
    reconnect.connected()

    def pause() -> float:
        decision = reconnect.after(Recovery.BACKOFF, ERROR, 1006, "why")
        assert isinstance(decision, Wait)
        return decision.seconds

    assert [pause() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    reconnect.connected()
    assert pause() == 1


def test_no_hello_and_no_error() -> None:
    """A socket that closes before hello-ok, without a word, is a failed connection that says so."""
    reconnect = Reconnect("node")
    reconnect.begin(waits_for_owner=True)
    decision = reconnect.after(Recovery.BACKOFF, None, 1006, "closed (1006)")
    assert isinstance(decision, Stop)
    assert "no connection before hello-ok: closed (1006)" in str(decision.error)
    assert "node" in str(decision.error)
