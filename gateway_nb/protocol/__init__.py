"""The gateway protocol without I/O: bytes and times in, effects out."""
