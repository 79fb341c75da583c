"""The notebook client for the OpenClaw Gateway."""
