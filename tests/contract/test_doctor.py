"""The doctor at the embedded and at the real gateway: what it finds, and that it leaves nothing there."""

from __future__ import annotations

from typing import Any

import pytest

import gateway_nb as gnb
from tests.helpers.real import AnyGateway

CLI: dict[str, Any] = {"client_name": "cli", "mode": "cli"}


def verdicts(report: Any) -> dict[str, str]:
    return {finding.check: finding.verdict for finding in report.findings}


def paired(gateway: AnyGateway) -> tuple[int, int]:
    """How many devices the gateway knows, and how many wait."""
    with gnb.connect(gateway.url, token=gateway.token, device_identity=None, name="admin") as admin:
        answer = admin.request("device.pair.list")
    return len(answer["paired"]), len(answer["pending"])


def test_nothing_is_wrong(gateway: AnyGateway) -> None:
    """With the right token every step is a tick, and the gateway knows no device more than before."""
    before = paired(gateway)
    found = verdicts(gnb.doctor(gateway.url, token=gateway.token))
    for check in ("name", "tcp", "upgrade", "challenge", "clock", "sign-in", "protocol", "scopes"):
        assert found[check] == "ok", found
    assert "not reached" not in found
    assert paired(gateway) == before


@pytest.mark.parametrize("token", ["a-wrong-token", None])
def test_sign_in(gateway: AnyGateway, token: str | None) -> None:
    """A wrong token, or none and no device, is named at the sign-in, and the token is not shown."""
    report = gnb.doctor(gateway.url, token=token)
    assert [finding.check for finding in report.failures] == ["sign-in"]
    assert "token=" in str(report.failures[0].advice)
    assert "a-wrong-token" not in repr(report)


def test_an_old_client(gateway: AnyGateway) -> None:
    """A range of versions that the gateway does not speak is named at the protocol."""
    report = gnb.doctor(gateway.url, token=gateway.token, min_protocol=5, max_protocol=6)
    assert [finding.check for finding in report.failures] == ["protocol"]
    assert "this client speaks 5 to 6" in report.failures[0].detail


def test_pairing(gateway: AnyGateway) -> None:
    """A device that has to be approved is named with the command, and the request is said to be left there."""
    gnb.connect(gateway.url, token=gateway.token, platform="linux", **CLI).close()
    report = gnb.doctor(gateway.url, token=gateway.token, platform="win32", **CLI)
    assert [finding.check for finding in report.failures] == ["pairing"]
    advice = str(report.failures[0].advice)
    assert "openclaw devices approve" in advice
    assert "this check did, too" in advice
    assert gnb.doctor(gateway.url, platform="linux", **CLI).ok
