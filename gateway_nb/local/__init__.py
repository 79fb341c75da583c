"""Gateways on this machine: an embedded one that speaks the protocol, and the real one, started for you."""
