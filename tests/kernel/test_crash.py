"""What is left of a capture whose process is killed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.crash import NAMES, trial


@pytest.mark.parametrize("name", NAMES)
def test_kill_at_a_random_moment(tmp_path: Path, name: str) -> None:
    """kill -9 loses no event that was told to be written, and tears one line at most."""
    ended = trial(tmp_path / name)
    assert ended.numbers == list(range(len(ended.numbers)))
    assert len(ended.numbers) >= ended.told > 0
    assert ended.torn <= 1
