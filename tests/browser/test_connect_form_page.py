"""The connection form's script and kernel side together, on a bare page, with a gateway."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.identity import files
from gateway_nb.notebook import current
from gateway_nb.notebook.widgets.connect_form import FILE_NAME, ConnectForm
from gateway_nb.server.admission import _ROLE
from tests.helpers.stub import Stub, stub

SECRET = "a-secret-typed-into-a-form"


@pytest.fixture(autouse=True)
def _default_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(current, "name", "default")


@pytest.fixture
def local() -> Iterator[gnb.LocalGateway]:
    with gnb.LocalGateway(token=SECRET) as gateway:
        yield gateway


@pytest.fixture
def form(browser: Any, tmp_path: Path) -> Iterator[Stub]:
    page_folder = tmp_path / "page"
    page_folder.mkdir()
    with stub(browser, gnb.connect_form(), page_folder) as page:
        page.open()
        page.until("document.querySelector('.gnb-form input').value !== ''")
        yield page
    for gateway in gnb.connections().values():
        gateway.close()


def state(form: Stub, name: str, seconds: float = 15.0) -> None:
    form.until(f"document.querySelector('.gnb-form').dataset.state === {name!r}", seconds)


def fill(form: Stub, url: str, secret: str | None = SECRET, **more: str) -> None:
    page = form.page
    page.get_by_label("Gateway", exact=True).fill(url)
    if secret is not None:
        page.get_by_label("Token", exact=True).fill(secret)
    if more:
        page.get_by_text("More", exact=True).click()
    for label, text in more.items():
        page.get_by_label(label.replace("_", " ")).fill(text)


def connect(form: Stub) -> None:
    form.page.get_by_role("button", name="Connect", exact=True).click()


def test_connect_and_disconnect(form: Stub, local: gnb.LocalGateway) -> None:
    """Connect makes a connection that the next cell and the magics use; Disconnect ends it."""
    with pytest.raises(gnb.GatewayClosedError, match="press Connect"):
        form.widget.gateway.request("health")
    fill(form, local.url, Name="work")
    connect(form)
    state(form, "connected")
    assert form.widget.gateway.request("health")["ok"]
    assert gnb.connections()["work"] is form.widget.gateway
    assert current.name == "work"
    form.page.get_by_role("button", name="Disconnect").click()
    state(form, "closed")
    assert gnb.connections() == {}
    with pytest.raises(gnb.GatewayClosedError, match="press Connect"):
        form.widget.gateway.request("health")


def test_the_secret_goes_nowhere_else(form: Stub, local: gnb.LocalGateway, tmp_path: Path) -> None:
    """A typed secret is gone from the page at once, comes back in no message, and is in no trait, repr or file."""
    heard: list[str] = []
    send = form.widget.send
    form.widget.send = lambda content, buffers: (
        heard.append(f"{content}{bytes(buffers[0])!r}"),
        send(content, buffers),
    )
    fill(form, local.url + "/?token=" + SECRET)
    connect(form)
    assert form.page.get_by_label("Token", exact=True).input_value() == ""
    state(form, "connected")
    form.open("two")
    form.until("document.querySelector('#two input').value !== ''")
    assert form.page.locator("#two input").first.input_value() == local.url
    assert heard
    seen = [*heard, repr(form.widget.get_state()), repr(form.widget), form.widget.html(), repr(vars(form.widget))]
    assert not [text for text in seen if SECRET in text]
    kept = [path for path in tmp_path.rglob("*") if path.is_file() and path.stat().st_size]
    assert files.home() / FILE_NAME in kept
    assert not [path for path in kept if SECRET.encode() in path.read_bytes()]
    gc.collect()
    form.page.get_by_role("button", name="Disconnect").first.click()
    state(form, "closed")


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("ws://10.0.0.5:18789", "use wss://"),
        ("http://127.0.0.1", "must begin with ws://"),
        ("ws://me:secret@127.0.0.1", "type the secret below"),
    ],
)
def test_a_refused_url(form: Stub, url: str, advice: str) -> None:
    """A URL that policy refuses is explained while it is typed, and opens no socket."""
    fill(form, url)
    form.until(f"document.querySelector('[role=alert]').textContent.includes({advice!r})")
    connect(form)
    state(form, "failed")
    assert not (files.home() / FILE_NAME).exists()


def test_a_wrong_secret(form: Stub, local: gnb.LocalGateway) -> None:
    """A refused secret is reported with what to do in the form; the right one then connects."""
    fill(form, local.url, "wrong")
    connect(form)
    state(form, "failed")
    assert "type the token again, or choose another way to sign in" in form.text(".gnb-state")
    assert "token=" not in form.text(".gnb-state")
    with pytest.raises(gnb.GatewayClosedError, match="press Connect"):
        _ = form.widget.gateway
    fill(form, local.url)
    connect(form)
    state(form, "connected")


def test_an_address_that_is_no_url(form: Stub) -> None:
    """The address of a page, or a host and a port, is offered as the URL that was meant, and a click takes it."""
    for url, meant in (("http://127.0.0.1:9/", "ws://127.0.0.1:9/"), ("localhost:9", "ws://localhost:9")):
        fill(form, url)
        use = form.page.get_by_role("button", name=f"Use {meant}", exact=True)
        form.until("document.querySelector('form > button').hidden === false")
        use.click()
        form.until("document.querySelector('[role=alert]').textContent === ''")
        assert form.page.get_by_label("Gateway", exact=True).input_value() == meant
        assert use.is_hidden()


def test_shown_again(form: Stub, local: gnb.LocalGateway) -> None:
    """A form that is shown again knows the connection that was made, and says which line gets the gateway object."""
    fill(form, local.url, Name="my work")
    connect(form)
    state(form, "connected")
    again = ConnectForm()
    assert again.gateway is form.widget.gateway
    code = form.text(".gnb-usage code")
    names: dict[str, Any] = {"gnb": gnb}
    exec(code, names)
    assert names["gw"] is form.widget.gateway
    form.page.get_by_role("button", name="Copy line").click()
    form.until("document.querySelector('.gnb-usage').textContent.includes('copied')")
    assert form.page.evaluate("navigator.clipboard.readText()") == code == again._describe()["code"]
    form.page.get_by_role("button", name="Disconnect").click()
    state(form, "closed")
    assert form.page.locator(".gnb-usage").is_hidden()
    third = ConnectForm()
    assert third._gateway is None
    again.close()
    third.close()


def test_the_environments_url(form: Stub, local: gnb.LocalGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's URL comes before a remembered one, whose pin is not for it; all else is remembered."""
    fill(form, local.url, Name="work")
    connect(form)
    state(form, "connected")
    form.page.get_by_role("button", name="Disconnect").click()
    state(form, "closed")
    monkeypatch.setenv("OPENCLAW_GATEWAY_URL", "wss://gateway.example:1234/path")
    again = ConnectForm()
    assert (again._options["url"], again._options["name"], again._options["pin"]) == (
        "wss://gateway.example:1234",
        "work",
        "",
    )
    again.close()


def test_nothing_listens(form: Stub) -> None:
    """Where nothing listens, the form says so and can be used again."""
    fill(form, "ws://127.0.0.1:9")
    connect(form)
    state(form, "failed")
    assert "nothing listens" in form.text(".gnb-state")
    assert form.page.get_by_role("button", name="Connect", exact=True).is_enabled()


def test_scopes(form: Stub, local: gnb.LocalGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer scopes than were asked for is a warning that names them."""
    admit = local.admission.admit

    def fewer(params: Any, nonce: str) -> Any:
        import dataclasses

        return dataclasses.replace(admit(params, nonce), scopes=("operator.read",))

    monkeypatch.setattr(local.admission, "admit", fewer)
    fill(form, local.url, Scopes="operator.read, operator.write")
    connect(form)
    state(form, "connected")
    assert "not granted: operator.write" in form.text(".gnb-warning:not([role])")


def must_pair(local: gnb.LocalGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every device has to be approved first."""
    admission = local.admission

    def pair(params: Any, device: Any, role: str, scopes: Any) -> None:
        if device.device_id not in admission.devices:
            raise admission._pairing_required(_ROLE, device, params["client"], role, scopes)

    monkeypatch.setattr(admission, "_pair", pair)


def test_pairing(form: Stub, local: gnb.LocalGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """A device that has to be approved shows what to run, copies it, and goes on by itself once approved."""
    must_pair(local, monkeypatch)
    fill(form, local.url)
    connect(form)
    state(form, "pairing")
    form.page.get_by_role("button", name="Copy command").click()
    form.until("document.querySelector('.gnb-card').textContent.includes('copied')")
    command = str(form.page.evaluate("navigator.clipboard.readText()"))
    assert command.startswith("openclaw devices approve ")
    local.admission.approve(command.rpartition(" ")[2])
    state(form, "connected")
    assert form.page.locator(".gnb-card").is_hidden()


def test_pairing_given_up(form: Stub, local: gnb.LocalGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Disconnect ends the waiting for an approval, and nothing connects afterwards."""
    must_pair(local, monkeypatch)
    fill(form, local.url)
    connect(form)
    state(form, "pairing")
    form.page.get_by_role("button", name="Disconnect").click()
    state(form, "closed")
    assert gnb.connections() == {}


def test_a_restart(form: Stub, local: gnb.LocalGateway) -> None:
    """A restart of the gateway is seen with its reason, and recovered from."""
    fill(form, local.url)
    connect(form)
    state(form, "connected")
    local.emit("shutdown", {"reason": "restart", "restartExpectedMs": 100})
    local.drop(1012, "service restart")
    local.stop()
    state(form, "restarting")
    assert "the gateway shuts down: restart" in form.text(".gnb-state")
    assert "comes back by itself" in form.text(".gnb-state")
    local.start()
    state(form, "connected", 30)


def test_what_is_remembered(browser: Any, form: Stub, local: gnb.LocalGateway, tmp_path: Path) -> None:
    """A new form starts with the options of the last one that connected; the file is its owner's alone."""
    fill(form, local.url, Name="work", Scopes="operator.read")
    connect(form)
    state(form, "connected")
    path = files.home() / FILE_NAME
    assert os.stat(path).st_mode & 0o077 == 0
    again = ConnectForm()
    assert (again._options["url"], again._options["name"], again._options["scopes"]) == (
        local.url,
        "work",
        "operator.read",
    )
    again.close()
    for broken in (b"{", b"[]", b'{"url": 5, "auth": "magic"}'):
        path.write_bytes(broken)
        third = ConnectForm()
        assert third._options["auth"] == "token"
        third.close()


def test_a_stored_token(form: Stub, local: gnb.LocalGateway) -> None:
    """Without a secret the stored device token signs in; where there is none, the form says what is missing."""
    fill(form, local.url, None)
    connect(form)
    state(form, "failed")
    assert "type the token" in form.text(".gnb-state")
    form.page.get_by_label("Sign in with").select_option("stored")
    assert form.page.get_by_label("Token", exact=True).is_hidden()
    connect(form)
    form.until("document.querySelector('.gnb-state').textContent.includes('refused')")
    state(form, "failed")


def test_hostile_words(form: Stub, local: gnb.LocalGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a gateway says is text."""
    from gateway_nb.server.answers import Refusal

    def refuse(params: Any, nonce: str) -> None:
        raise Refusal("INVALID_REQUEST", "<img src=x onerror=alert(1)>", {"code": "AUTH_TOKEN_MISMATCH"}, close=1008)

    monkeypatch.setattr(local.admission, "admit", refuse)
    fill(form, local.url)
    connect(form)
    state(form, "failed")
    assert "<img" in form.text(".gnb-state")
    assert form.page.locator("img").count() == 0
    assert "&lt;img" in form.widget.html()
