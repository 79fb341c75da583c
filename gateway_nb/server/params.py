"""What the embedded gateway reads: JSON as JavaScript reads it, and its shape; faults in the real gateway's words."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .answers import fault

Shape = Callable[[Any, str], Iterator[str]]
"""Yields what is wrong with a value, given the value and its JSON pointer."""


def parse(data: str | bytes) -> Any:
    """Return JSON as the real gateway reads it: ``2.0`` is an integer, and half a surrogate pair is U+FFFD.

    Raises:
        ValueError: it is not JSON, or is nested too deeply.
    """
    text = data if isinstance(data, str) else data.decode(errors="replace")
    try:
        value = _decoder.decode(text)
        if "\\ud" in text.lower():
            whole = json.dumps(value, ensure_ascii=False).encode("utf-16-le", "surrogatepass")
            value = _decoder.decode(whole.decode("utf-16-le", "replace"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return value


def _number(digits: str) -> int | float:
    number = float(digits)
    return int(number) if number.is_integer() else number


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


_decoder = json.JSONDecoder(parse_int=_number, parse_float=_number, parse_constant=_refuse)


@dataclass(frozen=True)
class Params:
    """An object's shape: of a method's params, or of a part of them.

    Attributes:
        fields: name -> the shape of its value.
        required: names that must be there, in the order in which they are asked for.
        open: other names are let through.
    """

    fields: Mapping[str, Shape]
    required: tuple[str, ...] = ()
    open: bool = False

    def check(self, method: str, params: Any) -> dict[str, Any]:
        """Return a method's params, or refuse them in the gateway's words.

        Raises:
            Refusal: INVALID_REQUEST.
        """
        if faults := "; ".join(self(params, "")):
            raise fault(f"invalid {method} params: {faults}")
        checked: dict[str, Any] = params
        return checked

    def __call__(self, value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield _at(path, "must be object")
            return
        if missing := [name for name in self.required if name not in value]:
            yield _at(path, f"must have required property '{missing[0]}'")
        if not self.open and (unexpected := [name for name in value if name not in self.fields]):
            yield f"at {path or 'root'}: unexpected property '{unexpected[0]}'"
        for name, shape in self.fields.items():
            if name in value:
                yield from shape(value[name], f"{path}/{name}")


NOTHING = Params({})
"""The shape of params that has no names."""


def anything(value: Any, path: str) -> Iterator[str]:
    """Any value."""
    return iter(())


def string(value: Any, path: str) -> Iterator[str]:
    """A string, which may be empty."""
    if not isinstance(value, str):
        yield _at(path, "must be string")


def text(value: Any, path: str) -> Iterator[str]:
    """A string of at least one character."""
    yield from string(value, path)
    if value == "":
        yield _at(path, "must not have fewer than 1 characters")


def word(pattern: str) -> Shape:
    """Return the shape of a string that matches a pattern."""

    def shape(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, str):
            yield _at(path, "must be string")
        elif not re.fullmatch(pattern, value):
            yield _at(path, f'must match pattern "{pattern}"')

    return shape


def nullable(shape: Shape) -> Shape:
    """Return the shape of such a value, or null."""

    def or_null(value: Any, path: str) -> Iterator[str]:
        if value is not None and (faults := list(shape(value, path))):
            yield from faults
            yield _at(path, "must be null")
            yield _at(path, "must match a schema in anyOf")

    return or_null


def boolean(value: Any, path: str) -> Iterator[str]:
    """True or false."""
    if not isinstance(value, bool):
        yield _at(path, "must be boolean")


def integer(least: int, most: int | None = None) -> Shape:
    """Return the shape of an integer within limits."""

    def shape(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, int) or isinstance(value, bool):
            yield _at(path, "must be integer")
        elif value < least:
            yield _at(path, f"must be >= {least}")
        elif most is not None and value > most:
            yield _at(path, f"must be <= {most}")

    return shape


def choice(*allowed: str | bool) -> Shape:
    """Return the shape of one of these values."""

    def shape(value: Any, path: str) -> Iterator[str]:
        if not any(value == each and type(value) is type(each) for each in allowed):
            what = "must be equal to one of the allowed values" if len(allowed) > 1 else "must be equal to constant"
            yield _at(path, what)

    return shape


def array(items: Shape, least: int = 0, most: int | None = None) -> Shape:
    """Return the shape of a list of such values, of so many."""

    def shape(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield _at(path, "must be array")
        elif len(value) < least:
            yield _at(path, f"must not have fewer than {least} items")
        elif most is not None and len(value) > most:
            yield _at(path, f"must not have more than {most} items")
        else:
            for index, item in enumerate(value):
                yield from items(item, f"{path}/{index}")

    return shape


def one_of(*shapes: Shape) -> Shape:
    """Return the shape of a value of one of these shapes."""

    def shape(value: Any, path: str) -> Iterator[str]:
        faults = [list(each(value, path)) for each in shapes]
        if all(faults):
            for found in faults:
                yield from found
            yield _at(path, "must match a schema in anyOf")

    return shape


def mapping(values: Shape) -> Shape:
    """Return the shape of an object with any names."""

    def shape(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield _at(path, "must be object")
            return
        for name, item in value.items():
            yield from values(item, f"{path}/{name}")

    return shape


def _at(path: str, what: str) -> str:
    return f"at {path}: {what}" if path else what
