"""What a gateway is sent of the credentials that are there, seen by gateways that write it down."""

from __future__ import annotations

import asyncio
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from filelock import FileLock
from websockets.asyncio.server import ServerConnection

import gateway_nb as gnb
from gateway_nb.cli.main import main
from gateway_nb.identity import device, files
from gateway_nb.identity.device import DeviceIdentity
from gateway_nb.identity.tokens import DeviceTokens
from gateway_nb.notebook.magics.settings import settings as shown_settings
from gateway_nb.notebook.widgets.connect_form import ConnectForm
from tests.helpers.servers import CHALLENGE, HELLO, answer_all, socket_server
from tests.helpers.support import async_test, until

ENV_TOKEN, ENV_PASSWORD, TOKEN_OF_A = "token-of-the-environment", "password-of-the-environment", "device-token-of-A"


class Scripted:
    """A gateway that keeps every ``connect`` it gets.

    Args:
        auth: of its hello-ok.
        open_to_all: let in whoever comes without a credential, too.
    """

    def __init__(self, auth: dict[str, Any] | None = None, *, open_to_all: bool = True) -> None:
        self.heard: list[dict[str, Any]] = []
        self._auth = auth or HELLO["auth"]
        self._open_to_all = open_to_all

    async def __call__(self, socket: ServerConnection) -> None:
        await socket.send(CHALLENGE)
        request = json.loads(await socket.recv())
        self.heard.append(request["params"])
        answer: dict[str, Any] = {
            "type": "res",
            "id": request["id"],
            "ok": True,
            "payload": {**HELLO, "auth": self._auth},
        }
        if "auth" not in request["params"] and not self._open_to_all:
            error = {"code": "INVALID_REQUEST", "message": "unauthorized", "details": {"code": "AUTH_TOKEN_MISSING"}}
            answer = {"type": "res", "id": request["id"], "ok": False, "error": error}
        await socket.send(json.dumps(answer))
        await answer_all(socket)


def issuing(token: str, **more: Any) -> dict[str, Any]:
    return {"role": "operator", "scopes": ["operator.admin"], "deviceToken": token, **more}


def token_file() -> Path:
    return Path(os.environ["GATEWAY_NB_HOME"], "identity", "device-auth.json")


def kept() -> dict[str, Any]:
    """Role and token, of each gateway in the token file."""
    document = json.loads(token_file().read_text())
    return {
        gateway: {role: entry["token"] for role, entry in roles.items()}
        for gateway, roles in document["gateways"].items()
    }


def with_client(url: str) -> None:
    async def connect() -> None:
        async with gnb.AsyncGateway(url):
            pass

    asyncio.run(connect())


def with_command(*arguments: str) -> Callable[[str], None]:
    def run(url: str) -> None:
        done = CliRunner().invoke(main, [argument.replace("URL", url) for argument in arguments])
        assert done.exit_code == 0, done.output
        assert ENV_TOKEN not in done.output

    return run


WAYS: dict[str, Callable[[str], object]] = {
    "AsyncGateway": with_client,
    "connect": lambda url: gnb.connect(url).close(),
    "doctor": gnb.doctor,
    "call": with_command("call", "health", "--url", "URL"),
    "doctor command": with_command("doctor", "URL"),
}


@pytest.mark.parametrize("way", WAYS)
@async_test
async def test_nothing_of_another_gateways_is_sent(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However one connects to a gateway, it hears nothing of another one's device token or of the environment's."""
    a, b = Scripted(issuing(TOKEN_OF_A)), Scripted(issuing("device-token-of-B"))
    async with socket_server(a) as url_a, socket_server(b) as url_b:
        async with gnb.AsyncGateway(url_a, token="shared-token-of-A"):
            pass
        assert kept() == {url_a: {"operator": TOKEN_OF_A}}
        monkeypatch.setenv("OPENCLAW_GATEWAY_URL", url_a)
        monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", ENV_TOKEN)
        monkeypatch.setenv("OPENCLAW_GATEWAY_PASSWORD", ENV_PASSWORD)
        await asyncio.to_thread(WAYS[way], url_b)
        assert [params.get("auth") for params in b.heard] == [None]
        for secret in (ENV_TOKEN, ENV_PASSWORD, "of-A"):
            assert secret not in json.dumps(b.heard)
        assert kept()[url_a] == {"operator": TOKEN_OF_A}
        await asyncio.to_thread(WAYS[way], url_a)
        assert a.heard[-1]["auth"] == {"token": ENV_TOKEN, "password": ENV_PASSWORD}


@async_test
async def test_the_refusal_says_what_was_withheld(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a gateway wants a credential, and the environment's is another's, the error says so and what to do."""
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", ENV_TOKEN)
    async with socket_server(Scripted(open_to_all=False)) as url:
        with pytest.raises(gnb.AuthenticationError) as caught:
            await gnb.AsyncGateway(url).connect()
        report = await asyncio.to_thread(gnb.doctor, url)
        async with gnb.AsyncGateway(url, token=os.environ["OPENCLAW_GATEWAY_TOKEN"]):
            pass
    for said in (str(caught.value), str(report.failures[-1].advice)):
        assert "OPENCLAW_GATEWAY_TOKEN was withheld: it is for ws://127.0.0.1:18789 alone" in said
        assert 'pass token=os.environ["OPENCLAW_GATEWAY_TOKEN"] (or --token-env OPENCLAW_GATEWAY_TOKEN)' in said
        assert ENV_TOKEN not in said
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("command", [["call", "health", "--url"], ["doctor"]])
@async_test
async def test_a_password_in_a_shell(monkeypatch: pytest.MonkeyPatch, command: list[str]) -> None:
    """What a refusal says of the environment's password can be done: there is an option that names the variable."""
    monkeypatch.setenv("OPENCLAW_GATEWAY_PASSWORD", ENV_PASSWORD)
    gateway = Scripted(open_to_all=False)
    async with socket_server(gateway) as url:
        refused = await asyncio.to_thread(CliRunner().invoke, main, [*command, url])
        assert "OPENCLAW_GATEWAY_PASSWORD was withheld" in refused.output
        assert "--password-env OPENCLAW_GATEWAY_PASSWORD" in refused.output
        arguments = [*command, url, "--password-env", "OPENCLAW_GATEWAY_PASSWORD"]
        done = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    assert done.exit_code == 0, done.output
    assert gateway.heard[-1]["auth"] == {"password": ENV_PASSWORD}
    assert ENV_PASSWORD not in refused.output + done.output


@async_test
async def test_a_token_of_an_unknown_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that an earlier version kept is sent nowhere; once it is said, and in the refusal, what to do."""
    identity = DeviceIdentity.load_or_create()
    old = {"operator": {"token": TOKEN_OF_A, "role": "operator", "scopes": [], "updatedAtMs": 1}}
    token_file().write_text(json.dumps({"version": 1, "deviceId": identity.device_id, "tokens": old}))
    b = Scripted(issuing("device-token-of-B"), open_to_all=False)
    async with socket_server(b) as url:
        client = gnb.AsyncGateway(url)
        for _ in range(2):
            with pytest.raises(gnb.AuthenticationError, match=r"sent to none: connect once with .*token=.* or pair"):
                await client.connect()
        assert len([line for line in client.log if line.startswith("warning") and "sent to none" in line]) == 1
        async with gnb.AsyncGateway(url, token="shared") as shared:
            assert not any("sent to none" in line for line in shared.log)
        async with gnb.AsyncGateway(url) as again:
            assert not any("sent to none" in line for line in again.log)
    assert [params.get("auth") for params in b.heard] == [
        None,
        None,
        {"token": "shared"},
        {"token": "device-token-of-B", "deviceToken": "device-token-of-B"},
    ]
    assert json.loads(token_file().read_text())["tokens"] == old


@async_test
async def test_no_second_try_with_another_gateways_token() -> None:
    """A gateway that asks for the stored token after a wrong one gets its own, never another's."""
    refusal = {"code": "AUTH_TOKEN_MISMATCH", "canRetryWithDeviceToken": True}
    heard: list[dict[str, Any]] = []

    async def asks_for_more(socket: ServerConnection) -> None:
        await socket.send(CHALLENGE)
        request = json.loads(await socket.recv())
        heard.append(request["params"]["auth"])
        error = {"code": "INVALID_REQUEST", "message": "no", "details": refusal}
        await socket.send(json.dumps({"type": "res", "id": request["id"], "ok": False, "error": error}))
        await socket.wait_closed()

    async with socket_server(Scripted(issuing(TOKEN_OF_A))) as url_a, socket_server(asks_for_more) as url_b:
        async with gnb.AsyncGateway(url_a, token="t"):
            pass
        with pytest.raises(gnb.AuthenticationError):
            await gnb.AsyncGateway(url_b, token="t").connect()
    assert heard == [{"token": "t"}]


@pytest.mark.parametrize(
    ("auth", "why"),
    [
        (issuing("x" * 4097), "can't be kept"),
        (issuing("t" * 20, scopes=["s" * 129]), "can't be kept"),
        (issuing("t" * 20, scopes=[f"s{number}" for number in range(65)]), "can't be kept"),
        (issuing("t" * 20, role="node"), "is for the role node"),
    ],
)
@async_test
async def test_device_tokens_that_are_not_kept(auth: dict[str, Any], why: str) -> None:
    """A token without measure, or for a role that did not connect, is not kept, which is said."""
    async with socket_server(Scripted(auth)) as url, gnb.AsyncGateway(url, token="t") as agw:
        assert any(line.startswith("warning") and why in line for line in agw.log)
    assert not token_file().exists()


@async_test
async def test_tokens_of_invented_roles() -> None:
    """Of all the tokens in a hello-ok the one for the role that connected is kept."""
    more = [{"role": f"role-{number}", "deviceToken": f"token-{number}"} for number in range(33)]
    async with socket_server(Scripted(issuing("mine", deviceTokens=more))) as url, gnb.AsyncGateway(url, token="t"):
        pass
    assert kept() == {url: {"operator": "mine"}}


@pytest.mark.parametrize("explicit", [False, True])
@async_test
async def test_files_that_are_open_to_others(explicit: bool, tmp_path: Path) -> None:
    """A key or token file that others can read is closed to them by connecting, with a warning."""
    key = tmp_path / "key.json" if explicit else device.default_path()
    async with socket_server(Scripted(issuing("token-for-this-device"))) as url:
        options: dict[str, Any] = {"device_identity": key} if explicit else {}
        async with gnb.AsyncGateway(url, token="t", **options):
            pass
        (tokens,) = token_file().parent.glob("device-auth*.json")
        key.chmod(0o644)
        tokens.chmod(0o640)
        async with gnb.AsyncGateway(url, token="t", **options) as agw:
            warnings = [line for line in agw.log if "was open to other users" in line]
    assert [("key.json" in line or "device.json" in line, str(tokens) in line) for line in warnings] == [
        (True, False),
        (False, True),
    ]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (key, tokens)} == {0o600}


@async_test
async def test_a_key_that_stays_open_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that others can read, of which that can't be changed, opens no socket; the error says what to do."""
    DeviceIdentity.load_or_create()
    device.default_path().chmod(0o644)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", denied)
    b = Scripted()
    async with socket_server(b) as url:
        with pytest.raises(gnb.IdentityError, match="open to other users") as caught:
            await gnb.AsyncGateway(url, token="t").connect()
        report = await asyncio.to_thread(gnb.doctor, url, token="t")
    assert isinstance(caught.value, gnb.GatewayConnectError)
    assert [finding.check for finding in report.failures] == ["device key"]
    assert "chmod go=" in str(report.failures[0].advice)


@async_test
async def test_a_token_file_without_measure() -> None:
    """A token file that has grown huge is not read and not replaced; the refusal says why nothing was sent."""
    DeviceIdentity.load_or_create()
    token_file().write_bytes(b" " * 2_000_000)
    async with socket_server(Scripted(issuing("mine"), open_to_all=False)) as url:
        with pytest.raises(gnb.AuthenticationError, match=r"can't be read: .*larger than 1,000,000 bytes"):
            await gnb.AsyncGateway(url).connect()
        async with gnb.AsyncGateway(url, token="t") as agw:
            assert any("can't be kept on disk" in line for line in agw.log)
    assert token_file().stat().st_size == 2_000_000


PATH_URLS = ["/hush", "/hush/?token=hush", "?hush"]


@pytest.mark.parametrize("path", PATH_URLS)
@async_test
async def test_a_urls_path_is_not_shown(path: str) -> None:
    """What may be a token in a URL is sent to the gateway, and stands in nothing that is shown."""
    asked = []

    async def gateway(socket: ServerConnection) -> None:
        assert socket.request is not None
        asked.append(socket.request.path)
        await Scripted()(socket)

    async with socket_server(gateway) as url:
        async with gnb.AsyncGateway(url + path, token="t") as agw:
            shown = [repr(agw), repr(agw.status), agw.status._repr_html_(), repr(agw.core.settings), *agw.log]
        report = await asyncio.to_thread(gnb.doctor, url + path, token="t")
    assert "hush" in asked[0]
    with pytest.raises(gnb.GatewayConnectError) as caught:
        await gnb.AsyncGateway(url + path, token="t").connect()
    assert "hush" not in "".join([*shown, repr(report), str(caught.value)])


@async_test
async def test_the_form_keeps_a_urls_path_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The form tells no page and no file the path of a URL, and connects to the environment's with its path."""
    said: list[Any] = []
    asked: list[str] = []
    monkeypatch.setattr(ConnectForm, "post", lambda self, kind, content, to=None: said.append(content))

    async def gateway(socket: ServerConnection) -> None:
        assert socket.request is not None
        asked.append(socket.request.path)
        await Scripted()(socket)

    def use(url: str) -> None:
        form = ConnectForm()
        form.opened("view")
        form._on_connect("view", {"url": url, "auth": "token", "secret": "t"})
        until(lambda: form._connecting is None)
        assert form.gateway.status.state == "connected"
        form.opened("view")
        form._on_disconnect("view", {})
        form.close()
        said.append(Path(os.environ["GATEWAY_NB_HOME"], "connect-form.json").read_text())

    async with socket_server(gateway) as url:
        await asyncio.to_thread(use, url + "/hush?typed")
        monkeypatch.setenv("OPENCLAW_GATEWAY_URL", url + "/hush?own")
        await asyncio.to_thread(use, url)
    assert asked == ["/hush?typed", "/hush?own"]
    assert url in json.dumps(said)
    assert "hush" not in json.dumps(said)


@pytest.mark.parametrize("url", ["wss://a.example/hush?hush", "hush"])
def test_the_settings_table_hides_a_urls_path(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of settings says that the URL is the environment's, and shows scheme, host and port of it."""
    from gateway_nb.notebook.magics.magics import GatewayMagics

    monkeypatch.setenv("OPENCLAW_GATEWAY_URL", url)
    table = shown_settings(GatewayMagics(None))
    assert table.loc["url", "from"] == "environment OPENCLAW_GATEWAY_URL"
    assert "hush" not in table.to_string()


@async_test
async def test_a_locked_token_file_holds_up_nobody_else() -> None:
    """While another process holds the token file's lock, connecting waits; other connections go on."""
    with gnb.LocalGateway() as local, FileLock(files.identity_folder() / "device-auth.json.lock") as lock:
        async with gnb.AsyncGateway(local.url, token=local.token, device_identity=None) as bystander:
            agw = gnb.AsyncGateway(local.url, token=local.token, client_name="cli", mode="cli")
            connecting = asyncio.create_task(agw.connect())
            while agw.status.state != "connected":
                await asyncio.sleep(0.01)
            for _ in range(10):
                await asyncio.wait_for(bystander.request("health"), 2)
            assert not connecting.done()
            lock.release()
            await connecting
            await agw.close()
    assert local.url.encode() in (files.identity_folder() / "device-auth.json").read_bytes()


@pytest.mark.parametrize("way", ["connect", "doctor"])
@async_test
async def test_a_password_that_is_a_word(way: str) -> None:
    """A password that is part of every scope's name is hidden where scopes are shown; the token's own stay whole."""
    gateway = Scripted(issuing(TOKEN_OF_A, scopes=["operator.read"]))
    options: dict[str, Any] = {"password": "operator", "scopes": ["operator.read"]}
    async with socket_server(gateway) as url:
        async with gnb.AsyncGateway(url, **options) as agw:
            assert agw.status.scopes == ("[secret].read",)
            assert agw.status.problems == ()
        if way == "doctor":
            report = await asyncio.to_thread(gnb.doctor, url, **options)
            scopes = next(finding for finding in report.findings if finding.check == "scopes")
            assert (scopes.verdict, scopes.detail) == ("ok", "[secret].read")
        (entry,) = json.loads(token_file().read_text())["gateways"].values()
        assert (entry["operator"]["token"], entry["operator"]["scopes"]) == (TOKEN_OF_A, ["operator.read"])


@pytest.mark.filterwarnings("ignore:no agent can call")
def test_tokens_of_several_keys(tmp_path: Path) -> None:
    """A key of another connection, or of a tool's node, never takes the place of the default key's tokens."""
    key = tmp_path / "key.json"
    with gnb.LocalGateway() as local:
        DeviceTokens(DeviceIdentity.load_or_create().device_id, local.url).store("operator", "t", ["operator.read"])
        before = token_file().read_bytes()
        with gnb.connect(local.url, token=local.token, device_identity=key) as gw:

            @gw.tool
            def nothing() -> None:
                """Do nothing."""

            gw.tools.approve()
        assert token_file().read_bytes() == before
        assert len(list(token_file().parent.glob("device-auth*.json"))) == 2  # the node's, too
