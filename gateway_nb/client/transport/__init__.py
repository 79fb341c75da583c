"""The socket: one interface, two libraries behind it, and TLS whose pin is checked before a byte of HTTP is sent."""
