"""Facts of methods, and what looks wrong in their params. Only the gateway decides: findings are advice."""

from __future__ import annotations

import functools
import importlib.resources
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import platformdirs

from ..protocol.spelling import closest

JSON_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
    "object": (dict,),
    "array": (list, tuple),
}
"""JSON's types, and what they are in Python; the first one that has the type of a value is the narrowest."""
_UNEXPECTED = re.compile(r"at (root|/[^\s:;,]*): unexpected property '([^']{1,64})'")
_NOT_A_CHOICE = re.compile(r"at (/[^\s:;,]*): must be equal to (?:constant|one of)")


class Param(msgspec.Struct, frozen=True, omit_defaults=True):
    """A param of a method, or a field of one.

    Attributes:
        type: of JSON: ``string``, ``integer``, ...; several are joined by ``|``; ``any`` if nothing is known.
        required: it may not be left out.
        choices: the values it may have, if they are listed.
        fields: its own fields, if it is an object whose fields are known.
    """

    type: str = "any"
    required: bool = False
    choices: tuple[Any, ...] = ()
    fields: dict[str, Param] = {}

    @property
    def example(self) -> Any:
        """Some value that it may have, to begin with."""
        if self.choices:
            return self.choices[0]
        kind = JSON_TYPES.get(self.type.partition("|")[0])
        return kind[0]() if kind else None


class Method(msgspec.Struct, frozen=True, omit_defaults=True):
    """A method of the gateway.

    Attributes:
        scope: what a connection must have been granted.
        since: the release that brought it.
        params: by name; ``None`` if they are not documented.
        closed: it takes no other params.
        result: what it answers; ``None`` if that is not documented.
    """

    scope: str = ""
    since: str = ""
    params: dict[str, Param] | None = None
    closed: bool = False
    result: Param | None = None

    @property
    def ordered(self) -> list[tuple[str, Param]]:
        """What is known of its params, those that it needs first."""
        return sorted((self.params or {}).items(), key=lambda item: (not item[1].required, item[0]))

    @property
    def arguments(self) -> list[tuple[str, Param, bool]]:
        """Its params that can be arguments in Python, each with whether a call has to give it; those come first."""
        return [
            (name, param, param.required and name != "idempotencyKey")  # the client adds that
            for name, param in self.ordered
            if is_name(name)
        ]

    def describe(self, name: str) -> str:
        """Return all of it, under its name, as a text for people."""
        lines = [f"{name}: needs {self.scope or 'no scope'}, since {self.since or '?'}"]
        if self.params is None:
            lines.append("  its params are not documented")
        elif not self.params:
            lines.append("  takes no params")
        for param, facts in self.ordered:
            choices = f", one of {', '.join(map(repr, facts.choices))}" if facts.choices else ""
            lines.append(f"  {param}: {facts.type}{choices}{' (required)' if facts.required else ''}")
        if self.result is not None and self.result.fields:
            lines.append(f"  answers {', '.join(self.result.fields)}")
        return "\n".join(lines)


class Facts(msgspec.Struct, frozen=True):
    """The table.

    Attributes:
        source: where it is from, for people.
        methods: by name.
    """

    source: str
    methods: dict[str, Method]

    def describe(self, method: str) -> str:
        """Return what is known of a method, as a text for people."""
        facts = self.methods.get(method)
        if facts is not None:
            return facts.describe(method)
        near = closest(method, self.methods, 3)
        return f"the table of methods has no {method}" + (f"; did you mean {' or '.join(near)}?" if near else "")

    def findings(self, method: str, params: Mapping[str, Any] | None) -> list[str]:
        """Return what looks wrong in the params of a call; nothing if the method is not in the table.

        Example:
            >>> method_facts().findings("sessions.list", {"limti": 5})
            ['/limti is not a param of sessions.list; did you mean limit?']
        """
        facts = self.methods.get(method)
        if facts is None or facts.params is None:
            return []
        return list(_findings(facts.params, dict(params or {}), "", method if facts.closed else None))

    def advice(self, method: str, refusal: str) -> str:
        """Return what may have been meant by params that the gateway refused with a message; ``""`` for nothing to say.

        Example:
            >>> method_facts().advice("sessions.list", "at root: unexpected property 'limti'")
            '; did you mean limit?'
        """
        for where, name in _UNEXPECTED.findall(refusal):
            fields = self.fields(method, [] if where == "root" else where[1:].split("/"))
            if near := closest(name, fields):
                return f"; did you mean {' or '.join(near)}?"
            if fields:
                return f"; it takes {', '.join(sorted(fields))}"
        for pointer in _NOT_A_CHOICE.findall(refusal):
            *path, name = pointer[1:].split("/")
            if choices := self.fields(method, path).get(name, Param()).choices:
                return f"; /{'/'.join([*path, name])} is one of {', '.join(map(str, choices))}"
        return ""

    def fields(self, method: str, path: Sequence[str] = ()) -> Mapping[str, Param]:
        """Return what is known of a method's params, or of the fields of one of them.

        Args:
            method: its name.
            path: the names on the way to the param; empty for the params themselves.
        """
        facts = self.methods.get(method)
        fields: Mapping[str, Param] = (facts.params if facts is not None else None) or {}
        for name in path:
            fields = fields[name].fields if name in fields else {}
        return fields


def _findings(params: Mapping[str, Param], given: dict[str, Any], at: str, owner: str | None) -> Iterator[str]:
    """Yield findings; a param that `owner`, if it is named, does not have is one."""
    for name, value in given.items():
        facts = params.get(name)
        if facts is None:
            if owner is not None:
                near = closest(name, params, 1)
                advice = f"; did you mean {near[0]}?" if near else ""
                yield f"{at}/{name} is not a param of {owner}{advice}"
        elif not _fits(value, facts.type):
            yield f"{at}/{name} is {value!r}, not {facts.type}"
        elif facts.choices and value not in facts.choices:
            yield f"{at}/{name} is {value!r}, not one of {', '.join(map(repr, facts.choices))}"
        elif facts.fields and isinstance(value, dict):
            yield from _findings(facts.fields, value, f"{at}/{name}", None)
    for name, facts in params.items():
        if facts.required and name not in given and name != "idempotencyKey":  # the client adds that
            yield f"{at}/{name} is missing"


def _fits(value: Any, kinds: str) -> bool:
    allowed = kinds.split("|")
    if isinstance(value, bool):  # Python's True is an int, JSON's is not
        return "any" in allowed or "boolean" in allowed
    return any(kind == "any" or isinstance(value, JSON_TYPES.get(kind, ())) for kind in allowed)


def is_name(text: str) -> bool:
    """Return whether a method's part or a param can be written in Python as it is."""
    return text.isascii() and text.isidentifier() and not keyword.iskeyword(text) and not text.startswith("_")


def cached() -> Path:
    """Return where ``gateway-nb schema update`` keeps its table."""
    return Path(platformdirs.user_cache_dir("gateway-nb", False)) / "methods.json"


@functools.cache
def method_facts() -> Facts:
    """Return the table: the user's newer one if there is one, else the package's."""
    path = cached()
    if path.is_file():
        try:
            return msgspec.json.decode(path.read_bytes(), type=Facts)
        except msgspec.DecodeError:
            pass  # of an older version of this package: its own table will do
    own = importlib.resources.files(__package__).joinpath("methods.json")
    return msgspec.json.decode(own.read_bytes(), type=Facts)
