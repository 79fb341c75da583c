"""An S3 on this computer, moto's, and a proxy before it that fails as stores do.

Run as ``python -m tests.helpers.store``, a process of its own: some calls of Delta Lake keep all threads of theirs
waiting for the store. It obeys lines: JSON with the faults from now on; and answers how many requests there were.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.helpers.support import SESSION_PROCESSES, until

KEY, SECRET = "AKIAEXAMPLE", "store-secret-7f3a"
BUCKET = "lakes"


class Faults:
    """What the store does wrong now.

    Attributes:
        status: it answers this to everything, and does nothing.
        delay: seconds before it does anything.
        lost: every so many requests that write are done, and answered 503.
        requests: how many there were.
        away: it cuts every connection.
    """

    def __init__(self) -> None:
        self.status = self.lost = self.requests = 0
        self.delay = 0.0
        self.away = False


class Store:
    """The parent's side.

    Attributes:
        url: where it listens.
        options: for `deltalake`, or for the environment.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._process = process
        self.url = process.stdout.readline().strip()
        self.options = {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ALLOW_HTTP": "true",
        }

    def fails(self, **faults: Any) -> int:
        """Set what it does wrong from now on, all else being right; return how many requests there were."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(faults) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def _handler(port: int, faults: Faults) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            faults.requests += 1
            number = faults.requests
            if faults.away:
                self.close_connection = True
                return
            if faults.delay:
                time.sleep(faults.delay)
            if faults.status:
                self.answer(faults.status, [], b"<Error><Code>SlowDown</Code></Error>")
                return
            onward = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            with contextlib.closing(onward):
                onward.request(self.command, self.path, body, dict(self.headers))
                reply = onward.getresponse()
                content = reply.read()
            if faults.lost and self.command in ("PUT", "POST") and number % faults.lost == 0:
                self.answer(503, [], b"")
            else:
                self.answer(reply.status, reply.getheaders(), content)

        def handle_one_request(self) -> None:
            with contextlib.suppress(ConnectionError):  # whoever asked waits no more
                super().handle_one_request()

        def answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            length = str(len(content))
            for name, value in headers:
                if name.lower() == "content-length" and self.command == "HEAD":
                    length = value
                elif name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server"):
                    self.send_header(name, value)
            self.send_header("Content-Length", length)
            self.send_header("Connection", "close")  # no socket stays open behind a test
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = forward  # noqa: N815 - the names that the server calls

        def log_message(self, format: str, *_: Any) -> None:
            """Nothing is logged."""

    return Handler


@contextlib.contextmanager
def s3() -> Iterator[Store]:
    """Run a store with an empty bucket."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.helpers.store"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    SESSION_PROCESSES.add(process.pid)
    try:
        yield Store(process)
    finally:
        process.communicate()
        SESSION_PROCESSES.discard(process.pid)


def main() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _made(port), 60)
        faults = Faults()
        proxy = ThreadingHTTPServer(("127.0.0.1", 0), _handler(port, faults))
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        print(f"http://127.0.0.1:{proxy.server_port}", flush=True)
        for line in sys.stdin:
            requests = faults.requests
            vars(faults).update(vars(Faults()) | {"requests": requests} | json.loads(line))
            print(requests, flush=True)
    finally:
        server.kill()
        server.wait()


def _made(port: int) -> bool:
    """Make the bucket; return whether the server was there for it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection), contextlib.suppress(OSError):
        connection.request("PUT", f"/{BUCKET}", headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    return False


if __name__ == "__main__":
    main()
