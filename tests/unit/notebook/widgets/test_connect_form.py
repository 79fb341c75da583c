"""What the connection form makes of what is typed into it."""

from __future__ import annotations

import pytest

import gateway_nb as gnb
from gateway_nb.client.status import Status
from gateway_nb.errors import connect_error, request_error
from gateway_nb.notebook.widgets.connect_form import ConnectForm


@pytest.mark.parametrize("code", ["AUTH_TOKEN_MISMATCH", "AUTH_PASSWORD_MISMATCH", "DEVICE_IDENTITY_REQUIRED"])
def test_a_connection_that_was_refused_later(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A paused connection, too, is described in the words of a form, whatever else the status says."""
    answer = request_error("connect", "1", code="X", message="no", details={"code": code})
    refused = connect_error(answer, (3, 4))
    form, gateway = ConnectForm(), gnb.Gateway("ws://127.0.0.1:9", token="x", device_identity=None)
    assert "pass token=" in str(refused)
    status = Status("paused", "ws://127.0.0.1:9", reason=str(refused), problems=("a disk is full",))
    monkeypatch.setattr(gnb.Gateway, "status", status)
    form._gateway = gateway
    text = form._describe()["text"]
    assert "token=" not in text
    assert "; type the token again, or choose another way to sign in" in text
    assert text.endswith("· a disk is full")
    monkeypatch.undo()
    form.close()
    gateway.close()
