"""Traces: what an agent did, as spans, as a picture, and in the formats of others."""
