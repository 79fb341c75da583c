"""The way to the gateway, one step after the other, with the client's own connecting code.

A line is opened and closed again to see whether one can be; then one connection is made, as the client would make
it. Nothing is sent before policy and pin allow it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncGenerator
from typing import Any

from ..client.connection import Connection, E
from ..client.device_auth import DeviceAuth
from ..client.options import Settings
from ..client.redact import Log
from ..client.transport.interface import Transport, connect_error
from ..client.transport.opening import open_transport
from ..protocol import close_codes
from ..protocol.auth import Recovery
from ..protocol.errors import (
    GatewayConnectError,
    HandshakeTimeoutError,
    PairingRequiredError,
    ProtocolMismatchError,
)
from ..protocol.frames import EventFrame
from ..protocol.handshake import PROTOCOL_RANGE, Challenge, HelloOk
from .report import Finding, failed

STEPS = ("name", "tcp", "tls", "upgrade", "challenge", "clock", "sign-in", "protocol", "scopes")
SKEW_LIMIT = 30.0
_LOOK_THERE = "look into the gateway's log"


async def look(settings: Settings, timeout: float) -> list[Finding]:
    """Return what was found on the way to the gateway; after a step that failed there are no others.

    Args:
        settings: of the connection; its `device_identity` is a key, or ``None`` for none.
        timeout: seconds for each step.
    """
    found = [finding async for finding in _way(settings, timeout)]
    if found[-1].verdict == "fail":
        steps = [step for step in STEPS if step != "tls" or settings.endpoint.secure]
        reached = {finding.check for finding in found}
        last = max((steps.index(check) for check in reached if check in steps), default=-1)
        left = [step for step in steps[last + 1 :] if step not in reached]
        if left:
            found.append(Finding("not reached", "skip", ", ".join(left)))
    return found


async def _way(settings: Settings, timeout: float) -> AsyncGenerator[Finding, None]:
    endpoint = settings.endpoint
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout):
            addresses = await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        yield Finding("name", "fail", f"{endpoint.host} has no address: {why}", "check the host's name and the network")
        return
    known = ", ".join(dict.fromkeys(str(one[4][0]) for one in addresses))
    yield Finding("name", "ok", f"{endpoint.host} is {known}" if known != endpoint.host else f"{known} is an address")

    began = time.perf_counter()
    try:
        await _try(addresses, timeout)
    except OSError as error:
        yield failed("tcp", connect_error(endpoint, error, timeout), "check host, port and network")
        return
    yield Finding("tcp", "ok", f"port {endpoint.port} takes connections ({_ms(began)})")

    secure: list[ssl.SSLObject] = []
    began = time.perf_counter()
    try:
        transport = await open_transport(
            endpoint, timeout=timeout, ssl_context=settings.ssl_context, on_secure=secure.append
        )
    except GatewayConnectError as error:
        if secure:
            yield _tls(settings, secure[0])
        step = "tls" if endpoint.secure and not secure else "upgrade"
        advice = "stop what else uses that port, or give the gateway another and set OPENCLAW_GATEWAY_URL"
        yield failed(step, error, advice)
        return
    if secure:
        yield _tls(settings, secure[0])
    yield Finding("upgrade", "ok", f"a WebSocket ({_ms(began)})")
    async for finding in _sign_in(settings, transport, timeout):
        yield finding


async def _try(addresses: list[Any], timeout: float) -> None:
    """Connect to the first address that answers, and hang up; raise what the last one said."""
    loop = asyncio.get_running_loop()
    last = OSError("no address")
    for family, kind, protocol, _, address in addresses:
        with socket.socket(family, kind, protocol) as line:
            line.setblocking(False)
            try:
                async with asyncio.timeout(timeout):
                    return await loop.sock_connect(line, address)
            except OSError as error:
                last = error
    raise last


def _tls(settings: Settings, tls: ssl.SSLObject) -> Finding:
    how = "the certificate is the pinned one" if settings.endpoint.pin else "the certificate is verified"
    return Finding("tls", "ok", f"{tls.version()}, {how}")


async def _sign_in(settings: Settings, transport: Transport, timeout: float) -> AsyncGenerator[Finding, None]:
    log = Log()
    auth = DeviceAuth(settings, log)
    auth.load_identity()
    probe = _Probe(auth, log)
    error = await _handshake(settings, transport, probe, min(timeout, settings.connect_challenge_timeout))
    if probe.challenge is None:
        yield failed("challenge", error or "none came", "check the port: is it a gateway's?")
        return
    yield Finding("challenge", "ok", "the gateway asks who is there")
    if error is not None and error.code == "DEVICE_AUTH_SIGNATURE_EXPIRED":
        yield failed("clock", error, "set this computer's clock")
        return
    yield clock(probe.challenge.ts_ms, probe.challenged_at)
    if error is not None:
        yield refusal(error, settings, auth.recovery(error))
        return
    for finding in welcome(probe.hello.result(), auth):
        yield finding


async def _handshake(
    settings: Settings, transport: Transport, probe: _Probe, limit: float
) -> GatewayConnectError | None:
    """Shake hands and hang up; return why there was no hello-ok, ``None`` if there was."""
    connection = Connection(
        transport, probe, challenge_timeout=limit, tick_min_interval=settings.tick_watch_min_interval
    )
    life = asyncio.create_task(connection.run())
    ends: set[asyncio.Future[Any]] = {life, probe.hello}
    try:
        await asyncio.wait(ends, timeout=limit * 2, return_when=asyncio.FIRST_COMPLETED)
        if probe.hello.done():
            await connection.stop()
            await life
            return None
        if not life.done():
            return HandshakeTimeoutError(f"no answer within {limit * 2:g} s; is the gateway busy?")
        ended = life.result()
        return ended.error or GatewayConnectError(close_codes.describe(ended.code, ended.reason))
    finally:
        life.cancel()
        transport.abort()
        await asyncio.gather(life, return_exceptions=True)


def clock(gateway_ms: int | None, local: float) -> Finding:
    """Return how far this computer's clock is from the gateway's.

    Args:
        gateway_ms: the challenge's time, milliseconds since 1970, or ``None``.
        local: this computer's when it came, seconds since 1970.
    """
    if gateway_ms is None:
        return Finding("clock", "ok", "the gateway does not tell its time; this computer's is signed")
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


def refusal(error: GatewayConnectError, settings: Settings, recovery: Recovery) -> Finding:
    """Return the finding for a gateway that did not let us in.

    Args:
        error: what it said.
        settings: what it was told.
        recovery: what the client would do next.
    """
    if isinstance(error, ProtocolMismatchError):
        client = settings.client
        spoken = f" (this client speaks {client.min_protocol} to {client.max_protocol})"
        finding = failed("protocol", error, "update the older side")
        return Finding(finding.check, "fail", finding.detail + spoken, finding.advice)
    if isinstance(error, PairingRequiredError):
        finding = failed("pairing", error, "")
        return Finding(
            "pairing",
            "fail",
            finding.detail,
            f"{finding.advice} (every attempt to connect leaves such a request there; this check did, too)",
        )
    if error.code == "DEVICE_IDENTITY_REQUIRED" and settings.device_identity is None:
        detail = "the gateway wants a credential, and there is neither a token nor a password nor a device key"
        return Finding("sign-in", "fail", detail, "pass token= or password=, or set OPENCLAW_GATEWAY_TOKEN")
    finding = failed("sign-in", error, _LOOK_THERE)
    if recovery is Recovery.DEVICE_TOKEN:
        advice = f"connecting goes on with the stored device token; {finding.advice}"
        return Finding("sign-in", "warn", finding.detail, advice)
    if recovery is Recovery.STARTING:
        return Finding("sign-in", "fail", finding.detail, "the gateway is starting: try again in a few seconds")
    return finding


def welcome(hello: HelloOk, auth: DeviceAuth) -> list[Finding]:
    """Return what a hello-ok tells.

    Args:
        hello: the gateway's.
        auth: what it was told.
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
    missing = sorted(set(auth.selected.scopes) - set(hello.scopes))
    granted = ", ".join(hello.scopes) or "none"
    if missing and "operator.admin" not in hello.scopes:
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


class _Probe:
    """Owner of the one connection (`connection.Owner`): remembers what it is told.

    A stored device token that the gateway replaces is replaced on disk, as the old one is worth nothing from
    then on; apart from that nothing is stored or deleted.
    """

    def __init__(self, auth: DeviceAuth, log: Log) -> None:
        self.challenge: Challenge | None = None
        self.challenged_at = 0.0
        self.hello: asyncio.Future[HelloOk] = asyncio.get_running_loop().create_future()
        self._auth = auth
        self.log = log

    def answer_challenge(self, challenge: Challenge) -> dict[str, Any]:
        self.challenge, self.challenged_at = challenge, time.time()
        return self._auth.answer(challenge)

    def welcomed(self, hello: HelloOk, secrets: list[str]) -> None:
        self.log.redactor.hide(secrets)
        if self._auth.replaces(hello):
            self._auth.welcomed(hello)
        self.hello.set_result(self.log.clean_hello(hello))

    def clean(self, error: E) -> E:
        return self.log.clean_error(error)

    def clean_text(self, text: str) -> str:
        return self.log.clean(text)

    def events(self, frames: list[EventFrame]) -> None: ...

    def gap(self, expected: int, received: int) -> None: ...

    def dropped(self, reason: str) -> None: ...

    def lost(self, code: int) -> None: ...
