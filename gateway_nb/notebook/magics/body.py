"""A cell's body: JSON or YAML 1.2, and where each value stands in it. Pure."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ...errors import GatewayError

E = TypeVar("E", bound=GatewayError)
Place = tuple[int, int]
"""Line and column, from 0."""

_LARGEST_WITH_PLACES = 50_000  # characters: the YAML parser is slow, and nobody types more
_MOST_VALUES = 100_000
_CORE = "tag:yaml.org,2002:"
_SCALARS = ("null", "bool", "int", "float", "str", "timestamp", "merge")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_REFERENCE = re.compile(r"\$(\w+|\{.*\})", re.DOTALL)
_STRING_OR_REFERENCE = re.compile(r'"(?:[^"\\]|\\.)*"?|\$(?:\{|[^\W\d]\w*)', re.DOTALL)
_BRACKETS = {"{": "}", "(": ")", "[": "]"}
_EXCERPT = 100


class CommandError(GatewayError):
    """The text of a magic is not what it takes. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a cell's body says.

    Attributes:
        value: a mapping, a reference to one (``"$params"``), or ``None`` for an empty body.
        text: the body as it was typed.
        places: where the value at each JSON pointer stands.
    """

    value: dict[str, Any] | str | None = None
    text: str = ""
    places: dict[str, Place] = field(default_factory=dict)

    def at(self, pointer: str) -> Place | None:
        """Return where the value at a JSON pointer stands, or the nearest thing around it that stands anywhere."""
        while pointer not in self.places:
            if not pointer:
                return None
            pointer = pointer.rpartition("/")[0]
        return self.places[pointer]

    def error(self, message: str, place: Place | None) -> CommandError:
        """Return an error that points into the body."""
        return pointed(CommandError(message), self.text, place)


def pointed(error: E, text: str, place: Place | None) -> E:
    """Return an error that shows a place of a text under its message.

    Args:
        error: a `GatewayError`.
        text: what was typed.
        place: line and column in it, or ``None`` for nowhere.
    """
    if place is not None:
        line, column = place
        lines = text.splitlines() or [""]
        line = min(line, len(lines) - 1)
        start = max(column - _EXCERPT // 2, 0)
        shown = lines[line][start : start + _EXCERPT].replace("\t", " ")
        error.args = (f"{error.args[0]} (line {line + 1}, column {column + 1})",)
        error.excerpt = f"    {shown}\n    {' ' * min(column - start, len(shown))}^"
    return error


def below(pointer: str, name: str) -> str:
    """Return the JSON pointer of a field of what is at a pointer."""
    return f"{pointer}/{name.replace('~', '~0').replace('/', '~1')}"


def parse_body(text: str) -> Body:
    """Return what a body says.

    Args:
        text: a JSON object, a YAML mapping, a reference (``$name``, ``${expr}``) to one, or nothing. What begins with
            a brace or a bracket is JSON, strictly, but that a reference needs no quotes.

    Raises:
        CommandError: it is neither; says line and column, and shows the place.

    Example:
        >>> parse_body("limit: 5  # YAML").value
        {'limit': 5}
    """
    if not text.strip():
        return Body(text=text)
    if _REFERENCE.fullmatch(text.strip()):
        return Body(text.strip(), text, {"": (0, 0)})
    strict = text.lstrip()[0] in "{["
    value, repeated = _json(text) if strict else (None, None)
    places: dict[str, Place] = {}
    if len(text) <= _LARGEST_WITH_PLACES or not strict:
        try:
            built, places = _built(text)
            value = value if strict else built
        except _NotYaml as error:
            if not strict:
                raise pointed(CommandError(str(error)), text, error.place) from None
    if repeated is not None and not places:  # else it was found above, with its true place
        place = place_of(text, text.rfind(json.dumps(repeated)))
        raise Body(text=text).error(f"the body says {repeated!r} twice", place)
    if value is None and not strict:  # nothing but comments
        return Body(text=text)
    if not isinstance(value, dict) and not (isinstance(value, str) and _REFERENCE.fullmatch(value)):
        kind = "a list" if isinstance(value, list) else "a text" if isinstance(value, str) else "a value"
        message = f'the body is {kind}; params are a mapping: limit: 5 as YAML, or {{"limit": 5}} as JSON'
        raise Body(text=text).error(message, (0, 0))
    return Body(value, text, places)


class _NotYaml(Exception):
    """The YAML parser gave up; a JSON parser may not have."""

    def __init__(self, why: str, place: Place | None = None) -> None:
        super().__init__(why)
        self.place = place


# JSON


def _json(text: str) -> tuple[Any, str | None]:
    """Return the value, and a key that is there twice in one of its objects."""
    repeated: list[str] = []

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            repeated.extend(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        return found

    quoted, shifts = _with_quotes(text)
    try:
        value = json.loads(quoted, parse_constant=_refuse_constant, object_pairs_hook=unique)
        return value, repeated[0] if repeated else None
    except json.JSONDecodeError as error:
        why = f"{error.msg[0].lower()}{error.msg[1:]}"
        if error.pos >= len(quoted.rstrip()):
            why = "it ends before its last bracket is closed"
        elif "property name" in error.msg:
            why += "; without the braces the body may be YAML"
        place = place_of(text, error.pos - sum(shift for end, shift in shifts if end <= error.pos))
        raise Body(text=text).error(f"the body is not valid JSON: {why}", place) from None
    except _Constant as constant:
        place = place_of(text, text.find(str(constant)))
        raise Body(text=text).error(f"the body says {constant}, which JSON does not have", place) from None
    except RecursionError:
        raise CommandError("the body is nested too deeply") from None
    except ValueError as error:  # a number with more digits than Python reads
        raise CommandError(f"the body is not valid JSON: {error}") from None


def _with_quotes(text: str) -> tuple[str, list[tuple[int, int]]]:
    """Return JSON with its references in quotes, and for each that had none where it ends and by how much it grew."""
    parts: list[str] = []
    shifts: list[tuple[int, int]] = []
    at = length = 0
    while found := _STRING_OR_REFERENCE.search(text, at):
        start, end = found.span()
        part = found[0]
        if part[0] == "$":
            try:
                end = closing(text, end - 1) if part == "${" else end
            except ValueError as error:
                raise Body(text=text).error(str(error), place_of(text, start)) from None
            part = json.dumps(text[start:end])
        parts += [text[at:start], part]
        length += start - at + len(part)
        if text[start] == "$":
            shifts.append((length, len(part) - (end - start)))
        at = end
    return "".join([*parts, text[at:]]), shifts


def closing(text: str, at: int) -> int:
    """Return the place behind the bracket that closes the one at a place; strings in between may hold any.

    Raises:
        ValueError: there is none.
    """
    expected: list[str] = []
    quote = ""
    for index in range(at, len(text)):
        character = text[index]
        if quote:
            escaped = text[index - 1] == "\\"
            quote = "" if character == quote and not escaped else quote
        elif character in "'\"":
            quote = character
        elif character in _BRACKETS:
            expected.append(_BRACKETS[character])
        elif expected and character == expected[-1]:
            expected.pop()
            if not expected:
                return index + 1
    raise ValueError("${ is not closed; write $$ for a dollar sign")


class _Constant(ValueError):
    pass


def _refuse_constant(name: str) -> Any:
    raise _Constant(name)


def place_of(text: str, offset: int) -> Place:
    """Return where in a text an offset is."""
    return text.count("\n", 0, offset), offset - (text.rfind("\n", 0, offset) + 1)


# YAML: the library finds the nodes, and the core schema of YAML 1.2 says what they mean


def _built(text: str) -> tuple[Any, dict[str, Place]]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    body = Body(text=text)
    try:
        node = YAML(typ="safe", pure=True).compose(text)
        places: dict[str, Place] = {}
        return (None if node is None else _Builder(body, places).value(node, "")), places
    except MarkedYAMLError as error:
        raise _not_yaml(error, text) from None
    except YAMLError as error:
        raise _NotYaml(f"the body is not valid YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise _NotYaml("the body is nested too deeply") from None


def _not_yaml(error: Any, text: str) -> _NotYaml:
    """Return the error for what the parser says; a bracket or a quote without an end is named by its beginning."""
    mark = error.problem_mark or error.context_mark
    start = error.context_mark
    if start is not None and mark.index >= len(text.rstrip()) and (opened := text[start.index : start.index + 1]):
        return _NotYaml(f"the body is not valid YAML: {opened} is not closed", (start.line, start.column))
    problem = str(error.problem or error.context or "it can't be read").strip()
    if "cannot start any token" in problem:
        quotes = f"a value that begins with {text[mark.index]} needs quotes"
        problem = "a tab where YAML needs blanks" if text[mark.index] == "\t" else quotes
    return _NotYaml(f"the body is not valid YAML: {problem}", (mark.line, mark.column) if mark else None)


class _Builder:
    """Makes values of YAML nodes."""

    def __init__(self, body: Body, places: dict[str, Place]) -> None:
        self._body = body
        self._places = places
        self._count = 0
        self._open: set[int] = set()

    def value(self, node: Any, pointer: str) -> Any:
        self._count += 1
        if id(node) in self._open or self._count > _MOST_VALUES:
            raise self._error("the body repeats itself through its aliases without end", node)
        self._places[pointer] = _mark(node)
        if node.id == "scalar":
            return self._scalar(node)
        if node.tag not in (f"{_CORE}map", f"{_CORE}seq"):
            raise self._unknown_tag(node)
        self._open.add(id(node))
        try:
            if node.id == "sequence":
                return [self.value(item, f"{pointer}/{index}") for index, item in enumerate(node.value)]
            return dict(self._items(node, pointer))
        finally:
            self._open.discard(id(node))

    def _items(self, node: Any, pointer: str) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for key_node, item in node.value:
            if key_node.id != "scalar":
                raise self._error("a key must be a name, not a list or a mapping", key_node)
            if str(key_node.tag).removeprefix(_CORE) not in _SCALARS:
                raise self._unknown_tag(key_node)
            key = str(key_node.value)
            if key in seen:
                raise self._error(f"the body says {key!r} twice", key_node)
            seen.add(key)
            yield key, self.value(item, below(pointer, key))

    def _scalar(self, node: Any) -> Any:
        kind, text = str(node.tag).removeprefix(_CORE), str(node.value)
        if kind == "null":
            return None
        if kind == "bool":
            return text.lower() == "true"
        if kind in ("int", "float"):
            return self._number(text, node)
        if kind not in _SCALARS:
            raise self._unknown_tag(node)
        return text  # a date and << mean nothing in the core schema

    def _number(self, text: str, node: Any) -> Any:
        if _INT.fullmatch(text):
            try:
                return int(text, 8) if text.startswith("0o") else int(text, 16) if text.startswith("0x") else int(text)
            except ValueError as error:  # more digits than Python reads
                raise self._error(f"the body is not valid YAML: {error}", node) from None
        number = float(text) if _FLOAT.fullmatch(text) else math.nan if _NOT_FINITE.fullmatch(text) else None
        if number is None:  # 1_000 and 0b1 are numbers of YAML 1.1
            return text
        if not math.isfinite(number):
            raise self._error(f"the body says {text}, which JSON does not have", node)
        return number

    def _unknown_tag(self, node: Any) -> CommandError:
        return self._error(f"the body has the tag {node.tag}, which JSON does not have", node)

    def _error(self, message: str, node: Any) -> CommandError:
        return self._body.error(message, _mark(node))


def _mark(node: Any) -> Place:
    return node.start_mark.line, node.start_mark.column
