"""`Fleet`: many gateways, connected at the same time, as one object."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import warnings
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import EllipsisType
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from ..capture.lake.delta import Lake
from ..capture.lake.writing import LakeCapture
from ..client import options as options_
from ..client.calls import user_facing
from ..client.core import STOP_TIMEOUT
from ..client.feed import patterns_of
from ..client.options import ConnectOptions, without_secrets
from ..client.run import AsyncRun
from ..errors import BadArgumentError, GatewayError
from ..events import widgets
from ..events.log import MAX_BYTES, MAX_ROWS
from ..faces import connections as connecting
from ..faces.gateway import Gateway
from ..protocol.spelling import closest
from ..records.data import Data
from ..records.steps import Steps
from ..sync.loop_thread import LoopThread, loop_thread
from .asking import answers, ask_each, frame_of_records, frame_of_runs, named, read_each, run_each
from .capturing import capture_all
from .cluster import ClusterCapture, capture_on
from .collecting import Plan
from .config import Member, read_members
from .events import FleetEvents
from .status import FleetStatus

if TYPE_CHECKING:
    import distributed
    import pandas as pd

    from ..events.widgets import EventTable

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
        whole: the fleet that these are selected from; it ends their captures, too.

    Attributes:
        members: the configuration of each.
    """

    def __init__(self, thread: LoopThread, gateways: Mapping[Member, Gateway], whole: Fleet | None = None) -> None:
        self.members = tuple(gateways)
        self._thread = thread
        self._gateways = {member.name: gateway for member, gateway in gateways.items()}
        self._whole = whole
        self._captures: weakref.WeakSet[LakeCapture | ClusterCapture] = weakref.WeakSet()

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
        return Fleet(self._thread, {member: self._gateways[member.name] for member in chosen}, self)

    # Capturing

    @overload
    def capture(
        self,
        lake: str | Path,
        events: str | Iterable[str] = ("*",),
        *,
        storage_options: Mapping[str, str] | None = None,
        client: None = None,
    ) -> LakeCapture: ...

    @overload
    def capture(
        self,
        lake: str | Path,
        events: str | Iterable[str] = ("*",),
        *,
        storage_options: Mapping[str, str] | None = None,
        client: distributed.Client | Literal[True],
    ) -> ClusterCapture: ...

    def capture(
        self,
        lake: str | Path,
        events: str | Iterable[str] = ("*",),
        *,
        storage_options: Mapping[str, str] | None = None,
        client: distributed.Client | Literal[True] | None = None,
    ) -> LakeCapture | ClusterCapture:
        """Write the events of all gateways into a lake, from now on: a Delta table, which `gateway_nb.load` opens.

        Events go to a journal on this computer at once, and into the lake every 10 s or 32 MiB. `LakeCapture.stop`, the
        end of the process and Ctrl-C commit the rest within 30 s. What a killed process left is committed by the next
        capture into the same lake, each event once. While a store can't be reached, or a disk is full, ``stats`` says
        so, and the journals stay.

        Args:
            lake: a folder, or the URL of a store, ``s3://bucket/lake``; made where there is none.
            events: patterns of the event names to keep.
            storage_options: of the store, as Delta Lake names them; the others and the secrets come from the
                environment: ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``.
            client: of a Dask cluster whose workers capture, each some of the gateways, over connections of their own
                with the secrets of their own environment; ``True`` makes a cluster of processes on this computer. What
                a worker had that dies or is drained goes to the others within seconds; what came in between is nowhere,
                and a mark says where that was.

        Raises:
            BadArgumentError: `client` is none; or an option of the connections or of the store is a secret, or can't be
                handed over.
            CaptureError: the lake is of another schema or a newer version, or can't be reached or written.
            ImportError: Delta Lake is not installed: ``pip install 'gateway-nb[fleet]'``.

        Example:
            >>> with fleet.capture("lake/") as capture:
            ...     result = fleet["north"].run("hello").result(30)
            >>> capture.stats.events > 0
            True
        """
        store = Lake(lake, storage_options)
        capture = capture_all(self, store, events) if client is None else capture_on(client, self._plan(store, events))
        self._note(capture)
        return capture

    def _note(self, capture: LakeCapture | ClusterCapture) -> None:
        self._captures.add(capture)
        if self._whole is not None:
            self._whole._note(capture)

    def _plan(self, lake: Lake, events: str | Iterable[str]) -> Plan:
        """Return what the workers of a cluster need to capture this fleet."""
        gateways = {name: without_secrets(gateway.core.settings) for name, gateway in self._gateways.items()}
        return Plan(self.members, gateways, lake.place, lake.portable(), patterns_of(events))

    # Connecting

    def connect(self, timeout: float | None = 15.0) -> Fleet:
        """Connect to every gateway that is not connected, at the same time.

        One that fails is tried again in the background, unless only its user or its owner can help; `status` says why.

        Args:
            timeout: seconds for each.
        """
        limit = options_.timeout(timeout)
        start = lambda gateway: gateway.core.start(limit, persists=True)  # noqa: E731 - its errors are in its status
        self._thread.run(lambda: ask_each(self, start), "connect")
        for gateway in self:
            gateway.closed = False
        return self

    def close(self) -> None:
        """End the captures and close every connection; their events stay. Calling it again does nothing.

        Raises:
            CaptureError: a capture could not commit the rest; says where it is.
            GatewayTimeoutError: a line had to be cut.
        """
        with contextlib.ExitStack() as ends:  # the last first, each whatever becomes of the others
            for gateway in self:
                ends.callback(gateway.close)
            ends.callback(self._stop)
            for capture in list(self._captures):
                ends.callback(capture.stop)

    def _stop(self) -> None:
        """Close the lines side by side: one that does not answer takes its time."""
        if not self._thread.is_alive():
            return
        outcomes = self._thread.run(lambda: ask_each(self, lambda gateway: gateway.core.stop(STOP_TIMEOUT)), "close")
        for error in filter(None, outcomes):
            raise error

    def __enter__(self) -> Fleet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Asking

    def request(
        self,
        method: str,
        params: Mapping[str, Any] | None = None,
        *,
        timeout: float | EllipsisType | None = ...,
    ) -> pd.DataFrame:
        """Call a method of every gateway at the same time.

        Args:
            method: e.g. ``"sessions.list"``.
            params: as for `Gateway.request`.
            timeout: seconds for each, ``None`` for no limit; default: 30.

        Returns:
            One row per gateway: `gateway` (its name), `ok`, `error` (missing where it answered), `payload` (decoded;
            secrets of the connection are replaced).

        Raises:
            BadArgumentError, BadParamsError: it is no method, or the params are not JSON; nothing was sent.

        Example:
            >>> answers = fleet.request("sessions.list", {"limit": 5})
            >>> failed = answers[~answers["ok"]]
        """
        return answers(tuple(self), method, params, timeout)

    @property
    def data(self) -> Data[pd.DataFrame]:
        """The records of every gateway, each as one DataFrame with a column ``gateway`` first; see `Data`.

        A gateway that fails is named in a warning, and in ``frame.attrs["errors"]``; if all fail, that is an error.

        Example:
            >>> costs = fleet.data.usage(by="model", since="7d").groupby("gateway")["cost"].sum()
        """
        return Data(self._read)

    def _read(self, steps: Callable[[], Steps[pd.DataFrame]], title: str) -> pd.DataFrame:
        gateways = tuple(self)
        outcomes = self._thread.run(lambda: read_each(gateways, steps), title)
        return frame_of_records(gateways, outcomes)

    def run(
        self, message: str, *, agent: str = "main", session: str | None = None, timeout: float | None = None
    ) -> pd.DataFrame:
        """Start a turn of an agent at every gateway, and wait for their ends. Ctrl-C aborts those that go on.

        Args:
            message: what to say to it.
            agent: agent id.
            session: session key; default: the agent's main session.
            timeout: seconds for each run, ``None`` for no limit.

        Returns:
            One row per gateway: `gateway`, `ok`, `error`, `answer`, and `run` and `session`, also of those that failed.

        Example:
            >>> answers = fleet.run("hello")[["gateway", "answer"]]
        """
        limit, gateways = options_.timeout(timeout), tuple(self)
        runs = [AsyncRun(each.core, message, agent=agent, session=session, timeout=limit) for each in gateways]
        return frame_of_runs(gateways, runs, self._thread.run(lambda: run_each(gateways, runs), "run"))

    # Seeing

    @property
    def events(self) -> FleetEvents:
        """What arrived of every gateway, with a column ``gateway``; see `FleetEvents`.

        Each connection keeps its newest events; together they keep as many as one connection alone would.
        """
        return FleetEvents(tuple(self))

    @property
    def status(self) -> FleetStatus:
        """A snapshot of every connection: a grid of states where it is shown, and ``.df``. No I/O.

        Example:
            >>> missing = fleet.status.df.query("state != 'connected'")
        """
        captures = (capture for capture in self._captures if isinstance(capture, ClusterCapture))
        collectors = next((capture.shares for capture in captures if capture.alive), {})
        return FleetStatus(self.members, [gateway.status for gateway in self], collectors)

    def table(self) -> EventTable:
        """Return one live table of all connections' events, a widget; its first column is the gateway."""
        return widgets.backend.fleet_table(self)

    def __repr__(self) -> str:
        return f"<Fleet of {self.status}>"

    def _repr_html_(self) -> str:
        return self.status._repr_html_()


def _matches(member: Member, patterns: Iterable[str], labels: Mapping[str, object]) -> bool:
    patterns = tuple(patterns) or ("*",)
    return any(fnmatch.fnmatchcase(member.name, pattern) for pattern in patterns) and all(
        key in member.labels and fnmatch.fnmatchcase(member.labels[key], str(value)) for key, value in labels.items()
    )


def fleet(
    config: Iterable[Any] | Mapping[str, Any] | pd.DataFrame | str | os.PathLike[str],
    *,
    timeout: float = 15.0,
    **options: Unpack[ConnectOptions],
) -> Fleet:
    """Connect to many gateways at the same time, and stay connected until `Fleet.close`.

    A gateway that can't be reached is named in a warning, and in `Fleet.status`; it is tried again in the background.
    Each connection has a name, which the magics take, too: ``-c north``. Running the cell again connects anew, and
    continues the event logs. Together these keep the newest 1,000,000 events, at most 512 MB, an equal part each.

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
        ...     answers = fleet.request("health")
    """
    limit = options_.timeout(timeout)
    members = read_members(config)
    names = connecting.names()
    for member in members:
        _check_free(names.gateways.get(member.name), member)
    thread = loop_thread()
    thread.check_may_wait("fleet")
    gateways = {member: _gateway(member, options) for member in members}
    connected = Fleet(thread, gateways)
    try:
        connected.connect(limit)
        for gateway in connected:
            names.replace(gateway, lambda: None)
            # It may go on with another's log.
            gateway.events.limit(MAX_ROWS // len(connected), MAX_BYTES // len(connected))
            _in_fleets.add(gateway)
        if wrong := dict(connected.status.wrong()):
            count = f"{len(wrong):,} of {len(connected):,} gateways"
            warnings.warn(f"{count}: {named(wrong)}; fleet.status shows all", stacklevel=2)
    except BaseException:
        connected.close()
        raise
    return connected


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
