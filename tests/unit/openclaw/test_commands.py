"""What the offline models understand."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_nb.openclaw.commands import command, tool_call, tool_calls

COMMANDS = [
    ("hello there", ("echo", "hello there")),
    ("echo: hello ", ("echo", "hello")),
    ("please echo:this", ("echo", "this")),
    ("count:3", ("count", "3")),
    ("count:3:50", ("count", "3:50")),
    ("fail:429", ("fail", "429")),
    ("fail:200", ("echo", "fail:200")),
    ('tool:sales:{"month": 3,\n"of": 2026}', ("tool", 'sales:{"month": 3,\n"of": 2026}')),
    ("tool:sales", ("tool", "sales")),
    ("", ("echo", "")),
]


@pytest.mark.parametrize(("prompt", "expected"), COMMANDS)
def test_a_command(prompt: str, expected: tuple[str, str]) -> None:
    """A prompt says what to answer, and one that does not is echoed."""
    assert command(prompt) == expected


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("sales", ("sales", {})), ("sales:", ("sales", {})), ('a:{"b": {"c": ":"}}', ("a", {"b": {"c": ":"}}))],
)
def test_a_tool_call(argument: str, expected: tuple[str, Any]) -> None:
    """A tool is named with its arguments, or without any."""
    assert tool_call(argument) == expected


@pytest.mark.parametrize("argument", ["a:[1]", "a:{", "a:nothing", 'a:{"b": NaN}', "a:" + "[" * 100_000])
def test_no_tool_call(argument: str) -> None:
    """Arguments that are not a JSON object are refused."""
    with pytest.raises(ValueError, match=r"JSON|Expecting|property|nested too deeply"):
        tool_call(argument)


def test_several_tool_calls() -> None:
    """Lines that name tools are calls, one after the other; what stands in a text of JSON is none."""
    text = 'columns:\ntool:sales:{"note": "\\ntool:x"}\ntool:sales:{\n"month": 3}'
    assert tool_calls(text) == [("columns", {}), ("sales", {"note": "\ntool:x"}), ("sales", {"month": 3})]
