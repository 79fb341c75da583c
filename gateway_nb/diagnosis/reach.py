"""The way to the gateway, one step after the other, with the client's own connecting code.

A line is opened and closed again to see whether one can be; then a connection is made, as the client would make
it. Nothing is sent before policy and pin allow it.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from ..client.connection import Connection
from ..client.credentials import DeviceCredentials
from ..client.feed import Feed
from ..client.log import Log
from ..client.options import Settings
from ..client.transport import tcp
from ..client.transport.interface import Transport, connect_error
from ..client.transport.opening import open_transport
from ..errors import (
    GatewayConnectError,
    HandshakeTimeoutError,
    PairingRequiredError,
    ProtocolMismatchError,
    closed_early,
)
from ..protocol import close_codes
from ..protocol.auth import Recovery
from ..protocol.backoff import Backoff, pause_before
from ..protocol.handshake import PROTOCOL_RANGE, Challenge, HelloOk
from .report import Finding, failed

STEPS = ("name", "tcp", "tls", "upgrade", "challenge", "clock", "sign-in", "protocol", "scopes")
SKEW_LIMIT = 30.0
_LOG_ADVICE = "read the gateway's log"


async def check(settings: Settings, timeout: float, temporary_key: bool) -> list[Finding]:
    """Return what was found on the way to the gateway; after a step that failed there are no others.

    Args:
        settings: of the connection; its `device_identity` is a key, or ``None`` for none.
        timeout: seconds for the name, for TCP, and for connecting, each.
        temporary_key: the device key is for this check alone.
    """
    found = [finding async for finding in _way(settings, timeout, temporary_key)]
    if found[-1].verdict == "fail":
        steps = [step for step in STEPS if step != "tls" or settings.endpoint.secure]
        reached = {finding.check for finding in found}
        last = max((steps.index(check) for check in reached if check in steps), default=-1)
        left = [step for step in steps[last + 1 :] if step not in reached]
        if left:
            found.append(Finding("not reached", "skip", ", ".join(left)))
    return found


async def _way(settings: Settings, timeout: float, temporary_key: bool) -> AsyncGenerator[Finding, None]:
    endpoint = settings.endpoint
    try:
        async with asyncio.timeout(timeout):
            addresses = await tcp.resolve(endpoint.host, endpoint.port)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        yield Finding("name", "fail", f"{endpoint.host} has no address: {why}", "check the host's name and the network")
        return
    names = ", ".join(dict.fromkeys(str(address[4][0]) for address in addresses))
    yield Finding("name", "ok", f"{endpoint.host} is {names}" if names != endpoint.host else f"{names} is an address")

    began = time.perf_counter()
    try:
        async with asyncio.timeout(timeout):
            (await tcp.connect(addresses)).close()
    except OSError as error:
        yield failed("tcp", connect_error(endpoint, error, timeout), "check host, port and network")
        return
    yield Finding("tcp", "ok", f"port {endpoint.port} accepts connections ({_ms(began)})")
    for finding in await _connect(settings, timeout, temporary_key):
        yield finding


async def _connect(settings: Settings, timeout: float, temporary_key: bool) -> list[Finding]:
    """Return what was found in the last of the attempts that connecting would make, and why there were others."""
    loop = asyncio.get_running_loop()
    until = loop.time() + timeout
    log = Log()
    auth = DeviceCredentials(settings, log, changes_modes=False)
    await asyncio.to_thread(auth.load_identity)
    backoff = Backoff()
    before: dict[Recovery, Finding] = {}
    while True:
        attempt = _Attempt(settings, auth, log)
        await attempt.make(max(round(until - loop.time(), 1), 0.1))
        found = [*attempt.found, *before.values()]
        if attempt.hello.done():
            hello = attempt.hello.result()
            shown = await asyncio.to_thread(log.clean_hello, hello)
            return [*found, *welcome(shown, auth, auth.missing_scopes(hello))]
        recovery = auth.recover(attempt.error, attempt.code)
        pause = pause_before(recovery, attempt.error, backoff)
        if not recovery.transient or loop.time() + pause >= until:
            break
        before[recovery] = retried(attempt.refused, recovery)
        await asyncio.sleep(pause)
    if attempt.challenge is not None:
        found.append(refusal(attempt.refused, settings, recovery, temporary_key))
    return found


class _Attempt:
    """One attempt to connect, and what it finds up to the sign-in; owner of the connection (`connection.Owner`).

    A stored device token that the gateway replaces is replaced on disk, as the old one is worth nothing from
    then on; apart from that nothing is stored or deleted.

    Attributes:
        found: findings.
        challenge: the gateway's, once it came.
        hello: the hello-ok, once it came, with its secrets.
        error: why there was none, if that was said.
        code: close code.
    """

    def __init__(self, settings: Settings, auth: DeviceCredentials, log: Log) -> None:
        self.found: list[Finding] = []
        self.challenge: Challenge | None = None
        self.hello: asyncio.Future[HelloOk] = asyncio.get_running_loop().create_future()
        self.error: GatewayConnectError | None = None
        self.code = close_codes.ABNORMAL
        self._reason = ""
        self._challenged_at = 0.0
        self._settings = settings
        self._auth = auth
        self._log = log

    @property
    def refused(self) -> GatewayConnectError:
        """Why there was no hello-ok."""
        why = close_codes.describe(self.code, self._reason)
        return self.error or closed_early(why, self._settings.client.role)

    async def make(self, limit: float) -> None:
        """Connect, shake hands, and hang up, within so many seconds."""
        settings, loop = self._settings, asyncio.get_running_loop()
        until, began = loop.time() + limit, time.perf_counter()
        patience = settings.connect_challenge_timeout
        try:
            transport = await open_transport(
                settings.endpoint,
                timeout=min(limit, patience),
                ssl_context=settings.ssl_context,
                on_secure=self._note_tls,
            )
        except GatewayConnectError as error:
            self.error = error
            step = "tls" if settings.endpoint.secure and not self.found else "upgrade"
            advice = "stop what else uses that port, or give the gateway another and set OPENCLAW_GATEWAY_URL"
            self.found.append(failed(step, error, advice))
            return
        self.found.append(Finding("upgrade", "ok", f"a WebSocket ({_ms(began)})"))
        limit = max(round(until - loop.time(), 1), 0.1)
        await self._shake_hands(
            transport,
            Connection(
                transport,
                self,
                Feed(self._log),
                self._log,
                challenge_timeout=min(limit, patience),
                tick_min_interval=settings.tick_watch_min_interval,
            ),
            limit,
        )
        self.error = self._auth.explained(self.error)
        if self.challenge is None:
            self.found.append(failed("challenge", self.refused, "check the port: is it a gateway's?"))
            return
        self.found.append(Finding("challenge", "ok", "the gateway sent its challenge"))
        if self.error is None or self.error.code != "DEVICE_AUTH_SIGNATURE_EXPIRED":
            self.found.append(clock(self.challenge.ts_ms, self._challenged_at))

    def _note_tls(self, tls: ssl.SSLObject) -> None:
        how = "the certificate is the pinned one" if self._settings.endpoint.pin else "the certificate is verified"
        self.found.append(Finding("tls", "ok", f"{tls.version()}, {how}"))

    async def _shake_hands(self, transport: Transport, connection: Connection, limit: float) -> None:
        life = asyncio.create_task(connection.run())
        ends: set[asyncio.Future[Any]] = {life, self.hello}
        try:
            # The session's own limit for the challenge may be the same, and says more: it comes first.
            await asyncio.wait(ends, timeout=limit + 0.1, return_when=asyncio.FIRST_COMPLETED)
            if self.hello.done():
                await connection.stop()
                await life
                if self._auth.replaces(self.hello.result()):
                    await asyncio.to_thread(self._auth.keep, self.hello.result())
            elif life.done():
                ended = life.result()
                self.error, self.code, self._reason = ended.error, ended.code, ended.reason
            else:
                self.error = HandshakeTimeoutError(f"no answer within {round(limit, 1):g} s; is the gateway busy?")
        finally:
            life.cancel()
            transport.abort()
            await asyncio.gather(life, return_exceptions=True)

    # What the connection tells (`connection.Owner`)

    def answer_challenge(self, challenge: Challenge) -> dict[str, Any]:
        self.challenge, self._challenged_at = challenge, time.time()
        return self._auth.answer(challenge)

    def welcomed(self, hello: HelloOk, secrets: list[str]) -> None:
        self._log.redactor.hide(secrets)
        self.hello.set_result(hello)

    def closed(self, code: int) -> None: ...


def clock(gateway_ms: int | None, local: float) -> Finding:
    """Return how far this computer's clock is from the gateway's.

    Args:
        gateway_ms: the challenge's time, milliseconds since 1970, or ``None``.
        local: this computer's when it came, seconds since 1970.
    """
    if gateway_ms is None:
        return Finding("clock", "ok", "the gateway does not send its time; this computer's is signed")
    skew = local - gateway_ms / 1000
    if abs(skew) < SKEW_LIMIT:
        return Finding("clock", "ok", f"within {max(abs(skew), 0.001):.3f} s of the gateway's")
    side = "ahead of" if skew > 0 else "behind"
    return Finding(
        "clock",
        "warn",
        f"this computer's clock is {_span(abs(skew))} {side} the gateway's, whose time is signed",
        "set the clock that is wrong; times of events and tokens depend on it",
    )


def retried(error: GatewayConnectError, recovery: Recovery) -> Finding:
    """Return the finding for an attempt that failed, and for how connecting goes on by itself."""
    finding = failed("sign-in", error, _LOG_ADVICE)
    if recovery is Recovery.DEVICE_TOKEN:
        advice = f"connecting continues with the stored device token; {finding.advice}"
        return Finding("sign-in", "warn", finding.detail, advice)
    return Finding("sign-in", "warn", finding.detail, "connecting tries again by itself, and so did this check")


def refusal(error: GatewayConnectError, settings: Settings, recovery: Recovery, temporary_key: bool) -> Finding:
    """Return the finding for a gateway that refused the connection.

    Args:
        error: what it said.
        settings: what it was told.
        recovery: what the client would do next.
        temporary_key: the device key is for this check alone.
    """
    if error.code == "DEVICE_AUTH_SIGNATURE_EXPIRED":
        return failed("clock", error, "set this computer's clock")
    if isinstance(error, ProtocolMismatchError):
        return failed("protocol", error, "update the older side")
    if isinstance(error, PairingRequiredError):
        finding = failed("pairing", error, "")
        advice = f"{finding.advice} (every attempt to connect leaves such a request there; this check did, too)"
        if temporary_key:
            advice = (
                "connect first: it makes the device key, and says which request to approve; this check's is another"
            )
        return Finding("pairing", "fail", finding.detail, advice)
    if error.code == "DEVICE_IDENTITY_REQUIRED" and settings.device_identity is None:
        detail = "the gateway wants a credential, and there is neither a token nor a password nor a device key"
        return Finding("sign-in", "fail", detail, "pass token= or password=, or leave device_identity on")
    finding = failed("sign-in", error, _LOG_ADVICE)
    if recovery is Recovery.STARTING:
        return Finding("sign-in", "fail", finding.detail, "the gateway is starting: try again in a few seconds")
    return finding


def welcome(hello: HelloOk, auth: DeviceCredentials, missing: Sequence[str]) -> list[Finding]:
    """Return what a hello-ok tells.

    Args:
        hello: the gateway's, without its secrets.
        auth: what it was told.
        missing: the scopes that it does not grant.
    """
    assert auth.selected is not None, "there was a hello-ok, so there was a request"
    sent = {
        "token": "token",
        "password": "password",
        "deviceToken": "device token",
        "bootstrapToken": "bootstrap token",
    }
    used = " and ".join(sent[name] for name in sent if name in auth.selected.auth) or "no credential"
    older = " (the older generation)" if hello.protocol < PROTOCOL_RANGE[1] else ""
    found = [
        Finding("sign-in", "ok", f"as {hello.role or '?'}, with {used}"),
        Finding("protocol", "ok", f"{hello.protocol}{older}, OpenClaw {hello.server_version}"),
    ]
    granted = ", ".join(hello.scopes) or "none"
    if missing:
        advice = f"the gateway's owner has to grant {', '.join(missing)}"
        return [*found, Finding("scopes", "warn", f"granted: {granted}; not granted: {', '.join(missing)}", advice)]
    return [*found, Finding("scopes", "ok", granted)]


def _ms(began: float) -> str:
    return f"{(time.perf_counter() - began) * 1000:.1f} ms"


def _span(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (unit != "days" and seconds >= size):
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
