"""``%gateway data``: a book of `Data`, with options for its arguments."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, TypeVar

from ...protocol.spelling import closest
from ...records.data import Data
from .body import CommandError

F = TypeVar("F")
BOOKS = tuple(name for name in vars(Data) if not name.startswith("_"))
_ELSEWHERE = ("output", "connection")
_NUMBERS = ("limit", "n")


def taken(book: str) -> list[str]:
    """Return the names of a book's arguments."""
    return [name for name in inspect.signature(getattr(Data, book)).parameters if name != "self"]


def read_book(data: Data[F], book: str, options: Mapping[str, Any]) -> F:
    """Return a book's frame, or what `data` returns of it.

    Args:
        data: whose.
        book: one of `BOOKS`.
        options: its arguments as they were typed, and what is for the magic itself.

    Raises:
        CommandError: there is no such book, or it does not take one of them.
        GatewayError: the book can't be read.
    """
    if book not in BOOKS:
        near = closest(book, BOOKS) or BOOKS
        raise CommandError(f"%gateway data has no {book!r}; did you mean {' or '.join(near)}?")
    takes = taken(book)
    given = {name: value for name, value in options.items() if name not in _ELSEWHERE}
    for name in given:
        if name not in takes:
            listed = ", ".join(_option(each) for each in takes) or "no options"
            raise CommandError(f"%gateway data {book} takes {listed}, not {_option(name)}")
    try:
        read: F = getattr(data, book)(**{name: _value(name, value) for name, value in given.items()})
    except ValueError as error:
        raise CommandError(f"%gateway data {book}: {error}") from None
    return read


def _option(name: str) -> str:
    return f"-{name}" if len(name) == 1 else f"--{name}"


def _value(name: str, value: str) -> Any:
    if name not in _NUMBERS:
        return value
    try:
        return int(value)
    except ValueError:
        raise CommandError(f"{_option(name)} needs a number, not {value!r}") from None
