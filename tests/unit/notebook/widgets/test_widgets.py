"""The widgets without a browser: what they send and when, what is saved of them, and when their thread ends."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from importlib import resources
from typing import Any

import msgspec
import pytest

import gateway_nb as gnb
from gateway_nb.client.redaction.redactor import Redactor
from gateway_nb.client.status import Counters
from gateway_nb.events.log import EventLog
from gateway_nb.notebook.widgets import live
from gateway_nb.notebook.widgets.connect_form import ConnectForm
from gateway_nb.notebook.widgets.data_view import DataView
from gateway_nb.notebook.widgets.event_table import PUSHED_ROWS, EventTable
from gateway_nb.notebook.widgets.event_table.query import FilterError
from gateway_nb.notebook.widgets.request_box import RequestBox
from gateway_nb.notebook.widgets.runs_view import RunsView
from gateway_nb.notebook.widgets.status_view import StatusView
from gateway_nb.notebook.widgets.trace_view import TraceView
from tests.helpers.events import event
from tests.helpers.heard import Heard
from tests.helpers.support import until

WIDGETS = (EventTable, ConnectForm, StatusView, RequestBox, RunsView, DataView, TraceView)
LARGEST_SCRIPT = 20 * 1024


@pytest.fixture
def log() -> EventLog:
    return EventLog()


@pytest.fixture
def table(log: EventLog) -> Iterator[Heard]:
    widget = EventTable(log, "test")
    yield Heard(widget)
    widget.close()


def fill(log: EventLog, count: int) -> None:
    for number in range(count):
        log.extend([event(number)])


def thread() -> bool:
    return any(one.name == "gateway_nb-widgets" for one in threading.enumerate())


def test_nothing_is_sent_to_nobody(table: Heard, log: EventLog) -> None:
    """Without a view nothing is sent and no thread runs; with one, its thread ends when it closes."""
    fill(log, 10)
    assert not thread()
    table.say("open")
    until(lambda: table.of("snapshot"))
    fill(log, 10)
    until(lambda: table.of("push"))
    table.say("close")
    until(lambda: not thread())
    assert table.widget._views == {}


def test_pushes_are_bounded(table: Heard, log: EventLog) -> None:
    """However many events come, a push holds at most 500 of the newest, each cut short; nothing new is no push."""
    table.say("open")
    for number in range(5000):
        log.extend([event(number, payload={"text": "x" * 10_000})])
    until(lambda: table.of("push") and table.of("push")[-1]["end"] == 5000)
    pushed = table.of("push")
    assert max(len(push["rows"]["ids"]) for push in pushed if "rows" in push) <= PUSHED_ROWS
    assert max(len(msgspec.json.encode(push)) for push in pushed) < 200_000
    before = len(table.messages)
    until(lambda: table.widget._posted is not None and not table.widget.refresh(False))
    assert len(table.messages) == before


def test_a_browser_that_does_not_answer(table: Heard, log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A view that is silent for 15 s hears little, and one that is silent for ten minutes hears nothing."""
    slow: list[bool] = []
    monkeypatch.setattr(table.widget, "refresh", slow.append)
    table.say("open")
    now = time.monotonic()
    live.ticker.stop()
    slow.clear()
    for after in (1.0, 2.0, live.SLOW_AFTER + 1, live.SLOW_AFTER + 1.1, live.SLOW_AFTER + 1.2, live.SLOW_AFTER + 2.1):
        table.widget._pulse(now + after)
    assert slow == [False, False, True, True]
    table.widget._pulse(now + live.GONE_AFTER + 1)
    assert table.widget._views == {}
    table.say("here")
    assert table.of("snapshot")


@pytest.mark.parametrize(
    "content",
    [
        {"type": "window", "start": "x", "count": 1, "v": 0},
        {"type": "query", "query": 5},
        {"type": "select", "ids": [None]},
        {"type": "row", "id": 10**30},
        {"type": "columns", "columns": ["."]},
        {"type": "export", "format": "../x"},
        {"type": "_receive"},
        {"type": "__class__"},
        {"type": None},
        {},
    ],
)
def test_hostile_messages(table: Heard, log: EventLog, content: dict[str, Any]) -> None:
    """Whatever a page says, the table answers with a problem or not at all, and goes on."""
    fill(log, 3)
    table.say("open")
    table.say(**{"kind": content.get("type"), **{name: value for name, value in content.items() if name != "type"}})
    table.widget._receive(table.widget, ["no", "mapping"], [])
    table.say("query", query={"text": '"n":2'})
    until(lambda: any(push["end"] == 1 for push in table.of("push")))
    assert len(table.widget.df) == 1


def test_columns_from_a_cell(table: Heard, log: EventLog) -> None:
    """A cell can ask for columns out of payloads, as the page can; every view shows them, and at most eight."""
    fill(log, 3)
    table.say("open")
    table.widget.expand("n", "$.missing")
    assert table.of("columns") == [["n", "$.missing"]]
    table.say("open", view="another")
    assert list(table.of("snapshot")[-1]["columns"]) == ["n", "$.missing"]
    with pytest.raises(FilterError, match="at most 8 columns from payloads, not 9"):
        table.widget.expand(*"abcdefghi")
    with pytest.raises(FilterError, match="a path is a name"):
        table.widget.expand("n", "")
    assert table.widget._columns == ("n", "$.missing")


def test_views_of_a_closed_widget(log: EventLog) -> None:
    """A closed table hears and says nothing, but its rows can still be had."""
    widget = EventTable(log, "test")
    heard = Heard(widget)
    fill(log, 3)
    heard.say("open")
    widget.close()
    before = len(heard.messages)
    widget.close()
    until(lambda: not thread())
    assert len(heard.messages) == before
    assert len(widget.df) == 3


def test_a_connection_made_again() -> None:
    """A table goes on with the events and the state of the connection that took its name."""
    with gnb.LocalGateway() as local:
        first = gnb.connect(local.url, token=local.token)
        table = first.table()
        second = gnb.connect(local.url, token=local.token)
        local.emit("tick", {"n": 1})
        until(lambda: "tick" in second.events.stats.events)
        assert table._state() == "connected"
        assert (table.df["event"] == "tick").sum() == 1
        second.close()
        assert table._state() == "closed"
        table.close()


@pytest.mark.parametrize("up", [10**400, float("inf"), -1, "long", None, [], 90_000])
def test_a_status_of_odd_times(up: Any) -> None:
    """The status tab shows a time that makes sense, and all else of a gateway that sends another."""
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token, name="odd-times") as gw:
        assert gw.hello is not None
        gw.hello["snapshot"]["uptimeMs"] = up
        widget = StatusView(gw)
        rows = dict(widget._describe()["rows"])
        assert rows.get("Uptime when connected") == ("1 min 30 s" if up == 90_000 else None)
        assert rows["Gateway"] == local.url
        widget.close()


def test_the_warnings_of_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status tab says, as the status itself does, that nothing is received, and what was lost on this side."""
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token, name="silent") as gw:
        counters = Counters(handler_missed=1234, jumps=5)
        silent = dataclasses.replace(gw.status, silence=45.0, counters=counters)
        monkeypatch.setattr(type(gw), "status", silent)
        widget = StatusView(gw)
        rows = dict(widget._describe()["rows"])
        assert rows["Warning"] == "nothing received for 45 s"
        assert (rows["Calls of handlers left out"], rows["Jumps"]) == ("1,234", "5")
        widget.close()
        monkeypatch.undo()


def test_a_recording(log: EventLog, tmp_path: Any) -> None:
    """A recording has the same table."""
    fill(log, 20_000)
    path = EventTable(log, "test").export(tmp_path / "run.jsonl")
    table = gnb.load(path).table()
    heard = Heard(table)
    heard.say("open")
    until(lambda: heard.of("snapshot"))
    table.filter(text='"n":19999')
    assert list(table.df["seq"]) == [19999]
    table.filter(sort="seq", descending=True)
    assert list(table.df["seq"][:2]) == [19999, 19998]
    with pytest.raises(gnb.GatewayError, match="a filter has no 'txt'"):
        table.filter(txt="x")
    table.close()


def test_where_answers_are_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer is searched for secrets, and made into text, while the loop's thread serves other connections."""
    searching: list[str] = []
    search = Redactor.json

    def searched(redactor: Redactor, data: bytes, *, guess: bool = False) -> bytes:
        searching.append(threading.current_thread().name)
        return search(redactor, data, guess=guess)

    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token, name="answers") as gw:
        widget = RequestBox(gw)
        heard = Heard(widget)
        monkeypatch.setattr(Redactor, "json", searched)
        heard.say("call", method="health", params='{"probe": false}')
        until(lambda: heard.of("history")[1:])
        assert heard.of("answer")[0]["ok"] is True
        assert heard.of("history")[-1][-1]["method"] == "health"
        assert searching
        assert not [name for name in searching if "loop" in name]
        widget.close()


def test_what_is_saved(log: EventLog) -> None:
    """Without widgets a notebook shows text that is the same in every run, and an escaped table of a few rows."""
    for number in range(500):
        log.extend([event(number, "<b>", {"x": "<script>"})])
    table = EventTable(log, "<name>")
    data, _ = table._repr_mimebundle_()
    assert data["text/plain"] == "<EventTable <name>>"
    assert table.picture().count("<tr>") <= 101
    assert "<script" not in table.picture()
    assert "<b>" not in table.picture()
    assert "500 rows" in table.picture()
    assert "500 rows, the newest 10 of them" in table.text()
    assert len(table.text().splitlines()) == 12
    assert {name for name in table.keys if "<script" in str(getattr(table, name))} <= {"_esm"}
    table.close()


def test_what_is_displayed(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The widget and its picture are two outputs: an exporter shows the picture, a live view hides it by its id."""
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr(live, "publish_display_data", shown.append)
    log.extend([event(0, "chat", {"sessionKey": "main", "state": "final", "message": {"content": "a\x1b[31mb"}})])
    table = EventTable(log, "test")
    heard = Heard(table)
    heard.say("open")
    table._ipython_display_()
    widget, picture = shown
    assert set(widget) == {"text/plain", "application/vnd.jupyter.widget-view+json"}
    assert f'id="{heard.of("live")[0]}"' in picture["text/html"]
    assert "main · final · a" in picture["text/html"]
    assert "main · final · a" in picture["text/plain"]
    assert "\x1b" not in picture["text/plain"]
    table.close()


def test_paths_are_offered(table: Heard, log: EventLog) -> None:
    """A browser is offered the paths of plain values that payloads have, the most frequent first."""
    log.extend([event(0, payload={"runId": "r", "data": {"phase": "end", "list": [{"a.b": 1}]}})])
    log.extend([event(1, payload={"runId": "r"})])
    table.say("open")
    table.say("paths")
    assert table.of("paths") == [["runId", "data.phase", 'data.list[0]["a.b"]']]
    for path in table.of("paths")[0]:
        table.widget.expand(path)


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget.__name__)
def test_scripts(widget: type[live.LiveWidget]) -> None:
    """A script is small, fetches nothing, and never takes text for markup."""
    script, style = str(widget._esm), str(widget._css)
    assert len(script.encode()) <= LARGEST_SCRIPT
    markup = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "customElements", "eval(", "import ")
    assert [word for word in (*markup, "http:", "https:") if word in script] == []
    assert [word for word in ("@import", "http:", "https:") if word in style] == []


def test_files_are_in_the_package() -> None:
    """Scripts and styles are found where the package is installed."""
    folder = resources.files("gateway_nb.notebook.widgets")
    for name in ("dom.js", "event_table/view.js", "connect_form/view.js", "widgets.css"):
        assert (folder / name).is_file()
