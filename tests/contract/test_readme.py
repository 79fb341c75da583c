"""The README's code runs as it stands."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path

import pytest

import gateway_nb as gnb
from tests.helpers.rooms import MAY_IMPORT, ROOMS
from tests.readme_tables import with_tables

README = Path(__file__).parents[2] / "README.md"


def test_every_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python block of the README runs, one after the other, against an embedded gateway."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) >= 4
    monkeypatch.chdir(tmp_path)
    with gnb.LocalGateway(tick_interval=0.05) as local:
        monkeypatch.setenv("OPENCLAW_GATEWAY_URL", local.url)
        monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", local.token)
        names: dict[str, object] = {}
        for block in blocks:
            code = compile(block, str(README), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            if code.co_flags & inspect.CO_COROUTINE:
                asyncio.run(eval(code, names))
            else:
                exec(code, names)


def test_the_errors_table() -> None:
    """Every error that the README's table names exists, and every public error is named."""
    table = README.read_text().partition("## When something is wrong")[2].partition("##")[0]
    named = set(re.findall(r"`(\w+Error)`", table))
    public = {name for name in gnb.__all__ if name.endswith("Error")}
    assert named <= public
    assert public - named <= {"GatewayError", "BadParamsError", "FrameTooLargeError"}


def test_the_tables() -> None:
    """The README has the tables of options and of magics as the code has them."""
    assert README.read_text() == with_tables(README.read_text()), "run: python -m tests.readme_tables"


def test_the_picture() -> None:
    """Every room is in the README's picture, and its arrows are imports that the rules allow."""
    picture = README.read_text().partition("```mermaid")[2].partition("```")[0]
    arrows = re.findall(r"^  (\w+).* --> (\w+)", picture, re.MULTILINE)
    assert arrows
    assert not [(above, below) for above, below in arrows if below not in MAY_IMPORT[above]]
    rooms = set(ROOMS) - {"__main__", "__init__", "nesting"}
    assert not [room for room in rooms if not re.search(rf"\b{room}\b", picture)]
