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
    from . import errors as errors
    from . import nesting as nesting
    from . import tools as tools
    from .capture.detached import DetachedCapture as DetachedCapture
    from .capture.detached import captures as captures
    from .capture.journal import Capture as Capture
    from .capture.loading import load as load
    from .capture.recording import Recording as Recording
    from .client.event import Event as Event
    from .client.status import Status as Status
    from .diagnosis.doctor import doctor as doctor
    from .errors import AuthenticationError as AuthenticationError
    from .errors import BadArgumentError as BadArgumentError
    from .errors import BadParamsError as BadParamsError
    from .errors import CaptureError as CaptureError
    from .errors import ExperimentError as ExperimentError
    from .errors import FrameTooLargeError as FrameTooLargeError
    from .errors import GatewayClosedError as GatewayClosedError
    from .errors import GatewayConnectError as GatewayConnectError
    from .errors import GatewayError as GatewayError
    from .errors import GatewayRequestError as GatewayRequestError
    from .errors import GatewayTimeoutError as GatewayTimeoutError
    from .errors import HandshakeTimeoutError as HandshakeTimeoutError
    from .errors import IdentityError as IdentityError
    from .errors import InsecureUrlError as InsecureUrlError
    from .errors import MissingScopeError as MissingScopeError
    from .errors import OpenClawUnavailable as OpenClawUnavailable
    from .errors import PairingRequiredError as PairingRequiredError
    from .errors import ProtocolMismatchError as ProtocolMismatchError
    from .errors import RateLimitedError as RateLimitedError
    from .errors import RunAbortedError as RunAbortedError
    from .errors import RunFailedError as RunFailedError
    from .errors import TlsPinError as TlsPinError
    from .events.log import EventLog as EventLog
    from .experiments.experiment import Experiment as Experiment
    from .experiments.opening import experiment as experiment
    from .faces.async_gateway import AsyncGateway as AsyncGateway
    from .faces.connections import connect as connect
    from .faces.connections import connections as connections
    from .faces.gateway import Gateway as Gateway
    from .faces.run import Run as Run
    from .fleets.fleet import Fleet as Fleet
    from .fleets.fleet import fleet as fleet
    from .notebook.playground import playground as playground
    from .notebook.widgets.connect_form import connect_form as connect_form
    from .server.local_gateway import LocalGateway as LocalGateway

    __version__: str

# Importing the package must cost next to nothing, so each name is imported when it is first asked for (PEP 562).
_ROOMS = {
    "capture.journal": ("Capture",),
    "events.log": ("EventLog",),
    "capture.loading": ("load",),
    "capture.recording": ("Recording",),
    "client.event": ("Event",),
    "experiments.experiment": ("Experiment",),
    "experiments.opening": ("experiment",),
    "faces.async_gateway": ("AsyncGateway",),
    "client.status": ("Status",),
    "faces.connections": ("connect", "connections"),
    "capture.detached": ("DetachedCapture", "captures"),
    "diagnosis.doctor": ("doctor",),
    "faces.gateway": ("Gateway",),
    "faces.run": ("Run",),
    "fleets.fleet": ("Fleet", "fleet"),
    "server.local_gateway": ("LocalGateway",),
    "notebook.widgets.connect_form": ("connect_form",),
    "notebook.playground": ("playground",),
    "errors": (
        "AuthenticationError",
        "BadArgumentError",
        "BadParamsError",
        "CaptureError",
        "ExperimentError",
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

_MODULES = ("errors", "nesting", "tools")

__all__ = sorted([*_HOME, *_MODULES])


if not TYPE_CHECKING:  # who checks types knows the names above alone: any other is a mistake

    def __getattr__(name: str) -> Any:
        if name in _HOME:
            value = getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
            globals()[name] = value
            return value
        if name in _MODULES:
            return importlib.import_module(f".{name}", __name__)
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
