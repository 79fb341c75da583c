"""An experiment's runs on the real gateway, beside the same runs started by hand: a session each, as many at a time."""

from __future__ import annotations

import statistics
import tempfile
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gateway_nb as gnb
from gateway_nb.openclaw.process import VERSION
from tests.helpers.real import RealGateway

RUNS, PARALLEL, ROUNDS = 40, 4, 7
MODEL = "mock/mock-1"
TEXTS = [f"row {number} of the data, which says no more than this" for number in range(RUNS)]


def _by_hand(gw: gnb.Gateway) -> float:
    """Run them in threads; return the seconds."""

    def run(text: str) -> str:
        key = f"agent:main:by-hand-{uuid.uuid4()}"
        gw.request("sessions.create", {"key": key, "model": MODEL})
        return gw.run(f"echo:{text}", session=key).result().text

    began = time.perf_counter()
    with ThreadPoolExecutor(PARALLEL) as threads:
        answers = list(threads.map(run, TEXTS))
    assert answers == TEXTS
    return time.perf_counter() - began


def _experiment(gw: gnb.Gateway, folder: Path) -> float:
    """Run them as an experiment, from its beginning to its frame; return the seconds."""
    began = time.perf_counter()
    experiment = gnb.experiment(
        gw,
        {"echo": "echo:{text}"},
        data=[{"text": text} for text in TEXTS],
        models=[MODEL],
        parallel=PARALLEL,
        path=folder / uuid.uuid4().hex,
    )
    answers = list(experiment.run().df["answer"])
    assert answers == TEXTS
    return time.perf_counter() - began


def overhead() -> dict[str, float]:
    """Return what an experiment takes more, of rounds that take turns: this gateway grows slower as sessions grow."""
    real = RealGateway(VERSION)
    try:
        with tempfile.TemporaryDirectory() as folder, gnb.connect(real.url, token=real.token) as gw:
            _by_hand(gw)
            rounds = [(_by_hand(gw), _experiment(gw, Path(folder)), _by_hand(gw)) for _ in range(ROUNDS)]
    finally:
        real.stop()
    ratios = [middle / ((before + after) / 2) - 1 for before, middle, after in rounds]
    name = f"{RUNS} runs, {PARALLEL} at a time"
    return {
        f"by hand ({name}), median (s)": round(statistics.median(each for round in rounds for each in round[::2]), 2),
        f"experiment ({name}), median (s)": round(statistics.median(round[1] for round in rounds), 2),
        "experiment beside the rounds before and after it, median (%)": round(100 * statistics.median(ratios), 1),
        "lowest (%)": round(100 * min(ratios), 1),
        "highest (%)": round(100 * max(ratios), 1),
    }
