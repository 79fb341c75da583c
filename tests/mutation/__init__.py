"""Faults put in on purpose, to see whether a test notices."""
