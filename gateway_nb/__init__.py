"""The notebook client for the OpenClaw Gateway: call it from a cell, watch its events, keep them as a DataFrame.

    import gateway_nb as gnb

    gw = gnb.connect()
    gw.request("sessions.list", {"limit": 5})
    gw.events.df

`help(gnb.connect)` has the options; ``%load_ext gateway_nb`` has the cell magic.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import nesting as nesting
    from .capture.journal import Capture as Capture
    from .capture.log import EventLog as EventLog
    from .capture.recording import Recording as Recording
    from .capture.recording import load as load
    from .client.events import Event as Event
    from .client.gateway import AsyncGateway as AsyncGateway
    from .client.status import Status as Status
    from .connecting import connect as connect
    from .connecting import connections as connections
    from .detached import DetachedCapture as DetachedCapture
    from .detached import captures as captures
    from .diagnosis.doctor import doctor as doctor
    from .facade import Gateway as Gateway
    from .handles import Run as Run
    from .local.gateway import LocalGateway as LocalGateway
    from .notebook.widgets.connect_form import connect_form as connect_form
    from .protocol.errors import AuthenticationError as AuthenticationError
    from .protocol.errors import BadParamsError as BadParamsError
    from .protocol.errors import CaptureError as CaptureError
    from .protocol.errors import FrameTooLargeError as FrameTooLargeError
    from .protocol.errors import GatewayClosedError as GatewayClosedError
    from .protocol.errors import GatewayConnectError as GatewayConnectError
    from .protocol.errors import GatewayError as GatewayError
    from .protocol.errors import GatewayRequestError as GatewayRequestError
    from .protocol.errors import GatewayTimeoutError as GatewayTimeoutError
    from .protocol.errors import HandshakeTimeoutError as HandshakeTimeoutError
    from .protocol.errors import IdentityError as IdentityError
    from .protocol.errors import InsecureUrlError as InsecureUrlError
    from .protocol.errors import MissingScopeError as MissingScopeError
    from .protocol.errors import OpenClawUnavailable as OpenClawUnavailable
    from .protocol.errors import PairingRequiredError as PairingRequiredError
    from .protocol.errors import ProtocolMismatchError as ProtocolMismatchError
    from .protocol.errors import RateLimitedError as RateLimitedError
    from .protocol.errors import RunAbortedError as RunAbortedError
    from .protocol.errors import RunFailedError as RunFailedError
    from .protocol.errors import TlsPinError as TlsPinError

    __version__: str

# Importing the package must cost next to nothing, so each name is imported when it is first asked for (PEP 562).
_ROOMS = {
    "nesting": (),
    "capture.journal": ("Capture",),
    "capture.log": ("EventLog",),
    "capture.recording": ("Recording", "load"),
    "client.events": ("Event",),
    "client.gateway": ("AsyncGateway",),
    "client.status": ("Status",),
    "connecting": ("connect", "connections"),
    "detached": ("DetachedCapture", "captures"),
    "diagnosis.doctor": ("doctor",),
    "facade": ("Gateway",),
    "handles": ("Run",),
    "local.gateway": ("LocalGateway",),
    "notebook.widgets.connect_form": ("connect_form",),
    "protocol.errors": (
        "AuthenticationError",
        "BadParamsError",
        "CaptureError",
        "FrameTooLargeError",
        "GatewayClosedError",
        "GatewayConnectError",
        "GatewayError",
        "GatewayRequestError",
        "GatewayTimeoutError",
        "HandshakeTimeoutError",
        "IdentityError",
        "InsecureUrlError",
        "MissingScopeError",
        "OpenClawUnavailable",
        "PairingRequiredError",
        "ProtocolMismatchError",
        "RateLimitedError",
        "RunAbortedError",
        "RunFailedError",
        "TlsPinError",
    ),
}
_HOME = {name: room for room, names in _ROOMS.items() for name in names}

__all__ = sorted([*_HOME, "nesting"])


if not TYPE_CHECKING:  # who checks types knows the names above alone: any other is a mistake

    def __getattr__(name: str) -> Any:
        if name in _HOME:
            value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
            globals()[name] = value
            return value
        if name == "nesting":
            return importlib.import_module(".nesting", __name__)
        if name == "__version__":
            from importlib.metadata import version

            return version("gateway-nb")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def load_ipython_extension(shell: Any) -> None:
    """``%load_ext gateway_nb``: register the magics."""
    from .notebook import extension

    extension.load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """``%unload_ext gateway_nb``: leave nothing behind."""
    from .notebook import extension

    extension.unload(shell)
