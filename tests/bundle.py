"""The widgets' scripts and styles as a browser gets them: one file of each per widget, by esbuild, beside its sources.

Run as ``python -m tests.bundle`` after a change to a widget's ``.js`` or ``.css``. The sources are what one reads; the
bundles are committed, too, so that installing the package needs no Node.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import gateway_nb.notebook.widgets
from gateway_nb.openclaw.npm import installed

VERSION = "0.28.2"
WIDGETS = Path(gateway_nb.notebook.widgets.__file__).parent
_MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
_OPTIONS = ("--bundle", "--minify", "--format=esm", "--target=es2022", "--charset=utf8", "--log-level=warning")


def bundle(folder: Path) -> None:
    """Write ``bundle.js`` and ``bundle.css`` of every widget.

    Args:
        folder: where a folder per widget is, or is made.

    Raises:
        OpenClawUnavailable: there is no Node, or npm could not install esbuild.
        CalledProcessError: a source is wrong; esbuild has said what and where.
    """
    package = f"@esbuild/{sys.platform}-{_MACHINES[platform.machine().lower()]}"
    program = installed(f"esbuild/{VERSION}", f"{package}@{VERSION}") / "node_modules" / package
    program /= "esbuild.exe" if sys.platform == "win32" else "bin/esbuild"
    sources = sorted(str(path) for path in WIDGETS.glob("*/view.*"))
    places = [f"--outdir={folder}", f"--outbase={WIDGETS}", "--entry-names=[dir]/bundle"]
    subprocess.run([str(program), *sources, *_OPTIONS, *places], check=True)


if __name__ == "__main__":
    bundle(WIDGETS)
