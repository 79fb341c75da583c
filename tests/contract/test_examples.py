"""The examples in docstrings run as they stand."""

from __future__ import annotations

import asyncio
import doctest
import importlib
import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gateway_nb as gnb
from tests.helpers.lakes_to_read import lake

PACKAGE = Path(gnb.__file__).parent
MODULES = [
    ".".join(["gateway_nb", *path.relative_to(PACKAGE).with_suffix("").parts])
    for path in sorted(PACKAGE.rglob("*.py"))
    if ">>> " in path.read_text()
]


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What examples may use without saying where it comes from."""
    monkeypatch.chdir(tmp_path)
    with gnb.LocalGateway() as local:
        monkeypatch.setenv("OPENCLAW_GATEWAY_URL", local.url)
        monkeypatch.setenv("OPENCLAW_GATEWAY_TOKEN", local.token)
        with gnb.connect(name="example") as gw, gw.capture("run.jsonl"):
            gw.run("hello").result(30)
        lake("lake", {"c1": Path("run.jsonl").read_bytes().splitlines(keepends=True)})
        monkeypatch.setenv("NORTH_TOKEN", local.token)
        members = [{"name": "north", "url": local.url, "token_env": "NORTH_TOKEN", "labels": {"region": "eu"}}]
        with gnb.connect() as gw, gnb.fleet(members) as fleet:
            own = {"gw": gw, "fleet": fleet, "url": local.url, "token": local.token}
            yield {"gnb": gnb, "asyncio": asyncio, "os": os, "Path": Path, **own}


@pytest.mark.filterwarnings("ignore:no agent can call this notebook's tools yet")
@pytest.mark.filterwarnings("ignore:this connection now decides for the gateway")
@pytest.mark.parametrize("name", MODULES)
def test_every_example(name: str, names: dict[str, Any]) -> None:
    """Every example of a module runs, none is skipped, and what it shows is what comes out."""
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    report: list[str] = []
    for found in doctest.DocTestFinder().find(module, extraglobs=names):
        assert not any(doctest.SKIP in example.options for example in found.examples)
        runner.run(found, out=report.append)
    assert runner.tries, f"the examples of {inspect.getfile(module)} are in no docstring"
    assert not runner.failures, "".join(report)
