"""Lists that a gateway answers page by page, read to their end; pages without an end are refused. Pure."""

from __future__ import annotations

from typing import Any, Literal

from ..errors import BadArgumentError, GatewayRequestError
from .steps import Ask, Steps

MOST_ROWS = 1_000_000
"""Rows that are read without a limit: more is no list that anybody wants at once."""
_ATTEMPTS = 5
_NEXT = {"offset": "nextOffset", "cursor": "nextCursor"}


def pages(
    method: str,
    params: dict[str, Any],
    field: str,
    identity: str,
    *,
    size: int,
    by: Literal["offset", "cursor"],
    limit: int | None = None,
) -> Steps[list[dict[str, Any]]]:
    """Read a list to its end, or until there are enough rows.

    Rows that come twice, since others came before them meanwhile, are kept once. Where a cursor has expired, since the
    list changed, it is read from the beginning.

    Args:
        method: lists something.
        params: of each request.
        field: of the payload, that has the rows.
        identity: the field of a row that no other row shares.
        size: rows of a page.
        by: what the gateway pages by.
        limit: rows that are enough.

    Raises:
        GatewayRequestError: the answer is no such list, or has no end.
    """
    check_limit(limit)
    for attempt in range(_ATTEMPTS):
        try:
            return (yield from _to_the_end(method, params, field, identity, size, by, limit))
        except GatewayRequestError as error:
            if "cursor" not in error.gateway_message or attempt == _ATTEMPTS - 1:
                raise
    raise AssertionError("the last attempt returns or raises")


def _to_the_end(
    method: str,
    params: dict[str, Any],
    field: str,
    identity: str,
    size: int,
    by: Literal["offset", "cursor"],
    limit: int | None,
) -> Steps[list[dict[str, Any]]]:
    rows: dict[Any, dict[str, Any]] = {}
    position: Any = None
    total: int | None = None
    while True:
        left = size if limit is None else min(size, limit - len(rows))
        where: dict[str, Any] = {} if position is None else {by: position}
        payload = yield Ask(method, {**params, "limit": left, **where}, len(rows), total)
        before = len(rows)
        for row in rows_of(method, payload, field):
            rows.setdefault(key_of(row.get(identity), len(rows)), row)
        position, total = payload.get(_NEXT[by]), count_of(payload, "total", "totalCount")
        if position is None or (limit is not None and len(rows) >= limit):
            return list(rows.values())[:limit]
        if len(rows) == before or len(rows) >= MOST_ROWS:
            raise endless(method, len(rows))


def key_of(value: Any, number: int) -> Any:
    """Return what makes a row itself; a row without an id is another one each time."""
    return value if isinstance(value, str | int) else (number,)


def rows_of(method: str, payload: Any, field: str) -> list[dict[str, Any]]:
    """Return the rows of a page.

    Raises:
        GatewayRequestError: it has none.
    """
    rows = payload.get(field) if isinstance(payload, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise GatewayRequestError(f"{method}: the answer has no list of objects {field!r}", method=method)
    return rows


def count_of(payload: dict[str, Any], *names: str) -> int | None:
    """Return the first of some fields that is a count."""
    return next((payload[name] for name in names if type(payload.get(name)) is int and payload[name] >= 0), None)


def endless(method: str, rows: int) -> GatewayRequestError:
    """Return the error for pages that do not end."""
    what = f"{method}: the gateway answers pages without end: {rows:,} rows, and no new ones or still more"
    return GatewayRequestError(f"{what}; pass limit= to read so many", method=method)


def check_limit(limit: int | None) -> None:
    """Check a number of rows.

    Raises:
        BadArgumentError: it is none.
    """
    if limit is not None and (type(limit) is not int or limit < 1):
        raise BadArgumentError(f"limit must be a number of rows, at least 1, or None, not {limit!r}")
