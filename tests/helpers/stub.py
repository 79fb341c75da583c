"""A widget on a bare page: the real script and the real kernel side, with messages carried by hand, without Jupyter."""

from __future__ import annotations

import functools
import http.server
import json
import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>stub</title>
<link rel="stylesheet" href="widget.css">
<body style="margin:8px" data-jp-theme-light="THEME"><script type="module">
import widget from "./widget.js";
const heard = new Set();
window.sent = [];
window.listeners = () => heard.size;
const model = {
  send: (content) => window.sent.push(content),
  on: (_, listener) => heard.add(listener),
  off: (_, listener) => heard.delete(listener),
};
window.deliver = (content, text) => {
  const bytes = new TextEncoder().encode("xxx" + text);  // Jupyter's buffers are views with an offset
  for (const listener of [...heard]) listener(content, [new DataView(bytes.buffer, 3)]);
};
window.open_ = (id) => {
  const el = document.body.appendChild(document.createElement("div"));
  el.id = id;
  window[id + "_close"] = widget.render({ model, el });
};
window.ready = true;
</script></body></html>"""


class Stub:
    """A page with views of one widget.

    Args:
        page: playwright's page.
        widget: the kernel side.

    Attributes:
        deaf: the kernel is busy: messages of the page wait, those of the kernel arrive.
    """

    def __init__(self, page: Any, widget: Any) -> None:
        self.page = page
        self.widget = widget
        self.deaf = False
        self._out: queue.Queue[tuple[dict[str, Any], str]] = queue.Queue()
        widget.send = lambda content, buffers: self._out.put((content, bytes(buffers[0]).decode()))

    def open(self, name: str = "one") -> None:
        """Open a view in an element of that id."""
        self.page.evaluate("name => window.open_(name)", name)

    def pump(self) -> None:
        """Carry the messages that wait, both ways."""
        if not self.deaf:
            for content in self.page.evaluate("window.sent.splice(0)"):
                self.widget._receive(self.widget, content, [])
        while not self._out.empty():
            content, text = self._out.get()
            self.page.evaluate("([content, text]) => window.deliver(content, text)", [content, text])

    def until(self, expression: str, seconds: float = 10.0) -> None:
        """Carry messages until a JavaScript expression is true."""
        end = time.monotonic() + seconds
        while not self.page.evaluate(expression):
            assert time.monotonic() < end, f"{expression} did not come true; the page says: {self.text()}"
            self.pump()
            self.page.wait_for_timeout(5)

    def text(self, selector: str = "body") -> str:
        """Return what is to be read there."""
        return str(self.page.locator(selector).first.inner_text())


@contextmanager
def stub(browser: Any, widget: Any, folder: Path, *, light: bool = True) -> Iterator[Stub]:
    """Open a page for a widget, and close both."""
    (folder / "index.html").write_text(_PAGE.replace("THEME", json.dumps(light)))
    (folder / "widget.js").write_text(widget._esm)
    (folder / "widget.css").write_text(widget._css)
    handler = functools.partial(_Quiet, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        context = browser.new_context(
            viewport={"width": 1100, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
        )
        page = context.new_page()
        errors: list[str] = []
        foreign: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: foreign.append(request.url) if "//127.0.0.1:" not in request.url else None)
        page.route("**/favicon.ico", lambda route: route.fulfill(body=""))
        page.goto(f"http://127.0.0.1:{server.server_address[1]}/")
        page.wait_for_function("window.ready")
        try:
            yield Stub(page, widget)
        finally:
            widget.close()
            context.close()
            server.shutdown()
            serving.join()
        assert not errors
        assert not foreign


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *arguments: Any) -> None:
        pass
