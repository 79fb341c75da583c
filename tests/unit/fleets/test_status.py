"""What is seen of a fleet at a glance."""

from __future__ import annotations

from gateway_nb.client.status import Counters, Status
from gateway_nb.fleets.config import Member
from gateway_nb.fleets.status import FleetStatus

URL = "ws://127.0.0.1:9"
OPEN = Status("connected", URL, server_version="2026.9.6", rtt=0.002, counters=Counters(events=3, gaps=1, missed=2))
LOST = Status("reconnecting", URL, reason="<b>gone</b>\n\x1b[31m", retry_in=4.0)


def test_a_frame() -> None:
    """There is a row for each gateway, with why it is not connected, and a column for each label."""
    members = [Member("north", URL, labels={"region": "eu"}), Member("south", URL, labels={"zone": "1"})]
    frame = FleetStatus(members, [OPEN, LOST]).df
    assert frame["gateway"].tolist() == ["north", "south"]
    assert frame["state"].tolist() == ["connected", "reconnecting"]
    assert frame["reason"].isna().tolist() == [True, False]
    assert frame.loc[0, ["rtt", "events", "gaps", "missed", "labels.region"]].tolist() == [0.002, 3, 1, 2, "eu"]
    assert frame.loc[1, ["retry_in", "events", "labels.zone"]].tolist() == [4.0, 0, "1"]
    assert FleetStatus(members, [OPEN, OPEN]).df.dtypes.equals(frame.dtypes)


def test_a_grid() -> None:
    """Each gateway is a tile; those that are not connected say why, and what a gateway says can do no harm."""
    status = FleetStatus([Member("north", URL), Member("south", URL)], [OPEN, LOST])
    shown = status._repr_html_()
    assert str(status) == "2 gateways: 1 connected, 1 reconnecting"
    assert "<b>north</b> 2.0 ms" in shown
    assert "<b>south</b> reconnecting<" in shown
    assert "<b>south</b>: reconnecting in 4 s · &lt;b&gt;gone&lt;/b&gt;" in shown
    assert "<b>gone" not in shown
    assert "\x1b" not in shown + repr(status)
    assert repr(status).splitlines()[1].startswith("  south: reconnecting in 4 s")


def test_collectors() -> None:
    """While a cluster captures, the frame and the grid say which worker has a gateway, and how that goes."""
    members = [Member("north", URL), Member("south", URL)]
    status = FleetStatus(members, [OPEN, OPEN], {"north": "connected on tcp://w<1>", "south": "waiting"})
    assert status.df["collector"].tolist() == ["connected on tcp://w<1>", "waiting"]
    assert "<b>north</b> 2.0 ms · connected on tcp://w&lt;1&gt;</div>" in status._repr_html_()
    assert "<b>south</b> 2.0 ms · waiting</div>" in status._repr_html_()
    assert "collector" not in FleetStatus(members, [OPEN, OPEN]).df


def test_what_is_wrong() -> None:
    """A gateway that is connected, or was given up, tells what is wrong with it, too; one that was closed does not."""
    narrow = Status("connected", URL, problems=("no scope",))
    given_up, closed = Status("closed", URL, reason="bad key"), Status("closed", URL)
    members = [Member(name, URL) for name in ("a", "b", "c")]
    shown = repr(FleetStatus(members, [narrow, given_up, closed])).splitlines()
    assert shown[1:] == ["  a: connected · no scope", "  b: closed · bad key"]


def test_many() -> None:
    """What is too much to look at is counted."""
    members = [Member(f"g{number}", URL) for number in range(1010)]
    shown = FleetStatus(members, [LOST] * 1010)._repr_html_()
    assert "1,010 gateways: 1,010 reconnecting" in shown
    assert "and 10 more; .df has all" in shown
    assert "and 990 more of which something is wrong" in shown
