"""From the table of methods to a stub: what type checkers and editors know of ``gw.call``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from .facts import Facts, Method, Param, is_name

STUB = Path(__file__).with_name("methods.pyi")
_HEADER = '''"""The gateway's methods as attributes, of {source}; `gateway-nb schema stubs` writes this file."""

from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

Object: TypeAlias = dict[str, Any]
Array: TypeAlias = list[Any]  # a method may be named list

class Part:
    def __getattr__(self, part: str) -> AnyMethod: ...
    def __getitem__(self, part: str) -> AnyMethod: ...
    def getdoc(self) -> str: ...

class AnyMethod(Part):
    def __call__(self, **params: Any) -> Any: ...'''
_TYPES = {
    "string": "str",
    "boolean": "bool",
    "integer": "int",
    "number": "float",
    "null": "None",
    "object": "Object",
    "array": "Array",
}
_MOST_CHOICES = 20
Name = tuple[str, ...]
"""A method's name, in parts."""


def stub(facts: Facts) -> str:
    """Return the text of a stub with a class `Methods`, whose attributes are the methods.

    What a table has of params and of an answer's fields becomes types; a method that no table has takes any params. A
    name that is none in Python is left out, wherever the table is from.

    Args:
        facts: the table.

    Example:
        >>> facts = Facts("a gateway", {"health": Method(params={"probe": Param("boolean")}, closed=True)})
        >>> print(*stub(facts).splitlines()[-2:], sep="\\n")
        class Methods(Part):
            def health(self, *, probe: bool = ...) -> Any: ...
    """
    methods = {tuple(name.replace("-", "_").split(".")): method for name, method in facts.methods.items()}
    methods = {name: method for name, method in sorted(methods.items()) if all(map(is_name, name))}
    parents = {name[:length] for name in methods for length in range(len(name))} | {()}
    answers = [_answer(name, method) for name, method in methods.items() if method.result and method.result.fields]
    classes = [_class(parent, methods, parents) for parent in sorted(parents, key=lambda name: (-len(name), name))]
    source = re.sub(r"[^\w@/. -]", "", facts.source)
    return "\n\n".join([_HEADER.format(source=source), *answers, *classes]) + "\n"


def _answer(name: Name, method: Method) -> str:
    fields = method.result.fields if method.result else {}
    return "\n".join([f"class {_title(name)}Result(TypedDict):", *_fields(fields)])


def _class(parent: Name, methods: Mapping[Name, Method], parents: set[Name]) -> str:
    lines = [f"class {_title(parent) or 'Methods'}(Part):"]
    if parent in methods:
        lines.append(f"    def __call__({_signature(parent, methods[parent])}: ...")
    for name in sorted({*methods, *parents}):
        if name[:-1] != parent or not name:
            continue
        if name in parents:
            lines += ["    @property", f"    def {name[-1]}(self) -> {_title(name)}: ..."]
        else:
            lines.append(f"    def {name[-1]}({_signature(name, methods[name])}: ...")
    return "\n".join(lines)


def _signature(name: Name, method: Method) -> str:
    answer = "Any"
    if method.result is not None:
        answer = f"{_title(name)}Result" if method.result.fields else _type(method.result)
    return f"{', '.join(_params(method))}) -> {answer}"


def _params(method: Method) -> Iterator[str]:
    yield "self"
    if method.arguments:
        yield "*"
    for name, param, needed in method.arguments:
        yield f"{name}: {_type(param)}{'' if needed else ' = ...'}"
    if not method.closed:
        yield "**params: Any"


def _fields(fields: Mapping[str, Param]) -> Iterator[str]:
    for name, field in fields.items():
        if is_name(name):
            yield f"    {name}: {_type(field) if field.required else f'NotRequired[{_type(field)}]'}"


def _type(param: Param) -> str:
    if 0 < len(param.choices) <= _MOST_CHOICES and all(isinstance(value, str | bool | int) for value in param.choices):
        return f"Literal[{', '.join(map(ascii, param.choices))}]"
    return " | ".join(dict.fromkeys(_TYPES.get(kind, "Any") for kind in param.type.split("|")))


def _title(name: Name) -> str:
    return "".join(word[:1].upper() + word[1:] for part in name for word in part.split("_"))
