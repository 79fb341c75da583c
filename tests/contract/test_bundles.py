"""What a browser gets of the widgets is what their sources say."""

from __future__ import annotations

from pathlib import Path

from gateway_nb.errors import OpenClawUnavailable
from tests.bundle import WIDGETS, bundle
from tests.helpers.support import missing


def test_bundles_are_those_of_the_sources(tmp_path: Path) -> None:
    """Built anew, every bundle is the committed one; ``python -m tests.bundle`` writes what differs."""
    try:
        bundle(tmp_path)
    except OpenClawUnavailable as error:
        missing("node", str(error))
    built = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("bundle.*")}
    committed = {path.relative_to(WIDGETS): path.read_bytes() for path in WIDGETS.rglob("bundle.*")}
    assert len(committed) == 2 * len(list(WIDGETS.glob("*/view.js")))
    assert sorted(built) == sorted(committed)
    assert [path for path in built if built[path] != committed[path]] == []
