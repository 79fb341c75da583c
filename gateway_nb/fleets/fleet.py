"""`Fleet`: many gateways, connected at the same time, as one object."""

from __future__ import annotations

import asyncio
import contextlib
import fnmatch
import os
import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Unpack

from ..client import options as options_
from ..client.calls import user_facing
from ..client.options import ConnectOptions
from ..errors import BadArgumentError, GatewayError
from ..faces import connections as connecting
from ..faces.gateway import Gateway
from ..protocol.spelling import closest
from ..sync.loop_thread import LoopThread, loop_thread
from .config import Member, read_members

if TYPE_CHECKING:
    import pandas as pd

AT_ONCE = 64
"""Gateways that are connected to, or asked, at the same time."""
_NAMED = 5
_in_fleets: weakref.WeakSet[Gateway] = weakref.WeakSet()
"""Connections that belong to a fleet: running its cell again replaces them."""


@user_facing
class Fleet:
    """Connections to many gateways, as one object. Made by `gateway_nb.fleet`.

    It has a length, and yields its connections, in the configuration's order: those that are not open, too, since each
    is made again when its gateway can be reached. ``fleet["north"]`` is one of them.

    Args:
        thread: of the loop that the connections live on.
        gateways: the connections, by their member.

    Attributes:
        members: what each was made of.
    """

    def __init__(self, thread: LoopThread, gateways: Mapping[Member, Gateway]) -> None:
        self.members = tuple(gateways)
        self._thread = thread
        self._gateways = {member.name: gateway for member, gateway in gateways.items()}

    def __len__(self) -> int:
        return len(self._gateways)

    def __iter__(self) -> Iterator[Gateway]:
        return iter(self._gateways.values())

    def __contains__(self, item: object) -> bool:
        return item in self._gateways or item in self._gateways.values()

    def __getitem__(self, name: str) -> Gateway:
        try:
            return self._gateways[name]
        except (KeyError, TypeError):
            raise BadArgumentError(f"there is no gateway {name!r} in this fleet; {self._near(str(name))}") from None

    def _near(self, name: str) -> str:
        if near := closest(name, self._gateways, 1):
            return f"did you mean {near[0]!r}?"
        names = list(self._gateways)
        more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
        return f"there are {', '.join(names[:_NAMED])}{more}"

    def select(self, *patterns: str, **labels: str) -> Fleet:
        """Return a fleet of some of these gateways, over the same connections.

        Args:
            patterns: of names, e.g. ``"prod-*"``; one of them has to match. Default: all.
            labels: patterns of the values of labels, e.g. ``region="eu-*"``; all of them have to match.

        Raises:
            BadArgumentError: none matches.

        Example:
            >>> len(fleet.select("n*", region="eu"))
            1
        """
        chosen = [member for member in self.members if _matches(member, patterns, labels)]
        if not chosen:
            raise BadArgumentError(f"no gateway of this fleet matches; {self._near(patterns[0] if patterns else '')}")
        return Fleet(self._thread, {member: self._gateways[member.name] for member in chosen})

    # Connecting

    def connect(self, timeout: float | None = 15.0) -> Fleet:
        """Connect to every gateway that is not connected, at the same time.

        One that fails is tried again in the background, unless only its user or its owner can help; `status` says why.

        Args:
            timeout: seconds for each.
        """
        limit = options_.timeout(timeout)
        self._thread.run(lambda: _connect_all(self._gateways.values(), limit), "connect")
        for gateway in self:
            gateway.closed = False
        return self

    def close(self) -> None:
        """Close every connection; their events stay. Calling it again does nothing."""
        with contextlib.ExitStack() as ends:  # each, whatever becomes of the others
            for gateway in self:
                ends.callback(gateway.close)

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        states = [gateway.status.state for gateway in self]
        counts = ", ".join(f"{states.count(state):,} {state}" for state in sorted(set(states)))
        return f"<Fleet of {len(self):,}: {counts}>"


def _matches(member: Member, patterns: Iterable[str], labels: Mapping[str, object]) -> bool:
    patterns = tuple(patterns) or ("*",)
    return any(fnmatch.fnmatchcase(member.name, pattern) for pattern in patterns) and all(
        key in member.labels and fnmatch.fnmatchcase(member.labels[key], str(value)) for key, value in labels.items()
    )


async def _connect_all(gateways: Iterable[Gateway], limit: float | None) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def start(gateway: Gateway) -> None:
        async with places:
            with contextlib.suppress(GatewayError):  # its status says what and why
                await gateway.core.start(limit, persists=True)

    await asyncio.gather(*map(start, gateways))


def fleet(
    config: Iterable[Any] | Mapping[str, Any] | pd.DataFrame | str | os.PathLike[str],
    *,
    timeout: float = 15.0,
    **options: Unpack[ConnectOptions],
) -> Fleet:
    """Connect to many gateways at the same time, and stay connected until `Fleet.close`.

    A gateway that can't be reached is a row of `Fleet.status` with its error, and is tried again in the background.
    Each connection has a name, which the magics take, too: ``-c north``. Running the cell again connects anew, and
    continues the event logs.

    Args:
        config: a list of ``{"name", "url", "token_env" or "password_env", "tls_fingerprint", "labels": {...}}``; a dict
            of these by name; the path of a YAML or TOML file with such a list under ``gateways``; or a DataFrame with
            these columns. It names the environment variables that hold the secrets: no secret is in it.
        timeout: seconds for each gateway.
        **options: of every connection, as for `gateway_nb.connect`, e.g. ``scopes=["operator.read"]``.

    Raises:
        BadArgumentError: the configuration is wrong, or holds a secret; a variable is not set; a name is that of
            another open connection. Nothing was sent.
        InsecureUrlError: a URL is refused by policy. Nothing was sent.

    Example:
        >>> os.environ["NORTH_TOKEN"] = token
        >>> with gnb.fleet([{"name": "north", "url": url, "token_env": "NORTH_TOKEN"}]) as fleet:
        ...     versions = [gateway.status.server_version for gateway in fleet]
    """
    limit = options_.timeout(timeout)
    members = read_members(config)
    names = connecting.names()
    for member in members:
        _check_free(names.gateways.get(member.name), member)
    thread = loop_thread()
    thread.check_may_wait("fleet")
    gateways = {member: _gateway(member, options) for member in members}
    made = Fleet(thread, gateways)
    try:
        made.connect(limit)
        for gateway in made:
            names.replace(gateway, lambda: None)
            _in_fleets.add(gateway)
    except BaseException:
        made.close()
        raise
    return made


def _check_free(former: Gateway | None, member: Member) -> None:
    if former is None or former.closed:
        return
    if former in _in_fleets and former.core.settings.endpoint.gateway == member.endpoint.gateway:
        return  # the cell is run again
    raise BadArgumentError(
        f"the name {member.name!r} is that of an open connection to {former.status.url}; close that with "
        f"gnb.connections()[{member.name!r}].close(), or give the gateway another name in the fleet"
    )


def _gateway(member: Member, options: ConnectOptions) -> Gateway:
    try:
        return Gateway(member.url, name=member.name, **{**options, **member.arguments()})
    except GatewayError as error:
        if not str(error).startswith("gateway "):
            error.args = (f"gateway {member.name!r}: {error}",)
        raise
