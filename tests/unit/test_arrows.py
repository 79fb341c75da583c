"""The rooms import only downwards, no module imports itself by a detour, and the protocol knows no I/O."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.rooms import FILES, MAY_IMPORT, MODULES, PACKAGE, PORT, imports, own_imports, room_of

NO_IO = {"asyncio", "socket", "ssl", "time", "os", "pathlib", "threading", "io", "tempfile", "subprocess", "logging"}


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_downwards(module: str) -> None:
    """A room imports itself and the rooms below it, nothing above, and not later either."""
    room = room_of(module)
    rooms = {room_of(name) for name in own_imports(MODULES[module], types=module not in (PORT, "__init__"))} - {room}
    assert rooms <= MAY_IMPORT[room]


@pytest.mark.long
def test_no_circles() -> None:
    """No module imports itself by way of others, not even for its types."""
    imports = {name: own_imports(path, types=name not in (PORT, "__init__")) for name, path in MODULES.items()}
    done: set[str] = set()

    def follow(module: str, way: tuple[str, ...]) -> None:
        assert module not in way, " -> ".join([*way[way.index(module) :], module])
        if module not in done:
            for name in sorted(imports[module]):
                follow(name, (*way, module))
            done.add(module)

    for module in imports:
        follow(module, ())


PROTOCOL = [path for module, path in MODULES.items() if room_of(module) == "protocol"]


@pytest.mark.parametrize("path", PROTOCOL, ids=lambda path: path.name)
def test_the_protocol_does_no_io(path: Path) -> None:
    """The protocol can be tested without sockets, clocks or files, since it cannot reach them."""
    assert not {name.split(".")[0] for name in imports(path, types=True)} & NO_IO


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_stay_small(path: Path) -> None:
    """A file holds one idea: no more than about 400 lines."""
    assert len(path.read_text().splitlines()) <= 420
