"""Coming in: credentials, device identity, device tokens, pairing, protocol versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import gateway_nb as gnb
from gateway_nb.identity.device import DeviceIdentity
from tests.helpers.real import AnyGateway
from tests.helpers.support import async_test

CLI: dict[str, Any] = {"client_name": "cli", "mode": "cli"}


@pytest.fixture(autouse=True)
def _new_device(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each test is a device that no gateway has seen."""
    monkeypatch.setenv("GATEWAY_NB_HOME", str(tmp_path / "device"))


def stored_tokens(home: Path, gateway: AnyGateway) -> dict[str, Any]:
    path = home / "device" / "identity" / "device-auth.json"
    tokens: dict[str, Any] = json.loads(path.read_text())["gateways"][gateway.url]
    return tokens


@async_test
async def test_wrong_token(gateway: AnyGateway) -> None:
    """A wrong token is an authentication error with the gateway's code, and stands in no message."""
    with pytest.raises(gnb.AuthenticationError) as caught:
        await gnb.AsyncGateway(gateway.url, token="wrong-token-value", device_identity=None).connect()
    assert caught.value.code == "AUTH_TOKEN_MISMATCH"
    assert "wrong-token-value" not in str(caught.value)
    assert "token=" in str(caught.value)


@async_test
async def test_no_credential_and_no_device(gateway: AnyGateway) -> None:
    """Without any credential the gateway asks for a device identity, and the error says what to pass."""
    with pytest.raises(gnb.AuthenticationError, match="pass token=") as caught:
        await gnb.AsyncGateway(gateway.url, device_identity=None).connect()
    assert caught.value.code == "DEVICE_IDENTITY_REQUIRED"


@async_test
async def test_without_device_identity(gateway: AnyGateway) -> None:
    """The shared token alone is enough on this machine."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, device_identity=None) as agw:
        assert (await agw.request("health"))["ok"] is True


@pytest.mark.parametrize(("low", "high"), [(5, 6), (3, 3)])
@async_test
async def test_protocol_mismatch(gateway: AnyGateway, low: int, high: int) -> None:
    """A range without the gateway's version is a protocol mismatch, which names both."""
    spoken = f"{low} to {high}" if low != high else f"{low}"
    with pytest.raises(gnb.ProtocolMismatchError, match=rf"expects version 4, this client speaks {spoken}\).*update"):
        await gnb.AsyncGateway(gateway.url, token=gateway.token, min_protocol=low, max_protocol=high).connect()


@async_test
async def test_device_token(gateway: AnyGateway, tmp_path: Path) -> None:
    """A paired device gets a token, keeps it privately, and comes back with it alone and its scopes."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, scopes=["operator.read"], **CLI):
        pass
    first = stored_tokens(tmp_path, gateway)["operator"]
    assert "operator.read" in first["scopes"]
    folder = tmp_path / "device" / "identity"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.glob("*.json")} == {0o600}
    async with gnb.AsyncGateway(gateway.url, **CLI) as agw:
        assert agw.status.scopes == tuple(first["scopes"])
        assert agw.hello is not None
        assert agw.hello["auth"]["method"] == "device-token"
        assert first["token"] not in repr((agw.hello, agw.log))
    assert stored_tokens(tmp_path, gateway)["operator"]["token"] == first["token"]


@async_test
async def test_more_scopes_rotate_the_token(gateway: AnyGateway, tmp_path: Path) -> None:
    """Asking for more scopes with the shared token gives a new device token, which is kept."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, scopes=["operator.read"], **CLI):
        pass
    first = stored_tokens(tmp_path, gateway)["operator"]
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, scopes=["operator.admin"], **CLI):
        pass
    second = stored_tokens(tmp_path, gateway)["operator"]
    assert second["token"] != first["token"]
    assert "operator.admin" in second["scopes"]


@async_test
async def test_wrong_token_falls_back_to_the_device_token(gateway: AnyGateway) -> None:
    """When the shared token was changed, the stored device token is tried once, and gets in."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, **CLI):
        pass
    errors: list[gnb.GatewayError] = []
    async with gnb.AsyncGateway(gateway.url, token="rotated-away", on_connect_error=errors.append, **CLI) as agw:
        assert agw.hello is not None
        assert agw.hello["auth"]["method"] == "device-token"
    assert [error.code for error in errors] == ["AUTH_TOKEN_MISMATCH"]


@async_test
async def test_refused_device_token_is_forgotten(gateway: AnyGateway, tmp_path: Path) -> None:
    """A stored device token that the gateway refuses is deleted, so that the next attempt does without."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, **CLI):
        pass
    path = tmp_path / "device" / "identity" / "device-auth.json"
    document = json.loads(path.read_text())
    document["gateways"][gateway.url]["operator"]["token"] = "refused-token-value"
    path.write_text(json.dumps(document))
    with pytest.raises(gnb.AuthenticationError) as caught:
        await gnb.AsyncGateway(gateway.url, **CLI).connect()
    assert caught.value.code == "AUTH_DEVICE_TOKEN_MISMATCH"
    assert stored_tokens(tmp_path, gateway) == {}


class Tampering(DeviceIdentity):
    """A device whose signature covers something else."""

    def sign(self, payload: str) -> str:
        return super().sign(payload + "!")


@async_test
async def test_signature(gateway: AnyGateway) -> None:
    """A signature that does not cover what was sent is refused."""
    identity = Tampering.generate()
    with pytest.raises(gnb.AuthenticationError) as caught:
        await gnb.AsyncGateway(gateway.url, token=gateway.token, device_identity=identity).connect()
    assert caught.value.code == "DEVICE_AUTH_SIGNATURE_INVALID"


@async_test
async def test_the_gateways_clock_is_signed(gateway: AnyGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local clock that is an hour slow does not matter: the challenge's time is signed."""
    import gateway_nb.client.credentials as device_auth

    monkeypatch.setattr(device_auth.time, "time", lambda: 1_000_000_000.0)
    identity = DeviceIdentity.generate()
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, device_identity=identity) as agw:
        assert agw.status.state == "connected"


@async_test
async def test_pairing(gateway: AnyGateway) -> None:
    """A known device with another platform has to be approved; the error says how, and an admin lets it in."""
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, platform="linux", **CLI):
        pass
    with pytest.raises(gnb.PairingRequiredError) as caught:
        await gnb.AsyncGateway(gateway.url, token=gateway.token, platform="win32", **CLI).connect()
    error = caught.value
    assert error.reason == "metadata-upgrade"
    assert error.approve_command == f"openclaw devices approve {error.request_id}"
    assert error.approve_command in str(error)
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, device_identity=None) as admin:
        pending = (await admin.request("device.pair.list"))["pending"]
        assert error.request_id in [request["requestId"] for request in pending]
        await admin.request("device.pair.approve", {"requestId": error.request_id})
    async with gnb.AsyncGateway(gateway.url, token=gateway.token, platform="win32", **CLI) as agw:
        assert agw.status.state == "connected"
