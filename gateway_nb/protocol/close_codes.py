"""What a WebSocket close code means when a gateway sends it (protocol.md, 3; seed: describeGatewayCloseCode)."""

from __future__ import annotations

from ..errors import UNREDACTED, one_line

NORMAL = 1000
PROTOCOL_ERROR = 1002
NO_CODE = 1005
ABNORMAL = 1006
POLICY = 1008
TOO_LARGE = 1009
RESTART = 1012
TRY_AGAIN = 1013
TIMEOUT = 4000

_HINTS = {
    NORMAL: "normal closure",
    PROTOCOL_ERROR: "protocol error",
    ABNORMAL: "abnormal closure (no close frame)",
    POLICY: "policy violation",
    TOO_LARGE: "a frame was too large",
    RESTART: "service restart",
    TRY_AGAIN: "try again later: the gateway is starting",
    TIMEOUT: "closed by this client: no sign of life",
}


def describe(code: int, reason: str) -> str:
    """Return ``gateway closed (CODE): REASON``, with the meaning of the code where the peer gave no reason."""
    text = one_line(reason, UNREDACTED) or _HINTS.get(code, "no reason given")
    return f"gateway closed ({code}): {text}"
