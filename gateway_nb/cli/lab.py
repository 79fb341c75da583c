"""``gateway-nb lab``: JupyterLab with the notebooks, and kernels that know the gateway."""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from ..client.environment import PASSWORD_VARIABLE, TOKEN_VARIABLE, URL_VARIABLE, endpoint_for, is_for
from ..diagnosis.doctor import doctor
from ..errors import GatewayError
from ..protocol.endpoint import DEFAULT_URL
from .output import own_gateway, say, secret, stopped_by_signals, token_env

FIRST = "01-quickstart.ipynb"
_PROBE_TIMEOUT = 3.0
_STOP_TIMEOUT = 10.0


class LabError(GatewayError):
    """JupyterLab can't be started here."""


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default="gateway-nb-notebooks")
@click.option("--openclaw", is_flag=True, help="With a real gateway, installed and started for it.")
@click.option("--url", help="With a gateway of yours; default: OPENCLAW_GATEWAY_URL, else this machine.")
@token_env
@click.option("--no-browser", is_flag=True, help="Only print where it is.")
def lab(folder: Path, openclaw: bool, url: str | None, token_env: str | None, no_browser: bool) -> None:
    """Open the notebooks in JupyterLab.

    They are copied to FOLDER, where files of yours stay as they are, and connected to a gateway: where none accepts
    the connection, to a built-in one that runs as long as this command, until Ctrl-C.
    """
    check()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what was started so far
    copied, kept = copy(folder)
    say(f"notebooks: {folder} ({len(copied)} copied, {len(kept)} there already and left as they are)", err=True)
    with contextlib.ExitStack() as stack:
        token = secret(token_env)
        refusal = None if openclaw else reachable(url, token)
        if refusal is not None and url is not None:
            where = endpoint_for(url).display
            raise LabError(f"{refusal}; gateway-nb doctor {where} says more; without --url there is one built in")
        if openclaw or refusal is not None:
            server = stack.enter_context(own_gateway(openclaw))
            url, token = server.url, server.token
            kind = "OpenClaw" if openclaw else f"a built-in one, since {refusal}"
            say(f"gateway: {url}, {kind}", err=True)
        surroundings = environment(url, token)
        process = stack.enter_context(running(folder, surroundings, browser=not no_browser))
        stop = stopped_by_signals()
        say("JupyterLab starts; Ctrl-C ends it, its kernels and the gateway", err=True)
        while process.poll() is None and not stop.wait(0.2):
            pass
        if process.returncode:
            raise LabError(f"JupyterLab ended with exit code {process.returncode}; its output is above")
    say("ended", err=True)


def check() -> None:
    """Check that JupyterLab can run, before anything is copied or started.

    Raises:
        LabError: it is not installed, or can't write its own files.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise LabError("JupyterLab is not installed here; run: pip install 'gateway-nb[lab]'")
    from jupyter_core.paths import jupyter_runtime_dir

    own = Path(jupyter_runtime_dir())
    try:
        own.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not os.access(own, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        why = f"JupyterLab can't write its files to {own}: {error.strerror}"
        raise LabError(f"{why}; set HOME or JUPYTER_DATA_DIR to a folder that can be written") from None


def notebooks() -> list[Path]:
    """Return the notebooks that come with this package, in the order of their names."""
    package = Path(__file__).parents[1]
    installed = package / "notebooks"  # in a wheel; in a checkout they lie beside the package
    return sorted((installed if installed.is_dir() else package.parent / "notebooks").glob("*.ipynb"))


def copy(folder: Path) -> tuple[list[str], list[str]]:
    """Copy the notebooks into a folder of the user's; what is there already is never touched.

    Args:
        folder: where to; made if it is not there.

    Returns:
        The names that were copied, and those that were there.

    Raises:
        LabError: the folder can't be written.
    """
    copied, kept = [], []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for notebook in notebooks():
            try:
                with open(folder / notebook.name, "xb") as file:
                    file.write(notebook.read_bytes())
            except FileExistsError:
                kept.append(notebook.name)
            else:
                copied.append(notebook.name)
    except OSError as error:
        raise LabError(f"the notebooks can't be copied to {folder}: {error.strerror}; name another folder") from None
    return copied, kept


def reachable(url: str | None, token: str | None) -> str | None:
    """Try a gateway once, by default the one that `connect` would, and leave nothing behind.

    Returns:
        ``None`` if it accepts the connection, else the reason why not, one line.
    """
    report = doctor(url, token=token, timeout=_PROBE_TIMEOUT)
    if any(finding.check == "scopes" for finding in report.findings):
        return None
    return next((finding.detail for finding in reversed(report.failures)), report.summary)


def environment(url: str | None, token: str | None) -> dict[str, str]:
    """Return the environment in which the kernels connect without arguments.

    Args:
        url: the gateway's; ``None`` leaves what is set, and names the default where nothing is: the notebooks ask.
        token: its token; ``None`` leaves what is set, if that is for this gateway.
    """
    own = dict(os.environ)
    own[URL_VARIABLE] = url or own.get(URL_VARIABLE) or DEFAULT_URL
    if token is not None or (url is not None and not is_for(endpoint_for(url))):
        for name in (TOKEN_VARIABLE, PASSWORD_VARIABLE):
            own.pop(name, None)
    if token is not None:
        own[TOKEN_VARIABLE] = token
    return own


@contextlib.contextmanager
def running(folder: Path, surroundings: Mapping[str, str], *, browser: bool) -> Iterator[subprocess.Popen[bytes]]:
    """Run JupyterLab over a folder; at the end it and its kernels end, too.

    Args:
        folder: with the notebooks.
        surroundings: its environment.
        browser: open it in one.
    """
    command = [
        sys.executable,
        "-P",
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={folder.resolve()}",
        "--log-level=ERROR",
    ]
    # It reads every setting for the configuration of old releases, and so prints the deprecation of one.
    command.append("--ServerApp.jpserver_extensions=notebook_shim=False")
    # Nothing is to be installed from there, and behind a SOCKS proxy it prints a traceback.
    command.append("--LabApp.extension_manager=readonly")
    command += [f"--LabApp.default_url=/lab/tree/{FIRST}", *([] if browser else ["--no-browser"])]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container there is nobody else
    with tempfile.TemporaryDirectory(prefix="gateway-nb-lab-") as own:
        _write_kernel(Path(own))
        paths = [own, surroundings.get("JUPYTER_PATH", "")]
        process = subprocess.Popen(
            command,
            env={
                **surroundings,
                "JUPYTER_PATH": os.pathsep.join(path for path in paths if path),
            },
            stdin=subprocess.DEVNULL,
            # Ctrl-C must reach this process alone: JupyterLab would ask whether it is meant.
            start_new_session=True,
        )
        try:
            yield process
        finally:
            _stop(process)


def _write_kernel(own: Path) -> None:
    """Write a kernel of this Python that loads the extension; it goes before others of its name."""
    folder = own / "kernels" / "python3"
    folder.mkdir(parents=True)
    # Not --ext: IPython would complain of each %load_ext that it is loaded already.
    load = "__import__('gateway_nb').load_ipython_extension(get_ipython())"
    command = [
        sys.executable,
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
        f"--IPKernelApp.exec_lines={load}",
    ]
    spec = {"argv": command, "display_name": "Python 3 (gateway_nb)", "language": "python"}
    (folder / "kernel.json").write_text(json.dumps(spec))


def _stop(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM lets it end its kernels; what is left after 10 s is killed."""
    process.terminate()
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_TIMEOUT)
    if process.poll() is None and hasattr(os, "killpg"):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    process.wait()
