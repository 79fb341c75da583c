"""Workers of a cluster capture a fleet: each event once, whatever becomes of a worker, and no secret on the way."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import distributed
import distributed.comm.tcp
import pytest
from distributed import Client

import gateway_nb as gnb
from gateway_nb.errors import BadArgumentError, CaptureError
from gateway_nb.fleets.leases import BEAT, LEASE
from tests.helpers.clusters import TOKEN, VARIABLE, Counting, captured, cluster_of, connected, outcome, storm, until
from tests.helpers.real import RealGateway


def shares(capture: Any) -> list[int]:
    return sorted(capture.collectors["worker"].value_counts().tolist())


def test_a_storm(tmp_path: Path) -> None:
    """While workers are killed, one is added and a gateway restarts, each event is in the lake once, or in a gap."""
    found = storm(gateways=8, workers=2, seconds=25.0, every=8.0, lake=tmp_path / "lake")
    assert found.twice == 0
    assert found.unmarked == 0
    assert found.in_lake + found.missing == found.events
    assert found.in_lake > 0.5 * found.events
    assert max(found.takeovers) < 30


def test_shares_follow_the_workers(tmp_path: Path) -> None:
    """Each worker has its share; a new one takes some, one that is retired gives all away, and nothing is doubled."""
    with captured(tmp_path / "lake", 6, 2) as (counting, cluster, client, capture):
        assert shares(capture) == [3, 3]
        cluster.scale(3)
        until(lambda: shares(capture) == [2, 2, 2] and connected(capture))
        retired = str(capture.collectors["worker"][0])
        client.retire_workers([retired])
        until(lambda: connected(capture, retired))
        counting.pause()
        stats = capture.stop()
        assert capture.stop() == stats
    found = outcome(tmp_path / "lake", counting.sent)
    assert (found.twice, found.unmarked) == (0, 0)
    assert found.in_lake + found.missing == found.events
    assert "stopped" in repr(capture)


def test_a_worker_that_hangs_lets_go(tmp_path: Path) -> None:
    """What a stopped process had is captured by another, not before its lease is over; awake, it takes its share.

    What waited in its sockets is not in the lake again.
    """
    with captured(tmp_path / "lake", 4, 2) as (counting, _, client, capture):
        stopped = str(capture.collectors["worker"][0])
        (pid,) = client.run(os.getpid, workers=[stopped]).values()
        os.kill(pid, signal.SIGSTOP)
        try:
            assert until(lambda: connected(capture, stopped)) > LEASE - BEAT
        finally:
            os.kill(pid, signal.SIGCONT)
        until(lambda: shares(capture) == [2, 2] and connected(capture))
        counting.pause()
        capture.stop()
    found = outcome(tmp_path / "lake", counting.sent)
    assert (found.twice, found.unmarked) == (0, 0)


def test_a_stop_that_was_interrupted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Ctrl-C ends a stop, the next one commits the rest all the same."""

    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with captured(tmp_path / "lake", 1, 1) as (counting, _, _, capture):
        until(lambda: capture.collectors["events"].min() > 10)
        counting.pause()
        with monkeypatch.context() as patch:
            patch.setattr(distributed, "wait", interrupted)
            with pytest.raises(KeyboardInterrupt):
                capture.stop()
        stats = capture.stop()
        assert stats.waiting == 0
        assert stats.rows > 10
    assert outcome(tmp_path / "lake", counting.sent).in_lake > 10


def test_no_secret_passes_the_scheduler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that the scheduler or the client reads or writes on a socket holds a gateway's token."""
    seen: list[bytes] = []
    to_frames = distributed.comm.tcp.to_frames
    for name in ("to_frames", "from_frames"):
        original = getattr(distributed.comm.tcp, name)

        async def kept(*arguments: Any, _original: Any = original, **options: Any) -> Any:
            result = await _original(*arguments, **options)
            frames = result if _original is to_frames else arguments[0]
            seen.extend(map(bytes, frames))
            return result

        monkeypatch.setattr(distributed.comm.tcp, name, kept)
    with captured(tmp_path / "lake", 2, 1) as (_, _, _, capture):
        until(lambda: capture.collectors["events"].min() > 10)
    whole = b"".join(seen)
    assert VARIABLE.encode() in whole
    assert TOKEN.encode() not in whole


def test_a_worker_without_the_secret_says_so(tmp_path: Path) -> None:
    """Where a worker's environment lacks a gateway's secret, the gateway's row says which variable is missing."""
    with (
        Counting(1, 0.5) as counting,
        cluster_of(1) as (_, client),
        gnb.fleet(counting.members(), device_identity=None) as fleet,
    ):
        client.run(lambda: os.environ.pop("COLLECTED_TOKEN"))
        with fleet.capture(tmp_path / "lake", client=client) as capture:
            until(lambda: capture.collectors["state"][0] == "refused")
            assert f"the environment has no variable {VARIABLE}" in capture.collectors["reason"][0]


def test_a_cluster_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """client=True makes a cluster on this computer, which ends with the capture."""
    monkeypatch.setenv(VARIABLE, TOKEN)
    with (
        Counting(2, 0.02) as counting,
        gnb.fleet(counting.members(), device_identity=None) as fleet,
        fleet.capture(tmp_path / "lake", client=True) as capture,
    ):
        until(lambda: connected(capture))
        assert fleet.status.df["collector"].str.startswith("connected on tcp://127.0.0.1:").all()
    assert outcome(tmp_path / "lake", counting.sent).twice == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"client": "tcp://127.0.0.1:1"}, "client must be a distributed.Client that is not asynchronous, or True"),
        ({"events": ()}, "events must be name patterns"),
        ({"storage_options": {"AWS_SECRET_ACCESS_KEY": "x"}}, "AWS_SECRET_ACCESS_KEY would go to the workers"),
    ],
)
def test_bad_input(tmp_path: Path, client: Client, options: dict[str, Any], message: str) -> None:
    """What can't be is refused in one line, before a worker hears of it."""
    with (
        gnb.LocalGateway(auth="insecure-none") as local,
        gnb.fleet({"north": local.url}, device_identity=None) as fleet,
        pytest.raises(BadArgumentError, match=message),
    ):
        fleet.capture(tmp_path / "lake", **{"client": client, **options})


def test_a_lake_that_can_not_be(tmp_path: Path, client: Client) -> None:
    """Where the workers can't write the lake, the capture's figures say why."""
    (tmp_path / "lake").write_text("a file")
    with gnb.LocalGateway(auth="insecure-none") as local:
        fleet = gnb.fleet({"north": local.url}, device_identity=None)
        capture = fleet.capture(tmp_path / "lake", client=client)
        until(lambda: capture.stats.problem is not None)
        assert "lake can't be written: Not a directory" in str(capture.stats.problem)
        with pytest.raises(CaptureError, match="some events may not be in the lake"):
            fleet.close()


def test_the_real_gateway(real: RealGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the real gateway sends while another connection's run goes on is in the lake."""
    monkeypatch.setenv("REAL_TOKEN", real.token)
    with (
        cluster_of(1) as (_, client),
        gnb.fleet([{"name": "real", "url": real.url, "token_env": "REAL_TOKEN"}]) as fleet,
        fleet.capture(tmp_path / "lake", client=client) as capture,
    ):
        until(lambda: connected(capture))
        run = fleet["real"].run("hello")
        run.result(60)
        until(lambda: capture.collectors["events"][0] >= len(run.events))
    runs = gnb.load(tmp_path / "lake").runs().set_index("run")
    assert runs.loc[run.run_id, ["gateway", "status"]].tolist() == ["real", "ok"]


def test_a_client_that_is_closed(tmp_path: Path) -> None:
    """Where the client is closed before the capture, its end is an error soon, and the workers end by themselves."""
    with Counting(1, 0.02) as counting, cluster_of(1) as (cluster, _):
        client = Client(cluster)
        fleet = gnb.fleet(counting.members(), device_identity=None)
        capture = fleet.capture(tmp_path / "lake", client=client)
        until(lambda: connected(capture))
        client.close()
        until(lambda: capture.stats.problem is not None)
        with pytest.raises(CaptureError, match="some events may not be in the lake"):
            fleet.close()
