"""A query sees the table of a log or a recording and nothing else; what is wrong with it is our error in one line."""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pyarrow as pa
import pytest

import gateway_nb as gnb
from gateway_nb.capture.journal import Capture
from gateway_nb.client.event import Event
from gateway_nb.events.log import EventLog
from gateway_nb.events.view import EventView
from gateway_nb.protocol.frames import encode

WAYS_OUT = [
    "select * from read_csv('{file}')",
    "select * from read_text('{file}')",
    "select * from read_blob('{file}')",
    "select * from read_json('{file}')",
    "select * from read_parquet('{file}')",
    "select * from sniff_csv('{file}')",
    "select * from parquet_metadata('{file}')",
    "select * from glob('{folder}/*')",
    "from '{file}'",
    "select * from '{file}'",
    "select * from 'https://example.org/a.parquet'",
    "select * from read_parquet('https://example.org/a.parquet')",
    "select * from sqlite_scan('{file}', 't')",
    "select * from nobodys_table",
    "select * from recording",
    "select * from duckdb_secrets()",
    "select getenv('HOME')",
    "copy events to '{folder}/out.csv'",
    "copy (select 1) to '{folder}/out.csv'",
    "copy events to program 'cat'",
    "copy events from '{file}'",
    "attach '{folder}/a.db'",
    "export database '{folder}/out'",
    "import database '{folder}'",
    "install httpfs",
    "load httpfs",
    "create secret s (type s3)",
    "create table t as select 1",
    "set enable_external_access = true",
    "set memory_limit = '100GB'",
    "set temp_directory = '{folder}'",
    "reset lock_configuration",
    "pragma enable_profiling = 'json'",
    "pragma database_list",
    "call pragma_version()",
    "use memory",
    "select 1; copy events to '{folder}/out.csv'",
    "explain analyze copy events to '{folder}/out.csv'",
]


@pytest.fixture
def recording(tmp_path: Path) -> gnb.Recording:
    with Capture(tmp_path / "run.jsonl") as capture:
        capture.extend([Event(float(n), 1, "x", n, msgspec.Raw(encode({"n": n}))) for n in range(10)])
    return gnb.load(tmp_path / "run.jsonl")


@pytest.fixture(params=["log", "recording"])
def events(request: pytest.FixtureRequest, recording: gnb.Recording) -> EventView:
    """The same rows in memory and on disk."""
    if request.param == "recording":
        return recording
    log = EventLog()
    log.mark("start", 0, {})
    log.extend([Event(float(n), 1, "x", n, msgspec.Raw(encode({"n": n}))) for n in range(10)])
    log.mark("stop", 0, {})
    return log


@pytest.mark.long
@pytest.mark.parametrize("sql", WAYS_OUT)
def test_a_way_out(events: EventView, tmp_path: Path, sql: str) -> None:
    """A query reaches no file, no network, no variable, no setting and no extension; none of it changes anything."""
    nobodys_table = pa.table({"secret": [1]})
    assert nobodys_table.num_rows == 1
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "file.csv").write_text("a,b\n1,hunter2\n")
    with pytest.raises(gnb.CaptureError, match=r"^query: ") as caught:
        events.query(sql.format(file=folder / "file.csv", folder=folder))
    assert "\n" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert [file.name for file in folder.iterdir()] == ["file.csv"]


MISTAKES = {
    "": "query: pass one statement that answers with rows, like select * from events",
    "  -- nothing": "query: pass one statement that answers with rows",
    "select 1; select 2": "query: pass one statement",
    "delete from events": "query: pass one statement",
    "selec 1": 'query: Parser Error: syntax error at or near "selec"',
    "select nope from events": 'query: Binder Error: Referenced column "nope" not found in FROM clause! Candidate',
    "select payload::int from events": "query: Conversion Error: ",
    "select error('\x1b[31m\u202e')": r"query: Invalid Input Error: ",
    "select \x00": "query: Binder Error: ",
    "select '\ud800'": "query: ",
}


@pytest.mark.long
@pytest.mark.parametrize(("sql", "message"), MISTAKES.items())
def test_a_mistake(events: EventView, sql: str, message: str) -> None:
    """A mistake in a query is one printable line with DuckDB's reason, and the place under it."""
    with pytest.raises(gnb.CaptureError) as caught:
        events.query(sql)
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    shown = "".join(caught.value._render_traceback_())
    assert shown.isprintable()
    if "Parser" in message or "Binder" in message:
        assert "LINE 1" in shown


@pytest.mark.long
def test_a_mistake_in_the_middle(recording: gnb.Recording) -> None:
    """A query that fails before the table is read to its end has DuckDB's reason, whoever ends the reading."""
    for _ in range(100):
        with pytest.raises(gnb.CaptureError, match="query: Conversion Error: "):
            recording.query("select payload::int from events")


def test_a_table_that_is_read_twice(events: EventView) -> None:
    """A query that names the table twice sees all of it both times."""
    (count,) = events.query("select count(*) n from events a, events b where a.kind = b.kind")["n"]
    assert count == 10 * 10 + 1 + 1


@pytest.mark.long
@pytest.mark.parametrize(
    "sql",
    ["summarize events", "describe events", "explain select 1", "pivot events on kind using count(*)", "from events"],
)
def test_statements_that_answer(events: EventView, sql: str) -> None:
    """Whatever answers with rows is allowed."""
    assert len(events.query(sql))


def test_a_damaged_line_in_a_query(recording: gnb.Recording, tmp_path: Path) -> None:
    """A query over a damaged recording says which line it is."""
    with open(tmp_path / "run.jsonl", "ab") as file:
        file.write(b"{}\n")
    with pytest.raises(gnb.CaptureError, match=r"run\.jsonl: line 13 is damaged"):
        recording.query("select count(*) from events")


@pytest.mark.long
def test_a_sort_beyond_memory(recording: gnb.Recording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit into the memory of a query goes to a private folder, which is gone afterwards."""
    monkeypatch.setattr("gateway_nb.events.sql._SETTINGS", {"memory_limit": "'40MB'", "threads": "1"})
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sql = "select max(t) m from (select random()::text || repeat('x', 200) t from range(400000) order by t)"
    assert recording.query(sql)["m"][0].endswith("x")
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith("gateway-nb-")] == []
