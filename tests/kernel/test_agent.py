"""``%%agent`` in a real kernel, and in a terminal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway_nb as gnb
from tests.helpers.kernel import Kernel, Outcome

SETUP = '''
import warnings
import pandas as pd
import gateway_nb as gnb
warnings.simplefilter("ignore")
gw = gnb.connect({url!r}, token={token!r})
frame = pd.DataFrame({{"shop": ["a", "b"], "sold": [3, 4]}})

@gw.tool
def sold(shop: str) -> int:
    """Sales of a shop."""
    return frame.set_index("shop").sold[shop]

@gw.tool
def total() -> int:
    """All sales."""
    return frame.sold.sum()

gw.tools.approve()
'''
CALL = 'tool:sold:{"shop": "b"}'


@pytest.fixture(scope="module")
def asked() -> Iterator[gnb.LocalGateway]:
    """The gateway of the tests in this module."""
    with gnb.LocalGateway() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def shared(shared_kernel: Kernel, asked: gnb.LocalGateway) -> Kernel:
    """The shared kernel, which offers two functions."""
    outcome = shared_kernel.run(SETUP.format(url=asked.url, token=asked.token))
    assert outcome.status == "ok", outcome.error
    return shared_kernel


def html_of(outcome: Outcome) -> str:
    return str(outcome.displays[-1]["text/html"])


def test_an_answer_grows(shared: Kernel) -> None:
    """The answer grows in one display as rendered Markdown, and stays as it ended; -o keeps the run."""
    outcome = shared.run("%%agent -o answer --session agent:main:grows\ncount:20:100")
    assert outcome.status == "ok", outcome.error
    shown = [display["text/html"] for display in outcome.displays]
    assert len(set(shown)) > 3
    assert f"<p>{' '.join(map(str, range(1, 21)))}</p>" in shown[-1]
    assert re.search(
        r"agent · ok · [\d.]+ s · .* · local/local-1 · \$0\.\d{4} · \d+ input tokens · 20 output", shown[-1]
    )
    kept = shared.run("print(answer.text[:5], answer.session, answer.state, answer.run in set(gw.events.runs().run))")
    assert kept.text == "1 2 3 agent:main:grows ok True\n"
    again = shared.run("answer")
    assert "<p>1 2 3" in html_of(again)


def test_functions_are_called(shared: Kernel) -> None:
    """The user's functions are called, and each call is folded with arguments, answer and time."""
    outcome = shared.run(f"%%agent --tools sold\n{CALL}")
    assert "<p>4</p>" in html_of(outcome)
    line, arguments = r"<summary[^>]*>sold · ok · [\d.]+ s</summary>", "<pre>{&quot;shop&quot;: &quot;b&quot;}</pre>"
    assert re.search(f"{line}.*{arguments}.*<pre>4</pre>", html_of(outcome))
    assert "tools: sold" in outcome.displays[-1]["text/plain"]


@pytest.mark.parametrize("tools", ["none", "total"])
def test_functions_that_may_not_be_called(shared: Kernel, tools: str) -> None:
    """With --tools the run calls no other function; the agent is told so, and the next run calls it again."""
    refused = html_of(shared.run(f"%%agent --tools {tools}\n{CALL}"))
    assert "<p>sold is not one of the tools that this run may call</p>" in refused
    assert "sold · failed · " in refused
    assert "<p>4</p>" in html_of(shared.run(f"%%agent\n{CALL}"))


def test_values_in_a_prompt(shared: Kernel) -> None:
    """$name and ${expr} are Python values; a DataFrame is a table with its shape, which the answer shows as one."""
    outcome = shared.run("%%agent --session agent:main:values\n$frame\n\nIs it ${2 + 2}?")
    assert outcome.displays[-1]["text/plain"].startswith("|  | shop | sold |\n| --- |")
    assert "<td>b</td>" in html_of(outcome)
    assert "[2 rows x 2 columns]" in html_of(outcome)
    assert "<p>Is it 4?</p>" in html_of(outcome)


def test_hostile_answers(shared: Kernel, asked: gnb.LocalGateway) -> None:
    """Markup that an agent writes is text, and the connection's token is in no display."""
    hostile = f"<script>x</script> ![p](https://evil/p) {asked.token}"
    shown = shared.run(f"%%agent --session agent:main:hostile\necho:{hostile}").displays
    assert asked.token not in repr(shown)
    assert "&lt;script&gt;x&lt;/script&gt; !<a href=" in shown[-1]["text/html"]


def test_stop(shared: Kernel, asked: gnb.LocalGateway) -> None:
    """Stop aborts the run in the gateway, says so, and leaves what came so far."""
    cell = shared.start("%%agent --session agent:main:stop\ncount:1000:50")
    shared.wait_for_text(cell, "1 2")
    shared.manager.interrupt_kernel()
    outcome = shared.outcome(cell)
    assert "agent: the gateway aborted the run" in outcome.error[-1]
    assert "agent · aborted" in html_of(outcome)
    assert not asked.methods.agents.active("agent:main:stop")


def test_in_the_background(shared: Kernel) -> None:
    """With --bg the cell ends at once, its display follows the run, and what -o keeps is the run while it goes on."""
    outcome = shared.run("%%agent --bg -o work --session agent:main:bg\ncount:5:50")
    assert "agent · running" in outcome.displays[0]["text/html"]
    done = shared.run("work.result(30); print(work.text, work.state)")
    assert done.text == "1 2 3 4 5 ok\n"
    assert "<p>1 2 3 4 5</p>" in html_of(shared.run("%gateway result"))


@pytest.mark.parametrize(
    ("code", "fragment", "choice"),
    [
        ("%%agent --to", "--to", "--tools"),
        ("%%agent --tools so", "so", "sold"),
        ("%%agent --tools sold,", "", "total"),
        ("%%agent --tools sold -c def", "def", "default"),
    ],
)
def test_completion(shared: Kernel, code: str, fragment: str, choice: str) -> None:
    """Options complete, and so do the names of the functions that are offered."""
    content = shared.client.complete(code, len(code), reply=True, timeout=30)["content"]
    assert choice in content["matches"]
    assert code[content["cursor_start"] : content["cursor_end"]] == fragment


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("%%agent\n", "CommandError: %%agent needs a prompt"),
        ("%%agent", "CommandError: %%agent needs a prompt"),
        ("%%agent --tools nothing\nhi", "there is no tool 'nothing'; this connection offers sold, total"),
        ("%%agent -c nowhere\nhi", "there is no connection 'nowhere'"),
        ("%%agent\n$nothing", "not defined: nothing"),
        ("%%agent --timeout 0.1 --session agent:main:slow\ncount:20:50", "did not end within 0.1 s; it continues"),
        ("%%agent --session agent:main:fail\nfail:400", "RunFailedError: run "),
    ],
)
def test_errors(shared: Kernel, cell: str, message: str) -> None:
    """What goes wrong is an error of one line, so that the notebook stops there."""
    outcome = shared.run(cell)
    assert outcome.status == "error"
    assert message in outcome.error[0]
    assert len(outcome.error) == (3 if "(line " in outcome.error[0] else 1)  # the place in the cell, and its mark


def test_unloading(kernel: Kernel) -> None:
    """When the extension is unloaded, the magic is gone."""
    assert kernel.run("%load_ext gateway_nb\n%unload_ext gateway_nb").status == "ok"
    assert "Cell magic `%%agent` not found" in kernel.run("%%agent\nhi").everything


def test_in_a_terminal(asked: gnb.LocalGateway, tmp_path: Path) -> None:
    """In a terminal's IPython the answer is plain text, with one line about the run."""
    code = f"""%load_ext gateway_nb
import gateway_nb as gnb
gw = gnb.connect({asked.url!r}, token={asked.token!r})
get_ipython().run_cell_magic("agent", "-o answer --session agent:main:terminal", "echo:**so** it \\x1b[31mis")
gw.close()
"""
    script = tmp_path / "cell.ipy"
    script.write_text(code)
    command = [sys.executable, "-m", "IPython", "--colors=NoColor", str(script)]
    surroundings = {**os.environ, "IPYTHONDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, env=surroundings)
    assert done.stdout.startswith("**so** it \\u001b[31mis\nagent · ok · ")
    assert done.stderr == ""
