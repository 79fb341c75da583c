"""Lines of captures, read wherever the reader stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway_nb.protocol import lines
from gateway_nb.protocol.lines import DamagedLine, read_line

LINE = b'{"t":1.0,"epoch":1,"event":"x","seq":1,"payload":{"a":[[]]}}\n'


@pytest.mark.parametrize("fails", [1, 2])
def test_a_stack_with_no_room(monkeypatch: pytest.MonkeyPatch, fails: int) -> None:
    """What is nested too deeply for where its reader stands is read on a thread; beyond that it is damaged."""
    checked, threads = lines._checked, []
    stacks = [RecursionError("too deep")] * fails

    def check(text: bytes) -> lines.Line:
        if stacks:
            raise stacks.pop()
        return checked(text)

    def start(function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        threads.append(function)
        function(*arguments)

    monkeypatch.setattr(lines, "_checked", check)
    monkeypatch.setattr("_thread.start_new_thread", start)
    if fails == 1:
        assert read_line(LINE).event == "x"
    else:
        with pytest.raises(DamagedLine, match="too deep"):
            read_line(LINE)
    assert len(threads) == 1
