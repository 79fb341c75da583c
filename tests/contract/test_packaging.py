"""What is in the wheel and in the source distribution: all that is needed, and nothing odd."""

from __future__ import annotations

import email
import importlib.util
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import gateway_nb as gnb
from tests.helpers.support import missing

ROOT = Path(__file__).parents[2]
KINDS = {".py", ".pyi", ".typed", ".json", ".ipynb", ".js", ".css"}
FOLDERS = {"gateway_nb", "notebooks", "tests", "binder"}
FILES = {"README.md", "LICENSE", "pyproject.toml", ".gitignore", "PKG-INFO"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both, the wheel made from the source distribution."""
    if importlib.util.find_spec("build") is None or importlib.util.find_spec("hatchling") is None:
        missing("build", "pip install -e '.[dev]'")
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def in_the_package() -> set[str]:
    files = {path for path in (ROOT / "gateway_nb").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    notebooks = {f"gateway_nb/notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    return {path.relative_to(ROOT).as_posix() for path in files} | notebooks


def test_wheel(built: Path) -> None:
    """The wheel holds the package's files, the notebooks, the licence, and no file of another kind."""
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = set(wheel.namelist())
        info = f"gateway_nb-{gnb.__version__}.dist-info"
        assert {name for name in names if not name.startswith(info)} == in_the_package()
        assert {Path(name).suffix for name in in_the_package()} <= KINDS
        assert "gateway_nb/py.typed" in names
        assert wheel.read(f"{info}/licenses/LICENSE") == (ROOT / "LICENSE").read_bytes()
        about = email.message_from_bytes(wheel.read(f"{info}/METADATA"))
    assert (about["License-Expression"], about["Requires-Python"]) == ("MIT", ">=3.11")
    assert about.get_payload(decode=True) == (ROOT / "README.md").read_bytes()


def test_source_distribution(built: Path) -> None:
    """The source distribution holds what it takes to build, test and read the package."""
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {name.partition("/")[0] for name in names} == FOLDERS | FILES
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".log"))]
    assert "binder/postBuild" in names
