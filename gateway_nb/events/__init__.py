"""Events as rows: the log, frames, what payloads say, runs and plots."""
