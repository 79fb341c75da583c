"""Traces in a real Phoenix: sent over OTLP, and read back through its API."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from gateway_nb.errors import GatewayError
from gateway_nb.events.traces.trace import Trace
from tests.helpers.runs import log_of, whole_run
from tests.helpers.support import SESSION_PROCESSES, missing, until

RUNS = ("454349e4-22f0-5297-191e-ad13e21d3db5", "454349e4-22f0-5297-191e-ad13e21d3db6")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def phoenix() -> Iterator[str]:
    """A Phoenix of its own, without network; its address."""
    program = os.environ.get("GATEWAY_NB_PHOENIX", "")
    if not Path(program).is_file():
        missing("phoenix", "GATEWAY_NB_PHOENIX names no program; .ci/engines installs it")
    with tempfile.TemporaryDirectory() as folder, open(Path(folder, "log"), "wb") as log:
        port = free_port()
        settings = {
            "PHOENIX_WORKING_DIR": folder,
            "PHOENIX_HOST": "127.0.0.1",
            "PHOENIX_PORT": str(port),
            "PHOENIX_GRPC_PORT": str(free_port()),
            "PHOENIX_TELEMETRY_ENABLED": "false",
        }
        process = subprocess.Popen([program, "serve"], env={**os.environ, **settings}, stdout=log, stderr=log)
        SESSION_PROCESSES.add(process.pid)
        try:
            url = f"http://127.0.0.1:{port}"
            until(lambda: answers(f"{url}/healthz"), 180)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def stored(url: str, trace: Trace) -> list[dict[str, Any]]:
    """Return the spans of a trace that Phoenix has."""
    with urllib.request.urlopen(f"{url}/v1/projects/default/spans?limit=1000", timeout=30) as answer:
        spans = json.load(answer)["data"]
    return [span for span in spans if span["context"]["trace_id"] == trace.tree[0].trace]


def compare(url: str, trace: Trace) -> None:
    until(lambda: len(stored(url, trace)) == len(trace), 60)
    found = {span["context"]["span_id"]: span for span in stored(url, trace)}
    for span in trace.tree:
        other = found[span.span]
        assert other["parent_id"] == span.parent
        assert other["span_kind"] == {"run": "AGENT", "model": "LLM", "tool": "TOOL"}[span.kind]
        assert [pd.Timestamp(other[name]).value for name in ("start_time", "end_time")] == [span.start, span.end]
        assert other["status_code"] == "OK"
        assert other["attributes"].get("llm.token_count.completion") == (span.output_tokens)
        assert other["attributes"]["openclaw.runId"] == span.attributes["run"]


def test_sent(phoenix: str) -> None:
    """What is sent with the SDK's exporter comes back equal."""
    trace = log_of(whole_run(RUNS[0], calls=3)).trace(RUNS[0])
    trace.send(phoenix)
    compare(phoenix, trace)


def test_a_file(phoenix: str, tmp_path: Path) -> None:
    """A protobuf file is what the server takes, and comes back equal."""
    trace = log_of(whole_run(RUNS[1])).trace(RUNS[1])
    data = trace.to_otlp(tmp_path / "trace.pb", content=True).read_bytes()
    request = urllib.request.Request(
        f"{phoenix}/v1/traces", data, {"Content-Type": "application/x-protobuf"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200
    compare(phoenix, trace)


def test_a_server_that_does_not_take_them(phoenix: str) -> None:
    """A refusal is an error that names the address."""
    trace = log_of(whole_run(RUNS[0])).trace(RUNS[0])
    with pytest.raises(GatewayError, match="did not take the spans"):
        trace.send(f"{phoenix}/nowhere")
