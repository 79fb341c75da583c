"""Open requests: which are sent, which wait, and when they fail."""

from __future__ import annotations

import math

import pytest

from gateway_nb.protocol.pending import Pending, Requests, deadline

LONGEST = 2_147_483.647


def request(when: float | None = None) -> Pending:
    return Pending("m", when, expect_final=False, timeout=when)


def test_places() -> None:
    """So many requests are sent; the next is sent when one is settled, and one that waits can be given up."""
    requests = Requests(2)
    assert [requests.add(name, name.encode(), request()) for name in "abcde"] == [True, True, False, False, False]
    assert (len(requests), requests.waiting, requests.next_in_line()) == (5, 3, None)
    assert requests.give_up("c") is not None
    assert requests.waiting == 2
    assert requests.settle("a") is not None
    assert (requests.next_in_line(), requests.next_in_line()) == (b"d", None)
    assert requests.settle("a") is None
    assert (len(requests), requests.waiting, requests.get("a")) == (3, 1, None)


def test_late_answers() -> None:
    """What was given up is told from what never was, or was answered."""
    requests = Requests(1)
    for name in "ab":
        requests.add(name, b"", request())
    requests.give_up("a")
    requests.settle("b")
    requests.give_up("b")
    assert [requests.was_given_up(name) for name in "abc"] == [True, False, False]


def test_deadlines() -> None:
    """The next deadline is that of an open request; those whose time has come are given up, and no others."""
    requests = Requests(5)
    for name, when in {"a": 3.0, "b": 1.0, "c": 2.0}.items():
        requests.add(name, b"", request(when))
    assert requests.all_have_deadlines
    requests.settle("b")
    assert requests.next_deadline() == 2.0
    assert list(requests.expired(1.9)) == []
    assert [name for name, _ in requests.expired(2.0)] == ["c"]
    assert requests.was_given_up("c")
    requests.add("d", b"", request())
    assert not requests.all_have_deadlines
    requests.settle("a")
    assert requests.next_deadline() == math.inf
    requests.settle("d")
    assert not requests.all_have_deadlines, "there are none"
    requests.add("e", b"", request(5.0))
    assert requests.all_have_deadlines


def test_taking_out_all() -> None:
    """When all are taken out there is room as at the beginning, and none is late."""
    requests = Requests(2)
    for name, when in {"a": 1.0, "b": None, "c": None}.items():
        requests.add(name, b"", request(when))
    assert [name for name, _ in requests.clear()] == ["a", "b", "c"]
    assert (len(requests), requests.waiting, requests.next_deadline(), requests.next_in_line()) == (
        0,
        0,
        math.inf,
        None,
    )
    assert [requests.add(name, b"", request(1.0)) for name in "abc"] == [True, True, False]
    assert requests.all_have_deadlines
    assert not requests.was_given_up("a")


@pytest.mark.parametrize(
    ("timeout", "when"),
    [(None, None), (5.0, 15.0), (0.0, 10.0), (-1.0, 10.0), (LONGEST + 1, 10.0 + LONGEST), (math.inf, 10.0 + LONGEST)],
)
def test_when_a_request_fails(timeout: float | None, when: float | None) -> None:
    """A request fails after its time, which is no less than none, and no more than a timer can hold."""
    assert deadline(10.0, timeout) == when
