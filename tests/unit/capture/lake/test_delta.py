"""The lake's table: made private, and refused where it is of another schema or a newer version."""

from __future__ import annotations

import os
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

import gateway_nb as gnb
from gateway_nb.capture.lake import delta
from gateway_nb.capture.lake.columns import SCHEMA, table_of
from gateway_nb.capture.lake.delta import FORMAT, Lake
from gateway_nb.protocol.lines import read_line
from tests.helpers.lakes import line, modes, rows
from tests.helpers.support import until

ROWS = table_of([read_line(line(1)), read_line(line(2, received=200_000.0))], "c", 1)


def make(place: Path, schema: pa.Schema = SCHEMA, version: str | None = None, partition: str | None = "date") -> None:
    DeltaTable.create(
        place,
        schema,
        partition_by=partition,
        configuration={} if version is None else {FORMAT: version},
        raise_if_key_not_exists=False,
    )


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX")
def test_other_users_can_not_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files have mode 0600, folders 0700, those that Delta Lake writes among them, checkpoints, too."""
    monkeypatch.setitem(delta._CONFIGURATION, "delta.checkpointInterval", "2")
    before = os.umask(0)
    try:
        lake = Lake(tmp_path / "new" / "lake")
        table = lake.open_or_make()
        for number in range(4):
            lake.commit(table, ROWS, "c", number, number + 1)
    finally:
        os.umask(before)
    assert len(list((tmp_path / "new" / "lake").rglob("*.checkpoint.parquet"))) >= 1
    assert modes(tmp_path / "new" / "lake") == {(True, "0o700"), (False, "0o600")}


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    """A folder that is there and empty becomes a lake, closed to others."""
    tmp_path.chmod(0o755)
    Lake(tmp_path).open_or_make()
    assert modes(tmp_path) == {(True, "0o700"), (False, "0o600")}


def test_a_folder_with_something_else(tmp_path: Path) -> None:
    """A folder that holds something else is refused, and stays as it is."""
    tmp_path.chmod(0o755)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(gnb.CaptureError, match=r"is not empty, and no lake; choose another folder"):
        Lake(tmp_path).open_or_make()
    assert ([path.name for path in tmp_path.iterdir()], modes(tmp_path) >= {(True, "0o755")}) == (["notes.txt"], True)


def without(name: str) -> pa.Schema:
    return pa.schema([field for field in SCHEMA if field.name != name])


OTHERS = {
    "other columns": (pa.schema({"date": pa.date32(), "x": pa.int64()}), None, "date", "gateway is missing"),
    "a column less": (without("line"), None, "date", "line is missing"),
    "another type": (
        SCHEMA.set(4, pa.field("seq", pa.string())),
        None,
        "date",
        r'seq is PrimitiveType\("string"\); choose another place',
    ),
    "another type, ours by its mark": (SCHEMA.set(4, pa.field("seq", pa.string())), "1", "date", "seq is"),
    "no partition": (SCHEMA, None, None, "not partitioned by date alone"),
    "a newer version": (SCHEMA, "2", "date", r"newer gateway_nb \(its format is 2, this one knows 1\); run: pip inst"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_tables_that_are_no_lake(tmp_path: Path, case: str) -> None:
    """A table of another schema, or of a newer version, is refused in one line; nothing is written to it."""
    schema, version, partition, message = OTHERS[case]
    make(tmp_path / "lake", schema, version, partition)
    for attempt in (Lake(tmp_path / "lake").open, Lake(tmp_path / "lake").open_or_make):
        with pytest.raises(gnb.CaptureError, match=message) as error:
            attempt()
        assert "\n" not in str(error.value)
    assert DeltaTable(tmp_path / "lake").version() == 0


def test_an_older_lake_gets_the_columns_that_it_lacks(tmp_path: Path) -> None:
    """A lake that was made before a column was thought of gets it with the first commit; its rows stay."""
    make(tmp_path / "lake", without("line"), "0")
    write_deltalake(tmp_path / "lake", ROWS.drop_columns(["line"]), mode="append")
    lake = Lake(tmp_path / "lake")
    assert lake.commit(lake.open(), ROWS, "c", 0, 1)
    assert sorted((row["line"] or 0) for row in rows(lake, "line")) == [0, 0, 1, 2]


def test_a_column_of_somebody_else(tmp_path: Path) -> None:
    """A column that others added stays; rows of captures have nothing in it."""
    make(tmp_path / "lake", SCHEMA.append(pa.field("reviewed", pa.bool_())))
    lake = Lake(tmp_path / "lake")
    assert lake.commit(lake.open(), ROWS, "c", 0, 1)
    assert [row["reviewed"] for row in rows(lake)] == [None, None]


def test_rows_of_two_days(tmp_path: Path) -> None:
    """A commit holds rows of several days, each in its day's folder, with statistics but of payloads."""
    lake = Lake(tmp_path / "lake")
    table = lake.open_or_make()
    lake.commit(table, ROWS, "c", 0, 1)
    files = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    assert {str(file["partition.date"]): file["num_records"] for file in files} == {"1970-01-01": 1, "1970-01-03": 1}
    assert {file["min.gateway"] for file in files} == {"north"}
    assert not {name for name in files[0] if "payload" in name}


def test_a_commit_that_is_there(tmp_path: Path) -> None:
    """A segment that the table has is not written again, by whichever process knows of it."""
    lake = Lake(tmp_path / "lake")
    first, second = lake.open_or_make(), lake.open()
    assert lake.commit(first, ROWS, "c", 0, 1)
    assert lake.commit(second, ROWS, "c", 0, 1)
    assert lake.commit(first, ROWS, "other", 0, 1)
    assert (len(rows(lake)), lake.open().version()) == (4, 2)


def test_commits_beside_others(tmp_path: Path) -> None:
    """A commit to a table that another process has changed meanwhile is made all the same."""
    lake = Lake(tmp_path / "lake")
    table = lake.open_or_make()
    for number in range(3):
        lake.commit(lake.open(), ROWS, f"other {number}", 0, 1)
        assert lake.commit(table, ROWS, "c", number, number + 1)
    assert len(rows(lake)) == 12


@pytest.mark.parametrize(
    "place", ["s3://AKIDEXAMPLE:hunter2hunter2@bucket/lake", "s3://bucket/lake?X-Amz-Signature=hunter2hunter2"]
)
def test_a_secret_in_the_url(place: str) -> None:
    """A URL with a secret is refused with the way that is right, and not repeated."""
    with pytest.raises(gnb.errors.BadArgumentError, match="AWS_SECRET_ACCESS_KEY in the environment") as error:
        Lake(place)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("place", "options", "message"),
    [
        (7, None, "a lake is a folder, or the URL of a store"),
        (None, None, "a lake is a folder, or the URL of a store"),
        ("", None, "a lake is a folder, or the URL of a store"),
        ("s3://bucket/lake", ["AWS_REGION"], "must be a dict of texts, not a list"),
        ("s3://bucket/lake", {"AWS_ALLOW_HTTP": True}, "AWS_ALLOW_HTTP must be a text like 'true', not a bool"),
    ],
)
def test_what_is_no_place(place: Any, options: Any, message: str) -> None:
    """A place that is none, and options that no store takes, are refused in one line."""
    with pytest.raises(gnb.errors.BadArgumentError, match=message):
        Lake(place, options)


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "azure_storage_account_key", "azure_storage_sas_key"])
def test_secrets_that_would_pass_the_scheduler(name: str) -> None:
    """A store's secret is not handed to the workers of a cluster, whatever the store."""
    with pytest.raises(gnb.errors.BadArgumentError, match=f"{name} would go to the workers") as error:
        Lake("s3://bucket/lake", {name: "hunter2hunter2"}).portable()
    assert "hunter2" not in str(error.value)


def test_secrets_of_a_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """Secrets of a store, of the environment or given, are in no repr and no error; other options stay legible."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "environment-secret")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "azure-secret")
    lake = Lake("s3://bucket/lake", {"AWS_SESSION_TOKEN": "given-secret", "AWS_REGION": "us-east-1"})
    text = "environment-secret azure-secret given-secret us-east-1"
    assert lake.redactor.text(text) == "[secret] [secret] [secret] us-east-1"
    assert repr(lake) == "<Lake s3://bucket/lake>"


@pytest.mark.usefixtures("ctrl_c")
def test_a_store_that_does_not_answer() -> None:
    """Ctrl-C ends the wait for a store that takes connections and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        options = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "a",
            "AWS_SECRET_ACCESS_KEY": "b",
            "max_retries": "0",
        }

        def interrupt() -> None:
            connection, _ = silent.accept()
            with connection:
                os.kill(os.getpid(), signal.SIGINT)
                interrupted.wait(60)

        interrupted = threading.Event()
        thread = threading.Thread(target=interrupt)
        thread.start()
        try:
            with pytest.raises(KeyboardInterrupt):
                Lake("s3://bucket/lake", options).open()
            assert any(other.name == "gateway_nb-store" for other in threading.enumerate()), "it still waits"
        finally:
            interrupted.set()
            thread.join()
    until(lambda: not any(other.name == "gateway_nb-store" for other in threading.enumerate()))


def test_a_file_url(tmp_path: Path) -> None:
    """A file's URL is a folder."""
    assert Lake(f"file://{tmp_path}/a%20b").folder == tmp_path / "a b"
