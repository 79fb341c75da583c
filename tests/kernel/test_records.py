"""Records and transcripts in a real kernel."""

from __future__ import annotations

import pytest

import gateway_nb as gnb
from tests.helpers.kernel import Kernel


@pytest.fixture
def connected(local: gnb.LocalGateway, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Kernel:
    """A kernel with the magics, connected to the embedded gateway, in which an agent has answered."""
    monkeypatch.setenv("OPENCLAW_GATEWAY_URL", local.url)
    monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", local.token)
    kernel: Kernel = request.getfixturevalue("kernel")
    begin = "%load_ext gateway_nb\n%gateway connect\nimport gateway_nb as gnb\ngw = gnb.connections()['default']"
    assert kernel.run(begin).status == "ok"
    said = "gw.run('echo:<b>hello</b> there', session='agent:main:one').result().text"
    assert kernel.run(said).status == "ok"
    return kernel


def test_magics(connected: Kernel) -> None:
    """A book is shown as a DataFrame and kept, a transcript shows itself, and what was said in it does not act."""
    usage = connected.run("%gateway data usage --by model --since 7d -o costs")
    assert usage.status == "ok", usage.error
    assert "local-1" in usage.displays[-1]["text/html"]
    assert connected.run("costs['token_difference'].sum()").displays[-1]["text/plain"] == "np.int64(0)"
    transcript = connected.run("%gateway transcript agent:main:one -o talk")
    assert transcript.status == "ok", transcript.error
    assert "&lt;b&gt;hello&lt;/b&gt; there" in transcript.displays[-1]["text/html"]
    assert connected.run("len(talk)").displays[-1]["text/plain"] == "2"
    unknown = connected.run("%gateway transcript agent:main:none")
    assert "GatewayRequestError: no session 'agent:main:none' on this gateway" in "".join(unknown.error)
    assert len(unknown.error) == 1


_SLOW = """
from gateway_nb.records.steps import Ask, Pause
from gateway_nb.records.reading import Reader
from gateway_nb.sync.loop_thread import loop_thread

def waiting():
    yield Ask("sessions.list", {})
    for number in range(100_000):
        yield Pause(0.05, f"waiting for it, {number}")

Reader(gw.core).read(waiting(), "a slow book", loop_thread())
"""


def test_reading_that_takes_long(connected: Kernel) -> None:
    """Beyond a second a bar says what is waited for; Ctrl-C ends it, and the connection goes on."""
    cell = connected.start(_SLOW)
    connected.wait_for_text(cell, "waiting for it")
    connected.manager.interrupt_kernel()
    assert connected.outcome(cell).status == "error"
    assert connected.run("len(gw.data.sessions())").displays[-1]["text/plain"] == "1"


def choices(kernel: Kernel, code: str) -> list[str]:
    return list(kernel.client.complete(code, len(code), reply=True, timeout=30)["content"]["matches"])


def test_names_that_nobody_has_seen(connected: Kernel) -> None:
    """Sessions, agents and jobs complete though no cell has listed them, in magics and in Python."""
    job = {"name": "a job", "schedule": {"kind": "every", "everyMs": 3_600_000}, "sessionTarget": "isolated"}
    job |= {"wakeMode": "now", "payload": {"kind": "agentTurn", "message": "echo:x"}, "delivery": {"mode": "none"}}
    added = connected.run(f"gw.request('cron.add', {job!r})['id']").displays[-1]["text/plain"].strip("'")
    assert "agent:main:one" in choices(connected, "%gateway transcript ")
    assert choices(connected, "%gateway data cron_runs --job ") == [added]
    assert choices(connected, 'gw.transcript("') == ["agent:main:one"]
    assert choices(connected, 'gw.run("x", agent="') == ["main"]


def test_following(connected: Kernel) -> None:
    """A transcript that is followed grows where it was shown, while other cells run, until it is stopped."""
    shown = connected.run("view = gw.transcript('agent:main:one').follow()\nview")
    assert "following" in shown.displays[-1]["text/html"]
    connected.start("gw.run('echo:later', session='agent:main:one').result().text")
    connected.wait_for_update("echo:later")
    connected.start("view.stop()")
    connected.wait_for_update("<small>ended</small>")
