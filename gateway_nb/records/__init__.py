"""The gateway's own records as DataFrames, and transcripts of sessions."""
