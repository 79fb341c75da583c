"""The panel's tab to call methods from: pick one, write its params, see the answer, take it along as a cell."""

from __future__ import annotations

import concurrent.futures
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ....client.redaction.redactor import Redactor
from ....errors import GatewayError
from ....faces.gateway import Gateway
from ....protocol.frames import encode
from ....schema.facts import method_facts
from ...current import latest
from ...magics import grammar
from ...magics.body import CommandError, parse_body
from ..live import LiveWidget, bundle

if TYPE_CHECKING:
    from ....sync.handle import RequestHandle

_HISTORY = 50
_LARGEST_ANSWER = 1_000_000


class RequestBox(LiveWidget):
    """Calls methods of a gateway. A call does not keep the kernel waiting."""

    _esm = bundle("request_box", "js")
    _css = bundle("request_box", "css")
    MESSAGES = ("about", "call", "cancel")

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._history: deque[dict[str, Any]] = deque(maxlen=_HISTORY)
        self._open: dict[str, RequestHandle[Any]] = {}
        self._methods: tuple[str, ...] = ()
        super().__init__()

    def opened(self, view: str) -> None:
        """Send a new view the methods and what was called before."""
        self._methods = latest(self._gateway).methods
        self.post("methods", {"names": sorted(self._methods), "connection": self._gateway.name}, to=view)
        self.post("history", list(self._history), to=view)

    def refresh(self, slow: bool) -> None:
        """Send the views the methods where another gateway came back."""
        methods = latest(self._gateway).methods
        if methods != self._methods:
            self._methods = methods
            self.post("methods", {"names": sorted(self._methods), "connection": self._gateway.name})

    def __repr__(self) -> str:
        return f"<RequestBox {self._gateway.name}>"

    def _on_about(self, view: str, content: Mapping[str, Any]) -> None:
        """Send what the schema has of a method, and what is wrong in the params so far."""
        method, body, facts = str(content.get("method") or ""), str(content.get("params") or ""), method_facts()
        params = facts.methods[method].ordered if method in facts.methods else []
        refused = False
        try:
            findings = facts.findings(method, _params(body))
        except CommandError as error:
            findings, refused = [str(error)], True
        about = {
            "method": method,
            "body": body,
            "text": facts.describe(method) if method else "",
            "params": [{"name": name, "required": param.required, "value": param.example} for name, param in params],
            "refused": refused,
            "findings": [latest(self._gateway).redactor.text(finding) for finding in findings],
        }
        self.post("about", about, to=view)

    def _on_call(self, view: str, content: Mapping[str, Any]) -> None:
        body = str(content.get("params") or "")
        call = grammar.parse_cell(str(content.get("method") or ""), "")
        params = _params(body)
        began = time.perf_counter()
        gateway = latest(self._gateway)
        redactor = gateway.redactor
        handle = gateway.submit(call.method, params, expect_final=content.get("final") is True)
        self._open[view] = handle

        def answered(done: RequestHandle[Any]) -> None:
            took = (time.perf_counter() - began) * 1000
            # Called on the loop's thread, which has other connections to serve than to search an answer for secrets.
            threading.Thread(target=show, args=(done, took), name="gateway_nb-answer", daemon=True).start()

        def show(done: RequestHandle[Any], took: float) -> None:
            if self._open.get(view) is done:
                del self._open[view]
            typed = redactor.json_text(body) if body.lstrip().startswith("{") else redactor.text(body)
            answer = {"method": call.method, "params": typed, "ms": round(took, 1), **_outcome(done, redactor)}
            self._history.append({name: answer[name] for name in ("method", "params", "ms", "ok")})
            self.post("answer", answer, to=view)
            self.post("history", list(self._history))

        handle.add_done_callback(answered)

    def _on_cancel(self, view: str, content: Mapping[str, Any]) -> None:
        handle = self._open.get(view)
        if handle is not None:
            handle.cancel()

    def close(self) -> None:
        """Take it away, and cancel what was called and not answered."""
        for handle in list(self._open.values()):
            handle.cancel()
        super().close()


def _params(text: str) -> dict[str, Any] | None:
    """Return the params that were typed, JSON or YAML as in a cell; a dollar is a dollar, not the name of a variable.

    Raises:
        CommandError: they are neither, or no mapping; says line and column.
    """
    value = parse_body(text).value
    if isinstance(value, str):
        raise CommandError("the params name a variable, which only a cell has; type their value")
    return value


def _outcome(done: RequestHandle[Any], redactor: Redactor) -> dict[str, Any]:
    """Return an answer, or why there is none, as a browser gets it."""
    try:
        text = redactor.json(encode(done.result())).decode()
    except concurrent.futures.CancelledError:
        return {"ok": False, "error": "cancelled"}
    except GatewayError as error:
        return {"ok": False, "error": str(error)}
    except Exception as error:  # noqa: BLE001 - a callback of the loop's: nobody else would say it
        return {"ok": False, "error": f"{type(error).__name__}: {error}"}
    if len(text) > _LARGEST_ANSWER:
        return {
            "ok": True,
            "error": f"the answer has {len(text):,} characters, too many to show here: call it in a cell",
        }
    return {"ok": True, "text": text}
