"""The device key and the device tokens on disk."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway_nb.identity import device, files
from gateway_nb.identity.device import DeviceIdentity, IdentityError
from gateway_nb.identity.tokens import DeviceTokens

A, B = "ws://127.0.0.1:1", "wss://example.org:443"


def kept_by(gateway: str, entry: object) -> str:
    """A token file with one entry, for an operator."""
    return json.dumps({"version": 1, "deviceId": "d", "tokens": {}, "gateways": {gateway: {"operator": entry}}})


def test_a_key_is_made_once(tmp_path: Path) -> None:
    """The first use makes a key in a private file, later ones find it."""
    first = DeviceIdentity.load_or_create()
    path = files.identity_folder() / "device.json"
    assert DeviceIdentity.load_or_create().device_id == first.device_id
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    document = json.loads(path.read_text())
    assert set(document) == {"version", "deviceId", "publicKeyPem", "privateKeyPem", "createdAtMs"}
    assert document["version"] == 1
    assert abs(document["createdAtMs"] - time.time() * 1000) < 60_000
    assert document["privateKeyPem"].startswith("-----BEGIN PRIVATE KEY-----")
    assert document["publicKeyPem"].startswith("-----BEGIN PUBLIC KEY-----")
    assert document["privateKeyPem"] not in repr(first)


def test_known_answer(tmp_path: Path) -> None:
    """Id, public key and signature are those of RFC 8032's first test vector."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    identity = DeviceIdentity(Ed25519PrivateKey.from_private_bytes(seed))
    assert identity.public_key == "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    assert identity.device_id == "21fe31dfa154a261626bf854046fd2271b7bed4b6abe45aa58877ef47f9721b9"
    assert identity.sign("").startswith("5VZDAMNgrHKQhuLMgG6CioSHfx64")


def test_a_wrong_id_is_corrected(tmp_path: Path) -> None:
    """A stored id that does not match the key is mended in place; the rest stays."""
    identity = DeviceIdentity.load_or_create(tmp_path / "key.json")
    document = json.loads((tmp_path / "key.json").read_text())
    (tmp_path / "key.json").write_text(json.dumps({**document, "deviceId": "wrong"}))
    assert DeviceIdentity.load(tmp_path / "key.json").device_id == identity.device_id
    assert json.loads((tmp_path / "key.json").read_text()) == document


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"privateKeyPem": 5}', '{"privateKeyPem": "nonsense"}', "\udcff", "[" * 100_000],
)
def test_an_unreadable_key_is_not_replaced(tmp_path: Path, content: str) -> None:
    """A broken key file is an error that says what to do, and stays as it is."""
    path = tmp_path / "key.json"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(IdentityError, match="can't be used"):
        DeviceIdentity.load_or_create(path)
    assert path.read_bytes() == content.encode("utf-8", "surrogateescape")


def test_a_key_of_another_kind(tmp_path: Path) -> None:
    """A key that is not Ed25519 is an error."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "key.json").write_text(json.dumps({"privateKeyPem": pem.decode()}))
    with pytest.raises(IdentityError, match="not Ed25519"):
        DeviceIdentity.load(tmp_path / "key.json")


def test_a_folder_in_its_place(tmp_path: Path) -> None:
    """A path that can't be read at all is an error, too."""
    (tmp_path / "key.json").mkdir()
    with pytest.raises(IdentityError, match="can't be used"):
        DeviceIdentity.load(tmp_path / "key.json")


def _at_once(count: int, code: str, *arguments: str) -> list[str]:
    """Run a script in several processes at once; return what each printed."""
    processes = [
        subprocess.Popen([sys.executable, "-c", code, *arguments, str(number)], stdout=subprocess.PIPE, text=True)
        for number in range(count)
    ]
    printed = [process.communicate(timeout=60)[0].strip() for process in processes]
    assert [process.returncode for process in processes] == [0] * count
    return printed


@pytest.mark.long
def test_two_processes_make_one_key(tmp_path: Path) -> None:
    """Processes that start at once agree on one key."""
    code = """
import sys
from gateway_nb.identity.device import DeviceIdentity
print(DeviceIdentity.load_or_create(sys.argv[1]).device_id)
"""
    assert len(set(_at_once(4, code, str(tmp_path / "key.json")))) == 1
    assert sorted(path.name for path in tmp_path.glob("*.json*")) == ["key.json", "key.json.lock"]


@pytest.mark.long
def test_two_processes_keep_each_others_tokens(tmp_path: Path) -> None:
    """Processes that write at once lose nothing of each other's."""
    code = """
import sys
from gateway_nb.identity.tokens import DeviceTokens
for turn in range(20):
    DeviceTokens("d", "g", sys.argv[1]).store(f"role-{sys.argv[2]}", f"token-{turn}", [])
"""
    path = tmp_path / "tokens.json"
    _at_once(3, code, str(path))
    kept = [DeviceTokens("d", "g", path).load(f"role-{number}") for number in range(3)]
    assert [token.token for token in kept if token] == ["token-19"] * 3


def test_tokens(tmp_path: Path) -> None:
    """Tokens are kept by role, with scopes sorted and unique, and cleared by role."""
    tokens = DeviceTokens("d", A, tmp_path / "tokens.json")
    assert tokens.load("operator") is None
    tokens.store(" operator ", "t1", ["b", "a", "b", " ", 5])  # type: ignore[list-item]
    tokens.store("node", "t2", [])
    found = tokens.load("operator")
    assert found is not None
    assert (found.token, found.scopes) == ("t1", ("a", "b"))
    assert "t1" not in repr(found)
    document = json.loads((tmp_path / "tokens.json").read_text())
    assert (document["version"], document["deviceId"], document["tokens"]) == (1, "d", {})
    assert set(document["gateways"][A]) == {"operator", "node"}
    assert all(abs(kept["updatedAtMs"] - time.time() * 1000) < 60_000 for kept in document["gateways"][A].values())
    assert stat.S_IMODE((tmp_path / "tokens.json").stat().st_mode) == 0o600
    tokens.clear("operator", "another, stored meanwhile by another process")
    assert tokens.load("operator") is not None
    tokens.clear("operator", "t1")
    tokens.clear("nobody", "t1")
    assert tokens.load("operator") is None
    assert tokens.load("node") is not None


@pytest.mark.parametrize(
    "content",
    [
        "",
        "nonsense",
        "[]",
        '{"deviceId": "other", "tokens": {"operator": {"token": "t"}}}',
        '{"deviceId": "d", "tokens": []}',
        '{"deviceId": "d", "tokens": {}, "gateways": []}',
        '{"deviceId": "d", "tokens": {}, "gateways": {"ws://127.0.0.1:1": []}}',
        kept_by(A, "t"),
        kept_by(A, {"token": ""}),
        kept_by(A, {"token": 5}),
        kept_by(A, {"token": "x" * 4097}),
        kept_by(A, {"token": "\ud800"}),
        kept_by(A, {"token": "t", "scopes": [str(number) for number in range(65)]}),
        kept_by(A, {"token": "t", "scopes": ["s" * 129]}),
        kept_by(B, {"token": "t"}),
        "[" * 100_000,
    ],
)
def test_token_files_of_no_use(tmp_path: Path, content: str) -> None:
    """A broken file, or another device's, counts as empty, and can be written over."""
    path = tmp_path / "tokens.json"
    path.write_text(content)
    tokens = DeviceTokens("d", A, path)
    assert tokens.load("operator") is None
    tokens.store("operator", "t", ["s"])
    assert tokens.load("operator") is not None


def test_tokens_of_two_gateways(tmp_path: Path) -> None:
    """A gateway's token is read and deleted for that gateway alone."""
    path = tmp_path / "tokens.json"
    a, b = DeviceTokens("d", A, path), DeviceTokens("d", B, path)
    a.store("operator", "of A", [])
    assert b.load("operator") is None
    b.store("operator", "of B", [])
    b.clear("operator", "of A")
    assert [found.token for found in (a.load("operator"), b.load("operator")) if found] == ["of A", "of B"]
    a.clear("operator", "of A")
    assert a.load("operator") is None
    assert b.load("operator") is not None


def test_tokens_of_an_earlier_version(tmp_path: Path) -> None:
    """A token that was kept without its gateway belongs to none, stays in the file, and is known to be there."""
    path = tmp_path / "tokens.json"
    old = {"operator": {"token": "old", "role": "operator", "scopes": [], "updatedAtMs": 1}}
    path.write_text(json.dumps({"version": 1, "deviceId": "d", "tokens": old}))
    tokens = DeviceTokens("d", A, path)
    assert tokens.load("operator") is None
    assert [tokens.of_unknown_gateway(role) for role in ("operator", "node")] == [True, False]
    tokens.store("operator", "new", [])
    tokens.clear("operator", "old")
    assert json.loads(path.read_text())["tokens"] == old


@pytest.mark.parametrize(
    ("token", "scopes"),
    [("", []), ("x" * 4097, []), ("a\nb", []), ("t", ["s" * 129]), ("t", [str(number) for number in range(65)])],
)
def test_tokens_that_are_not_kept(tmp_path: Path, token: str, scopes: list[str]) -> None:
    """A token or scopes without measure are refused, and make no file."""
    with pytest.raises(ValueError, match="4,096 printable characters"):
        DeviceTokens("d", A, tmp_path / "tokens.json").store("operator", token, scopes)
    assert list(tmp_path.iterdir()) == []


def test_the_longest_tokens(tmp_path: Path) -> None:
    """A token of 4,096 characters with 64 scopes of 128 is kept."""
    tokens = DeviceTokens("d", A, tmp_path / "tokens.json")
    scopes = tuple(f"{number:0128}" for number in range(64))
    assert tokens.store("operator", "x" * 4096, scopes) == 0
    kept = tokens.load("operator")
    assert kept is not None
    assert (kept.token, kept.scopes) == ("x" * 4096, scopes)


def test_a_full_token_file(tmp_path: Path) -> None:
    """The file never grows beyond what is read: the oldest tokens give way, and they are counted."""
    path = tmp_path / "tokens.json"
    entry = {"role": "operator", "scopes": []}
    gateways = {
        f"wss://{number}": {"operator": {**entry, "token": "x" * 4096, "updatedAtMs": number}} for number in range(238)
    }
    path.write_text(json.dumps({"version": 1, "deviceId": "d", "tokens": {}, "gateways": gateways}))
    assert path.stat().st_size < files.MAX_BYTES
    dropped = DeviceTokens("d", A, path).store("operator", "t", ["s" * 100 + str(number) for number in range(64)])
    assert 1 <= dropped <= 3  # one of 4 KB makes room for 7 KB of scopes, or two do
    assert path.stat().st_size <= files.MAX_BYTES
    kept = set(json.loads(path.read_text())["gateways"])
    assert kept == {A} | {f"wss://{number}" for number in range(dropped, 238)}


def test_a_token_file_without_room(tmp_path: Path) -> None:
    """Tokens of an earlier version are never dropped: where they leave no room, the file stays as it is."""
    path = tmp_path / "tokens.json"
    path.write_text(json.dumps({"version": 1, "deviceId": "d", "tokens": {"operator": "x" * 999_800}}))
    before = path.read_bytes()
    with pytest.raises(OSError, match="no room"):
        DeviceTokens("d", A, path).store("operator", "t" * 1000, [])
    assert path.read_bytes() == before


def _larger(path: Path) -> None:
    path.write_bytes(b" " * (files.MAX_BYTES + 1))


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(("make", "why"), [(_larger, "larger"), (_pipe, "regular"), (_device, "regular")])
def test_odd_files(tmp_path: Path, make: Callable[[Path], None], why: str) -> None:
    """A file without measure, a pipe or a device is refused at once, instead of being read or waited for."""
    make(tmp_path / "file.json")
    with pytest.raises(OSError, match=why):
        DeviceTokens("d", A, tmp_path / "file.json").load("operator")
    with pytest.raises(IdentityError, match=why):
        DeviceIdentity.load(tmp_path / "file.json")


def test_the_largest_file(tmp_path: Path) -> None:
    """A key file of a million bytes is read, and one that is larger is refused."""
    path = tmp_path / "key.json"
    identity = DeviceIdentity.load_or_create(path)
    document = path.read_bytes()
    path.write_bytes(document.ljust(1_000_000))
    assert DeviceIdentity.load(path).device_id == identity.device_id
    path.write_bytes(document.ljust(1_000_001))
    with pytest.raises(IdentityError, match="larger than 1,000,000 bytes"):
        DeviceIdentity.load(path)


def test_a_file_that_is_open_to_others() -> None:
    """A key that others may read is closed to them, and so is our folder, with a line for each; once is enough."""
    DeviceIdentity.load_or_create()
    path = device.default_path()
    path.chmod(0o644)
    path.parent.chmod(0o755)
    device.protect(path, False)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    changes = device.protect(path, True)
    assert [("mode 644" in line, "mode 755" in line) for line in changes] == [(True, False), (False, True)]
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode)) == (0o600, 0o700)
    assert device.protect(path, True) == []


def test_a_key_elsewhere_that_is_open_to_others(tmp_path: Path) -> None:
    """Of a key that lies in a folder of the user's, the folder is left as it is."""
    path = tmp_path / "key.json"
    DeviceIdentity.load_or_create(path)
    path.chmod(0o666)
    tmp_path.chmod(0o755)
    assert len(device.protect(path, True)) == 1
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(tmp_path.stat().st_mode)) == (0o600, 0o755)


def test_a_key_that_stays_open_to_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that others may read, of which that can't be changed, is refused with what to do."""
    path = tmp_path / "key.json"
    DeviceIdentity.load_or_create(path)
    path.chmod(0o640)

    def denied(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", denied)
    with pytest.raises(IdentityError, match=r"open to other users .*chmod go="):
        device.protect(path, True)


def test_odd_scopes_in_the_file(tmp_path: Path) -> None:
    """Scopes that are no list are none."""
    path = tmp_path / "tokens.json"
    path.write_text(kept_by(A, {"token": "t", "scopes": "x"}))
    found = DeviceTokens("d", A, path).load("operator")
    assert found is not None
    assert found.scopes == ()


def test_whose_the_files_are(tmp_path: Path) -> None:
    """Whatever is made for the key and the tokens, folders and locks included, is for its owner alone."""
    first, second, third = tmp_path / "1", tmp_path / "2", tmp_path / "3"
    files.write_private(first / "file", b"x")
    with files.locked(second / "file"):
        modes = {place.name: stat.S_IMODE(place.stat().st_mode) for place in (second, *second.iterdir())}
    DeviceIdentity.load_or_create(third / "file")
    modes |= {f"{place.parent.name}/{place.name}": stat.S_IMODE(place.stat().st_mode) for place in third.iterdir()}
    assert stat.S_IMODE(first.stat().st_mode) == stat.S_IMODE(third.stat().st_mode) == modes.pop("2") == 0o700
    assert "file.lock" in modes
    assert set(modes.values()) == {0o600}


def test_what_is_written_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private file gets its name when all of it is on the disk: a crash leaves the old one, or the new one whole."""
    brought: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: brought.append(os.fstat(handle).st_size))
    monkeypatch.setattr(os, "replace", lambda *_: brought.append(-1))
    files.write_private(tmp_path / "file", b"x" * 1000)
    assert brought == [1000, -1]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full the old file stays, and no temporary one is left."""
    path = tmp_path / "file.json"
    files.write_private(path, b"old")

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        files.write_private(path, b"new")
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir() if found.is_file()] == ["file.json"]


def test_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The variable decides where files live, else the platform does."""
    monkeypatch.setenv("GATEWAY_NB_HOME", str(tmp_path))
    assert files.identity_folder() == tmp_path / "identity"
    monkeypatch.delenv("GATEWAY_NB_HOME")
    assert files.home().name == "gateway-nb"


def test_how_long_another_process_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever changes a file waits up to 10 s for another process that does."""
    asked: list[tuple[Path, float]] = []

    def lock(path: Path, *, timeout: float, mode: int) -> contextlib.nullcontext[None]:
        asked.append((path, timeout))
        return contextlib.nullcontext()

    monkeypatch.setattr(files, "FileLock", lock)
    DeviceTokens("device", "gateway", tmp_path / "tokens.json").store("operator", "token", [])
    assert asked == [(tmp_path / "tokens.json.lock", 10.0)]
