"""Calls without await: the loop's thread, handles of what runs there, and the thread of the handlers."""
