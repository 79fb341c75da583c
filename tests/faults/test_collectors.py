"""Traces sent to a collector: what arrives, and what is said where it is not taken."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gateway_nb.errors import GatewayError
from tests.helpers.runs import log_of, whole_run


class Collector(HTTPServer):
    """Answers each request with a status, and keeps what it was sent."""

    def __init__(self, status: int) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = status
        self.received: list[tuple[str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """Keeps each connection, and answers no other meanwhile: who does not end the first is not heard again."""

    server: Collector
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        self.server.received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def collector(request: pytest.FixtureRequest) -> Iterator[Collector]:
    """A collector that answers with a status."""
    with Collector(request.param) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("collector", [200], indirect=True)
def test_what_arrives(collector: Collector) -> None:
    """The spans arrive at the path for traces, or at the one that is named, without what tools were given."""
    trace = log_of(whole_run()).trace("r")
    trace.send(collector.url)
    trace.send(f"{collector.url}/own/path", content=True)
    assert [path for path, _ in collector.received] == ["/v1/traces", "/own/path"]
    for (_, data), content in zip(collector.received, (False, True), strict=True):
        assert (b'{"path":"a"}' in data) == content
        (resource,) = ExportTraceServiceRequest.FromString(data).resource_spans
        spans = resource.scope_spans[0].spans
        assert [(span.span_id.hex(), span.parent_span_id.hex()) for span in spans] == [
            (span.span, span.parent or "") for span in trace.tree
        ]
        assert [span.end_time_unix_nano for span in spans] == [span.end for span in trace.tree]


@pytest.mark.parametrize("collector", [400, 401], indirect=True)
def test_a_refusal(collector: Collector) -> None:
    """A collector that does not take the spans is an error that names it, without what its address may hold."""
    trace = log_of(whole_run()).trace("r")
    with pytest.raises(GatewayError, match=r"the collector at http://127\.0\.0\.1/v1/traces did not take") as caught:
        trace.send(collector.url.replace("//", "//user:hunter2@"))
    assert "hunter2" not in str(caught.value)
