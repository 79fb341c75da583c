"""The asyncio core of the client: a socket, a connection over it, and what keeps one alive."""
