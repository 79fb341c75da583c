"""240 runs on the real gateway, killed with -9 three times and with one restart of the gateway: each cell once."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import gateway_nb as gnb
from gateway_nb.openclaw.process import VERSION
from tests.helpers import experimenter
from tests.helpers.real import RealGateway
from tests.helpers.support import until

ROWS, REPEATS = 20, 3
MODELS = ("mock/mock-1", "mock/mock-2")
PRICES = {"input": 1000, "output": 2000, "cacheRead": 0, "cacheWrite": 0}
_PATIENCE = 600


def config() -> dict[str, Any]:
    """Two models that cost something."""
    about = {"reasoning": False, "input": ["text"], "cost": PRICES, "contextWindow": 131072, "maxTokens": 8192}
    models = [{"id": name, "name": name, **about} for name in ("mock-1", "mock-2")]
    return {"models": {"providers": {"mock": {"models": models}}}}


def measure() -> dict[str, Any]:
    plan = {
        "templates": {"short": "echo:{text}", "tool": "tool:session_status:{{}}"},
        "data": [{"text": f"row {row}"} for row in range(ROWS)],
        "models": MODELS,
        "repeats": REPEATS,
    }
    cells = 2 * ROWS * len(MODELS) * REPEATS
    real = RealGateway(VERSION, config())
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "killed")
            for fifth in (1, 2, 3):
                process = experimenter.start(real.url, real.token, path, plan if fifth == 1 else None)
                _wait_for(path, cells * fifth // 5)
                process.kill()
                process.communicate()
            process = experimenter.start(real.url, real.token, path)
            _wait_for(path, cells * 4 // 5)
            real.restart()
            output, errors = process.communicate(timeout=_PATIENCE)
            assert output.endswith("done\n"), errors
            return _figures(real, path, cells) | {"seconds": round(time.monotonic() - began, 1)}
    finally:
        real.stop()


def _wait_for(path: Path, cells: int) -> None:
    until(lambda: experimenter.ended(path) >= cells, _PATIENCE)


def _figures(real: RealGateway, path: Path, cells: int) -> dict[str, Any]:
    with gnb.connect(real.url, token=real.token) as gateway:
        experiment = gnb.experiment(gateway, path=path)
        frame, usage = experiment.df, gateway.data.usage(by="session")
    conditions = frame.groupby(["template", "row", "model", "agent", "repeat"]).size()
    own = usage[usage["session"].str.contains("experiment-killed-", regex=False)]
    again = sum(record.attempt > 1 for record in experiment.records.values())
    return {
        "rows, of cells": (len(frame), cells),
        "each cell once": len(conditions) == len(frame) == frame["run"].nunique() == frame["session"].nunique(),
        "by status": frame["status"].value_counts().to_dict(),
        "errors": frame["error"].dropna().to_dict(),
        "answers to the echoes that are right": int((frame["answer"] == frame["text"]).sum()),
        "cells whose first run the restart lost": again,
        "sessions in the gateway": len(own),
        "cost, USD: the experiment's, the gateway's": tuple(
            round(float(each["cost"].sum()), 9) for each in (frame, own)
        ),
        "tokens": (
            int(frame["input_tokens"].sum() + frame["output_tokens"].sum()),
            int(own["total_tokens"].sum()),
        ),
    }
