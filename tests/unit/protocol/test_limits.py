"""The protocol's limits, at their exact values: what is just within is taken, what is just beyond is not."""

from __future__ import annotations

import random
from typing import Any

import msgspec
import pytest

from gateway_nb.errors import FrameTooLargeError, ProtocolMismatchError, connect_error, one_line, request_error
from gateway_nb.protocol import frames
from gateway_nb.protocol.backoff import Backoff
from gateway_nb.protocol.effects import Challenged, Close, Dropped, EventFrame, Failed, Gap, Jump, Send, Welcomed
from gateway_nb.protocol.handshake import read_challenge
from gateway_nb.protocol.lines import DamagedLine, detail, read_line
from gateway_nb.protocol.session import Session
from tests.helpers.frames import HELLO, event, response


def welcomed(hello: dict[str, Any], **options: Any) -> tuple[Session, Any]:
    session = Session(0.0, **options)
    assert isinstance(session.receive([event("connect.challenge", {"nonce": "n"})], 0.0)[0], Challenged)
    session.connect("hello", {}, 0.0)
    return session, session.receive([response("hello", hello)], 0.0)[0]


@pytest.mark.parametrize(
    ("fields", "taken"),
    [
        ({"event": "x"}, True),
        ({"event": "x" * 1024}, True),
        ({"event": "x" * 1025}, False),
        ({"seq": 0}, True),
        ({"seq": 2**53 - 1}, True),
        ({"seq": 2**53}, False),
    ],
    ids=str,
)
def test_events(fields: dict[str, Any], taken: bool) -> None:
    """An event has a name of 1 to 1,024 characters and a number that every reader of JSON can hold."""
    session, _ = welcomed(HELLO)
    (effect,) = session.receive([event(**{"name": fields.pop("event", "x"), **fields})], 0.0)
    assert type(effect) is (EventFrame if taken else Dropped)


@pytest.mark.parametrize(("ts", "used"), [(0, True), (2**53 - 1, True), (2**53, False), (-1, False)])
def test_a_challenges_clock(ts: int, used: bool) -> None:
    """A challenge's time is one that JSON's readers can hold, or is not used."""
    challenge = read_challenge({"nonce": "n", "ts": ts})
    assert challenge is not None
    assert challenge.ts_ms == (ts if used else None)


@pytest.mark.parametrize(("missed", "mark"), [(1, Gap), (1_000_000, Gap), (1_000_001, Jump)])
def test_gaps(missed: int, mark: type[Any]) -> None:
    """Up to a million events are a gap; a number that is farther ahead is wrong."""
    session, _ = welcomed(HELLO)
    _, found, _ = session.receive([event("x", seq=5), event("x", seq=6 + missed)], 0.0)
    assert found == mark(6, 6 + missed)


@pytest.mark.parametrize(("size", "taken"), [(2 * 1024 * 1024, True), (2 * 1024 * 1024 + 1, False)])
def test_a_hello_of_2_mebibytes(size: int, taken: bool) -> None:
    """A hello-ok has at most 2 MiB."""
    hello = {**HELLO, "more": ""}
    rest = size - len(msgspec.Raw(response("", hello).split(b'"payload": ')[1][:-1]))
    _, effect = welcomed({**hello, "more": "x" * rest})
    assert type(effect) is (Welcomed if taken else Close)


def test_defaults() -> None:
    """A gateway has 15 s for its challenge and 15 s for hello-ok; its policy's defaults are 25 MiB and 30 s."""
    session = Session(100.0)
    assert session.next_timer() == 115.0
    session.receive([event("connect.challenge", {"nonce": "n"})], 110.0)
    session.connect("hello", {}, 110.0)
    assert session.next_timer() == 125.0
    (effect,) = session.receive([response("hello", {"protocol": 4})], 110.0)
    assert isinstance(effect, Welcomed)
    assert (effect.hello.max_payload, effect.hello.tick_interval) == (26_214_400, 30.0)


@pytest.mark.parametrize(
    ("milliseconds", "first_look"), [(10, 1.0), (600_000, 600.0), (600_001, 600.0), (10**400, 600.0)]
)
def test_the_watchdogs_interval(milliseconds: int, first_look: float) -> None:
    """The watchdog looks once per tick, but at most once a second and at least every 10 minutes."""
    session, _ = welcomed({**HELLO, "policy": {"tickIntervalMs": milliseconds}})
    assert session.next_timer() == first_look


def test_requests_in_flight() -> None:
    """128 requests are sent; the next one waits."""
    session, _ = welcomed(HELLO)
    sent = [session.request(str(number), "m", None, 0.0, timeout=None) for number in range(129)]
    assert [len(effects) for effects in sent] == [1] * 128 + [0]
    assert (session.pending, session.waiting) == (129, 1)


def test_the_largest_request() -> None:
    """A request may be as large as the gateway's policy says, to the byte."""
    size = len(frames.encode_request("1", "m", {"x": ""}))
    session, _ = welcomed({**HELLO, "policy": {"maxPayload": size + 10}})
    assert isinstance(session.request("1", "m", {"x": "y" * 10}, 0.0, timeout=1.0)[0], Send)
    with pytest.raises(FrameTooLargeError, match=f"the gateway takes {size + 10}"):
        session.request("2", "m", {"x": "y" * 11}, 0.0, timeout=1.0)


@pytest.mark.parametrize(("timeout", "ends"), [(1e12, 2_147_483.647), (2_147_483.5, 2_147_483.5), (-1.0, 0.0)])
def test_the_longest_timeout(timeout: float, ends: float) -> None:
    """A request's time is at most what a timer can hold, and never negative."""
    session, _ = welcomed(HELLO)
    session.request("1", "m", None, 0.0, timeout=timeout)
    assert not any(isinstance(effect, Failed) for effect in session.timer(ends - 0.001))
    assert any(isinstance(effect, Failed) for effect in session.timer(ends))


@pytest.mark.parametrize(("size", "kept"), [(65_536, True), (65_537, False)])
def test_an_errors_details(size: int, kept: bool) -> None:
    """An error's details are read up to 64 KiB; of larger ones only the size is said."""
    details = b'"%b"' % (b"x" * (size - 2))
    shape = frames.read_error(msgspec.Raw(b'{"details":%b}' % details))
    assert shape.details == ("x" * (size - 2) if kept else "65,537 bytes, left out")


@pytest.mark.parametrize(
    ("field", "value", "taken"),
    [
        ("t", "0", True),
        ("t", "9e9", True),
        ("t", "9000000000.5", False),
        ("epoch", "0", True),
        ("epoch", str(2**31 - 1), True),
        ("epoch", str(2**31), False),
        ("seq", "0", True),
        ("seq", str(2**53 - 1), True),
        ("seq", str(2**53), False),
        ("event", '"x"', True),
    ],
)
def test_a_line_of_a_journal(field: str, value: str, taken: bool) -> None:
    """A line's time, epoch and number are those that a column can hold."""
    fields = {"t": "1.5", "epoch": "1", "event": '"x"', "seq": "1", "payload": "{}"} | {field: value}
    text = "{" + ",".join(f'"{name}":{held}' for name, held in fields.items()) + "}"
    if taken:
        assert read_line(text.encode()).raw == msgspec.Raw(b"{}")
    else:
        with pytest.raises(DamagedLine):
            read_line(text.encode())


@pytest.mark.parametrize(("expected", "received", "missed"), [(5, 6, 1), (0, 9, 9), (9, 9, 0), (9, 3, 0)])
def test_what_a_gap_missed(expected: int, received: int, missed: int) -> None:
    """A gap counts the numbers in between; none where they went back."""
    text = b'{"t":1,"epoch":1,"kind":"gap","payload":{"expected":%d,"received":%d}}' % (expected, received)
    assert detail(read_line(text)).missed == missed


@pytest.mark.parametrize(
    ("text", "longest", "line"),
    [
        ("x" * 600, 600, "x" * 600),
        ("x" * 601, 600, "x" * 599 + "…"),
        ("x" * 32_768, 32_768, "x" * 32_768),
        ("x" * 32_769, 32_768, "x" * 32_767 + "…"),
        ("x" + " " * 32_767, 600, "x"),
        ("x" + " " * 32_768, 600, "x…"),
    ],
    ids=range(6),
)
def test_the_longest_line(text: str, longest: int, line: str) -> None:
    """A text becomes a line of at most so many characters; 32,768 of it are looked at, and a cut is shown."""
    assert one_line(text, longest) == line
    assert (one_line(text) == line) is (longest == 600)


@pytest.mark.parametrize("expected", [0, 1, 999, 1000, True, "4"])
def test_an_expected_version(expected: Any) -> None:
    """The version that a gateway expects is told if it can be one."""
    refused = request_error(
        "connect",
        "1",
        code="INVALID_REQUEST",
        message="no",
        details={"code": "PROTOCOL_MISMATCH", "expectedProtocol": expected},
    )
    error = connect_error(refused, (3, 4))
    assert isinstance(error, ProtocolMismatchError)
    assert (f"expects version {expected}," in str(error)) is (expected in (1, 999) and expected is not True)
    assert "this client speaks 3 to 4)" in str(error)


def test_jitter() -> None:
    """A pause is drawn between nothing and the whole."""

    class Drawn(random.Random):
        def uniform(self, a: float, b: float) -> float:
            return a

    assert [Backoff(Drawn()).next() for _ in range(2)] == [0.0, 0.0]
