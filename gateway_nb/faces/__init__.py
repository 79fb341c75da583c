"""What users hold: the sync and the asyncio gateway, runs, and the process's connections by name."""
