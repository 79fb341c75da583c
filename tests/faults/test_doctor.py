"""`gateway-nb doctor` in broken set-ups: it names the fault, says what to do, and changes nothing."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from websockets.asyncio.server import ServerConnection

import gateway_nb as gnb
from gateway_nb import nesting
from gateway_nb.cli.main import main
from gateway_nb.diagnosis import reach
from gateway_nb.identity import device
from gateway_nb.identity.device import DeviceIdentity
from gateway_nb.identity.tokens import DeviceTokens
from tests.helpers.servers import CHALLENGE, HELLO, certificate, raw_server, socket_server, welcome
from tests.helpers.support import async_test, until

TOKEN = "token-that-nobody-may-see"
CLI: dict[str, Any] = {"client_name": "cli", "mode": "cli"}


@dataclass
class Setup:
    """A staged set-up: what the command is called with."""

    url: str
    options: list[str] = field(default_factory=list)
    token: str = TOKEN


Stage = Callable[[pytest.MonkeyPatch, Path], AbstractAsyncContextManager[Setup]]


def staged(stage: Callable[[pytest.MonkeyPatch, Path], AsyncIterator[Setup]]) -> Stage:
    return contextlib.asynccontextmanager(stage)


@staged
async def no_server(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield Setup(f"ws://127.0.0.1:{probe.getsockname()[1]}")


@staged
async def wrong_port(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    async def web_server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async with raw_server(web_server) as port:
        yield Setup(f"ws://127.0.0.1:{port}")


@staged
async def busy_port(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    async def other_service(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"-ERR unknown command\r\n")
        await writer.drain()

    async with raw_server(other_service) as port:
        yield Setup(f"ws://127.0.0.1:{port}")


@staged
async def silent_port(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async with raw_server(silence) as port:
        yield Setup(f"ws://127.0.0.1:{port}", ["--timeout", "0.3"])


@staged
async def wrong_token(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    with gnb.LocalGateway() as local:
        yield Setup(local.url)


@staged
async def no_credential(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    with gnb.LocalGateway() as local:
        yield Setup(local.url, token="")


@staged
async def pin_mismatch(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    context, _, _ = certificate(folder)
    heard = b""

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heard
        heard += await reader.read()

    async with raw_server(listen, ssl=context) as port:
        yield Setup(f"wss://127.0.0.1:{port}", ["--tls-fingerprint", "00" * 32])
    assert heard == b""


@staged
async def self_signed(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    context, _, _ = certificate(folder)
    async with socket_server(welcome, ssl=context) as url:
        yield Setup(url.replace("ws:", "wss:"))


@staged
async def refused_url(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    monkeypatch.setattr(reach, "check", None)  # nothing may be tried
    yield Setup("ws://10.1.2.3")


@staged
async def no_such_host(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    yield Setup("wss://no..host")  # no resolver is asked for a name that can't be one


@staged
async def clock_ahead(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    hour_ago = int((time.time() - 3600) * 1000)

    async def gateway(socket: ServerConnection) -> None:
        await welcome(socket, challenge=CHALLENGE.replace('"ts": 1', f'"ts": {hour_ago}'))
        await socket.wait_closed()

    async with socket_server(gateway) as url:
        yield Setup(url)


@staged
async def clock_refused(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    """A gateway that does not tell its time in the challenge can only refuse a signature of another time."""
    async with refusing("device signature expired", {"code": "DEVICE_AUTH_SIGNATURE_EXPIRED"}) as url:
        yield Setup(url)


@staged
async def unreadable_key(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    new_key(lambda path: path.write_text(path.read_text()[:50]))
    with gnb.LocalGateway(token=TOKEN) as local:
        yield Setup(local.url)


@staged
async def key_open_to_all(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    new_key(lambda path: path.chmod(0o644))
    with gnb.LocalGateway(token=TOKEN) as local:
        yield Setup(local.url)


@staged
async def paused_pairing(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    """A connection of this process that the gateway wants approved before it comes back."""
    with gnb.LocalGateway(token=TOKEN) as local, contextlib.ExitStack() as stack:
        gw = await asyncio.to_thread(gnb.connect, local.url, token=TOKEN, **CLI)
        stack.callback(gw.close)
        for device in local.admission.devices.values():
            device.platform = "another"
        local.drop()
        await asyncio.to_thread(until, lambda: gw.status.state == "paused")
        yield Setup(local.url)


@staged
async def old_protocol(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    """Gateways of before protocol 3 say it in the message alone."""
    async with refusing("protocol mismatch", None) as url:
        yield Setup(url)


@staged
async def missing_extra(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    hide(monkeypatch, "altair")
    with gnb.LocalGateway(token=TOKEN) as local:
        yield Setup(local.url)


@staged
async def missing_package(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    hide(monkeypatch, "msgspec")
    monkeypatch.setattr(reach, "check", None)
    yield Setup("ws://127.0.0.1:1")


@staged
async def old_package(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    versions = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "9.0" if name == "websockets" else versions(name))
    with gnb.LocalGateway(token=TOKEN) as local:
        yield Setup(local.url)


@staged
async def nest_asyncio_applied(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    monkeypatch.setattr(asyncio.run, "__module__", "nest_asyncio")  # the mark that its apply() leaves
    monkeypatch.setattr(nesting, "_kernel", lambda: "7.4.0")
    with gnb.LocalGateway(token=TOKEN) as local:
        yield Setup(local.url)


@staged
async def a_variable_that_does_not_count(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    monkeypatch.setenv("OPENCLAW_ALLOW_INSECURE_PRIVATE_WS", "true")
    with gnb.LocalGateway(token=TOKEN) as local:
        yield Setup(local.url)


@staged
async def no_challenge(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    async def says_nothing(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async with socket_server(says_nothing) as url:
        yield Setup(url, ["--timeout", "0.3"])


@staged
async def no_hello(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    async def only_challenges(socket: ServerConnection) -> None:
        await socket.send(CHALLENGE)
        await socket.wait_closed()

    async with socket_server(only_challenges) as url:
        yield Setup(url, ["--timeout", "0.3"])


@staged
async def starting(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    async with refusing("gateway starting", {"reason": "startup-sidecars"}) as url:
        yield Setup(url, ["--timeout", "0.3"])


@staged
async def few_scopes(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    monkeypatch.setitem(HELLO, "auth", {"role": "operator", "scopes": ["operator.read"]})

    async def gateway(socket: ServerConnection) -> None:
        await welcome(socket)
        await socket.wait_closed()

    async with socket_server(gateway) as url:
        yield Setup(url)


@staged
async def another_devices_token(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    new_key(lambda path: None)
    path = device.default_path().with_name("device-auth.json")
    DeviceTokens("another device", "ws://127.0.0.1:1", path).store("operator", "t", ["operator.read"])
    with gnb.LocalGateway(token=TOKEN) as local:
        yield Setup(local.url)


@staged
async def token_open_to_all(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    new_key(lambda path: None)
    DeviceTokens(DeviceIdentity.load_or_create().device_id, "ws://127.0.0.1:1").store(
        "operator", "t", ["operator.read"]
    )
    new_key(lambda path: path.with_name("device-auth.json").chmod(0o640))
    with gnb.LocalGateway(token=TOKEN) as local:
        yield Setup(local.url)


@staged
async def a_home_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with gnb.LocalGateway(token=TOKEN) as local:
        yield Setup(local.url)


@staged
async def a_home_under_a_file(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    (folder / "file").touch()
    monkeypatch.setenv("GATEWAY_NB_HOME", str(folder / "file" / "home"))
    with gnb.LocalGateway(token=TOKEN) as local:
        yield Setup(local.url)


@staged
async def no_such_library(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    monkeypatch.setenv("GATEWAY_NB_TRANSPORT", "carrier-pigeon")
    monkeypatch.setattr(reach, "check", None)
    yield Setup("ws://127.0.0.1:1")


@staged
async def hung_up(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    async def starting(socket: ServerConnection) -> None:
        await socket.send(CHALLENGE)
        await socket.recv()
        await socket.close(1013, "")

    async with socket_server(starting) as url:
        yield Setup(url, ["--timeout", "0.3"])


@staged
async def hung_up_for_no_reason(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    async def closing(socket: ServerConnection) -> None:
        await socket.send(CHALLENGE)
        await socket.recv()
        await socket.close()

    async with socket_server(closing) as url:
        yield Setup(url)


@staged
async def key_that_stays_open(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    new_key(lambda path: path.chmod(0o644))
    monkeypatch.setattr(os, "chmod", denied)
    with gnb.LocalGateway(token=TOKEN) as local:
        yield Setup(local.url)


@staged
async def token_of_an_unknown_gateway(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    new_key(lambda path: None)
    identity = DeviceIdentity.load_or_create()
    document = {"deviceId": identity.device_id, "tokens": {"operator": {"token": "t"}}}
    new_key(lambda path: write_tokens(path, json.dumps(document)))
    with gnb.LocalGateway(token=TOKEN) as local:
        yield Setup(local.url)


@staged
async def huge_token_file(monkeypatch: pytest.MonkeyPatch, folder: Path) -> AsyncIterator[Setup]:
    new_key(lambda path: write_tokens(path, " " * 2_000_000))
    with gnb.LocalGateway(token=TOKEN) as local:
        yield Setup(local.url)


@contextlib.asynccontextmanager
async def refusing(message: str, details: Any) -> AsyncIterator[str]:
    async def gateway(socket: ServerConnection) -> None:
        await socket.send(CHALLENGE)
        request = json.loads(await socket.recv())
        error = {"code": "INVALID_REQUEST", "message": message, "details": details}
        await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": False, "error": error}))
        await socket.close(1002, message)

    async with socket_server(gateway) as url:
        yield url


def new_key(harm: Callable[[Path], object]) -> None:
    DeviceIdentity.load_or_create()
    harm(Path(os.environ["GATEWAY_NB_HOME"], "identity", "device.json"))


def write_tokens(key: Path, content: str) -> None:
    path = key.with_name("device-auth.json")
    path.write_text(content)
    path.chmod(0o600)


def hide(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    versions = metadata.version

    def version(name: str) -> str:
        if name == package:
            raise metadata.PackageNotFoundError(name)
        return versions(name)

    monkeypatch.setattr(metadata, "version", version)


# set-up -> the check that names the fault, its mark, what it says, and what it says to do
CASES: list[tuple[Stage, str, str, str, str]] = [
    (no_server, "tcp", "✗", "nothing listens", "start the gateway"),
    (wrong_port, "upgrade", "✗", "is a web server, not a gateway: it answered HTTP 404", "check the port"),
    (busy_port, "upgrade", "✗", "does not speak WebSocket", "is it a TLS port?"),
    (silent_port, "upgrade", "✗", "did not answer within 0.3 s", "is this a gateway's port?"),
    (wrong_token, "sign-in", "✗", "gateway token mismatch", "pass --token-env"),
    (no_credential, "sign-in", "✗", "unauthorized: gateway token m", "pass --token-env"),
    (pin_mismatch, "tls", "✗", "is not the pinned one", "pin the new one"),
    (self_signed, "tls", "✗", "can't be verified", "pass --tls-fingerprint"),
    (refused_url, "url", "✗", "refused plain ws:// to '10.1.2.3'", "use wss://"),
    (no_such_host, "name", "✗", "has no address", "check the host's name"),
    (clock_ahead, "clock", "!", "this computer's clock is 1.0 h ahead of the gateway's", "set the clock"),
    (clock_refused, "clock", "✗", "device signature expired", "set this computer's clock"),
    (unreadable_key, "device key", "✗", "can't be used: it is not JSON", "restore it, or move it away"),
    (key_open_to_all, "device key", "!", "open to other users of this computer (mode 644)", "chmod 600"),
    (key_that_stays_open, "device key", "✗", "and that can't be changed: Operation not permitted", "chmod go="),
    (paused_pairing, "connection default", "✗", "paused", "then connect again"),
    (paused_pairing, "pairing", "✗", "pairing required", "openclaw devices approve"),
    (old_protocol, "protocol", "✗", "(this client speaks 3 to 4)", "whichever is older"),
    (missing_extra, "extra plot", "·", "altair is missing", "pip install 'gateway-nb[plot]'"),
    (missing_package, "packages", "✗", "msgspec is missing", "pip install"),
    (old_package, "packages", "✗", "websockets 9.0 is older than", "pip install"),
    (nest_asyncio_applied, "nest_asyncio", "✗", "queued cells never run", "restart the kernel"),
    (a_variable_that_does_not_count, "environment", "!", "OPENCLAW_ALLOW_INSECURE_PRIVATE_WS", "only when it is 1"),
    (no_challenge, "challenge", "✗", "connect challenge", "is this a gateway's port?"),
    (no_hello, "sign-in", "✗", "no answer within 0.3 s", "is the gateway busy?"),
    (starting, "sign-in", "✗", "gateway starting", "try again in a few seconds"),
    (few_scopes, "scopes", "!", "granted: operator.read; not granted: operator.admin", "has to grant operator.admin"),
    (another_devices_token, "device token", "!", "is another device's", "the next connection"),
    (token_of_an_unknown_gateway, "device token", "!", "one of an unknown gateway", "connect once with --token-env"),
    (huge_token_file, "device token", "!", "it is larger than 1,000,000 bytes", "move it away"),
    (token_open_to_all, "device token", "!", "open to other users of this computer (mode 640)", "chmod 600"),
    (a_home_that_cannot_be_written, "device key", "!", "can't be written", "GATEWAY_NB_HOME"),
    (a_home_under_a_file, "device key", "!", "can't be written", "GATEWAY_NB_HOME"),
    (no_such_library, "websocket", "✗", "must be one of picows, websockets", "unset it"),
    (hung_up, "sign-in", "✗", "gateway closed (1013): try again later", "try again in a few seconds"),
    (hung_up_for_no_reason, "sign-in", "✗", "gateway closed (1000): normal closure", "the gateway's log says why"),
]


def names(cases: list[tuple[Stage, str, str, str, str]]) -> list[str]:
    return [f"{stage.__wrapped__.__name__}-{check}" for stage, check, *_ in cases]  # type: ignore[attr-defined]


def examine(setup: Setup, *more: str) -> Any:
    options = [*setup.options, "--token-env", "T"] if setup.token else setup.options
    done = CliRunner().invoke(main, ["doctor", setup.url, *options, *more], env={"T": setup.token})
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def kept() -> dict[str, tuple[bytes, int]]:
    """Everything in this test's home that is no lock."""
    files = Path(os.environ["GATEWAY_NB_HOME"]).rglob("*.json")
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


@pytest.mark.parametrize(("stage", "check", "mark", "says", "advises"), CASES, ids=names(CASES))
@async_test
async def test_the_fault_is_named(
    stage: Stage,
    check: str,
    mark: str,
    says: str,
    advises: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The doctor names the fault, says in one line what to do, shows no token, and leaves every file as it was."""
    async with stage(monkeypatch, tmp_path) as setup:
        before = kept()
        done = await asyncio.to_thread(examine, setup)
        machine = await asyncio.to_thread(examine, setup, "--json")
        assert kept() == before
    lines = done.output.splitlines()
    row = next(index for index, line in enumerate(lines) if line.startswith(f"{mark} {check} "))
    assert says in lines[row]
    assert advises in lines[row + 1]
    assert TOKEN not in done.output + machine.output
    assert (done.exit_code, f"{check}" in lines[-1]) == ((1, True) if mark == "✗" else (0, False))
    finding = next(one for one in json.loads(machine.output)["findings"] if one["check"] == check)
    assert says in finding["detail"]
    assert json.loads(machine.output)["ok"] is (mark != "✗")


@pytest.mark.parametrize("protocol", [3, 4])
def test_nothing_is_wrong(protocol: int) -> None:
    """Where nothing is wrong every step is a tick, the exit code is 0, and an older protocol is said to be one."""
    with gnb.LocalGateway(token=TOKEN, protocol=protocol) as local:
        done = examine(Setup(local.url))
    assert done.exit_code == 0
    lines = done.output.splitlines()
    for check in ("tcp", "upgrade", "challenge", "clock", "sign-in", "protocol", "scopes"):
        assert any(line.startswith(f"✓ {check} ") for line in lines)
    assert ("older generation" in done.output) is (protocol == 3)
    assert lines[-1].startswith("nothing is wrong")


@async_test
async def test_a_pinned_certificate(tmp_path: Path) -> None:
    """The right pin is a tick, with the TLS version."""
    context, pin, _ = certificate(tmp_path)

    async def gateway(socket: ServerConnection) -> None:
        await welcome(socket)
        await socket.wait_closed()

    async with socket_server(gateway, ssl=context) as url:
        setup = Setup(url.replace("ws:", "wss:"), ["--tls-fingerprint", pin])
        done = await asyncio.to_thread(examine, setup)
    assert "TLSv1.3, the certificate is the pinned one" in done.output


def test_the_stored_device_token() -> None:
    """A wrong token is only a warning where the stored device token would get in, and that token stays stored."""
    with gnb.LocalGateway() as local:
        gnb.connect(local.url, token=local.token, **CLI).close()
        before = kept()
        report = gnb.doctor(local.url, token=TOKEN, **CLI)
        refused = gnb.doctor(local.url, device_token=TOKEN, **CLI)
        accepted = gnb.doctor(local.url, **CLI)
        assert kept() == before
    assert report.ok
    assert "continues with the stored device token" in repr(report)
    assert [finding.check for finding in refused.failures] == ["sign-in"]
    assert "with token and device token" in repr(accepted)


def test_a_token_that_is_replaced() -> None:
    """A device token that the gateway replaces is kept, since the stored one is worth nothing from then on."""
    with gnb.LocalGateway() as local:
        gnb.connect(local.url, token=local.token, scopes=["operator.read"], **CLI).close()
        before = kept()
        assert gnb.doctor(local.url, token=local.token, scopes=["operator.admin"], **CLI).ok
        assert kept() != before
        assert gnb.doctor(local.url, **CLI).ok


@pytest.mark.parametrize(
    ("make", "verdict", "says"),
    [
        (lambda folder: None, "skip", "not used"),
        (lambda folder: DeviceIdentity.generate(), "ok", "passed as an object"),
        (lambda folder: folder / "none.json", "skip", "the first connection creates"),
    ],
)
def test_which_key(make: Callable[[Path], Any], verdict: str, says: str, tmp_path: Path) -> None:
    """The key that a connection would use is the one that is looked at."""
    with gnb.LocalGateway() as local:
        report = gnb.doctor(local.url, token=local.token, device_identity=make(tmp_path))
    key = next(finding for finding in report.findings if finding.check == "device key")
    assert (key.verdict, says in key.detail, report.ok) == (verdict, True, True)
    assert not (tmp_path / "none.json").exists()


def test_a_wrong_option() -> None:
    """A fingerprint that is none is wrong usage, before anything is looked at."""
    done = CliRunner().invoke(main, ["doctor", "wss://127.0.0.1:1", "--tls-fingerprint", "xyz"])
    assert done.exit_code == 2
    assert "64 hex digits" in done.output
