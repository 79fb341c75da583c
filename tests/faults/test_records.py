"""Records of a gateway that goes away, changes under the reader, or holds what nobody wants to read."""

from __future__ import annotations

import pytest

import gateway_nb as gnb
from tests.helpers.support import async_test, comes_true, until

KEY = "agent:main:s"


def test_following_over_a_lost_connection() -> None:
    """What was said while the connection was lost is in the transcript once it is back."""
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token, name="a") as gw:
        gw.run("echo:one", session=KEY).result()
        with gnb.connect(local.url, token=local.token, name="b") as other, gw.transcript(KEY).follow() as following:
            states = iter(following)
            assert len(next(states)) == 2
            local.drop()
            until(lambda: other.status.state == "connected" and other.status.epoch == 2)
            other.run("echo:two", session=KEY).result()
            assert next(each for each in states if len(each) == 4).df["number"].tolist() == [1, 2, 3, 4]
            other.run("echo:three", session=KEY).result()
            assert len(next(each for each in states if len(each) == 6)) == 6


def test_following_without_a_connection() -> None:
    """A connection that was closed before follows nothing, and says so."""
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw:
        gw.run("echo:one", session=KEY).result()
        transcript = gw.transcript(KEY)
        gw.close()
        with pytest.raises(gnb.GatewayClosedError):
            list(transcript.follow())


def heard(gw: gnb.Gateway) -> int:
    """Return how many messages a connection heard of."""
    return int((gw.events.df["event"] == "session.message").sum())


def test_subscriptions_that_are_shared() -> None:
    """Two that follow a session do not end each other's subscription, nor the user's; the last one ends its own."""
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw:
        gw.run("echo:one", session=KEY).result()
        first, second = gw.transcript(KEY).follow(), gw.transcript(KEY).follow()
        first.stop()
        list(first)
        gw.run("echo:two", session=KEY).result()
        assert len(next(each for each in second if len(each) == 4)) == 4
        second.stop()
        list(second)
        before = heard(gw)
        gw.run("echo:three", session=KEY).result()
        assert heard(gw) == before
        gw.request("sessions.messages.subscribe", {"key": KEY})
        with gw.transcript(KEY).follow() as third:
            pass
        list(third)
        gw.run("echo:four", session=KEY).result()
        until(lambda: heard(gw) == before + 2)


@async_test
async def test_following_with_asyncio() -> None:
    """A transcript that was awaited is followed on the user's own loop."""
    with gnb.LocalGateway() as local:
        async with gnb.AsyncGateway(local.url, token=local.token) as agw:
            await agw.run("echo:one", session=KEY).result()
            following = (await agw.transcript(KEY)).follow()
            await agw.run("echo:two", session=KEY).result()

            async def grown() -> bool:
                return len(following.transcript) == 4

            await comes_true(grown)
            following.stop()

            async def ended() -> bool:
                return not following.alive

            await comes_true(ended)
