"""The book of what waits: each once, ended once, found again after a reconnect."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_nb.approvals.items import Item, read_item
from gateway_nb.approvals.pending import KEPT, MOST, Ending, Pending, ending_of_event, ending_of_record

ALLOWED = Ending("allowed", "allow-once", "somebody")


def command(text: str = "echo hi", own_id: str = "a") -> Item:
    """Return a command that waits from second 1 to 61."""
    return read_item("exec", {"id": own_id, "createdAtMs": 1000, "expiresAtMs": 61_000, "request": {"command": text}})


def test_each_comes_once() -> None:
    """What an event and then a list tell of the same is one item; another id is another one."""
    book = Pending()
    first = command()
    assert book.add(first)
    assert not book.add(command())
    assert book.add(command(own_id="b"))
    assert book.waiting[0].number < book.waiting[1].number
    assert book.waiting[0] is first


def test_numbers_of_two_connections() -> None:
    """What is shown of one connection is never taken for something of another one, which may have its id."""
    books = Pending(), Pending()
    for book in books:
        book.add(command())
    assert books[0].waiting[0].number != books[1].waiting[0].number


def test_each_ends_once() -> None:
    """What has ended keeps how; who and why may come later, and a list that still has it does not let it wait again."""
    book = Pending()
    item = command()
    book.add(item)
    book.end(item, Ending("denied", "deny"))
    book.end(item, ALLOWED)
    assert (item.status, item.decision, item.by) == ("denied", "deny", None)
    book.end(item, Ending("denied", "deny", "me", "never"))
    assert (item.by, item.reason) == ("me", "never")
    assert not book.add(command())
    assert book.waiting == ()


def test_another_content_under_the_same_id() -> None:
    """Where something else comes under the id of what waits, that one is over, and its number is not taken again."""
    book = Pending()
    former, other = command("ls"), command("rm -rf /")
    book.add(former)
    assert book.add(other)
    assert (former.status, former.reason) == ("gone", "the gateway sent something else under its id")
    assert other.status == "pending"
    assert other.number != former.number
    assert book.waiting == (other,)


def test_a_replay() -> None:
    """Of what waited before a list was asked for, that which is not in it is missing; what came since is not."""
    book = Pending()
    kept, lost = command(own_id="kept"), command(own_id="lost")
    book.add(kept)
    book.add(lost)
    before = book.waiting
    book.add(command(own_id="came while it was read"))
    assert book.missing(before, [command(own_id="kept")]) == [lost]
    book.end(lost, ALLOWED)
    assert book.missing(before, [command(own_id="kept")]) == []


def test_what_has_ended_is_kept_for_a_while() -> None:
    """A thousand that have ended are kept, and whatever waits."""
    book = Pending()
    waits = command(own_id="waits")
    book.add(waits)
    for number in range(KEPT + 50):
        item = command(own_id=str(number))
        book.add(item)
        book.end(item, ALLOWED)
    assert len(book.items) <= KEPT + 1
    assert book.items[0] is waits
    assert book.items[-1].id == str(KEPT + 49)


@pytest.mark.long
def test_too_many() -> None:
    """Beyond ten thousand no more is taken, and that is an error to be told, not silence."""
    book = Pending()
    for number in range(MOST):
        book.add(command(own_id=str(number)))
    with pytest.raises(OverflowError, match="10,000"):
        book.add(command(own_id="more"))


EVENTS: list[tuple[dict[str, Any], Ending]] = [
    ({"decision": "allow-once", "resolvedBy": "me", "ts": 5000}, Ending("allowed", "allow-once", "me")),
    ({"decision": "allow-always", "resolvedBy": "me"}, Ending("allowed", "allow-always", "me")),
    ({"decision": "deny", "resolvedBy": "me"}, Ending("denied", "deny", "me")),
    ({"decision": "deny", "resolvedBy": None, "ts": 61_000}, Ending("expired")),
    ({"decision": "deny", "resolvedBy": None, "ts": 60_000}, Ending("cancelled")),
    ({"decision": "deny", "ts": "late"}, Ending("cancelled")),
    ({"status": "answered", "answers": {}}, Ending("answered")),
    ({"status": "expired"}, Ending("expired")),
]


@pytest.mark.parametrize(("payload", "ending"), EVENTS)
def test_endings_in_events(payload: dict[str, Any], ending: Ending) -> None:
    """An event says what was decided and by whom; decided by nobody, its time was over, or who asked has left."""
    assert ending_of_event(command(), payload) == ending


RECORDS: list[tuple[dict[str, Any], Ending | None]] = [
    ({"status": "pending"}, None),
    ({}, None),
    (
        {"status": "allowed", "decision": "allow-once", "reason": "user", "resolver": {"kind": "device", "id": "d"}},
        Ending("allowed", "allow-once", "device d"),
    ),
    (
        {"status": "denied", "decision": "deny", "reason": "user", "resolver": {"kind": "runtime", "id": "cli"}},
        Ending("denied", "deny", "cli"),
    ),
    ({"status": "expired", "reason": "timeout", "resolver": {"kind": "system"}}, Ending("expired", reason="timeout")),
    ({"status": "cancelled", "resolvedBy": "requester-inactive"}, Ending("cancelled", by="requester-inactive")),
]


@pytest.mark.parametrize(("record", "ending"), RECORDS)
def test_endings_in_records(record: dict[str, Any], ending: Ending | None) -> None:
    """What became of something unheard is in the gateway's record of it."""
    assert ending_of_record(record) == ending
