"""The gateway project's own client under Node: a peer to measure ours beside."""

from __future__ import annotations

import subprocess

from gateway_nb.errors import OpenClawUnavailable
from gateway_nb.openclaw.npm import installed, node, with_node

PACKAGES = ("@openclaw/gateway-client@2026.9.1", "@openclaw/gateway-protocol@2026.9.1", "ws@8")

_TAKE_IN = """
import { GatewayClient } from "@openclaw/gateway-client";
const [url, count] = [process.argv[1], Number(process.argv[2])];
let seen = 0, began;
const client = new GatewayClient({
  url, deviceIdentity: null,
  onHelloOk: () => client.request("go", {}).catch(() => {}),
  onConnectError: (error) => { console.error(String(error)); process.exit(1); },
  onEvent: (event) => {
    if (event.event !== "agent") return;
    if (seen++ === 0) began = process.hrtime.bigint();
    if (seen === count) {
      console.log(count / (Number(process.hrtime.bigint() - began) / 1e9));
      process.exit(0);
    }
  },
});
client.start();
"""


def events_per_second(url: str, count: int) -> float | None:
    """Return how fast it takes in a server's events, or ``None`` where there is no Node (extra ``openclaw``).

    Args:
        url: of a server that sends its events when it is asked to.
        count: how many it sends.
    """
    try:
        program, _ = node()
        folder = installed("reference-client/2026.9.1", *PACKAGES)
    except OpenClawUnavailable:
        return None
    answer = subprocess.run(
        [program, "--input-type=module", "-e", _TAKE_IN, url, str(count)],
        cwd=folder,
        env=with_node({}, program),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return float(answer.stdout)
