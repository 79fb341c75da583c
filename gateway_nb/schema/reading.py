"""From the gateway project's ``protocol.schema.json`` to a table of facts."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec

from ..errors import GatewayError
from .facts import JSON_TYPES, Facts, Method, Param, cached, method_facts

_DEPTH = 3


class SchemaError(GatewayError):
    """A file is not a protocol schema."""


def read(path: Path, source: str | None = None) -> Facts:
    """Return the facts in a protocol schema.

    Args:
        path: ``protocol.schema.json`` of the npm package ``@openclaw/gateway-protocol``.
        source: what to call it; default: the version in the ``package.json`` beside it, else its name.

    Raises:
        SchemaError: it can't be read, or is something else.
    """
    try:
        schema = json.loads(path.read_bytes())
        methods, definitions = schema["methods"], schema["definitions"]
        return Facts(source or _source(path), {name: _method(name, methods[name], definitions) for name in methods})
    except OSError as error:
        raise SchemaError(f"{path} can't be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise SchemaError(f"{path} is not a protocol.schema.json of @openclaw/gateway-protocol") from None


def update(facts: Facts, path: Path | None = None) -> Path:
    """Write a table of facts, a line for each method; return where.

    Args:
        facts: the table.
        path: default: where this user's own table is, to be used from now on.
    """
    path = path or cached()
    lines = ",\n".join(
        f'"{name}":{msgspec.json.encode(facts.methods[name]).decode()}' for name in sorted(facts.methods)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'{{"source":{json.dumps(facts.source)},"methods":{{\n{lines}\n}}}}\n')
    method_facts.cache_clear()
    return path


def _source(path: Path) -> str:
    package = path.with_name("package.json")
    if package.is_file():
        about = json.loads(package.read_bytes())
        return f"{about.get('name')} {about.get('version')}"
    return path.name


def _method(name: str, about: dict[str, Any], definitions: dict[str, Any]) -> Method:
    title = "".join(word[:1].upper() + word[1:] for word in re.split(r"[.\-_]", name))
    shape = _resolved(definitions.get(f"{title}Params", {}), definitions)
    documented = shape.get("type") == "object"
    return Method(
        str(about.get("scope") or ""),
        str(about.get("since") or ""),
        _fields(shape, definitions, _DEPTH) if documented else None,
        documented and shape.get("additionalProperties") is False,
        _param(result, definitions, True, 2) if (result := definitions.get(f"{title}Result")) else None,
    )


def _fields(shape: dict[str, Any], definitions: dict[str, Any], depth: int) -> dict[str, Param]:
    required = set(shape.get("required") or ())
    return {
        name: _param(field, definitions, name in required, depth)
        for name, field in (shape.get("properties") or {}).items()
    }


def _param(shape: dict[str, Any], definitions: dict[str, Any], required: bool, depth: int) -> Param:
    shape = _resolved(shape, definitions)
    options = [_resolved(option, definitions) for option in shape.get("anyOf") or [shape]]
    kinds = list(dict.fromkeys(_kind(option) for option in options))
    constants = [option["const"] for option in options if "const" in option]
    choices = tuple(shape.get("enum") or (constants if len(constants) == len(options) else ()))
    objects = [option for option in options if option.get("properties")]
    fields = _fields(objects[0], definitions, depth - 1) if len(objects) == 1 and depth > 1 else {}
    return Param("any" if "any" in kinds else "|".join(kinds), required, choices, fields)


def _kind(shape: dict[str, Any]) -> str:
    kind = shape.get("type")
    if isinstance(kind, list):
        return "|".join(kind)
    if "const" in shape:
        return next((name for name, types in JSON_TYPES.items() if type(shape["const"]) in types), "any")
    return str(kind) if kind else "any"


def _resolved(shape: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Follow references; a definition may name another."""
    for _ in range(_DEPTH):
        name = str(shape.get("$ref") or "").rpartition("/")[2]
        if not name:
            break
        shape = definitions.get(name, {})
    return shape
