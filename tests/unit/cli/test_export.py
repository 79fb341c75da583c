"""``gateway-nb export``: a recording's traces as a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway_nb.capture.journal import Capture
from gateway_nb.cli.main import main
from tests.helpers.runs import events_of, whole_run


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    path = tmp_path / "run.jsonl"
    with Capture(path) as capture:
        capture.extend(events_of([*whole_run("a"), *whole_run("b")]))
    return path


def export(journal: Path, form: str, output: Path, *more: str) -> Result:
    return CliRunner().invoke(main, ["export", str(journal), "--to", form, "-o", str(output), *more])


@pytest.mark.parametrize(
    ("form", "name"),
    [("otlp", "x.json"), ("otlp", "x.pb"), ("perfetto", "x.json"), ("atif", "x.jsonl"), ("parquet", "folder")],
)
def test_a_file(journal: Path, tmp_path: Path, form: str, name: str) -> None:
    """Each format is written whole, and a file that exists is not overwritten."""
    result = export(journal, form, tmp_path / name)
    assert (result.exit_code, result.output) == (0, "")
    assert (tmp_path / name).exists()
    again = export(journal, form, tmp_path / name)
    assert again.exit_code == 1
    assert "gateway-nb: " in again.output


def test_content(journal: Path, tmp_path: Path) -> None:
    """Arguments of tools are in the file only with --content."""
    for name, more in (("without.json", []), ("with.json", ["--content"])):
        assert export(journal, "otlp", tmp_path / name, *more).exit_code == 0
    assert '{\\"path\\":\\"a\\"}' not in (tmp_path / "without.json").read_text()
    assert '{\\"path\\":\\"a\\"}' in (tmp_path / "with.json").read_text()
    spans = json.loads((tmp_path / "with.json").read_text())["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert len(spans) == 8


@pytest.mark.parametrize(
    ("form", "name", "more", "problem"),
    [
        ("otlp", "x.txt", (), "the name must end in .json or .pb"),
        ("atif", "x.json", (), "the name must end in .jsonl"),
        ("parquet", "folder", ("--content",), "--content is for traces"),
        ("zipkin", "x.json", (), "is not one of"),
    ],
)
def test_wrong_usage(journal: Path, tmp_path: Path, form: str, name: str, more: tuple[str, ...], problem: str) -> None:
    """A format or a name that does not fit is refused before anything is read."""
    result = export(journal, form, tmp_path / name, *more)
    assert result.exit_code == 2
    assert problem in result.output
    assert not (tmp_path / name).exists()
