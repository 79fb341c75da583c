"""The whole thing in a real kernel: connect, call, fail, read the DataFrame, stop a cell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gateway_nb as gnb
from tests.helpers.kernel import Kernel
from tests.helpers.support import until


@pytest.fixture
def local(local: gnb.LocalGateway, monkeypatch: pytest.MonkeyPatch) -> gnb.LocalGateway:
    """An embedded gateway that the environment names."""
    monkeypatch.setenv("OPENCLAW_GATEWAY_URL", local.url)
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", local.token)
    return local


def test_a_notebook(local: gnb.LocalGateway, kernel: Kernel, tmp_path: Path) -> None:
    """Connect, call with the magic, keep the result, meet an error, read the events; no token anywhere."""
    seen = [kernel.run("%load_ext gateway_nb"), kernel.run("%gateway connect")]
    assert "connected" in seen[-1].displays[0]["text/html"]
    seen.append(kernel.run('%%gateway sessions.list -o rows\n{"limit": 5}'))
    assert "sessions.list" in seen[-1].displays[0]["text/html"]
    seen.append(kernel.run("print(rows['count'], type(gw).__name__)"))
    assert seen[-1].text == "0 Gateway\n"
    seen.append(kernel.run('%%gateway sessions.list\n{"limit": "five"}'))
    assert seen[-1].status == "error"
    assert seen[-1].error == [
        "GatewayRequestError: sessions.list: invalid sessions.list params: at /limit: must be integer "
        "[INVALID_REQUEST] (line 1, column 11)",
        '    {"limit": "five"}',
        "              ^",
    ]
    seen.append(kernel.run('%gateway call talk.mode {"enabled": true, "phase": "from a cell"}'))
    assert seen[-1].status == "ok"
    seen.append(kernel.run("while not gw.events.stats.events: pass\ngw.events.df"))
    assert "from a cell" in seen[-1].displays[0]["text/plain"]
    seen += [kernel.run("gw"), kernel.run("gw.status"), kernel.run("gw.hello"), kernel.run("gw.log"), kernel.run("%tb")]
    seen.append(kernel.run("%gateway disconnect"))
    assert all(local.token not in outcome.everything for outcome in seen)
    kernel.client.shutdown()
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and local.token.encode() in path.read_bytes()]


def test_stop_during_a_request(local: gnb.LocalGateway, kernel: Kernel, tmp_path: Path) -> None:
    """Stop during a magic's request raises KeyboardInterrupt, and the next cell works."""
    asked = tmp_path / "asked"
    kernel.run("%load_ext gateway_nb\n%gateway connect --timeout 10")
    kernel.run(
        "import pathlib, threading, time\n"
        "def announce():\n"
        "    while not gw.status.counters.in_flight: time.sleep(0.01)\n"
        f"    pathlib.Path({str(asked)!r}).touch()\n"
        "threading.Thread(target=announce).start()"
    )
    cell = kernel.start('%gateway call agent.wait --timeout 60 {"runId": "x", "timeoutMs": 60000}')
    # Once the request is sent the cell does nothing but wait. Before that Stop can meet IPython's own code: the garbage
    # callback of ipykernel 6 swallows it.
    until(asked.exists)
    kernel.manager.interrupt_kernel()
    outcome = kernel.outcome(cell)
    assert outcome.status == "error"
    assert "KeyboardInterrupt" in "".join(outcome.error)
    assert kernel.run("print(gw.request('health')['ok'], gw.status.counters.in_flight)").text == "True 0\n"


def test_pairing(local: gnb.LocalGateway, kernel: Kernel, tmp_path: Path) -> None:
    """A device that has to be approved shows a card with the command; --wait goes on by itself once approved."""
    options: dict[str, Any] = {"client_name": "cli", "mode": "cli", "device_identity": str(tmp_path / "key.json")}
    gnb.connect(local.url, token=local.token, name="first", platform="linux", **options).close()
    kernel.run("%load_ext gateway_nb\nimport functools\nimport gateway_nb.faces.connections as connections")
    known = f"{options!r}, platform='win32'"
    kernel.run(f"connections.connect = functools.partial(connections.connect, **dict({known}))")
    refused = kernel.run("%gateway connect")
    assert refused.status == "error"
    assert "has to approve this device" in refused.displays[0]["text/html"]
    assert "openclaw devices approve" in refused.displays[0]["text/plain"]
    assert len(refused.error) == 1
    cell = kernel.start("%gateway connect --wait 60")
    with gnb.connect(local.url, token=local.token, name="admin", device_identity=None) as admin:
        until(lambda: len(admin.call.device.pair.list()["pending"]) > 1)
        admin.call.device.pair.approve(requestId=admin.call.device.pair.list()["pending"][-1]["requestId"])
    outcome = kernel.outcome(cell)
    assert outcome.status == "ok"
    assert "this cell continues by itself" in outcome.displays[0]["text/html"]
    assert "connected" in outcome.displays[-1]["text/html"]


def test_an_await_cell(local: gnb.LocalGateway, kernel: Kernel) -> None:
    """Sync calls and awaited handles both work in a cell with top-level await."""
    kernel.run("import gateway_nb as gnb; gw = gnb.connect()")
    assert kernel.run("print((await gw.submit('health'))['ok'], gw.request('health')['ok'])").text == "True True\n"
    code = "async with gnb.AsyncGateway() as agw:\n    print((await agw.request('health'))['ok'])"
    assert kernel.run(code).text == "True\n"


def test_a_restarted_kernel(local: gnb.LocalGateway, kernel: Kernel) -> None:
    """A kernel that is shut down closes its connection with code 1000."""
    assert kernel.run("import gateway_nb as gnb; gw = gnb.connect()").status == "ok"
    until(lambda: local.peers)
    (peer,) = local.peers
    kernel.manager.restart_kernel()
    kernel.client.wait_for_ready(timeout=60)
    assert peer._socket.close_code == 1000
    assert not local.peers


def test_unload(local: gnb.LocalGateway, kernel: Kernel) -> None:
    """%unload_ext takes the magics out again; a second %load_ext brings them back."""
    kernel.run("%load_ext gateway_nb\n%unload_ext gateway_nb")
    outcome = kernel.run("%gateway")
    assert outcome.status == "error"
    assert "`%gateway` not found" in outcome.everything
    assert "not connected" in kernel.run("%load_ext gateway_nb\n%gateway").text


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("%gateway connect --token abc", "CommandError: --token is refused"),
        ("%%gateway\n{}", "CommandError: %%gateway needs a method"),
        ("%%gateway health\n- 1", "CommandError: the body is a list; params are a mapping"),
        ("%gateway frobnicate", "CommandError: %gateway has no command 'frobnicate'"),
        ("%gateway call health", "GatewayClosedError: there is no connection 'default'; run: %gateway connect"),
        ("%gateway connect ws://10.0.0.1", "InsecureUrlError: refused plain ws:// to '10.0.0.1'"),
    ],
)
def test_errors_are_one_line(local: gnb.LocalGateway, shared_kernel: Kernel, code: str, message: str) -> None:
    """A mistake fails the cell with one line that says what to do; under it, the place in the body, if it is there."""
    outcome = shared_kernel.run(code)
    assert outcome.status == "error"
    assert len(outcome.error) == (3 if "the body" in message else 1)
    assert outcome.error[0].startswith(message)
