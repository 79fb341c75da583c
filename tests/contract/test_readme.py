"""The README's code runs as it stands."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from pathlib import Path

import pytest

import gateway_nb as gnb
from gateway_nb.client.options import ConnectOptions
from tests.helpers.rooms import MODULES, ROOMS, own_imports, room_of

README = Path(__file__).parents[2] / "README.md"
CONTRIBUTING = README.parent / ".github" / "CONTRIBUTING.md"


@pytest.mark.filterwarnings("ignore:no agent can call")
def test_every_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every Python block of the README runs, one after the other, against an embedded gateway."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) >= 4
    monkeypatch.chdir(tmp_path)
    with gnb.LocalGateway() as local:
        monkeypatch.setenv("OPENCLAW_GATEWAY_URL", local.url)
        monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", local.token)
        names: dict[str, object] = {}
        for block in blocks:
            code = compile(block, str(README), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
            if code.co_flags & inspect.CO_COROUTINE:
                asyncio.run(eval(code, names))
            else:
                exec(code, names)
    for gateway in gnb.connections().values():
        gateway.close()


def test_the_errors() -> None:
    """Every public error says in its help what to do, or is a base of others."""
    kinds = [getattr(gnb, name) for name in gnb.__all__ if name.endswith("Error")]
    assert len(kinds) > 15
    assert not [kind for kind in kinds if not kind.__doc__]


def test_the_options() -> None:
    """Every option of connect is in its help."""
    help_of_connect = gnb.connect.__doc__ or ""
    assert not [name for name in ConnectOptions.__annotations__ if f"``{name}" not in help_of_connect]


@pytest.mark.parametrize("face", [gnb.Gateway, gnb.AsyncGateway])
def test_the_faces(face: type) -> None:
    """Everything public of a gateway has help, also what is documented once for both faces."""
    public = [name for name in dir(face) if not name.startswith("_")]
    assert {"request", "run", "wait_for"} < set(public)
    assert not [name for name in public if not inspect.getdoc(getattr(face, name))]


def test_the_length() -> None:
    """The README is read in five minutes."""
    assert len(README.read_text().split()) <= 1200


def test_the_picture() -> None:
    """Every room is in the contributors' picture, and each of its arrows is an import that is there."""
    picture = CONTRIBUTING.read_text().partition("```mermaid")[2].partition("```")[0]
    arrows = re.findall(r"^  (\w+).* --> (\w+)", picture, re.MULTILINE)
    assert arrows
    imported = {
        (room_of(module), room_of(name)) for module, path in MODULES.items() for name in own_imports(path, types=False)
    }
    assert not set(arrows) - imported
    rooms = set(ROOMS) - {"__main__", "__init__", "nesting"}
    assert not [room for room in rooms if not re.search(rf"\b{room}\b", picture)]
