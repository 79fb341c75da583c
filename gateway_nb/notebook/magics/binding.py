"""Putting Python values into a parsed body: ``$name``, ``${expr}``, and ``$$`` for a dollar. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...protocol.spelling import closest
from .body import Body, Place, below, closing, place_of

_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class _Reference:
    """A part of a text that stands for a value, and where it begins there."""

    code: str
    at: int


def bind(body: Body, names: Mapping[str, Any], *, suggest: Iterable[str] | None = None) -> dict[str, Any] | None:
    """Return a body's params with the values its references stand for.

    A text that is exactly one reference becomes that value, with its type: a dict, a list, a number, a DataFrame as a
    list of records. Inside a longer text a value is inserted as text. Keys are left alone, and what is inserted is
    never looked at again: no value can change the structure around it.

    Args:
        body: as `gateway_nb.notebook.magics.body.parse_body` returned it.
        names: what references can use.
        suggest: the names among which a misspelt one is looked for; default: all of them.

    Raises:
        CommandError: names are not defined (all of them, with near ones), or an expression fails; shows the place.

    Example:
        >>> from gateway_nb.notebook.magics.body import parse_body
        >>> bind(parse_body("limit: $n"), {"n": 5})
        {'limit': 5}
    """
    if body.value is None:
        return None
    bound = _Binder(body, names, names if suggest is None else suggest, _plain).bound()
    if not isinstance(bound, dict):
        raise body.error(f"{body.value} is a {type(bound).__name__}; params are a mapping", (0, 0))
    return bound


def bind_text(text: str, names: Mapping[str, Any], *, suggest: Iterable[str] | None = None) -> str:
    """Return a prompt with the values its references stand for, as an agent reads them.

    A DataFrame becomes a Markdown table of up to 100 rows with its shape, apart from what stands beside it; a dict or a
    list becomes JSON.

    Args:
        text: as it was typed.
        names: what references can use.
        suggest: as for `bind`.

    Raises:
        CommandError: as for `bind`.

    Example:
        >>> bind_text("Is ${n + 1} prime?", {"n": 6})
        'Is 7 prime?'
    """
    from ...tools.answers import as_text  # loads pandas

    places: dict[str, Place] = {"": (0, 0)}
    body = Body(text, text, places)
    binder = _Binder(body, names, names if suggest is None else suggest, as_text)
    parts = []
    try:
        for part in _split(text):
            if isinstance(part, str):
                parts.append(part)
                continue
            pointer = f"/{part.at}"
            places[pointer] = place_of(text, part.at)
            parts.append(str(binder.value(part.code, pointer)))
    except ValueError as error:
        raise body.error(str(error), (0, 0)) from None
    binder.refuse_missing()
    return _apart(parts)


def _apart(parts: Iterable[str]) -> str:
    """Join parts of a text, with an empty line before and after each table: Markdown needs one."""
    joined, was_table = "", False
    for part in parts:
        is_table = part.startswith("|") and "\n" in part
        if joined and part and (is_table or was_table):
            breaks = len(joined) - len(joined.rstrip("\n")) + len(part) - len(part.lstrip("\n"))
            joined += "\n" * max(2 - breaks, 0)
        joined, was_table = joined + part, is_table
    return joined


class _Binder:
    def __init__(
        self, body: Body, names: Mapping[str, Any], suggest: Iterable[str], convert: Callable[[Any], Any]
    ) -> None:
        self._body = body
        self._names = names
        self._suggest = suggest
        self._convert = convert
        self._missing: dict[str, str] = {}

    def bound(self) -> Any:
        value = self._bind(self._body.value, "")
        self.refuse_missing()
        return value

    def refuse_missing(self) -> None:
        if self._missing:
            defined = [name for name in self._suggest if not name.startswith("_")]
            missing = []
            for name in self._missing:
                near = closest(name, defined)
                missing.append(f"{name} (did you mean {' or '.join(near)}?)" if near else name)
            first = next(iter(self._missing.values()))
            message = f"not defined: {', '.join(missing)}; write $$ for a dollar sign"
            raise self._body.error(message, self._body.at(first))

    def _bind(self, value: Any, pointer: str) -> Any:
        if isinstance(value, dict):
            return {key: self._bind(item, below(pointer, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self._bind(item, f"{pointer}/{index}") for index, item in enumerate(value)]
        return self._text(value, pointer) if isinstance(value, str) and "$" in value else value

    def _text(self, text: str, pointer: str) -> Any:
        try:
            parts = list(_split(text))
        except ValueError as error:
            raise self._body.error(str(error), self._body.at(pointer)) from None
        if len(parts) == 1 and isinstance(parts[0], _Reference):
            return self.value(parts[0].code, pointer)
        return "".join(part if isinstance(part, str) else _as_text(self.value(part.code, pointer)) for part in parts)

    def value(self, code: str, pointer: str) -> Any:
        try:
            return self._convert(eval(compile(code.strip(), "<body>", "eval"), dict(self._names)))
        except NameError as error:
            self._missing[error.name or code] = pointer
            return None
        except Exception as error:  # noqa: BLE001 - the user's expression may raise anything
            why = error.msg if isinstance(error, SyntaxError) else error
            raise self._body.error(
                f"${{{code}}} fails: {type(error).__name__}: {why}", self._body.at(pointer)
            ) from None


def _split(text: str) -> Iterator[str | _Reference]:
    """Yield a text's parts, references as such."""
    plain = ""
    at = 0
    while at < len(text):
        if text[at] != "$":
            plain += text[at]
            at += 1
            continue
        if text.startswith("$$", at):
            plain += "$"
            at += 2
            continue
        name = _NAME.match(text, at + 1)
        if name is None and not text.startswith("${", at):
            plain += "$"  # $5 is money
            at += 1
            continue
        end = name.end() if name else closing(text, at + 1)
        if plain:
            yield plain
            plain = ""
        yield _Reference(name.group() if name else text[at + 2 : end - 1], at)
        at = end
    if plain or not text:
        yield plain


def _plain(value: Any) -> Any:
    """Return what is sent for a value: a DataFrame as a list of records, a Series as a list.

    Raises:
        ValueError: a frame has a column twice.
    """
    if hasattr(value, "columns") and hasattr(value, "iloc"):
        names = [str(name) for name in value.columns]
        if len(set(names)) < len(names):
            raise ValueError("the frame has two columns of one name; rename one")
        columns = [_items(value.iloc[:, index]) for index in range(len(names))]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    return _items(value) if hasattr(value, "iloc") else value


def _items(series: Any) -> list[Any]:
    """A number keeps all its digits, what is missing is null, a time is ISO 8601."""
    missing = series.isna().tolist()
    return [
        None if gone else item.isoformat() if hasattr(item, "isoformat") else item
        for item, gone in zip(series.tolist(), missing, strict=True)
    ]


def _as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, (dict, list)) else str(value)
