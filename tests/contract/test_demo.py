"""``gateway-nb demo`` on a gateway of the user's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import gateway_nb as gnb
from tests.helpers.real import AnyGateway


def demo(gateway: AnyGateway, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway_nb", "demo", "--url", gateway.url, "--token-env", "T", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, env={**os.environ, "T": gateway.token})


def test_without_an_agent(gateway: AnyGateway) -> None:
    """Nobody's money is spent and nothing is changed: no turn, no event caused; all else is shown, and no token."""
    with gnb.connect(gateway.url, token=gateway.token, device_identity=None) as gw:
        done = demo(gateway)
        assert (done.returncode, done.stderr) == (0, "")
        for shown in ("health: ", "sessions.list: ", "--agent runs a turn", "payload", "events, 0 gaps", "saved in"):
            assert shown in done.stdout
        assert gateway.token not in done.stdout
        assert not {"agent", "chat", "talk.mode"} & set(gw.events.stats.events)


def test_with_an_agent(gateway: AnyGateway) -> None:
    """--agent runs a turn, whose events are captured, and says in which session it is."""
    done = demo(gateway, "--agent")
    assert (done.returncode, done.stderr) == (0, "")
    assert "the agent answered: Answer with one word: hello." in done.stdout
    assert "agent:main:gateway-nb-demo" in done.stdout
    figures: dict[str, Any] = json.loads(demo(gateway, "--agent", "main", "--json").stdout)
    assert gnb.load(figures["saved"]).stats.events["agent"] > 0
    assert figures["run_error"] is None


def test_an_agent_that_fails(gateway: AnyGateway) -> None:
    """A turn that fails is told in one line, in the exit code, and takes nothing else away."""
    done = demo(gateway, "--agent", "nobody")
    assert (done.returncode, done.stderr) == (1, "")
    (line,) = [line for line in done.stdout.splitlines() if "the agent's turn failed" in line]
    assert "unknown agent id" in line
    assert "events, 0 gaps" in done.stdout
