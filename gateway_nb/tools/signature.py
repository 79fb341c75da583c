"""From a function to a tool: its name, description and JSON Schema, and what converts the arguments of a call."""

from __future__ import annotations

import contextlib
import datetime as dt
import inspect
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import docstring_parser
import msgspec

from ..errors import BadArgumentError, one_line

MAX_DESCRIPTION = 1024
MAX_SCHEMA_BYTES = 100_000
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}\Z")
_REFERENCE = "#/$defs/{name}"
_CORE_TOOLS = """
agents_list agents_wait apply_patch ask_user automations browser canvas code_execution computer conversations_list
conversations_send conversations_turn create_goal dashboard dir_fetch dir_list dismiss_task edit exec file_fetch
file_write gateway get_goal heartbeat_respond image_generate intent ls memory_get memory_search message mobile_ui
music_generate node_inference nodes openclaw pdf plugins portal process progress_card read screen secrets
session_status sessions sessions_history sessions_list sessions_search sessions_send sessions_spawn sessions_yield
show_widget skill_workshop subagents suggest_task talk_voice terminal theme tool_call tool_describe tool_search
tool_search_code tts update_goal video_generate view_image web_fetch web_search write x_search
"""
RESERVED = frozenset(_CORE_TOOLS.split())
"""Tools of the gateway's own (2026.9.6): a node's tool of such a name would replace it in runs."""


class BadArguments(ValueError):
    """Arguments of a call that the function does not take; the message is for the agent, which can mend them."""


@dataclass(frozen=True)
class Signature:
    """What a gateway is told of a function.

    Attributes:
        name: of the tool.
        description: what it does, for the agent.
        schema: JSON Schema of its arguments, an object.
    """

    name: str
    description: str
    schema: dict[str, Any]
    _decoders: dict[str, msgspec.json.Decoder[Any]] = field(repr=False)
    _required: tuple[str, ...] = ()

    @classmethod
    def of(cls, function: Callable[..., Any], name: str | None = None, description: str | None = None) -> Signature:
        """Return a function's signature as a tool.

        Args:
            function: each parameter has a type hint that JSON can carry, and can be passed by name.
            name: default: the function's.
            description: default: its docstring, without the part on parameters and results.

        Raises:
            BadArgumentError: it can't be offered: which parameter stands in the way, and why.
            BadArgumentError: the name or the description is none that a gateway takes.

        Example:
            >>> def sales(month: int) -> int:
            ...     '''Sales of one month.'''
            >>> Signature.of(sales).schema["properties"]
            {'month': {'type': 'integer'}}
        """
        if not callable(function):
            raise BadArgumentError(f"a tool must be a function, not {type(function).__name__}")
        tool = _checked_name(getattr(function, "__name__", None) if name is None else name)
        documentation = docstring_parser.parse(inspect.getdoc(function) or "")
        texts = {found.arg_name: found.description or "" for found in documentation.params}
        parameters = _parameters(tool, function)
        schema, decoders = _schema(tool, parameters, texts)
        required = tuple(name for name, parameter in parameters.items() if parameter.default is parameter.empty)
        schema |= {"required": list(required)} if required else {}
        if len(msgspec.json.encode(schema)) > MAX_SCHEMA_BYTES:
            raise BadArgumentError(f"tool {tool!r}: its parameters' schema is larger than {MAX_SCHEMA_BYTES:,} bytes")
        about = documentation.description if description is None else description
        return cls(tool, _checked_description(tool, about), schema, decoders, required)

    def convert(self, arguments: bytes) -> dict[str, Any]:
        """Return the arguments of a call as the function takes them; what was left out keeps its default.

        Args:
            arguments: a JSON object.

        Raises:
            BadArguments: they are not those of the schema; says which, and what is allowed.
        """
        try:
            given = msgspec.json.decode(arguments, type=dict[str, msgspec.Raw])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise BadArguments(f"{self.name}: the arguments must be a JSON object") from None
        problems = [f"there is no {name!r}" for name in given if name not in self._decoders]
        problems += [f"{name!r} is missing" for name in self._required if name not in given]
        converted = {}
        for name, decoder in self._decoders.items():
            if name not in given:
                continue
            try:
                converted[name] = decoder.decode(given[name])
            except (msgspec.DecodeError, ValueError, RecursionError) as error:
                problems.append(f"{name!r}: {error}")
        if problems:
            takes = ", ".join(self._decoders) or "no arguments"
            raise BadArguments(one_line(f"{self.name}: {'; '.join(problems[:10])}; it takes {takes}", 2000))
        return converted


def _checked_name(name: Any) -> str:
    if not isinstance(name, str) or _NAME.match(name) is None:
        raise BadArgumentError(
            f"a tool's name must be a letter and up to 63 letters, digits, _ or -, not {str(name)[:80]!r}; pass name="
        )
    if name in RESERVED:
        raise BadArgumentError(
            f"a tool must not be called {name!r}: it would replace the gateway's own tool; pass name="
        )
    return name


def _checked_description(tool: str, description: Any) -> str:
    if description is not None and not isinstance(description, str):
        raise BadArgumentError(f"tool {tool!r}: description must be a string, not {type(description).__name__}")
    text = (description or "").strip()
    if not text:
        raise BadArgumentError(f"tool {tool!r} has no description for agents; write a docstring, or pass description=")
    if len(text) > MAX_DESCRIPTION:
        raise BadArgumentError(
            f"tool {tool!r}: its description has {len(text):,} characters, and a gateway keeps {MAX_DESCRIPTION:,}; "
            "shorten the docstring, or pass description="
        )
    return text


def _parameters(tool: str, function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        signature = inspect.signature(function, eval_str=True)
    except (NameError, TypeError, ValueError, SyntaxError, AttributeError) as error:
        raise BadArgumentError(f"tool {tool!r}: its signature can't be read: {error}") from None
    for name, parameter in signature.parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise BadArgumentError(f"tool {tool!r}: parameter {parameter} has no single value; name each parameter")
        if parameter.kind is parameter.POSITIONAL_ONLY:
            raise BadArgumentError(f"tool {tool!r}: parameter {name!r} can't be passed by name; remove the / after it")
        if parameter.annotation is parameter.empty:
            raise BadArgumentError(f"tool {tool!r}: parameter {name!r} has no type hint; write for example {name}: str")
    return dict(signature.parameters)


def _schema(
    tool: str, parameters: dict[str, inspect.Parameter], texts: dict[str, str]
) -> tuple[dict[str, Any], dict[str, msgspec.json.Decoder[Any]]]:
    properties: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    decoders: dict[str, msgspec.json.Decoder[Any]] = {}

    def describe_model(kind: type) -> dict[str, Any]:
        model = _pydantic_model(kind)
        schema: dict[str, Any] = model.model_json_schema(ref_template="#/$defs/{model}")
        definitions.update(schema.pop("$defs", {}))
        return schema

    for name, parameter in parameters.items():
        hint = parameter.annotation
        try:
            (schema,), found = msgspec.json.schema_components(
                [hint], schema_hook=describe_model, ref_template=_REFERENCE
            )
            decoders[name] = msgspec.json.Decoder(hint, dec_hook=_read_model)
        except (TypeError, ValueError, NameError, NotImplementedError, RecursionError) as error:
            raise BadArgumentError(
                f"tool {tool!r}: parameter {name!r} has a type hint that JSON can't carry, {_shown(hint)}: {error}"
            ) from None
        definitions.update(found)
        described = texts.get(name) or schema.get("description")
        if not described and hint is dt.datetime:
            described = "date and time, ISO 8601"
        # A schema that is only a reference may be the definition of several parameters: its own words stand beside it.
        properties[name] = {**schema, **({"description": described} if described else {}), **_default(parameter)}
    whole: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return whole | ({"$defs": definitions} if definitions else {}), decoders


def _default(parameter: inspect.Parameter) -> dict[str, Any]:
    """Return the default for the schema, if there is one that JSON can carry."""
    if parameter.default is not parameter.empty:
        with contextlib.suppress(TypeError, ValueError, RecursionError):
            return {"default": msgspec.json.decode(msgspec.json.encode(parameter.default))}
    return {}


def _pydantic_model(kind: type) -> Any:
    """Return a type that is a model of pydantic's; pydantic is not imported for that: who has a model has it loaded."""
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and isinstance(kind, type) and issubclass(kind, pydantic.BaseModel):
        return kind
    raise TypeError(f"{_shown(kind)} is not supported")


def _read_model(kind: type, value: Any) -> Any:
    model = _pydantic_model(kind)
    try:
        return model.model_validate(value)
    except sys.modules["pydantic"].ValidationError as error:
        problems = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors()[:10])
        raise ValueError("; ".join(problems)) from None


def _shown(hint: Any) -> str:
    return one_line(inspect.formatannotation(hint), 100)
