"""Experiments in a notebook: the bar, and Stop."""

from __future__ import annotations

from pathlib import Path

import gateway_nb as gnb
from tests.helpers import experimenter
from tests.helpers.kernel import Kernel
from tests.helpers.support import until


def test_stop_in_a_notebook(kernel: Kernel, local: gnb.LocalGateway, tmp_path: Path) -> None:
    """Stop pauses an experiment: what is done is kept, one line says how much, and the same cell goes on."""
    path = tmp_path / "stopped"
    kernel.run(f"import gateway_nb as gnb; gw = gnb.connect({local.url!r}, token={local.token!r})")
    kernel.run("rows = [{'t': 'echo:a'}, {'t': 'echo:b'}, {'t': 'count:100:50'}]")
    cell = f"gnb.experiment(gw, {{'say': '{{t}}'}}, data=rows, path={str(path)!r}).run()"
    started = kernel.start(cell)
    until(lambda: experimenter.ended(path) == 2)
    kernel.manager.interrupt_kernel()
    stopped = kernel.outcome(started)
    assert "3 to run, 4 at a time" in stopped.text
    assert any("application/vnd.jupyter.widget-view+json" in shown for shown in stopped.displays)
    assert "2 of 3 cells have run; run() goes on with the others" in stopped.error[-1]
    done = kernel.run(cell)
    assert "1 to run, 4 at a time" in done.text
    assert "1 repeat = 3 cells; 3 ok, $" in done.displays[-1]["text/plain"]
