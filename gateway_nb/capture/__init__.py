"""Events on disk: journals, recordings, exports, and captures in processes of their own."""
