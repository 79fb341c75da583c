"""An experiment's runs beside the same runs started by hand: a session each, as many at a time.

Rounds take turns, and each of the experiment's is compared with those before and after it: what else the machine does
is in all of them. This process' own CPU time is told as well, which others' work changes less.
"""

from __future__ import annotations

import contextlib
import io
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import gateway_nb as gnb
from gateway_nb.openclaw.process import VERSION
from tests.bench.common import TOKEN, gateway_process
from tests.helpers.real import RealGateway

RUNS, PARALLEL = 40, 4


class _Took(NamedTuple):
    seconds: float
    cpu: float


def _by_hand(gw: gnb.Gateway, prompt: str, model: str) -> list[str]:
    def run(number: int) -> str:
        key = f"agent:main:by-hand-{uuid.uuid4()}"
        gw.request("sessions.create", {"key": key, "model": model})
        return gw.run(prompt.format(n=number), session=key).result().text

    with ThreadPoolExecutor(PARALLEL) as threads:
        return list(threads.map(run, range(RUNS)))


def _experiment(gw: gnb.Gateway, prompt: str, model: str, folder: Path) -> list[str]:
    """Run them as an experiment, from its beginning to its frame."""
    data = [{"n": number} for number in range(RUNS)]
    path = folder / uuid.uuid4().hex
    with contextlib.redirect_stdout(io.StringIO()):
        experiment = gnb.experiment(gw, {"t": prompt}, data=data, models=[model], parallel=PARALLEL, path=path)
        return list(experiment.run().df["answer"])


def _timed(work: Callable[[], list[str]]) -> _Took:
    began, cpu = time.perf_counter(), time.process_time()
    answers = work()
    assert len(answers) == RUNS
    assert all(answers)
    return _Took(time.perf_counter() - began, time.process_time() - cpu)


def _compared(name: str, url: str, token: str, prompt: str, model: str, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder, gnb.connect(url, token=token) as gw:
        _by_hand(gw, prompt, model)
        _experiment(gw, prompt, model, Path(folder))
        hand = [_timed(lambda: _by_hand(gw, prompt, model))]
        ours = []
        for _ in range(rounds):
            ours.append(_timed(lambda: _experiment(gw, prompt, model, Path(folder))))
            hand.append(_timed(lambda: _by_hand(gw, prompt, model)))
    beside = [(hand[number].seconds + hand[number + 1].seconds) / 2 for number in range(rounds)]
    ratios = [one.seconds / other - 1 for one, other in zip(ours, beside, strict=True)]
    return {
        f"{name}: {RUNS} runs by hand, {PARALLEL} at a time (s)": round(statistics.median(t.seconds for t in hand), 2),
        f"{name}: as an experiment (s)": round(statistics.median(t.seconds for t in ours), 2),
        f"{name}: more, median of {rounds} rounds (%)": round(100 * statistics.median(ratios), 1),
        f"{name}: more, lowest and highest (%)": (round(100 * min(ratios), 1), round(100 * max(ratios), 1)),
        f"{name}: own CPU of a run by hand (ms)": round(1000 * min(t.cpu for t in hand) / RUNS, 2),
        f"{name}: own CPU of a run of the experiment (ms)": round(1000 * min(t.cpu for t in ours) / RUNS, 2),
    }


def overhead() -> dict[str, Any]:
    """Return what an experiment takes more: with runs of half a second, and with the real gateway's shortest."""
    with gateway_process() as url:
        figures = _compared("runs of 0.5 s", url, TOKEN, "count:10:50 {n}", "local/local-1", 9)
    real = RealGateway(VERSION)
    try:
        return figures | _compared("real gateway", real.url, real.token, "echo:row {n}", "mock/mock-1", 5)
    finally:
        real.stop()
