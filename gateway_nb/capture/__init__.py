"""Keeping events: in memory as Arrow chunks, on disk as a journal."""
