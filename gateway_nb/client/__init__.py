"""The asyncio client: a socket, a connection over it, and the gateway client that keeps one alive."""
