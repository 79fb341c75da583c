"""The client's side of authentication: the device key, the stored token, and what is learnt from each attempt."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AuthenticationError, GatewayConnectError, IdentityError
from ..identity.files import HOME_VARIABLE
from ..protocol import auth
from ..protocol.auth import Credentials, Recovery, Secret, Selected, StoredToken
from ..protocol.handshake import Challenge, HelloOk, Signer, connect_params
from .log import Log
from .options import Settings

if TYPE_CHECKING:
    from ..identity.device import DeviceIdentity
    from ..identity.tokens import DeviceTokens


class DeviceCredentials:
    """Chooses credentials for each attempt, and keeps the device token a gateway gives.

    A token file that can't be read or written is a warning, never a failed connection. What may wait for another
    process's lock is a method of its own, for a thread that may wait: `load_identity`, `keep` and `forget`.

    Args:
        settings: the connection's.
        log: where warnings go, and where secrets are made known.
        changes_modes: close files that are open to other users; else only see whether that could be done.
    """

    def __init__(self, settings: Settings, log: Log, *, changes_modes: bool = True) -> None:
        self._settings = settings
        self._changes_modes = changes_modes
        self._log = log
        self._identity: DeviceIdentity | None = None
        self._tokens: DeviceTokens | None = None
        self._loaded = False
        self._retry_pending = False
        self._retry_used = False
        self._stored: StoredToken | None = None
        self._useless: str | None = None
        """Why a stored token that is there can't be sent, with what to do."""
        self.selected: Selected | None = None
        given = settings.credentials
        log.redactor.keep(
            value.reveal()
            for value in (given.token, given.bootstrap_token, given.device_token, given.password)
            if value is not None
        )

    def load_identity(self) -> None:
        """Read the device key from disk, or make one; done once, before the first socket opens.

        Raises:
            IdentityError: the key file is there and can't be used.
        """
        if self._loaded or self._settings.device_identity is None:
            return
        from ..identity import device
        from ..identity.tokens import DeviceTokens

        chosen = self._settings.device_identity
        if chosen == "auto" or isinstance(chosen, Path):
            path = device.default_path() if chosen == "auto" else chosen
            try:
                self._identity = device.DeviceIdentity.load_or_create(path)
                for change in device.protect(path, self._changes_modes):
                    self._log.warning(change)
            except OSError as error:
                why = f"the device key can't be kept on disk ({error}), so this connection uses a temporary one"
                self._log.problem(IdentityError(f"{why}; set {HOME_VARIABLE} to a folder that can be written"))
                self._identity = device.DeviceIdentity.generate()
                self._loaded = True
                return  # a token for it would be of no use later
        else:
            self._identity = chosen
        self._tokens = DeviceTokens(self._identity.device_id, self._settings.endpoint.gateway)
        self._loaded = True

    def answer(self, challenge: Challenge) -> dict[str, Any]:
        """Return the params of the ``connect`` request for a challenge."""
        self._stored = self._load_token()
        self.selected = auth.select(
            self._settings.credentials,
            self._stored,
            scopes=self._settings.scopes,
            retry_with_stored=self._retry_pending,
        )
        self._retry_pending = False
        identity = self._identity
        params = connect_params(
            self._settings.client,
            scopes=self.selected.scopes,
            auth=self.selected.auth,
            signed_token=self.selected.signed_token,
            challenge=challenge,
            now_ms=int(time.time() * 1000),
            signer=Signer(identity.device_id, identity.public_key, identity.sign) if identity else None,
        )
        self._log.redactor.hide([challenge.nonce, *([params["device"]["signature"]] if "device" in params else ())])
        return params

    def replaces(self, hello: HelloOk) -> bool:
        """Return whether a hello-ok makes the stored device token worthless, as it brings another."""
        return None not in (hello.device_token, self._stored) and not self._is_stored(hello)

    def _is_stored(self, hello: HelloOk) -> bool:
        return self._stored is not None and self._stored.token == hello.device_token

    def missing_scopes(self, hello: HelloOk) -> tuple[str, ...]:
        """Return the scopes that were asked for, and that a hello-ok does not grant."""
        return auth.missing_scopes(self.selected.scopes if self.selected else (), hello.scopes)

    def welcomed(self, hello: HelloOk) -> bool:
        """Allow the one-shot retry again; return whether a hello-ok has a device token to `keep`."""
        self._retry_used = self._retry_pending = False
        # The scopes stored with a token may be wider than this connection's.
        return hello.device_token is not None and not self._is_stored(hello)

    def keep(self, hello: HelloOk) -> None:
        """Store a hello-ok's device token, for the role that connected."""
        role = self._settings.client.role
        if hello.device_token is None or self._tokens is None:
            return
        if hello.role not in (None, role):
            self._log.warning(f"the device token is not kept: it is for the role {hello.role}, not for {role}")
            return
        try:
            dropped = self._tokens.store(role, hello.device_token.reveal(), hello.scopes)
        except (OSError, ValueError) as error:
            self._log.warning(f"the device token can't be kept on disk: {error}")
            return
        if dropped:
            self._log.warning(f"{self._tokens.path} is full: the {dropped} oldest device tokens in it were dropped")

    def forgets(self, error: GatewayConnectError | None, close_code: int, close_reason: str) -> bool:
        """Return whether a failed attempt shows that the stored device token is worth nothing, so `forget` it."""
        given = self._settings.credentials
        return self._stored is not None and auth.forgets_stored_token(
            given, error=error, close_code=close_code, close_reason=close_reason
        )

    def recover(self, error: GatewayConnectError | None, close_code: int) -> Recovery:
        """Return what to do after a failed attempt; no file changes."""
        recovery = auth.recover(
            error,
            close_code,
            self._settings.credentials,
            self._stored,
            trusted=self._settings.endpoint.trusted,
            retry_used=self._retry_used,
        )
        if recovery is Recovery.DEVICE_TOKEN:
            self._retry_pending = self._retry_used = True
        return recovery

    def explained(self, error: GatewayConnectError | None) -> GatewayConnectError | None:
        """Return a refusal with where the credential is from, or why one that is there was not sent."""
        sent = self.selected is not None and bool(self.selected.auth)
        chosen = self._settings.credentials != Credentials()
        why = (self._settings.of_environment if sent is chosen else None) or (None if sent else self._useless)
        if why and isinstance(error, AuthenticationError):
            error.args = (f"{error}; {why}",)
        return error

    def _load_token(self) -> StoredToken | None:
        if self._tokens is None:
            return None
        role, given = self._settings.client.role, self._settings.credentials
        try:
            kept = self._tokens.load(role)
            for change in self._tokens.protect(self._changes_modes):
                self._log.warning(change)
            unknown = kept is None and given == Credentials() and self._tokens.of_unknown_gateway(role)
        except OSError as error:
            self._cannot_send(f"the device token can't be read: {error}; repair that file, or move it away")
            return None
        if self._tokens.problem is not None:
            self._log.warning(self._tokens.problem)
        if unknown:
            self._cannot_send(
                f"the device token in {self._tokens.path} was kept without the gateway that gave it, and is sent to "
                "none: connect once with the shared token (token=), or pair this device again"
            )
        if kept is None:
            return None
        self._log.redactor.hide([kept.token])
        return StoredToken(Secret(kept.token), kept.scopes)

    def _cannot_send(self, why: str) -> None:
        """Warn, once, of a stored token that is of no use; a refusal for want of a credential says it, too."""
        if self._useless != why:
            self._log.warning(why)
        self._useless = why

    def forget(self) -> None:
        """Delete the device token that was sent last."""
        if self._tokens is None or self._stored is None:
            return
        try:
            self._tokens.clear(self._settings.client.role, self._stored.token.reveal())
            self._log.info("the stored device token was refused and is deleted")
        except OSError as error:
            self._log.warning(f"the refused device token can't be deleted: {error}")
