"""Every test runs in a home of its own, and fails if it leaves a thread, a socket, a file or a process behind."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from gateway_nb.client.transport.opening import LIBRARIES, LIBRARY_VARIABLE
from gateway_nb.openclaw.process import VERSION
from tests.helpers.real import RealGateway, installed
from tests.helpers.support import SESSION_PROCESSES

_PATIENCE = 5.0
_WORKERS_PER_CORE = 2
_UNIT = Path(__file__).parent / "unit"
_LONGEST_ID = 60
_HOMES = itertools.count()
_GROUPS = {"real": "openclaw", "lab": "lab", "browser": "browser"}
"""Fixtures of a whole session that take long to start, and the group of tests that share one."""
_OF_THE_CONNECTION = {
    *("test_calls", "test_credentials", "test_events", "test_limits", "test_runs"),
    *("test_bad_servers", "test_frames", "test_hostile", "test_living", "test_log_lines", "test_schedules"),
    *("test_secrets", "test_stop", "test_verdict"),
}
"""What stands above the connection sees no WebSocket library."""
_SECOND_HALF = "test_e"
_SHARED_BY_A_MODULE = {"shared_kernel", "shared", "old", "tls", "built"}


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Return more workers than cores, since tests wait more than they compute; the quick ones do not wait."""
    return round((os.cpu_count() or 1) * (1 if _only_quick(config) else _WORKERS_PER_CORE))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not read other folders where only quick tests are asked for."""
    tests = _UNIT.parent
    other = collection_path.parent == tests and collection_path.is_dir() and collection_path != _UNIT
    return True if other and _only_quick(config) else None


def _only_quick(config: pytest.Config) -> bool:
    return bool(config.option.markexpr == "quick")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep in one worker what shares a real gateway, a JupyterLab, a browser or a kernel; mark what is quick."""
    for item in items:
        if isinstance(item, pytest.Function) and (group := _group(item)):
            item.add_marker(pytest.mark.xdist_group(group))
        if item.path.is_relative_to(_UNIT) and item.get_closest_marker("long") is None:
            item.add_marker(pytest.mark.quick)


def pytest_make_parametrize_id(val: object) -> str | None:
    """Keep the names of tests short: each is sent to the workers, and to processes in their environment."""
    if isinstance(val, str | bytes) and len(val) > _LONGEST_ID:
        return f"{val[:_LONGEST_ID]!a}... of {len(val)}"
    return None


def _group(item: pytest.Function) -> str | None:
    used = set(item.fixturenames)
    params = item.callspec.params if hasattr(item, "callspec") else {}
    if params.get("gateway") == "openclaw":
        used.add("real")
    for fixture, group in _GROUPS.items():
        if fixture in used:
            return f"{group}-{_half(item)}" if group == "openclaw" else group
    return item.path.stem if used & _SHARED_BY_A_MODULE else None


def _half(item: pytest.Function) -> str:
    """Return which of two real gateways a module's tests share: theirs are the tests that take longest."""
    return "first" if item.path.stem < _SECOND_HALF else "second"


@pytest.fixture(scope="session", autouse=True)
def _own_surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Nothing of the user's for what several tests share: a kernel, a JupyterLab, a real gateway."""
    folder = tmp_path_factory.mktemp("homes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWAY_NB_HOME", str(folder / "shared"))
        patch.setenv(LIBRARY_VARIABLE, "websockets")  # what most users have
        for name in list(os.environ):
            if name.startswith("OPENCLAW_"):
                patch.delenv(name)
        yield folder


@pytest.fixture(autouse=True)
def _own_home(request: pytest.FixtureRequest, _own_surroundings: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home within the test's own folder; most tests have none, since that takes 3 ms to make."""
    if "tmp_path" in request.fixturenames:
        home = request.getfixturevalue("tmp_path") / "home"
    else:
        home = _own_surroundings / str(next(_HOMES))
    monkeypatch.setenv("GATEWAY_NB_HOME", str(home))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Connect through each WebSocket library where the connection is what is tested."""
    if "each_transport" in metafunc.fixturenames:
        of_the_connection = metafunc.module.__name__.rpartition(".")[2] in _OF_THE_CONNECTION
        metafunc.parametrize("each_transport", LIBRARIES if of_the_connection else ["websockets"], indirect=True)


@pytest.fixture
def each_transport(request: pytest.FixtureRequest, _own_home: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each WebSocket library in turn, or the one that most users have."""
    library: str = request.param
    monkeypatch.setenv(LIBRARY_VARIABLE, library)
    return library


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Ctrl-C is a KeyboardInterrupt, here and in processes that start here; workers of pytest-xdist ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def _nothing_left(_own_home: None) -> Iterator[None]:
    before = _held()
    yield
    loop_thread = sys.modules.get("gateway_nb.sync.loop_thread")
    if loop_thread is not None:
        loop_thread.stop_loop_thread()
    until = time.monotonic() + _PATIENCE
    while (left := _held() - before) and time.monotonic() < until:
        time.sleep(0.01)
    assert not left, f"left behind: {sorted(left)}\n{_stacks()}"


def _held() -> set[str]:
    threads = {f"thread {thread.name} {thread.ident}" for thread in threading.enumerate()}
    children = {f"process {child.pid}" for child in _tried(_children) if child.pid not in SESSION_PROCESSES}
    return threads | _sockets_and_files(_descriptors()) | children


@functools.lru_cache(maxsize=4)
def _sockets_and_files(descriptors: frozenset[str]) -> frozenset[str]:
    """Look again only where other descriptors are open: once a library has a socket, psutil reads the machine's."""
    me = psutil.Process()
    sockets = {f"socket {c.laddr} {c.raddr} {c.status}" for c in _tried(me.net_connections) if c.status != "TIME_WAIT"}
    files = {f"file {file.path}" for file in _tried(me.open_files) if not file.path.endswith((".lock", ".db"))}
    return frozenset(sockets | files)


def _descriptors() -> frozenset[str]:
    """Return what the open descriptors refer to; on systems without /proc something new each time."""
    folder, found = Path("/proc/self/fd"), set()
    if not folder.exists():
        return frozenset([str(time.monotonic_ns())])
    for descriptor in os.listdir(folder):
        with contextlib.suppress(OSError):  # that of the listing itself
            found.add(f"{descriptor} {os.readlink(folder / descriptor)}")
    return frozenset(found)


def _children() -> list[psutil.Process]:
    with contextlib.suppress(AttributeError):  # macOS before Python 3.13
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:  # none: psutil would look at every process there is
            return []
    return psutil.Process().children()


def _tried(look: Callable[[], list]) -> list:  # type: ignore[type-arg]
    """A process or a socket may go away while it is looked at."""
    for _ in range(10):
        try:
            return look()
        except psutil.Error:
            continue
    return look()


def _stacks() -> str:
    frames = sys._current_frames()
    return "\n".join(
        f"--- {thread.name}\n{''.join(traceback.format_stack(frames[thread.ident])[-4:])}"
        for thread in threading.enumerate()
        if thread.ident in frames and thread is not threading.current_thread()
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """After the tests of the seed's behaviours, print which test shows which behaviour."""
    passed = terminalreporter.stats.get("passed", [])
    if not any("test_seed.py" in report.nodeid for report in passed):
        return
    from tests.contract.seed import BEHAVIOURS

    terminalreporter.section("what the gateway's own client does, and the test that shows it here")
    width = max(map(len, BEHAVIOURS))
    for behaviour, test in BEHAVIOURS.items():
        terminalreporter.write_line(f"{behaviour:{width}}  {test}")


@pytest.fixture(scope="session")
def real() -> Iterator[RealGateway]:
    """The real gateway of this session."""
    installed(VERSION)
    gateway = RealGateway(VERSION)
    yield gateway
    gateway.stop()
