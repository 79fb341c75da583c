"""The example notebooks as they are in the repository: run, small, and without anything of the computer they ran on."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path
from typing import Any

import pytest

from tests import notebooks

PATHS = notebooks.paths()
LARGEST = 100_000
SMALLEST_SET = 8
FOLDERS = re.compile(r"/(tmp|root|home|work|var|opt|Users)/|[A-Z]:\\\\|file://")
SECRETS = re.compile(r"(?<![\w-])(?=[\w-]*\d)(?=[\w-]*[a-z])(?=[\w-]*[A-Z])[\w-]{24,}(?![\w-])|BEGIN [A-Z ]*PRIVATE")


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def text(request: pytest.FixtureRequest) -> str:
    """A notebook's file."""
    path: Path = request.param
    return path.read_text()


@pytest.fixture
def cells(text: str) -> list[dict[str, Any]]:
    """Its cells."""
    found: list[dict[str, Any]] = json.loads(text)["cells"]
    return found


def test_all_of_them() -> None:
    """They are numbered without a hole."""
    numbers = [int(path.name[:2]) for path in PATHS]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= SMALLEST_SET


def test_run_in_order(cells: list[dict[str, Any]]) -> None:
    """Every code cell was run, once, from top to bottom, and there is something to see."""
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert sum(bool(cell["outputs"]) for cell in code) * 2 >= len(code)


def test_errors_are_meant(cells: list[dict[str, Any]]) -> None:
    """A cell shows an error if and only if it is tagged so that tools go on."""
    for cell in cells:
        failed = any(output["output_type"] == "error" for output in cell.get("outputs", []))
        assert failed == ("raises-exception" in cell["metadata"].get("tags", [])), cell["source"]


def test_fixed_ids(cells: list[dict[str, Any]]) -> None:
    """Ids say the place, so that a run does not change them."""
    assert [cell["id"] for cell in cells] == [f"cell-{number:02}" for number in range(len(cells))]


def test_what_it_is_run_with(text: str) -> None:
    """Any Python 3 kernel will do; no time and no widget's state is saved."""
    metadata = json.loads(text)["metadata"]
    assert metadata["kernelspec"]["name"] == "python3"
    assert set(metadata) == {"kernelspec", "language_info"}
    assert "version" not in metadata["language_info"]
    assert '"execution":' not in text
    assert "widget-view" not in text


def test_small(text: str) -> None:
    """It is below 100 KB."""
    assert len(text.encode()) < LARGEST


def test_nothing_of_the_computer(text: str) -> None:
    """No path, no secret and no name of the machine stands in it."""
    assert not FOLDERS.search(text)
    assert not SECRETS.search(text)
    assert socket.gethostname() not in set(re.findall(r"[\w.-]+", text)) - {"localhost"}


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (FOLDERS, "/tmp/tmpx1/a.jsonl"),
        (FOLDERS, "/home/me/x"),
        (FOLDERS, "C:\\\\Users\\\\me"),
        (SECRETS, "Zx9qLw-3TtR_kk2vBnMqAa0pQwErTy12"),
        (SECRETS, "-----BEGIN PRIVATE KEY-----"),
    ],
)
def test_what_would_be_found(pattern: re.Pattern[str], text: str) -> None:
    """The patterns find what they are for."""
    assert pattern.search(text)


def test_what_a_notebook_may_hold() -> None:
    """An id and the name of a variable are no secrets."""
    assert not SECRETS.search("0f166320-6fe0-4295-b956-766170c10265 OPENCLAW_GATEWAY_TOKEN")


def test_what_passes_stays_as_it_was() -> None:
    """Of a run that differs only in times and ids nothing is saved; another answer is, and no widget's state."""

    def run(text: str) -> dict[str, Any]:
        data = {"text/plain": text, "application/vnd.jupyter.widget-view+json": {}}
        cell = {"id": "a", "cell_type": "code", "outputs": [{"output_type": "display_data", "data": data}]}
        return {"cells": [cell], "metadata": {"kernelspec": {"name": "python3"}}}

    old = notebooks.tidied(run("health · 3 ms · 12:00:01.123"), run(""))
    same = notebooks.tidied(run("health · 41 ms · 13:10:00.9"), old)
    other = notebooks.tidied(run("status · 41 ms · 13:10:00.9"), old)
    assert same["cells"] == old["cells"]
    assert other["cells"][0]["outputs"][0]["data"] == {"text/plain": "status · 41 ms · 13:10:00.9"}
