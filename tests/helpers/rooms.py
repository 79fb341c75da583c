"""The package's rooms, and which rooms each may import: the picture of the architecture as an order."""

from __future__ import annotations

ROOMS = (
    "__main__",
    "__init__",
    "cli",
    "notebook",
    "diagnosis",
    "faces",
    "records",
    "capture",
    "events",
    "sync",
    "server",
    "openclaw",
    "client",
    "schema",
    "identity",
    "nesting",
    "protocol",
    "errors",
)
"""From the top down: a room imports only rooms after it."""
MAY_IMPORT = {room: set(ROOMS[place + 1 :]) for place, room in enumerate(ROOMS)}
