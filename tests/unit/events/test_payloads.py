"""Columns out of payloads, against what Python reads of each."""

from __future__ import annotations

import json
import os
import threading
from typing import Any

import msgspec
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_nb.client.event import Event
from gateway_nb.events import payloads
from gateway_nb.events.log import EventLog
from gateway_nb.events.paths import decoded, value_at
from gateway_nb.events.payloads import PayloadReader, column_of, pandas_column, read_texts, typed
from gateway_nb.events.rows import typed_column

NAMES = st.sampled_from(["a", "b", "a.b", "a/b", "~", "'", '"', "0", "", "é", "\\"])
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**66), 2**66),
    st.floats(allow_nan=False, allow_infinity=False, width=16),
    st.text(max_size=5),
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)


def table(*texts: str) -> pa.Table:
    return pa.table({"payload": pa.array(texts, pa.string())})


@pytest.mark.long
@given(st.lists(VALUES, min_size=1, max_size=6), st.lists(NAMES, min_size=1, max_size=3))
def test_what_python_would_read(values: list[Any], path: list[str]) -> None:
    """A column is what Python finds at the path in each payload, of the type that holds all of it."""
    texts = [json.dumps(value) for value in values]
    (column,) = PayloadReader().columns([table(*texts)], table(), [tuple(path)])
    expected = pd.Series(typed_column([value_at(decoded(text), path) for text in texts]))
    pd.testing.assert_series_equal(pandas_column(column), expected, check_names=False)


@pytest.mark.parametrize("text", ["", "nonsense", "{", '{"a": 1}}', '{"a": "\\ud800"}', '\ufeff{"a": 1}', "[1]", '"a"'])
def test_payloads_without_the_path(text: str) -> None:
    """What is not JSON, or has no such path, is null, and the others are read all the same."""
    (found,) = read_texts(pa.chunked_array([[text, '{"a": 1}', None]]), [["a"]])
    assert found.to_pylist() == [None, "1", None]


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([["1"], [None]], [1, None]),
        ([["1"], ["1.5"]], [1.0, 1.5]),
        ([["true"], ["1"]], ["true", "1"]),
        ([["1.0"], ['"x"']], ["1.0", "x"]),
        ([["false"], [None], ["true"]], [False, None, True]),
        ([[None]], [None]),
        ([["1"], ["1e400"]], ["1", "1e400"]),
        ([['"a\\nb"', '"c"', "[1]"]], ["a\nb", "c", "[1]"]),
    ],
)
def test_types_of_parts(parts: list[list[str | None]], expected: list[Any]) -> None:
    """A column has one type, the narrowest for all its chunks."""
    column = column_of([typed(pa.array(part, pa.string())) for part in parts])
    assert column.to_pylist() == expected


def test_what_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sealed chunk is read once for a path; chunks that are gone, and paths beyond the limit, are forgotten."""
    read: list[int] = []
    real = payloads.read_texts

    def counted(column: pa.ChunkedArray, paths: Any) -> list[pa.ChunkedArray]:
        read.append(len(column))
        return real(column, paths)

    monkeypatch.setattr(payloads, "read_texts", counted)
    reader, chunks = PayloadReader(), [table('{"a": 1}'), table('{"a": 2}', '{"b": 3}')]
    for tail in (table(), table('{"a": 4}')):
        reader.columns(chunks, tail, [("a",)])
    chunks = [*chunks[1:], table('{"a": 5}')]
    (column,) = reader.columns(chunks, table(), [("a",)])
    assert column.to_pylist() == [2, None, 5]
    assert read == [3, 1, 1]
    monkeypatch.setattr(payloads, "_MAX_KEPT", 8)
    reader.columns(chunks, table(), [("b",)])
    reader.columns(chunks, table(), [("a",)])
    assert read[3:] == [3, 3]


def test_what_was_read_is_forgotten_with_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that is cleared keeps nothing of its payloads, and reads nothing into files."""
    monkeypatch.setattr("gateway_nb.events.log.CHUNK_ROWS", 1)
    log = EventLog()
    log.extend([Event(1.0, 1, "x", 1, msgspec.Raw(b'{"a":"hush"}'))])
    assert log.expand("a")["a"].tolist() == ["hush"]
    assert log._payloads._kept
    log.clear()
    assert not log._payloads._kept
    (folder,) = payloads._database(os.getpid()).execute("select current_setting('temp_directory')").fetchall()
    assert folder == ("",)


def test_several_threads() -> None:
    """Threads may read at the same time, of one log and of others."""
    log = EventLog()
    log.mark("gap", 1, {"missed": 3})
    found: list[Any] = []
    threads = [threading.Thread(target=lambda: found.append(log.expand("missed")["missed"].sum())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [0] * 8
