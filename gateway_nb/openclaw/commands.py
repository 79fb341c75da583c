"""What the offline models understand: a prompt that says what to answer."""

from __future__ import annotations

import json
import re
from typing import Any

_COMMAND = re.compile(r"(?:(echo|tool):(.*))|(?:(count):(\d{1,9}(?::\d{1,9})?))|(?:(fail):([45]\d\d))", re.DOTALL)


def command(prompt: str) -> tuple[str, str]:
    """Return the command in a prompt and its argument; a prompt without one is to be echoed.

    ``echo:TEXT`` answers the text, ``count:N:MS`` counts to N with a pause of MS milliseconds after each number,
    ``fail:CODE`` fails with that HTTP status, ``tool:NAME:{json}`` calls a tool and answers with its result; lines of
    that form, one after the other, call several.

    Example:
        >>> command("count:3:50"), command("hello")
        (('count', '3:50'), ('echo', 'hello'))
    """
    found = _COMMAND.search(prompt)
    if found is None:
        return "echo", prompt.strip()
    kind, argument = (group for group in found.groups() if group is not None)
    return kind, argument.strip()


def tool_calls(argument: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the calls that ``tool:`` and further lines like it name, each as `tool_call` does.

    Raises:
        ValueError: the arguments of one are not a JSON object.

    Example:
        >>> tool_calls("columns:\\ntool:sales:{}")
        [('columns', {}), ('sales', {})]
    """
    return [tool_call(each) for each in argument.split("\ntool:")]  # no JSON has a line break in a text


def tool_call(argument: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the arguments that ``tool:`` names.

    Raises:
        ValueError: the arguments are not a JSON object.

    Example:
        >>> tool_call('sales:{"month": 3}')
        ('sales', {'month': 3})
    """
    name, _, given = argument.partition(":")
    try:
        arguments = json.loads(given or "{}", parse_constant=_refuse)
    except RecursionError:
        raise ValueError("a tool's arguments are nested too deeply") from None
    if not isinstance(arguments, dict):
        raise ValueError("a tool's arguments must be a JSON object")
    return name, arguments


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
