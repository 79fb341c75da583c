"""What type checkers and editors make of the package."""

from __future__ import annotations

import importlib.util
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gateway_nb as gnb
from tests.helpers.support import missing

SCRIPT = Path(__file__).parents[1] / "typing" / "user_script.py"


def test_a_users_script(tmp_path: Path) -> None:
    """``mypy --strict`` finds what is wrong in a user's script, each by its code, and nothing else."""
    if importlib.util.find_spec("mypy") is None:
        missing("mypy", "pip install -e '.[dev]'")
    script = tmp_path / "script.py"  # away from the checkout: the installed package's py.typed has to be found
    script.write_text(SCRIPT.read_text())
    options = ["--strict", "--config-file=", "--hide-error-context", "--no-error-summary", f"--cache-dir={tmp_path}"]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, str(script)], capture_output=True, text=True, timeout=300, cwd=tmp_path
    )
    found = {}
    for line in done.stdout.splitlines():
        if (error := re.search(r":(\d+): error: .*\[([\w-]+)\]$", line)) is not None:
            found[int(error[1])] = error[2]
    marks = [re.search(r"# wrong: ([a-z-]+)$", line) for line in SCRIPT.read_text().splitlines()]
    assert found == {number: mark[1] for number, mark in enumerate(marks, 1) if mark}, done.stdout


@pytest.mark.xdist_group("jedi")  # its cache on disk is not made for several processes
@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("gw.call.", {"sessions", "health", "last_heartbeat"}),
        ("gw.call.sess", {"sessions"}),
        ("gw.call.sessions.", {"list", "create", "messages"}),
        ("gw.call.sessions.messages.", {"subscribe", "unsubscribe"}),
        ("gnb.conn", {"connect"}),
    ],
)
def test_methods_complete_in_jedi(code: str, names: set[str]) -> None:
    """Jedi, which completes in JupyterLab and IPython, knows the methods that the gateway advertised."""
    import jedi

    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token, device_identity=None) as gw:
        completions = jedi.Interpreter(code, [{"gw": gw, "gnb": gnb}]).complete()
        assert names <= {completion.name for completion in completions}


@pytest.mark.xdist_group("jedi")
def test_params_complete_in_jedi() -> None:
    """The params of a method complete, and its signature has those of the table."""
    import jedi

    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token, device_identity=None) as gw:
        interpreter = jedi.Interpreter("gw.call.sessions.list(lim", [{"gw": gw}])
        assert "limit=" in {completion.name_with_symbols for completion in interpreter.complete()}
        assert "limit" in inspect.signature(gw.call.sessions.list).parameters


@pytest.mark.xdist_group("jedi")
@pytest.mark.parametrize(
    ("expression", "names"),
    [("gnb", {"connect", "AsyncGateway", "doctor"}), ("gw", {"request", "run"}), ("gw.events", {"df", "tail"})],
)
def test_names_complete_before_anything_runs(expression: str, names: set[str]) -> None:
    """An editor that only reads the code knows the public names, though they are imported lazily."""
    import jedi
    from jedi.api.environment import InterpreterEnvironment  # this process: another one would outlive the test

    code = f"import gateway_nb as gnb\ngw = gnb.connect()\n{expression}."
    assert names <= {
        completion.name for completion in jedi.Script(code, environment=InterpreterEnvironment()).complete()
    }
