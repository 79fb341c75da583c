"""Records of an older gateway, 2026.6.11, which lacks some of the methods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.records.frames import DTYPES
from tests.helpers.real import RealGateway, installed
from tests.helpers.records import BOOKS

OLD = "2026.6.11"
LACKING = {"audit": "audit.activity.list", "approvals": "approval.history"}
KEY = "agent:main:old"


@pytest.fixture(scope="module")
def old() -> Iterator[RealGateway]:
    """A real gateway of that time."""
    installed(OLD)
    gateway = RealGateway(OLD)
    yield gateway
    gateway.stop()


@pytest.fixture
def gw(old: RealGateway) -> Iterator[gnb.Gateway]:
    """Connected to it."""
    with gnb.connect(old.url, token=old.token) as gateway:
        yield gateway


@pytest.mark.parametrize("full", [False, True], ids=["empty", "full"])
def test_books(gw: gnb.Gateway, full: bool) -> None:
    """Each book has the dtypes that it has everywhere, with rows and without; a method that is lacking is named."""
    if full:
        gw.run("echo:hello", session=KEY).result()
    rows = {}
    for name, (book, read) in BOOKS.items():
        if name in LACKING:
            words = rf"{LACKING[name]}: this gateway \({OLD}\) has no such method; a newer one has"
            with pytest.raises(gnb.GatewayRequestError, match=words):
                read(gw.data)
            continue
        frame = read(gw.data)
        expected = {column.name: DTYPES[column.kind] for column in book.columns} | {"more": "string"}
        assert {column: str(dtype) for column, dtype in frame.dtypes.items()} == expected, name
        rows[name] = len(frame)
    assert (rows["sessions"], rows["tasks"], rows["messages"]) == ((1, 1, 0) if full else (0, 0, 0))


@pytest.mark.parametrize("by", ["model", "day", "session", "agent"])
def test_usage(gw: gnb.Gateway, by: Any) -> None:
    """The totals are waited for until they are fresh, and are the sums over the messages."""
    gw.run("echo:hello", session=KEY).result()
    used, said = gw.data.usage(by, since="2d"), gw.data.messages()
    assert used["fresh"].all()
    assert used["total_tokens"].sum() == used["message_tokens"].sum() == said["total_tokens"].sum() > 0


def test_a_transcript(gw: gnb.Gateway) -> None:
    """A transcript is read, and followed, without the pages and cursors of newer gateways."""
    key = "agent:main:other"
    gw.run("echo:one", session=key).result()
    with gw.transcript(key).follow() as following:
        states = iter(following)
        assert len(next(states)) == 2
        gw.run("echo:two", session=key).result()
        grown = next(each for each in states if len(each) == 4)
    assert [message["role"] for message in grown.messages] == ["user", "assistant"] * 2
    with pytest.raises(gnb.GatewayRequestError, match="no session 'agent:main:none' on this gateway"):
        gw.transcript("agent:main:none")
    with pytest.raises(gnb.GatewayRequestError, match=r"sessions\.search: this gateway .* has no such method"):
        gw.search("one")
