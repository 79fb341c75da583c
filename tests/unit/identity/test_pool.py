"""Keys of nodes: each is used by one connection at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway_nb.errors import IdentityError
from gateway_nb.identity import pool
from gateway_nb.identity.files import identity_folder

GATEWAY = "ws://127.0.0.1:1"


def test_a_key_is_used_once_at_a_time() -> None:
    """A second connection gets another key, one that comes later the first again; each gateway has keys of its own."""
    first, second = pool.acquire(GATEWAY), pool.acquire(GATEWAY)
    other = pool.acquire("ws://127.0.0.1:2")
    ids = {used.identity.device_id for used in (first, second, other)}
    assert len(ids) == 3
    first.release()
    first.release()
    again = pool.acquire(GATEWAY)
    assert again.identity.device_id == first.identity.device_id
    for used in (second, other, again):
        used.release()


@pytest.mark.long
def test_another_process_gets_another_key() -> None:
    """Keys are kept apart between processes, too."""
    mine = pool.acquire(GATEWAY)
    script = f"from gateway_nb.identity import pool; print(pool.acquire({GATEWAY!r}).identity.device_id)"
    theirs = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    assert len(theirs) == 64
    assert theirs != mine.identity.device_id
    mine.release()


def test_a_key_that_cannot_be_read() -> None:
    """A broken key file is an error that names it, and its lock is free again."""
    used = pool.acquire(GATEWAY)
    used.release()
    (path,) = (identity_folder() / "nodes").glob("*-1.json")
    path.write_text("{")
    for _ in range(2):
        with pytest.raises(IdentityError, match=r"-1\.json can't be used: it is not JSON"):
            pool.acquire(GATEWAY)


def test_a_folder_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where keys can't be kept, that is said."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GATEWAY_NB_HOME", str(tmp_path / "file"))
    with pytest.raises(IdentityError, match="a device key for tools can't be kept in"):
        pool.acquire(GATEWAY)


def test_keys_are_private() -> None:
    """A key's file is open to its owner alone."""
    used = pool.acquire(GATEWAY)
    files = list((identity_folder() / "nodes").iterdir())
    used.release()
    assert any(file.suffix == ".json" for file in files)
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


@pytest.mark.long
def test_how_many_keys_there_are() -> None:
    """At most 64 connections have a key at once; one that is released is the next to be used."""
    held = [pool.acquire(GATEWAY) for _ in range(64)]
    assert len({key.identity.device_id for key in held}) == 64
    with pytest.raises(IdentityError, match="64 connections of this user offer tools at once: close one of them"):
        pool.acquire(GATEWAY)
    for _ in range(2):
        held[63].release()
    held[63] = pool.acquire(GATEWAY)
    for key in held:
        key.release()
