"""Faults, met through each of the WebSocket libraries."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _through(each_transport: str) -> str:
    return each_transport
