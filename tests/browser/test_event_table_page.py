"""The live table's script and kernel side together, on a bare page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import gateway_nb as gnb
from gateway_nb.client.event import Event
from gateway_nb.events.log import EventLog
from gateway_nb.notebook.widgets.event_table import EventTable
from tests.helpers.events import event
from tests.helpers.stub import Stub, stub

HOSTILE = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'


def fill(log: EventLog, start: int, stop: int) -> None:
    for number in range(start, stop):
        name = "agent" if number % 3 else "tick"
        log.extend([event(number, name, payload={"n": number, "even": number % 2 == 0})])


@pytest.fixture
def log() -> EventLog:
    return EventLog()


@pytest.fixture
def table(browser: Any, log: EventLog, tmp_path: Path) -> Iterator[Stub]:
    with stub(browser, EventTable(log, "test"), tmp_path) as page:
        page.open()
        yield page


def shown(table: Stub) -> list[str]:
    rows: list[str] = table.page.locator(".gnb-rows .gnb-row > span:last-child").all_inner_texts()
    return rows


def see(table: Stub, text: str) -> None:
    """Wait until a row shows this."""
    table.until(f"[...document.querySelectorAll('.gnb-rows .gnb-row')].some(row => row.textContent.includes({text!r}))")


def summary(table: Stub, text: str) -> None:
    table.until(f"document.querySelector('.gnb-summary').textContent.includes({text!r})")


def test_follow(table: Stub, log: EventLog) -> None:
    """The newest rows are shown as they come, the oldest with Home, and any with the keyboard or the wheel."""
    fill(log, 0, 30_000)
    see(table, '"n":29999')
    fill(log, 30_000, 30_010)
    see(table, '"n":30009')
    assert len(shown(table)) == 20
    grid = table.page.locator(".gnb-view")
    grid.press("Home")
    see(table, '"n":0,')
    fill(log, 30_010, 30_020)
    summary(table, "30,020 rows")
    assert '"n":0,' in shown(table)[0]
    grid.press("PageDown")
    see(table, '"n":20,')
    grid.hover()
    table.page.mouse.wheel(0, 220)
    see(table, '"n":30,')
    grid.press("End")
    see(table, '"n":30019')
    table.page.evaluate(
        "document.querySelector('.gnb-view').scrollTop = document.querySelector('.gnb-view').scrollHeight / 2"
    )
    table.until("Math.abs(document.querySelector('.gnb-rows .gnb-row').getAttribute('aria-rowindex') - 15000) < 500")
    table.until("!document.querySelector('.gnb-rows').textContent.includes('…')")
    assert not table.page.locator("input[type=checkbox]").is_checked()


def test_a_million_rows(table: Stub, log: EventLog) -> None:
    """A million rows scroll from end to end and are searched, with the right rows at every place."""
    raw = msgspec.Raw(b'{"some":"payload"}')
    for number in range(999_990):
        log.extend([Event(1e9 + number / 1e3, 1, "agent", number, raw)])
    log.extend([event(999_990, payload={"needle": True})])
    summary(table, "999,991 rows")
    grid = "document.querySelector('.gnb-view')"
    for part in (0.0, 0.25, 0.5, 0.75, 1.0):
        table.page.evaluate(f"{grid}.scrollTop = ({grid}.scrollHeight - {grid}.clientHeight) * {part}")
        first = "+document.querySelector('.gnb-rows .gnb-row').getAttribute('aria-rowindex') - 1"
        table.until(f"Math.abs({first} - {part} * 999971) < 1000")
        table.until("!document.querySelector('.gnb-rows').textContent.includes('…')")
        seqs = table.page.locator(".gnb-rows .gnb-row > span:nth-child(2)").all_inner_texts()
        start = int(table.page.evaluate(first))
        assert seqs == [str(start + line) for line in range(20)]
    table.page.get_by_label("Search").fill("NEEDLE")
    summary(table, "1 of 999,991 rows")
    see(table, "needle")


def test_hostile_text(table: Stub, log: EventLog) -> None:
    """Names and payloads are text, wherever they are shown: in rows, chips, the inspector, the static table."""
    log.extend([event(0, name=HOSTILE, payload={HOSTILE: HOSTILE})])
    log.extend([event(1, name="__proto__", payload={"__proto__": {"constructor": HOSTILE}})])
    log.mark(HOSTILE, 1, {"text": HOSTILE})
    see(table, "__proto__")
    table.page.locator(".gnb-rows .gnb-row").first.click()
    table.until("document.querySelector('.gnb-inspector details')")
    assert HOSTILE in table.text(".gnb-chips")
    assert table.page.locator("img, .gnb script").count() == 0
    assert table.page.evaluate("window.hacked") is None
    static = table.widget.html()
    assert "<img" not in static
    assert "<script" not in static
    assert "&lt;img" in static


def test_summaries(table: Stub, log: EventLog) -> None:
    """A row says session, state, tool and text; the payload is beside it, but not in a narrow window."""
    data = {"phase": "start", "name": "exec", "args": {"command": "ls"}}
    log.extend([event(0, "agent", {"runId": "r" * 36, "sessionKey": "main", "stream": "tool", "data": data})])
    see(table, 'main · tool start · exec · {"command":"ls"}')
    assert table.page.locator(".gnb-row [data-column=payload]").count() == 2
    table.page.set_viewport_size({"width": 520, "height": 900})
    table.until("!document.querySelector('.gnb-row [data-column=payload]')")
    summary_cell = table.page.locator(".gnb-rows [data-column=summary]").bounding_box()
    assert summary_cell["width"] > 200
    assert summary_cell["x"] + summary_cell["width"] <= 520
    assert table.page.evaluate("document.documentElement.scrollWidth") <= 520


def test_as_tall_as_its_rows(table: Stub, log: EventLog) -> None:
    """A table of three rows is three rows tall, and one of many is no taller than twenty."""
    height = "document.querySelector('.gnb-view').clientHeight"
    fill(log, 0, 3)
    see(table, '"n":2')
    table.until(f"{height} >= 3 * 22 + 23 && {height} < 4 * 22 + 23")
    table.until("document.querySelectorAll('.gnb-rows .gnb-row').length === 3")
    fill(log, 3, 100)
    see(table, '"n":99')
    table.until(f"{height} >= 20 * 22 + 23 && {height} < 21 * 22 + 23")
    table.until("document.querySelectorAll('.gnb-rows .gnb-row').length === 20")


def test_an_empty_result(table: Stub, log: EventLog) -> None:
    """Where no row is left, the table says what hides them; where none has come, it says that."""
    empty = ".gnb-empty"
    table.until(f"document.querySelector('{empty}').textContent === 'No events yet.'")
    fill(log, 0, 9)
    see(table, '"n":8')
    assert table.page.locator(empty).is_hidden()
    table.page.get_by_label("Search").fill("zzz")
    table.page.locator(".gnb-chips button", has_text="tick").click()
    hidden = "The filter hides all 9 rows: event tick, text “zzz”."
    table.until(f"document.querySelector('{empty}').textContent === {hidden!r}")
    table.page.get_by_text("Clear filter").click()
    see(table, '"n":8')
    assert table.page.locator(empty).is_hidden()


def test_columns(table: Stub, log: EventLog) -> None:
    """Paths that were seen are offered for a column, and Enter adds it."""
    fill(log, 0, 9)
    see(table, '"n":8')
    table.page.get_by_text("More filters").click()
    column = table.page.get_by_label("Column ")
    column.focus()
    table.until("document.querySelectorAll('datalist option').length === 2")
    offered = table.page.evaluate(
        "[...document.querySelector('[placeholder=\"data.phase\"]').list.options].map(o => o.value)"
    )
    assert offered == ["n", "even"]
    column.fill("even")
    column.press("Enter")
    table.until("document.querySelector('.gnb-rows [data-column=even]')?.textContent === 'True'")
    assert column.input_value() == ""


def test_filters(table: Stub, log: EventLog) -> None:
    """Chips, text, conditions and times choose rows, alike in the browser and in `df`."""
    fill(log, 0, 9_000)
    see(table, '"n":8999')
    page = table.page
    page.locator(".gnb-chips button", has_text="tick").click()
    summary(table, "3,000 of 9,000 rows")
    see(table, '"n":8997')
    assert set(table.widget.df["event"]) == {"tick"}
    page.get_by_label("Search").fill('"N":12')
    found = [number for number in range(0, 9000, 3) if str(number).startswith("12")]
    summary(table, f"{len(found)} of 9,000 rows")
    page.get_by_text("More filters").click()
    page.get_by_label("Payload").fill("even = true")
    even = [number for number in found if number % 2 == 0]
    summary(table, f"{len(even)} of 9,000 rows")
    assert len(table.widget.df) == len(even)
    fill(log, 1200, 1203)
    summary(table, f"{len(even) + 1} of 9,003 rows")
    page.get_by_label("Payload").fill("even <")
    table.until("document.querySelector('.gnb-note').textContent.includes('compares numbers')")
    page.get_by_text("Clear filter").click()
    summary(table, "9,003 rows")
    page.get_by_label("From").fill("2001-09-09T01:46:45")
    summary(table, "of 9,003 rows")
    assert len(table.widget.df) == len(log.between("2001-09-09 01:46:45"))


def test_a_busy_kernel(table: Stub, log: EventLog) -> None:
    """Pause, follow and filters over rows that are here work while the kernel hears nothing."""
    fill(log, 0, 600)
    see(table, '"n":599')
    table.deaf = True
    page = table.page
    page.locator(".gnb-chips button", has_text="tick").click()
    summary(table, "of the 500 rows that are here")
    assert all('"n":' in row for row in shown(table))
    see(table, '"n":597')
    fill(log, 600, 700)
    see(table, '"n":699')
    page.get_by_label("Search").fill("zzz")
    summary(table, "0 of the")
    table.deaf = False
    summary(table, "0 of 700 rows")
    page.get_by_text("Clear filter").click()
    summary(table, "700 rows")
    see(table, '"n":699')


def test_pause(table: Stub, log: EventLog) -> None:
    """A paused table stands still and counts what comes; resumed, it shows the newest."""
    fill(log, 0, 100)
    see(table, '"n":99}'.replace("}", ","))
    table.page.get_by_role("button", name="Pause").click()
    table.until("document.querySelector('.gnb-summary').textContent.includes('paused')")
    fill(log, 100, 1334)
    summary(table, "paused, +1,234")
    assert '"n":99,' in shown(table)[-1]
    table.page.get_by_role("button", name="Resume").click()
    see(table, '"n":1333')


def test_inspector(table: Stub, log: EventLog) -> None:
    """A click shows the whole payload with its digits; a key copies its path, and becomes a column."""
    log.extend([event(0, payload={"data": {"id": 12345678901234567890, "text": "x" * 500}})])
    see(table, "12345678901234567890")
    table.page.locator(".gnb-rows .gnb-row").first.click()
    table.until("document.querySelector('.gnb-tree')?.textContent.includes('x'.repeat(500))")
    assert "12345678901234567890" in table.text(".gnb-tree")
    table.page.locator(".gnb-key", has_text="id").click()
    table.until("document.querySelector('.gnb-note').textContent.startsWith('copied')")
    assert table.page.evaluate("navigator.clipboard.readText()") == "$.data.id"
    table.page.get_by_text("More filters").click()
    table.page.get_by_role("button", name="Add column").click()
    table.until("document.querySelector('.gnb-head').textContent.includes('data.id')")
    table.until(
        "document.querySelector('[role=gridcell][data-column=\"data.id\"]')?.textContent === '12345678901234567890'"
    )
    table.page.keyboard.press("Escape")
    table.page.get_by_role("button", name="Copy JSON").click()
    table.page.get_by_role("button", name="Close").click()
    assert not table.page.locator(".gnb-inspector").is_visible()


@pytest.mark.parametrize("width", [1100, 520])
@pytest.mark.parametrize("rows", [3, 1000])
def test_the_inspector_is_in_sight(table: Stub, log: EventLog, width: int, rows: int) -> None:
    """Row, payload and the message of an export are in the window together, however many rows there are."""
    table.page.set_viewport_size({"width": width, "height": 640})
    fill(log, 0, rows)
    see(table, f"n={rows - 1} ")
    table.page.locator(".gnb-rows .gnb-row").nth(2).click()
    table.until("document.querySelector('.gnb-inspector details')")
    for part in (".gnb-inspector", ".gnb-inspector button:last-child", ".gnb-row[aria-selected=true]"):
        table.until(f"document.querySelector('{part}')?.getBoundingClientRect().bottom <= innerHeight")
        assert table.page.evaluate(f"document.querySelector('{part}').getBoundingClientRect().top") >= 0
    table.widget.post("note", "written to x")
    table.until("document.querySelector('.gnb-note').textContent === 'written to x'")
    box = table.page.locator(".gnb-note").bounding_box()
    assert 0 <= box["y"] < 640 - box["height"]


def test_selection(table: Stub, log: EventLog) -> None:
    """Clicked rows are `selected`, with control and shift more of them, and they survive a filter."""
    fill(log, 0, 20)
    see(table, '"n":19')
    rows = table.page.locator(".gnb-rows .gnb-row")
    rows.nth(2).click()
    rows.nth(4).click(modifiers=["Control"])
    table.until("document.querySelectorAll('[aria-selected=true]').length === 2")
    table.pump()
    assert list(table.widget.selected["seq"]) == [2, 4]
    rows.nth(8).click(modifiers=["Shift"])
    table.until("document.querySelectorAll('[aria-selected=true]').length === 5")
    table.page.get_by_label("Search").fill('"n":1')
    summary(table, "11 of 20 rows")
    assert list(table.widget.selected["seq"]) == [4, 5, 6, 7, 8]
    table.page.locator(".gnb-view").press("Home")
    table.page.locator(".gnb-view").press("Enter")
    table.until("document.querySelectorAll('[aria-selected=true]').length === 1")
    table.pump()
    assert list(table.widget.selected["seq"]) == [1]


def test_sort(table: Stub, log: EventLog) -> None:
    """A header sorts what is there; newer rows are counted, and sorted in on demand."""
    fill(log, 0, 30)
    see(table, '"n":29')
    table.page.get_by_role("button", name="seq").click()
    table.until("document.querySelector('[aria-sort=ascending]')?.textContent.startsWith('seq')")
    table.page.get_by_role("button", name="seq").click()
    table.until("document.querySelector('.gnb-rows .gnb-row')?.textContent.includes('\"n\":29')")
    fill(log, 30, 35)
    table.until("[...document.querySelectorAll('button')].some(one => one.textContent === 'Sort 5 newer rows in')")
    table.page.get_by_text("Sort 5 newer rows in").click()
    table.until("document.querySelector('.gnb-rows .gnb-row')?.textContent.includes('\"n\":34')")
    assert list(table.widget.df["seq"][:3]) == [34, 33, 32]


def test_marks(table: Stub, log: EventLog) -> None:
    """Gaps, reconnects and rows that were dropped can't be overlooked."""
    log.limit(30, 10**6)
    fill(log, 0, 100)
    log.mark("gap", 1, {"expected": 100, "received": 103})
    log.mark("reconnect", 2, {"bootId": "x"})
    see(table, "gap: 3 events are missing (expected 100, received 103)")
    see(table, "↻ reconnected")
    assert table.page.locator("[data-kind=gap]").count() == 1
    table.page.locator(".gnb-view").press("Home")
    table.until("!document.querySelector('.gnb-gone').hidden")
    assert f"{log.dropped} older rows were dropped" in table.text(".gnb-gone")


def test_two_views(table: Stub, log: EventLog) -> None:
    """Two views of one table scroll apart and filter together; a closed one leaves nothing behind."""
    fill(log, 0, 1000)
    table.open("two")
    table.until("document.querySelector('#two .gnb-rows .gnb-row')")
    table.page.locator("#two .gnb-view").press("Home")
    table.until("document.querySelector('#two .gnb-rows').textContent.includes('\"n\":0,')")
    table.until("document.querySelector('#one .gnb-rows').textContent.includes('\"n\":999')")
    table.page.locator("#two .gnb-chips button", has_text="tick").click()
    table.until("document.querySelector('#one .gnb-summary').textContent.includes('334 of 1,000')")
    table.page.evaluate("window.one_close()")
    assert table.page.evaluate("window.listeners()") == 1
    table.page.evaluate("window.two_close()")
    table.pump()
    assert table.page.evaluate("window.listeners()") == 0
    fill(log, 1000, 1100)
    table.until("true")
    assert table.widget._views == {}


@pytest.mark.parametrize("format", ["jsonl", "parquet", "csv"])
def test_export(table: Stub, log: EventLog, format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A button writes what the filter shows, marks included, and says where; nothing is overwritten."""
    import pandas as pd

    monkeypatch.chdir(tmp_path)
    fill(log, 0, 90)
    log.mark("gap", 1, {"expected": 90, "received": 93})
    table.widget.filter(events=["tick"])
    summary(table, "31 of 91 rows")
    table.page.get_by_text("More filters").click()
    table.page.get_by_role("button", name=format.upper()).click()
    table.until("document.querySelector('.gnb-note').textContent.startsWith('written to')")
    (path,) = tmp_path.glob(f"events-*.{format}")
    assert str(path) in table.text(".gnb-note")
    with pytest.raises(gnb.CaptureError, match="exists"):
        table.widget.export(path)
    read = {
        "jsonl": lambda: gnb.load(path).df,
        "parquet": lambda: pd.read_parquet(path),
        "csv": lambda: pd.read_csv(path),
    }
    frame = read[format]()
    assert len(frame) == 31
    assert list(frame["payload"]) == list(table.widget.df["payload"])
    assert list(frame["seq"].dropna()) == list(table.widget.df["seq"].dropna())
