"""The client's side of authentication: the device key, the stored token, and what is learnt from each attempt."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..protocol import auth
from ..protocol.auth import Recovery, Secret, Selected, StoredToken
from ..protocol.errors import GatewayConnectError
from ..protocol.handshake import Challenge, HelloOk, Signer, connect_params
from .options import Settings
from .redact import Log

if TYPE_CHECKING:
    from ..identity.device import DeviceIdentity
    from ..identity.tokens import DeviceTokens


class DeviceAuth:
    """Chooses credentials for each attempt, and keeps the device token a gateway gives.

    A token file that can't be read or written is a warning, never a failed connection.

    Args:
        settings: the connection's.
        log: where warnings go, and where secrets are made known.
    """

    def __init__(self, settings: Settings, log: Log) -> None:
        self._settings = settings
        self._log = log
        self._identity: DeviceIdentity | None = None
        self._tokens: DeviceTokens | None = None
        self._loaded = False
        self._retry_pending = False
        self._retry_used = False
        self._stored: StoredToken | None = None
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
            GatewayConnectError: the key file is there and can't be used.
        """
        if self._loaded or self._settings.device_identity is None:
            return
        from ..identity.device import DeviceIdentity, IdentityError
        from ..identity.tokens import DeviceTokens

        chosen = self._settings.device_identity
        try:
            if isinstance(chosen, DeviceIdentity):
                self._identity = chosen
            else:
                self._identity = DeviceIdentity.load_or_create(None if chosen == "auto" else chosen)
        except IdentityError as error:
            raise GatewayConnectError(str(error), code="DEVICE_IDENTITY_UNREADABLE") from None
        except OSError as error:
            self._log.warning(f"the device key can't be kept on disk ({error}); using one for this session only")
            self._identity = DeviceIdentity.generate()
        self._tokens = DeviceTokens(self._identity.device_id)
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

    def welcomed(self, hello: HelloOk) -> None:
        """Learn from a hello-ok: keep its device token, allow the one-shot retry again."""
        self._retry_used = self._retry_pending = False
        if hello.device_token is None or self._tokens is None:
            return
        if self._is_stored(hello):
            return  # the scopes stored with it may be wider than this connection's
        try:
            self._tokens.store(hello.role or self._settings.client.role, hello.device_token.reveal(), hello.scopes)
        except OSError as error:
            self._log.warning(f"the device token can't be kept on disk: {error}")

    def failed(self, error: GatewayConnectError | None, close_code: int, close_reason: str) -> Recovery:
        """Learn from a failed attempt, and return what to do next."""
        given = self._settings.credentials
        if auth.forgets_stored_token(given, error=error, close_code=close_code, close_reason=close_reason):
            self._forget_token()
        if error is None:
            return Recovery.BACKOFF
        recovery = self.recovery(error)
        if recovery is Recovery.DEVICE_TOKEN:
            self._retry_pending = self._retry_used = True
        return recovery

    def recovery(self, error: GatewayConnectError) -> Recovery:
        """Return what to do after this refusal, and change nothing."""
        return auth.recover(
            error,
            self._settings.credentials,
            self._stored,
            trusted=self._settings.endpoint.trusted,
            retry_used=self._retry_used,
        )

    def _load_token(self) -> StoredToken | None:
        if self._tokens is None:
            return None
        try:
            kept = self._tokens.load(self._settings.client.role)
        except OSError as error:
            self._log.warning(f"the device token can't be read: {error}")
            return None
        if self._tokens.problem is not None:
            self._log.warning(self._tokens.problem)
        if kept is None:
            return None
        self._log.redactor.hide([kept.token])
        return StoredToken(Secret(kept.token), kept.scopes)

    def _forget_token(self) -> None:
        if self._tokens is None:
            return
        try:
            self._tokens.clear(self._settings.client.role)
            self._log.info("the stored device token was refused and is deleted")
        except OSError as error:
            self._log.warning(f"the refused device token can't be deleted: {error}")
