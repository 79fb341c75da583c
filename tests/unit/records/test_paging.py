"""Lists that are read page by page."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from gateway_nb.errors import GatewayRequestError
from gateway_nb.records.paging import pages
from tests.helpers.records import read, refusal


def rows(*ids: int) -> list[dict[str, Any]]:
    return [{"id": number} for number in ids]


def test_every_page_is_read() -> None:
    """A list is read to its end, and each page is asked for where the one before ended."""
    asked: list[dict[str, Any]] = []

    def answer(method: str, params: dict[str, Any]) -> Any:
        asked.append(params)
        offset = params.get("offset", 0)
        return {"rows": rows(*range(offset, offset + 2)), "nextOffset": offset + 2 if offset < 4 else None}

    found = read(pages("list", {"all": True}, "rows", "id", size=2, by="offset"), answer)
    assert found == rows(0, 1, 2, 3, 4, 5)
    assert asked == [{"all": True, "limit": 2}, *({"all": True, "limit": 2, "offset": at} for at in (2, 4))]


def test_rows_that_move_are_kept_once() -> None:
    """A row that stands on two pages, since others came before it in between, is there once."""
    answers = iter([{"rows": rows(1, 2), "nextCursor": "a"}, {"rows": rows(2, 3)}])
    assert read(pages("list", {}, "rows", "id", size=2, by="cursor"), lambda *_: next(answers)) == rows(1, 2, 3)


def test_enough_rows() -> None:
    """No more is asked for than the limit, and no page after it."""
    asked: list[int] = []

    def answer(method: str, params: dict[str, Any]) -> Any:
        asked.append(params["limit"])
        start = params.get("offset", 0)
        return {"rows": rows(*range(start, start + params["limit"])), "nextOffset": start + params["limit"]}

    assert read(pages("list", {}, "rows", "id", size=2, by="offset", limit=3), answer) == rows(0, 1, 2)
    assert asked == [2, 1]


def test_an_expired_cursor_begins_again() -> None:
    """Where a cursor has expired since the list changed, it is read from its beginning: nothing is missing."""
    answers = iter([{"rows": rows(1, 2), "nextCursor": "a"}, refusal("invalid or expired tasks.list cursor")])
    answers = itertools.chain(answers, [{"rows": rows(0, 1), "nextCursor": "b"}, {"rows": rows(2)}])

    def answer(method: str, params: dict[str, Any]) -> Any:
        payload = next(answers)
        if isinstance(payload, Exception):
            raise payload
        return payload

    assert read(pages("list", {}, "rows", "id", size=2, by="cursor"), answer) == rows(0, 1, 2)


def test_a_cursor_that_always_expires() -> None:
    """A list that changes all the time is an error, not half of it."""

    def answer(method: str, params: dict[str, Any]) -> Any:
        if "cursor" in params:
            raise refusal("invalid or expired tasks.list cursor")
        return {"rows": rows(1), "nextCursor": "a"}

    with pytest.raises(GatewayRequestError, match="expired"):
        read(pages("list", {}, "rows", "id", size=2, by="cursor"), answer)


@pytest.mark.parametrize(
    "page",
    [
        {"rows": [], "nextCursor": "next"},
        {"rows": rows(1), "nextCursor": "same"},
    ],
    ids=["empty", "the same"],
)
def test_pages_without_end(page: dict[str, Any]) -> None:
    """A gateway that answers pages for ever, without anything new, is refused."""
    with pytest.raises(GatewayRequestError, match="list: the gateway answers pages without end"):
        read(pages("list", {}, "rows", "id", size=2, by="cursor"), lambda *_: page)


def test_new_rows_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway that always has more rows is refused as well, unless a limit says how many are enough."""
    monkeypatch.setattr("gateway_nb.records.paging.MOST_ROWS", 100)
    numbers = itertools.count()

    def answer(method: str, params: dict[str, Any]) -> Any:
        return {"rows": rows(*itertools.islice(numbers, 10)), "nextCursor": "next"}

    with pytest.raises(GatewayRequestError, match="pass limit="):
        read(pages("list", {}, "rows", "id", size=10, by="cursor"), answer)
    assert len(read(pages("list", {}, "rows", "id", size=10, by="cursor", limit=40), answer)) == 40


@pytest.mark.parametrize("payload", [None, [], {}, {"rows": 1}, {"rows": [1]}, "text"])
def test_answers_of_another_shape(payload: Any) -> None:
    """An answer that is no list of objects is an error that names the method."""
    with pytest.raises(GatewayRequestError, match="list: the answer has no list of objects 'rows'"):
        read(pages("list", {}, "rows", "id", size=10, by="cursor"), lambda *_: payload)


@pytest.mark.parametrize("limit", [0, -1, 1.5, "10", True])
def test_limits_that_are_none(limit: Any) -> None:
    """A limit that is no number of rows is refused before anything is sent."""
    with pytest.raises(ValueError, match="limit must be a number of rows"):
        read(pages("list", {}, "rows", "id", size=10, by="cursor", limit=limit), lambda *_: pytest.fail("sent"))
