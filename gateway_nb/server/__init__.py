"""A gateway in this process that speaks the protocol: for tests, demonstrations and replays."""
