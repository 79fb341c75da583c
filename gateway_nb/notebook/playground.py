"""A connection to try things on: the first line of a notebook."""

from __future__ import annotations

import os

from IPython.core.getipython import get_ipython

from ..client.environment import URL_VARIABLE
from ..faces.connections import connect
from ..faces.gateway import Gateway
from . import current, extension


def playground() -> Gateway:
    """Connect to a gateway to try things on, and load the magics where there is IPython.

    The gateway is the one that the environment variable `OPENCLAW_GATEWAY_URL` names, as for `connect`; where there is
    none, an embedded one whose agent counts and echoes, and which ends with this process.

    Returns:
        The connected `Gateway`, with the name ``default``.

    Raises:
        GatewayConnectError: the environment's gateway can't be reached, or refuses; see `connect`.

    Example:
        >>> gw = gnb.playground()
        >>> gw.run("count:3").result().text
        '1 2 3'
    """
    if (shell := get_ipython()) is not None:
        extension.load(shell)
    if os.environ.get(URL_VARIABLE, "").strip():
        gateway = connect()
    else:
        local = current.embedded_gateway()
        gateway = connect(local.url, token=local.token, device_identity=None)
    current.adopt(gateway)
    return gateway
