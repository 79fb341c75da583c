"""`LocalGateway`: a gateway in this process, for demos, replay and tests, on a real port."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import threading
import time
import uuid
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from ..errors import BadArgumentError, GatewayClosedError
from ..protocol import close_codes, frames, origins
from .admission import AUTH_MODES, Admission
from .clock import now_ms
from .methods.dispatch import EVENTS, Methods
from .methods.method import NODE
from .methods.system import VERSION, presence
from .peer import Peer, Socket
from .peers import Peers
from .state.sessions import MAIN_AGENT, MAIN_KEY, main_session

MAX_UNAUTHENTICATED = 32
_START_TIMEOUT = 10.0
_RESTART_REASON = "service restart"
# The library logs the ends of frames at DEBUG level, and a connect frame ends in secrets.
_silent = logging.getLogger("gateway_nb.server")
_silent.disabled = True


class LocalGateway:
    """An embedded gateway. Start it with `with`, or `start` and `stop`.

    It checks signatures, tokens and scopes, and answers with the real gateway's field names; agents echo
    (``echo:TEXT``), count (``count:N:MS``), fail (``fail:CODE``) or call a tool (``tool:NAME:{json}``). It listens on
    127.0.0.1 only, does not answer web pages, and answers wrong credentials after a delay that grows.

    Args:
        auth: ``token``, ``password``, or ``insecure-none``: every program on this machine may do everything.
        token: the shared token; default: a new one.
        password: the shared password; default: a new one.
        port: 0 picks a free one.
        protocol: the protocol version it speaks, 3 or 4.
        tick_interval: seconds between ticks.

    Attributes:
        token: the shared token.
        password: the shared password.

    Raises:
        BadArgumentError: an unknown `auth` or `protocol`, or an impossible port.

    Example:
        >>> with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token, name="local") as gw:
        ...     gw.request("health")["ok"]
        True
    """

    def __init__(
        self,
        *,
        auth: str = "token",
        token: str | None = None,
        password: str | None = None,
        port: int = 0,
        protocol: int = 4,
        tick_interval: float = 30.0,
    ) -> None:
        if auth not in AUTH_MODES:
            renamed = "; for a gateway that is open to every program on this machine, pass 'insecure-none'"
            raise BadArgumentError(
                f"auth must be one of {', '.join(AUTH_MODES)}, not {auth!r}{renamed * (auth == 'none')}"
            )
        if not 0 <= port <= 65_535:
            raise BadArgumentError(f"port must be 0 to 65535, not {port!r}")
        if protocol not in (3, 4):
            raise BadArgumentError(f"protocol must be 3 or 4, not {protocol!r}")
        self.token = token or secrets.token_urlsafe(24)
        self.password = password or secrets.token_urlsafe(24)
        self.admission = Admission(auth=auth, token=self.token, password=self.password, protocol=protocol)
        self.peers = Peers()
        self.methods = Methods(self.peers, self.admission)
        self._unauthenticated: set[Peer] = set()
        self.started_at = time.time()
        self._tick_interval = tick_interval
        self._boot_id = str(uuid.uuid4())
        self._port = port
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._stopping: asyncio.Event | None = None
        self._interrupted = False
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Where it listens.

        Raises:
            GatewayClosedError: it has not been started, and has no port yet.
        """
        if not self._port:
            self._running()
        return f"ws://127.0.0.1:{self._port}"

    def start(self) -> LocalGateway:
        """Listen.

        Raises:
            OSError: the port is taken.
            RuntimeError: it is running already.
        """
        if self._thread is not None:
            raise RuntimeError(f"this gateway runs already, on {self.url}")
        ready = threading.Event()
        failure: list[BaseException] = []
        self._interrupted = False
        self._thread = threading.Thread(target=self._run, args=(ready, failure), name="gateway_nb-local", daemon=True)
        try:
            self._thread.start()
            ready.wait(_START_TIMEOUT)
        except KeyboardInterrupt:
            # Either the thread sees this before it listens, or it has an ident here, and is waited for.
            self._interrupted = True
            if self._thread.ident is not None:
                ready.wait(_START_TIMEOUT)
                self.stop()
            raise
        if failure:
            self._thread.join()
            self._thread = None
            raise failure[0]
        return self

    def stop(self) -> None:
        """Close every connection and the port. Calling it again does nothing."""
        thread, loop = self._thread, self._loop
        if thread is None or loop is None or self._stopping is None:
            return
        with contextlib.suppress(RuntimeError):  # the loop ended by itself
            loop.call_soon_threadsafe(self._stopping.set)
        thread.join()
        self._thread = self._loop = None

    def __enter__(self) -> LocalGateway:
        return self if self._thread is not None else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<LocalGateway {f'{self.url} running' if self._thread else 'stopped'}>"

    # What tests and demos do to it

    def emit(self, event: str, payload: Any = None) -> None:
        """Send an event to every connected client.

        Args:
            event: its name.
            payload: anything that is JSON.
        """
        data = frames.encode(payload)
        self._do(lambda: self.peers.send(event, data))

    def skip(self, count: int = 1) -> None:
        """Lose the next `count` events of every client: a gap."""

        def lose() -> None:
            for peer in self.peers:
                peer.skip(count)

        self._do(lose)

    def drop(self, code: int = close_codes.ABNORMAL, reason: str = "") -> None:
        """Close every client's connection; they may come back.

        Args:
            code: close code; 1006 cuts the line without a close frame.
            reason: the close frame's text.
        """

        async def close() -> None:
            await asyncio.gather(*(peer.close(code, reason) for peer in list(self.peers)))

        asyncio.run_coroutine_threadsafe(close(), self._running()).result(_START_TIMEOUT)

    def restart(self, down: float = 0.0) -> None:
        """Announce a shutdown, close with 1012, be away, and come back on the same port with a new boot id.

        Args:
            down: seconds away.
        """
        self.emit("shutdown", {"reason": "restart", "restartExpectedMs": int(down * 1000)})
        self.drop(close_codes.RESTART, _RESTART_REASON)
        self.stop()
        time.sleep(down)
        self._boot_id = str(uuid.uuid4())
        self.start()

    # What its rooms use, on its own loop

    @property
    def method_names(self) -> Iterable[str]:
        """The methods that it advertises."""
        return self.methods.names

    @property
    def event_names(self) -> Iterable[str]:
        """The events that it advertises."""
        return EVENTS

    def ending(self) -> None:
        """The gateway goes away."""
        self.methods.stop()

    def welcomed(self, peer: Peer) -> None:
        """A client has connected."""
        self._unauthenticated.discard(peer)
        self.peers.add(peer)
        if peer.role == NODE:
            self.methods.nodes.connect(peer)

    def call(self, peer: Peer, request: frames.RequestFrame) -> None:
        """Answer a client's request.

        Raises:
            Refusal: the answer is no.
        """
        self.methods.call(peer, request)

    def left(self, peer: Peer) -> None:
        """A client has gone."""
        self.peers.discard(peer)
        if peer.role == NODE:
            self.methods.nodes.disconnect(peer)

    def hello(self, peer: Peer) -> dict[str, Any]:
        """Return the hello-ok payload for a client."""
        assert peer.client is not None
        auth: dict[str, Any] = {
            "method": peer.client.method,
            "role": peer.client.role,
            "scopes": list(peer.client.scopes),
        }
        if peer.client.device_token is not None:
            auth["deviceToken"], auth["issuedAtMs"] = peer.client.device_token
        return {
            "type": "hello-ok",
            "protocol": self.admission.protocol,
            "server": {"version": VERSION, "connId": peer.conn_id, "bootId": self._boot_id},
            "features": {"methods": sorted(self.method_names), "events": list(self.event_names), "capabilities": []},
            "snapshot": {
                "presence": presence(),
                "health": {},
                "stateVersion": {"presence": 1, "health": 1},
                "uptimeMs": int((time.time() - self.started_at) * 1000),
                "sessionDefaults": {
                    "defaultAgentId": MAIN_AGENT,
                    "mainKey": MAIN_KEY,
                    "mainSessionKey": main_session(MAIN_AGENT),
                },
                "authMode": self.admission.auth.removeprefix("insecure-"),
            },
            "auth": auth,
            "policy": {
                "maxPayload": frames.MAX_FRAME_BYTES,
                "maxBufferedBytes": 50 * 1024 * 1024,
                "tickIntervalMs": int(self._tick_interval * 1000),
            },
        }

    def _do(self, work: Any) -> None:
        self._running().call_soon_threadsafe(work)

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            raise GatewayClosedError("this gateway is not running; start it: with LocalGateway() as local, or start()")
        return self._loop

    # Its own thread

    def _run(self, ready: threading.Event, failure: list[BaseException]) -> None:
        try:
            if not self._interrupted:
                asyncio.run(self._serve(ready))
        except OSError as error:
            failure.append(error)
        finally:
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        self._stopping = asyncio.Event()
        async with serve(
            self._accept,
            "127.0.0.1",
            self._port,
            create_connection=Socket,
            process_request=self._refuse,
            compression=None,
            max_size=frames.MAX_FRAME_BYTES,
            ping_interval=None,
            close_timeout=1,
            logger=_silent,
        ) as server:
            self._port = server.sockets[0].getsockname()[1]
            self._loop = asyncio.get_running_loop()
            ticking = asyncio.create_task(self._tick())
            ready.set()
            await self._stopping.wait()
            ticking.cancel()
            self.ending()
            server.close(code=close_codes.RESTART, reason=_RESTART_REASON)
            await server.wait_closed()

    def _refuse(self, socket: ServerConnection, request: Request) -> Response | None:
        """Answer a request that must not become a connection, before it is one."""
        headers = request.headers
        if why := origins.refusal(headers.get_all("Host"), headers.get_all("Origin")):
            return socket.respond(HTTPStatus.FORBIDDEN, f"{why}\n")
        if len(self._unauthenticated) >= MAX_UNAUTHENTICATED:
            return socket.respond(HTTPStatus.SERVICE_UNAVAILABLE, "Too many unauthenticated sockets\n")
        return None

    async def _accept(self, socket: ServerConnection) -> None:
        assert isinstance(socket, Socket)
        peer = Peer(self, socket)
        self._unauthenticated.add(peer)
        try:
            await peer.serve()
        finally:
            self._unauthenticated.discard(peer)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(self._tick_interval)
            self.peers.broadcast("tick", {"ts": now_ms()}, scope=None)
