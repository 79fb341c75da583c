"""The panel's tab of records on a bare page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import gateway_nb as gnb
from gateway_nb.notebook.widgets.data_view import DataView
from tests.helpers.stub import Stub, stub

HOSTILE = "<img src=x onerror=alert(1)>\x1b[31m\u202eevil"


@pytest.fixture
def data(browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stub]:
    """The tab of a gateway in which an agent has answered in three sessions."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "page"
    folder.mkdir()
    with gnb.LocalGateway() as local, gnb.connect(local.url, token=local.token) as gw:
        for number, text in enumerate([HOSTILE, "=1+1", "zebra"]):
            gw.run(f"echo:{text}", session=f"agent:main:s{number}").result()
        with stub(browser, DataView(gw), folder) as page:
            page.open()
            page.until("document.querySelector('select option')")
            yield page


def read(data: Stub, book: str, **options: str) -> None:
    page = data.page
    page.get_by_label("Book").select_option(book)
    for name, value in options.items():
        field = page.get_by_label(name, exact=True)
        field.select_option(value) if name == "by" else field.fill(value)
    page.get_by_role("button", name="Read", exact=True).click()
    data.until(f"document.body.textContent.includes('{book}: ')")


def column(data: Stub, name: str) -> list[str]:
    names = [text.rstrip(" ▲▼") for text in data.page.locator("th").all_inner_texts()]
    return [str(text) for text in data.page.locator(f"td:nth-child({names.index(name) + 1})").all_inner_texts()]


def test_a_book(data: Stub) -> None:
    """A book is read with its options, shown as text, filtered, sorted, and there in Python."""
    page = data.page
    read(data, "messages", session="agent:main:*")
    assert len(column(data, "text")) == 6
    assert page.locator("img").count() == 0
    assert "<img src=x onerror=alert(1)>\\u001b[31m\\u202eevil" in column(data, "text")[-1]
    page.get_by_label("Filter").fill("ZEB")
    data.until("document.querySelectorAll('tbody tr').length === 2")
    assert set(column(data, "text")) == {"echo:zebra", "zebra"}
    page.get_by_label("Filter").fill("")
    data.until("document.querySelectorAll('tbody tr').length === 6")
    for order, sign in (("ascending", "▲"), ("descending", "▼")):
        page.get_by_role("button", name="total_tokens").click()
        data.until(f"document.querySelector('[aria-sort={order}]')")
        assert sign in page.locator(f"[aria-sort={order}]").inner_text()
        figures = [int(text) for text in column(data, "total_tokens") if text]
        assert figures == sorted(figures, reverse=order == "descending")
    assert len(data.widget.df) == 6
    read(data, "usage", by="session", since="2d")
    assert sorted(column(data, "session")) == [f"agent:main:s{number}" for number in range(3)]


def test_pages(data: Stub) -> None:
    """Of a long book a page is shown at a time."""
    page = data.page
    read(data, "logs", lines="150")
    data.widget._receive(data.widget, {"type": "query", "view": "v", "text": "", "sort": None, "descending": False}, [])
    frame = data.widget.df
    data.widget.df = pd.concat([frame] * (250 // len(frame) + 1)).head(250)
    data.widget._receive(data.widget, {"type": "query", "view": "v", "text": "", "sort": None, "descending": False}, [])
    data.until("document.querySelectorAll('tbody tr').length === 100")
    assert page.get_by_role("button", name="Rows before").is_disabled()
    for expected in ("101 to 200 of 250 rows", "201 to 250 of 250 rows"):
        page.get_by_role("button", name="Rows after").click()
        data.until(f"document.body.textContent.includes('{expected}')")
    assert page.get_by_role("button", name="Rows after").is_disabled()


def test_exports(data: Stub, tmp_path: Path) -> None:
    """What is shown is written to a file; a text that a spreadsheet would run does not run."""
    read(data, "messages")
    data.page.get_by_label("Filter").fill("1+1")
    data.until("document.querySelectorAll('tbody tr').length === 2")
    for suffix in (".csv", ".parquet"):
        data.page.get_by_role("button", name=f"Export {suffix}").click()
        data.until("document.querySelector('.gnb-note').textContent.includes('2 rows written to ')")
        data.until(f"document.querySelector('.gnb-note').textContent.endsWith('{suffix}')")
    (csv,), (parquet,) = tmp_path.glob("*.csv"), tmp_path.glob("*.parquet")
    assert pd.read_csv(csv)["text"].tolist() == ["echo:=1+1", "'=1+1"]
    assert pd.read_parquet(parquet)["text"].tolist() == ["echo:=1+1", "=1+1"]


def test_what_can_not_be_read(data: Stub) -> None:
    """What the gateway refuses, and an argument that is none, is said in a line, and the table stays."""
    page = data.page
    read(data, "sessions")
    for book, option, value, words in (
        ("messages", "session", "agent:main:none", "no session 'agent:main:none' on this gateway"),
        ("usage", "since", "yesterday", "since must be like"),
        ("tasks", "limit", "many", "--limit needs a number"),
    ):
        page.get_by_label("Book").select_option(book)
        page.get_by_label(option, exact=True).fill(value)
        page.get_by_role("button", name="Read", exact=True).click()
        data.until(f'document.querySelector(".gnb-note").textContent.includes("{words}")')
        assert len(column(data, "session")) == 3
        assert page.get_by_role("button", name="Cancel").is_disabled()
